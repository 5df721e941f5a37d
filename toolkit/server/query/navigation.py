"""Navigation properties: from a row to the one that its lookup names, and to the rows whose lookups name it."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.model.columns import ENTITY_TYPE_SUFFIX
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, Entity
from toolkit.organization import details
from toolkit.organization.database import Connection
from toolkit.server.query.properties import no_property


@dataclass(frozen=True, slots=True)
class Navigation:
    """A single-valued navigation property: ``attribute`` of a row holds the id of a row of ``target``."""

    name: str
    attribute: Attribute
    target: str

    @property
    def type_column(self) -> str | None:
        """The column that says which entity the id is of, where there can be several."""
        return type_column(self.attribute)


def type_column(attribute: Attribute) -> str | None:
    """Return the column beside a lookup that says which entity it leads to, where there can be several."""
    return attribute.name + ENTITY_TYPE_SUFFIX if attribute.polymorphic else None


def navigations(connection: Connection, entity: Entity) -> tuple[Navigation, ...]:
    """Return the single-valued navigation properties of an entity."""
    detail = details.detail(connection, entity.name)
    lookups = (attribute for attribute in entity.attributes if attribute.type in LOOKUPS)
    return tuple(
        Navigation(navigation_name(each, detail.attribute(each.name).schema_name or each.name, target), each, target)
        for each in lookups
        for target in each.targets
    )


def navigation_name(attribute: Attribute, schema_name: str, target: str) -> str:
    """Return the name of the property that leads from a lookup to one of its targets, by the lookup's schema name.

    A lookup of several entities has a property for each: ``parentcustomerid_account``. An owner has one for all.
    """
    several = len(attribute.targets) > 1 and attribute.type is not AttributeType.OWNER
    return f"{schema_name}_{target}" if several else schema_name


def find(connection: Connection, entity: Entity, name: str) -> tuple[Navigation, ...]:
    """Return what a navigation property leads to, one for each target; nothing where there is no such property."""
    return tuple(each for each in navigations(connection, entity) if each.name == name)


def navigation(connection: Connection, entity: Entity, name: str) -> tuple[Navigation, ...]:
    """Return what a navigation property leads to. Raises ODataError (400) in Dataverse's words."""
    found = find(connection, entity, name)
    if not found:
        raise no_property(entity, name)
    return found
