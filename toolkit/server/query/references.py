"""References to rows: ``/accounts(id)``, ``accounts(name='a')`` or the whole address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from toolkit.model.entity import Entity
from toolkit.organization.database import Connection
from toolkit.server.call import BAD_PAYLOAD, bad_request
from toolkit.server.query.keys import SET, Key, missing
from toolkit.server.query.tables import Table, table
from toolkit.server.route import KEY
from toolkit.server.rows.reading import matching
from toolkit.server.system.ids import Ids

_USER = "systemuser"


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that is there."""

    entity: Entity
    id: str


def refer(connection: Connection, base: str, text: str) -> Reference:
    """Return the row that an address leads to. Raises ODataError (400, 404)."""
    entity_set, key_text = _split(base, text)
    target = table(connection, entity_set)
    key = Key.parse(target.definition, key_text)
    row_id = id_of(connection, target, key)
    if row_id is None:
        raise missing(target.definition, key)
    return Reference(target.definition, row_id)


def key_of(entity: Entity, base: str, text: str) -> Key:
    """Return the key in the address of a row of an entity. Raises ODataError (400)."""
    entity_set, key = _split(base, text)
    if entity_set != entity.set_name:
        raise bad_request(f"{entity_set} is not the entity set of {entity.name}", BAD_PAYLOAD)
    return Key.parse(entity, key)


def _split(base: str, text: str) -> tuple[str, str]:
    found = re.fullmatch(SET + KEY, unquote(text.removeprefix(base)).lstrip("/"))
    if found is None:
        raise bad_request("a reference to a row is an entity set and a key, as in /accounts(id)", BAD_PAYLOAD)
    return found["entity_set"], found["key"]


def id_of(connection: Connection, found: Table, key: Key) -> str | None:
    """Return the id of the row that has a key, or None. Raises ODataError (400) when several rows have it."""
    definition = found.definition
    if definition.name == _USER and key.id == Ids(connection).user:
        # Whoever calls is a user, and needs no row for that.
        return key.id
    rows = matching(found, key.condition).page(connection, [definition.primary_id], None, 2).rows
    if rows.num_rows > 1:
        raise key.ambiguous(definition)
    return str(rows.column(definition.primary_id)[0].as_py()) if rows.num_rows else None
