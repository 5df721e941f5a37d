"""Metadata over the Web API: what is read. ``writes`` holds what changes it."""

from __future__ import annotations

from toolkit.server.call import Answer, Call
from toolkit.server.metadata import changes, csdl, writes
from toolkit.server.metadata.forms import Item
from toolkit.server.metadata.paths import Found, read, resolved
from toolkit.server.metadata.queries import Query, answered, check, document
from toolkit.server.route import Route
from toolkit.server.world import World

AREA = "Metadata"

_BELOW = r"(?:\([^()]*\))?(?:/.*)?"


def found(world: World, call: Call) -> Answer:
    """Return what an address of metadata leads to."""
    query = Query.of(call.query)
    with world.read() as connection:
        there = resolved(read(connection), call.path)
    context = {"@odata.context": f"{call.base}$metadata#{call.path}"}
    if there.things is None:
        return Answer.none()
    if isinstance(there.things, Item):
        return Answer.json({**context, **_one(there.things, there, query)})
    return Answer.json({**context, "value": answered(there.things, query, there.declared)})


def _one(item: Item, there: Found, query: Query) -> dict[str, object]:
    check(query, there.declared)
    shown: dict[str, object] = document(item, query, there.declared)
    return shown


def service_document(world: World, call: Call) -> Answer:
    """Return the names of all sets."""
    with world.read() as connection:
        tables = read(connection).tables.values()
    names = sorted(table.entity.set_name for table in tables)
    value = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
    return Answer.json({"@odata.context": f"{call.base}$metadata", "value": value})


def csdl_document(world: World, call: Call) -> Answer:  # noqa: ARG001 - every handler takes the call
    """Return the model of the whole organization as CSDL."""
    with world.read() as connection:
        body = csdl.document(read(connection))
    return Answer(200, {"Content-Type": "application/xml", "OData-Version": "4.0"}, body)


ROUTES: tuple[Route, ...] = (
    Route("GET", "", service_document, AREA, "the service document: the names of all entity sets"),
    Route("GET", r"\$metadata", csdl_document, AREA, "the model as CSDL 4.0, change-tracked sets annotated"),
    Route(
        "GET", "EntityDefinitions" + _BELOW, found, AREA, "entities, their attributes with casts, relationships, keys"
    ),
    Route("GET", "GlobalOptionSetDefinitions" + _BELOW, found, AREA, "global choices"),
    Route("GET", "RelationshipDefinitions" + _BELOW, found, AREA, "relationships, 1:N and N:N, with casts"),
    *changes.ROUTES,
    *writes.ROUTES,
)
