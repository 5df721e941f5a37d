"""Navigation properties: from a row to the one that its lookup names."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.model.columns import ENTITY_TYPE_SUFFIX
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, Entity
from toolkit.server.properties import no_property


@dataclass(frozen=True, slots=True)
class Navigation:
    """A single-valued navigation property: ``attribute`` of a row holds the id of a row of ``target``."""

    name: str
    attribute: Attribute
    target: str

    @property
    def type_column(self) -> str | None:
        """The column that says which entity the id is of, where there can be several."""
        return self.attribute.name + ENTITY_TYPE_SUFFIX if self.attribute.polymorphic else None


def navigations(entity: Entity) -> tuple[Navigation, ...]:
    """Return the single-valued navigation properties of an entity."""
    lookups = (attribute for attribute in entity.attributes if attribute.type in LOOKUPS)
    return tuple(Navigation(navigation_name(each, target), each, target) for each in lookups for target in each.targets)


def navigation_name(attribute: Attribute, target: str) -> str:
    """Return the name of the property that leads from a lookup to one of its targets.

    A lookup of several entities has a property for each: ``parentcustomerid_account``. An owner has one for all.
    """
    several = len(attribute.targets) > 1 and attribute.type is not AttributeType.OWNER
    return f"{attribute.name}_{target}" if several else attribute.name


def navigation(entity: Entity, name: str) -> tuple[Navigation, ...]:
    """Return what a navigation property leads to, one for each target; upper and lower case are equal.

    Raises ODataError (400) in Dataverse's words.
    """
    found = tuple(each for each in navigations(entity) if each.name == name.lower())
    if not found:
        raise no_property(entity, name)
    return found
