"""Rows of an embedded organization: written in bulk or one by one, checked, stamped with versions, and read.

Each write is one transaction, takes its row versions from the organization's counter, and leaves nothing behind when
a row breaks a rule. ``createdon`` and ``modifiedon`` are now unless they are given. Rows are Arrow in the types of
``arrow_schema``, or mappings with the Python values of those types; columns that are left out are null in a new row
and stay as they are in an old one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import Invalid, Refused
from toolkit.model.columns import arrow_schema, arrow_type
from toolkit.model.entity import Entity
from toolkit.organization import catalog, metadata, row_checks
from toolkit.organization.database import Connection, Database, Violated, next_version
from toolkit.organization.row_input import Rows, checked
from toolkit.organization.storage import Column, from_storage, microseconds, quoted, select, to_storage

DUPLICATE = "0x80040237"
"""Dataverse's code for a key that is there already."""
KEY_TAKEN = "0x80060892"
"""Dataverse's code for values of an alternate key that a row has already."""
MISSING = "0x80040217"
"""Dataverse's code for a row that does not exist."""

Clock = Callable[[], datetime]

_DAY = 86_400_000_000
"""Microseconds."""


class _MustBe(Enum):
    """What the ids of a write must be before it."""

    NEW = "new"
    OLD = "old"
    EITHER = "either"


def insert(database: Database, entity: str, rows: Rows, clock: Clock) -> int:
    """Create rows and return how many. Raises NotFound (ORG008), Invalid (ORG021 to ORG030, 0x80040237), Refused."""
    definition = _definition(database, entity)
    given = checked(definition, rows)
    stamped = _stamped(definition, given, clock(), "createdon", "modifiedon")
    return _write(database, definition, stamped, _insert(definition, stamped), _MustBe.NEW)


def update(database: Database, entity: str, rows: Rows, clock: Clock) -> int:
    """Change the given columns of rows that are there. Raises as ``insert``, and Invalid (0x80040217)."""
    definition = _definition(database, entity)
    stamped = _stamped(definition, checked(definition, rows), clock(), "modifiedon")
    return _write(database, definition, stamped, _update(definition, stamped), _MustBe.OLD)


def upsert(database: Database, entity: str, rows: Rows, clock: Clock) -> int:
    """Create rows, or change those that are there, which keep their ``createdon`` where none is given.

    Raises as ``insert``.
    """
    definition = _definition(database, entity)
    given, now = checked(definition, rows), clock()
    stamped = _stamped(definition, _with_createdon(definition, given), now, "modifiedon")
    return _write(database, definition, stamped, _upsert(definition, stamped, now), _MustBe.EITHER)


def _with_createdon(definition: Entity, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with nulls of ``createdon`` where they lack it and the entity has it."""
    attribute = definition.attribute("createdon")
    if attribute is None or "createdon" in rows.schema.names:
        return rows
    return rows.append_column("createdon", pa.array([None] * rows.num_rows, arrow_type(attribute)))


def insert_stored(connection: Connection, definition: Entity, stored: pa.RecordBatch) -> None:
    """Create rows that are in stored form and known to keep the rules, with all stamps but the version."""
    _run(connection, stored, _insert(definition, stored))


def delete(database: Database, entity: str, ids: Sequence[str], clock: Clock) -> int:
    """Delete rows, each with a tombstone in the change log. Raises NotFound (ORG008) or Invalid (0x80040217)."""
    definition = _definition(database, entity)
    wanted = pa.array(dict.fromkeys(row_id.lower() for row_id in ids), pa.string())
    now = microseconds(clock())
    with database.write() as connection:
        _refuse(connection, definition, wanted, _MustBe.OLD)
        _expire_daily(connection, entity, now)
        key = pa.RecordBatch.from_arrays([wanted], names=["id"])
        connection.bulk(f"DELETE FROM {_table(definition)} WHERE {_key(definition)} = ?", key)  # noqa: S608 - names of the metadata
        size = len(wanted)
        columns = [wanted, _versions(connection, size), pa.repeat(entity, size), pa.repeat(now, size)]
        tombstones = pa.RecordBatch.from_arrays(columns, names=["id", "version", "entity", "deleted_at"])
        connection.bulk("INSERT INTO tombstone (id, version, entity, deleted_at) VALUES (?, ?, ?, ?)", tombstones)
    return len(wanted)


def count(database: Database, entity: str) -> int:
    """Return how many rows there are. Raises NotFound (ORG008)."""
    with database.read() as connection:
        definition = metadata.definition(connection, entity)
        (row,) = connection.execute(f"SELECT count(*) AS n FROM {_table(definition)}")  # noqa: S608 - names of the metadata
    return int(row["n"])


def read(database: Database, entity: str, row_id: str) -> dict[str, Any] | None:
    """Return a row by column name, or None. Raises NotFound (ORG008)."""
    with database.read() as connection:
        definition = metadata.definition(connection, entity)
        schema = arrow_schema(definition)
        tail = f"WHERE {_key(definition)} = ?"
        found = select(connection, _table(definition), schema, tail, 1, parameters=[row_id.lower()])
    rows = from_storage(found, schema).to_pylist()
    return rows[0] if rows else None


def expire(database: Database, before: datetime) -> int:
    """Purge the tombstones of deletions before an instant, and return how many; cursors that need them expire."""
    with database.write() as connection:
        return _expire(connection, microseconds(before))


def _expire(connection: Connection, before: int) -> int:
    purged = connection.execute(
        "SELECT entity, max(version) AS version, count(*) AS n FROM tombstone WHERE deleted_at < ? GROUP BY entity",
        [before],
    )
    for row in purged:
        # After a step of the clock the highest version that goes may be lower than one that went before.
        sql = "UPDATE entity SET purged_version = max(purged_version, ?) WHERE name = ?"
        connection.execute(sql, [row["version"], row["entity"]])
    connection.execute("DELETE FROM tombstone WHERE deleted_at < ?", [before])
    return sum(row["n"] for row in purged)


def _expire_daily(connection: Connection, entity: str, now: int) -> None:
    """Purge what the organization keeps no longer, when the entity's oldest tombstone is a day over that."""
    sql = "SELECT deleted_at FROM tombstone WHERE entity = ? ORDER BY version LIMIT 1"
    if (oldest := connection.one(sql, [entity])) is None:
        return
    kept = catalog.settings(connection).change_tracking_expiry_days * _DAY
    if oldest["deleted_at"] < now - kept - _DAY:
        _expire(connection, now - kept)


# --- from what is given to what is stored ---------------------------------------------------------------------------


def _definition(database: Database, entity: str) -> Entity:
    with database.read() as connection:
        return metadata.definition(connection, entity)


def _stamped(definition: Entity, rows: pa.RecordBatch, now: datetime, *names: str) -> pa.RecordBatch:
    """Return rows with a time in those columns of ``names`` that the entity has, where they hold none."""
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    for name in names:
        if (attribute := definition.attribute(name)) is not None:
            stamp = cast("pa.TimestampScalar[Any, Any]", pa.scalar(now, arrow_type(attribute)))
            given = columns.get(name)
            columns[name] = pa.repeat(stamp, rows.num_rows) if given is None else given.fill_null(stamp)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


# --- statements -----------------------------------------------------------------------------------------------------


def _table(definition: Entity) -> str:
    return metadata.table(definition.name)


def _key(definition: Entity) -> str:
    return quoted([definition.primary_id])


def _insert(definition: Entity, rows: pa.RecordBatch) -> str:
    names = [*rows.schema.names, "versionnumber"]
    places = ", ".join("?" for _ in names)
    return f"INSERT INTO {_table(definition)} ({quoted(names)}) VALUES ({places})"  # noqa: S608 - names of the metadata


def _update(definition: Entity, rows: pa.RecordBatch) -> str:
    names = [*rows.schema.names, "versionnumber"]
    changes = ", ".join(f'"{name}" = ?{place}' for place, name in enumerate(names, 1) if name != definition.primary_id)
    key = names.index(definition.primary_id) + 1
    return f"UPDATE {_table(definition)} SET {changes} WHERE {_key(definition)} = ?{key}"  # noqa: S608 - names of the metadata


def _upsert(definition: Entity, rows: pa.RecordBatch, now: datetime) -> str:
    """Return an upsert in which a null of ``createdon`` is now in a new row, and what it was in an old one."""
    places = {name: f"?{place}" for place, name in enumerate([*rows.schema.names, "versionnumber"], 1)}
    new, old = dict(places), {name: place for name, place in places.items() if name != definition.primary_id}
    if "createdon" in places:
        new["createdon"] = f"coalesce({places['createdon']}, {microseconds(now)})"
        old["createdon"] = f'coalesce({places["createdon"]}, "createdon")'
    changes = ", ".join(f'"{name}" = {value}' for name, value in old.items())
    return (
        f"INSERT INTO {_table(definition)} ({quoted(places)}) VALUES ({', '.join(new.values())}) "  # noqa: S608 - names of the metadata
        f"ON CONFLICT ({_key(definition)}) DO UPDATE SET {changes}"
    )


def _write(database: Database, definition: Entity, rows: pa.RecordBatch, sql: str, must_be: _MustBe) -> int:
    stored = to_storage(rows, definition)
    with database.write() as connection:
        _refuse(connection, definition, rows.column(definition.primary_id), must_be)
        _run(connection, stored, sql)
    return rows.num_rows


def _run(connection: Connection, stored: pa.RecordBatch, sql: str) -> None:
    try:
        connection.bulk(sql, stored.append_column("versionnumber", _versions(connection, stored.num_rows)))
    except Violated as error:
        # Ids are checked before; what is left that is unique are the values of alternate keys.
        if "UNIQUE" not in error.what:
            raise
        why, fix = "an alternate key tells the rows of the entity apart", "update that row, or give another key"
        raise Refused(KEY_TAKEN, "A record with matching key values already exists.", why=why, fix=fix) from error


def _versions(connection: Connection, number: int) -> Column:
    first = next_version(connection, number)
    return pa.array(np.arange(first, first + number))


def _refuse(connection: Connection, definition: Entity, ids: Column, must_be: _MustBe) -> None:
    """Refuse ids that are there and must not be, or the reverse."""
    if must_be is _MustBe.EITHER:
        return
    found = connection.arrow(
        f"SELECT {_key(definition)} AS id FROM {_table(definition)} "  # noqa: S608 - names of the metadata
        f"WHERE {_key(definition)} IN (SELECT value FROM json_each(?))",
        [json.dumps(ids.to_pylist())],
    )
    there = pc.is_in(ids, pc.cast(found.column("id"), pa.string()).combine_chunks())
    wrong, code, why, fix = (
        (there, DUPLICATE, "is there already", "update that row, or give this one another id")
        if must_be is _MustBe.NEW
        else (pc.invert(there), MISSING, "does not exist", "correct the id, or create that row first")
    )
    if findings := list(row_checks.broken(definition.name, code, definition.primary_id, wrong, why, fix=fix)):
        raise Invalid(findings)
