"""Entity sets: which entity an address means, and where its rows are.

Rows of an entity lie in a table of their own. Those of a system table (solutions, publishers, jobs) are made by a
function when they are asked for, and go through the same queries: ``toolkit.server.system`` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from toolkit.model.columns import arrow_schema
from toolkit.model.entity import Entity
from toolkit.organization import metadata
from toolkit.organization.database import Connection, Scalar
from toolkit.organization.row_input import typed
from toolkit.organization.storage import quoted, to_storage
from toolkit.server.call import no_resource, not_supported
from toolkit.server.system.table import SystemTable
from toolkit.server.system.tables import SYSTEM_TABLES


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of an entity as SQL: ``FROM {source}`` has the columns of ``arrow_schema(definition)``."""

    definition: Entity
    source: str
    parameters: tuple[Scalar, ...] = ()
    """Bound to ``source``."""
    key: str = "row_number_"
    """The column that orders rows which are alike in all else."""
    system: SystemTable | None = None


def table(connection: Connection, set_name: str) -> Table:
    """Return the table behind an entity set. Raises ODataError (404)."""
    for system in SYSTEM_TABLES:
        if system.definition.set_name == set_name and system.is_in(connection):
            return _made(connection, system)
    return _stored(_definition(connection, set_name))


def table_of(connection: Connection, entity: str) -> Table:
    """Return the table of an entity by its logical name. Raises NotFound (ORG008)."""
    found = find(connection, entity)
    return _stored(metadata.definition(connection, entity)) if found is None else found


def find(connection: Connection, entity: str) -> Table | None:
    """Return the table of an entity by its logical name, or None."""
    for system in SYSTEM_TABLES:
        if system.definition.name == entity and system.is_in(connection):
            return _made(connection, system)
    stored = metadata.stored(connection, entity)
    return None if stored is None else _stored(stored.definition)


def _definition(connection: Connection, set_name: str) -> Entity:
    sql = "SELECT name FROM entity WHERE definition ->> '$.set_name' = ?"
    if (row := connection.one(sql, [set_name])) is None:
        raise not_supported(set_name) if set_name[:1].isupper() else no_resource(set_name)
    return metadata.definition(connection, row["name"])


def _stored(definition: Entity) -> Table:
    return Table(definition, metadata.table(definition.name))


def _made(connection: Connection, system: SystemTable) -> Table:
    """Return rows that a function makes, as a table that SQLite reads from JSON."""
    definition = system.definition
    names = arrow_schema(definition).names
    columns = ", ".join(f"value ->> {place} AS {quoted([name])}" for place, name in enumerate(names))
    rows = _as_json(definition, names, system.rows(connection))
    return Table(definition, f"(SELECT key AS row_number_, {columns} FROM json_each(?))", (rows,), system=system)  # noqa: S608 - names of definitions


def _as_json(definition: Entity, names: list[str], rows: Iterable[Mapping[str, object]]) -> str:
    # ``typed`` leaves the version out: an organization's own rows get theirs from a counter.
    given = [dict(row) for row in rows]
    versions = [row.pop("versionnumber", None) for row in given]
    stored = to_storage(typed(definition, given), definition).to_pylist()
    full = ({**row, "versionnumber": version} for row, version in zip(stored, versions, strict=True))
    return json.dumps([[row.get(name) for name in names] for row in full])
