"""Rows over the Web API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from toolkit.model.columns import arrow_schema
from toolkit.model.entity import LOOKUPS, DateTimeBehavior, Entity
from toolkit.organization.database import Connection
from toolkit.organization.row_checks import GUID
from toolkit.organization.storage import from_storage, precision, select
from toolkit.server.call import Answer, Call, ODataError, bad_request
from toolkit.server.route import KEY, Route
from toolkit.server.tables import Table, table
from toolkit.server.world import World

_SET = r"(?P<entity_set>[a-z_]\w*)"
PAGE = 5000
"""Rows of a page: at most, and by default."""


def many(world: World, call: Call, entity_set: str) -> Answer:
    """Return rows of an entity set."""
    with world.read() as connection:
        found = table(connection, entity_set)
        rows = _rows(connection, found, "ORDER BY " + found.key, int(call.query.get("$top", PAGE)))
    context = f"{call.base}$metadata#{entity_set}"
    return Answer.json({"@odata.context": context, "value": [record(found.definition, row) for row in rows]})


def one(world: World, call: Call, entity_set: str, key: str) -> Answer:
    """Return a row by its id."""
    if not re.match(GUID, key.lower()):
        raise bad_request(f"{key} is no key")
    with world.read() as connection:
        found = table(connection, entity_set)
        rows = _rows(connection, found, f'WHERE "{found.definition.primary_id}" = ?', 1, key.lower())
    if not rows:
        raise ODataError(404, "0x80040217", f"{found.definition.name} With Id = {key} Does Not Exist")
    context = f"{call.base}$metadata#{entity_set}/$entity"
    return Answer.json({"@odata.context": context, **record(found.definition, rows[0])})


def _rows(connection: Connection, found: Table, tail: str, limit: int, *parameters: str) -> list[dict[str, Any]]:
    schema = arrow_schema(found.definition)
    rows = select(connection, found.source, schema, tail, limit, parameters=[*found.parameters, *parameters])
    return from_storage(rows, schema).to_pylist()


def selected(call: Call, entity: Entity) -> list[str] | None:
    """Return the logical names of the attributes that ``$select`` asks for; None for all. Raises ODataError (400)."""
    if "$select" not in call.query:
        return None
    known = {f"_{each.name}_value" if each.type in LOOKUPS else each.name: each.name for each in entity.attributes}
    names = [name.strip() for name in call.query["$select"].split(",")]
    for name in names:
        if name not in known:
            type_name = f"Microsoft.Dynamics.CRM.{entity.name}"
            raise bad_request(f"Could not find a property named '{name}' on type '{type_name}'.")
    return [known[name] for name in names]


def record(entity: Entity, row: Mapping[str, Any]) -> dict[str, object]:
    """Return a row as JSON, with those attributes that it has."""
    values: dict[str, object] = {"@odata.etag": f'W/"{row["versionnumber"]}"'}
    for attribute in entity.attributes:
        if attribute.name not in row:
            continue
        value = row[attribute.name]
        if attribute.type in LOOKUPS:
            values[f"_{attribute.name}_value"] = value
        elif value is None or attribute.type.value not in {"datetime", "decimal", "money"}:
            values[attribute.name] = value
        elif attribute.type.value != "datetime":
            values[attribute.name] = round(value, precision(attribute))
        elif attribute.behavior is DateTimeBehavior.DATE_ONLY:
            values[attribute.name] = value.isoformat()
        else:
            values[attribute.name] = f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return values


ROUTES: tuple[Route, ...] = (
    Route("GET", _SET, many, "Rows", "rows of an entity set"),
    Route("GET", _SET + KEY, one, "Rows", "a row by its id"),
)
