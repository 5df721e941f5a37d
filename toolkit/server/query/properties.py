"""Attributes by the names that they have in the Web API: a lookup ``x`` is the property ``_x_value``."""

from __future__ import annotations

import re

from toolkit.model.entity import LOOKUPS, Attribute, Entity
from toolkit.server.call import ODataError, bad_request

_LOOKUP = re.compile(r"_(\w+)_value")


def property_name(attribute: Attribute) -> str:
    """Return the name of an attribute's property."""
    return f"_{attribute.name}_value" if attribute.type in LOOKUPS else attribute.name


def attribute_of(entity: Entity, name: str) -> Attribute:
    """Return the attribute behind a property. Raises ODataError (400) in Dataverse's words."""
    found = find(entity, name)
    if found is None:
        raise no_property(entity, name)
    return found


def no_property(entity: Entity, name: str) -> ODataError:
    """Return the refusal of a property that an entity does not have: 400, in Dataverse's words."""
    return bad_request(f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{entity.name}'.")


def find(entity: Entity, name: str) -> Attribute | None:
    """Return the attribute behind a property, or None."""
    lookup = _LOOKUP.fullmatch(name)
    attribute = entity.attribute(lookup[1]) if lookup else entity.attribute(name)
    if attribute is None or (attribute.type in LOOKUPS) is not bool(lookup):
        return None
    return attribute
