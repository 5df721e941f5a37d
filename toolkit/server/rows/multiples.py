"""Actions on many rows at once: CreateMultiple, UpdateMultiple, UpsertMultiple. Each does all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.server.call import BAD_PAYLOAD, Answer, Call, bad_request
from toolkit.server.query.keys import SET, Key
from toolkit.server.query.references import id_of, key_of
from toolkit.server.route import Route
from toolkit.server.rows import payloads
from toolkit.server.rows.payloads import Row
from toolkit.server.rows.writes import Writer
from toolkit.server.world import World

_ACTION = r"/(?:Microsoft[.]Dynamics[.]CRM[.])?"
_RESPONSE = "Microsoft.Dynamics.CRM.{}Response"


def create_multiple(world: World, call: Call, entity_set: str) -> Answer:
    """Create rows and return their ids in the order of the targets."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        made = writer.create(*(writer.row(target) for target in _targets(call)))
    context = f"{call.base}$metadata#{_RESPONSE.format('CreateMultiple')}"
    return Answer.json({"@odata.context": context, "Ids": made})


def update_multiple(world: World, call: Call, entity_set: str) -> Answer:
    """Change rows that are there; each target has its id or an address of its own."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        writer.update_all([_change(writer, target) for target in _targets(call)])
    return Answer.none()


def upsert_multiple(world: World, call: Call, entity_set: str) -> Answer:
    """Change rows, and create those that are not there."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        new: list[Row] = []
        old: list[tuple[str, Row]] = []
        for target in _targets(call):
            key, row = _key(writer, target), writer.row(target)
            row_id = None if key is None else id_of(connection, writer.table, key)
            if row_id is not None:
                old.append((row_id, row))
            else:
                new.append({**row, **(payloads.of_key(key) if key else {})})
        writer.create(*new)
        writer.update_all(old)
    return Answer.none()


def _change(writer: Writer, target: Mapping[str, Any]) -> tuple[str, Row]:
    key = _key(writer, target)
    if key is None:
        raise bad_request(f"a target of UpdateMultiple needs its {writer.table.definition.primary_id}", BAD_PAYLOAD)
    return writer.existing(key), writer.row(target)


def _key(writer: Writer, target: Mapping[str, Any]) -> Key | None:
    """Return the key that a target names, or None."""
    definition = writer.table.definition
    if isinstance(address := target.get("@odata.id"), str):
        return key_of(definition, writer.base, address)
    row_id = target.get(definition.primary_id)
    return Key.of_id(definition, row_id) if isinstance(row_id, str) else None


def _targets(call: Call) -> list[Mapping[str, Any]]:
    found = call.object().get("Targets")
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise bad_request("Targets is a list of objects, and has at least one", BAD_PAYLOAD)
    return found


_AREA = "Many rows at once"
ROUTES: tuple[Route, ...] = (
    Route("POST", SET + _ACTION + "CreateMultiple", create_multiple, _AREA, "create rows; answers their ids"),
    Route("POST", SET + _ACTION + "UpdateMultiple", update_multiple, _AREA, "change rows"),
    Route("POST", SET + _ACTION + "UpsertMultiple", upsert_multiple, _AREA, "change rows, or create them"),
)
