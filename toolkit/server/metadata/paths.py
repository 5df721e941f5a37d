"""Addresses of metadata: ``EntityDefinitions(LogicalName='account')/Attributes(...)/Microsoft.Dynamics.CRM....``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.organization.database import Connection
from toolkit.server.call import ODataError, bad_request, no_resource
from toolkit.server.metadata import view
from toolkit.server.metadata.forms import (
    BASES,
    ENTITY_TYPE,
    NAMESPACE,
    TYPES,
    Item,
    Type,
    entity_item,
    joining_items,
    option_set_item,
    relation_items,
)
from toolkit.server.metadata.queries import led_to
from toolkit.server.metadata.view import Metadata
from toolkit.server.system.tables import SYSTEM_TABLES

NOT_FOUND = "0x80040217"

ROOTS: Mapping[str, Type] = {
    "EntityDefinitions": ENTITY_TYPE,
    "GlobalOptionSetDefinitions": BASES["OptionSetMetadataBase"],
    "RelationshipDefinitions": BASES["RelationshipMetadataBase"],
}
"""The sets of metadata, with the types that they are declared with."""

_SEGMENT = re.compile(r"([A-Za-z_][\w.]*)(?:\(([^()]*)\))?")
_KEY = re.compile(r"(?:(LogicalName|SchemaName|Name|MetadataId)=)?'?([\w-]+)'?")


@dataclass(frozen=True, slots=True)
class Found:
    """What an address leads to: one thing, or all of a set; ``declared`` is the type that clients are promised."""

    things: Item | Sequence[Item] | None
    declared: Type

    @property
    def many(self) -> Sequence[Item]:
        """The things of a set. Raises ODataError (400) where the address leads to one."""
        if not isinstance(self.things, Sequence):
            raise bad_request("the address leads to one thing of the metadata, not to a set")
        return self.things


def read(connection: Connection) -> Metadata:
    """Return the metadata of an organization, its system tables among them."""
    return view.read(connection, [each.definition for each in SYSTEM_TABLES if each.is_in(connection)])


def item(metadata: Metadata, path: str) -> Item:
    """Return the one thing that an address leads to. Raises ODataError (400, 404)."""
    found = resolved(metadata, path).things
    if not isinstance(found, Item):
        raise bad_request("the address leads to a set of the metadata, not to one thing of it")
    return found


def resolved(metadata: Metadata, path: str) -> Found:
    """Return what an address leads to. Raises ODataError (404) for one that leads nowhere."""
    (root, key), *rest = _segments(path)
    found = Found(_root(metadata, root), ROOTS[root])
    for name, inner in [(None, key), *rest]:
        found = found if name is None else _step(found, name)
        found = found if inner is None else Found(_of_key(found, inner), found.declared)
    return found


def _segments(path: str) -> Iterator[tuple[str, str | None]]:
    for part in path.split("/"):
        match = _SEGMENT.fullmatch(part)
        if match is None:
            raise no_resource(part)
        yield match[1], match[2]


def _root(metadata: Metadata, name: str) -> Sequence[Item]:
    match name:
        case "EntityDefinitions":
            return [entity_item(table) for table in metadata.tables.values()]
        case "GlobalOptionSetDefinitions":
            return [found for each in metadata.option_sets if (found := option_set_item(each)) is not None]
        case _:
            lookups = [relation for table in metadata.tables.values() for relation in table.lookups]
            return [*relation_items(lookups), *joining_items(metadata.joinings)]


def _step(found: Found, name: str) -> Found:
    """Follow a navigation property, or cast to a type."""
    cast = name.removeprefix(f"{NAMESPACE}.")
    if cast != name:
        return _cast(found, cast)
    if isinstance(found.things, Item) and name in found.things.type.leads_to:
        return Found(found.things.led_to(name), led_to(found.things.type, name))
    raise no_resource(name)


def _cast(found: Found, name: str) -> Found:
    if name not in TYPES:
        raise no_resource(f"{NAMESPACE}.{name}")
    if isinstance(found.things, Sequence):
        return Found([each for each in found.things if each.is_a(name)], TYPES[name])
    if found.things is None or not found.things.is_a(name):
        raise ODataError(404, NOT_FOUND, f"it is no {NAMESPACE}.{name}")
    return Found(found.things, TYPES[name])


def _of_key(found: Found, key: str) -> Item:
    """Return the thing of a set that a key names: its id, or a name as in ``LogicalName='account'``."""
    match = _KEY.fullmatch(key.strip())
    if match is None:
        raise bad_request(f"{key} is no key of metadata")
    name, value = match[1] or "MetadataId", match[2]
    wanted = value.lower() if name == "MetadataId" else value
    things = (each for each in found.many if name in each.type.properties)
    thing = next((each for each in things if each.value(name) == wanted), None)
    if thing is None:
        raise ODataError(404, NOT_FOUND, f"{found.declared.name} With {name} = {value} Does Not Exist")
    return thing
