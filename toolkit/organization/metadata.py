"""Entity metadata in the organization's file: definitions, global choices, and a table of rows for each entity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
from pydantic import TypeAdapter

from toolkit.errors import NotFound, Refused, nearest
from toolkit.model.columns import arrow_schema
from toolkit.model.entity import Entity, Option
from toolkit.organization import metadata_log
from toolkit.organization.database import Connection, Database, current_version, next_version

DDL = """
CREATE TABLE entity (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    purged_version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entity_set ON entity (definition ->> '$.set_name');
CREATE TABLE global_choice (
    name TEXT PRIMARY KEY,
    options TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (
    entity TEXT NOT NULL,
    version INTEGER NOT NULL,
    id TEXT NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (entity, version)
) STRICT, WITHOUT ROWID;
"""

Choices = Mapping[str, tuple[Option, ...]]
"""Options of global choices, by name."""

_OPTIONS = TypeAdapter(tuple[Option, ...])


@dataclass(frozen=True, slots=True)
class Stored:
    """An entity as the file holds it.

    ``schema_version`` is the row version at which the attributes last changed, so that what was read before can be
    told; ``purged_version`` is the highest version of a tombstone that was purged from the change log.
    """

    definition: Entity
    schema_version: int
    purged_version: int


def table(entity: str) -> str:
    """Return the quoted name of the table that holds an entity's rows."""
    return f'"rows_{entity}"'


def entities(connection: Connection) -> dict[str, Entity]:
    """Return all definitions by logical name."""
    rows = connection.execute("SELECT definition FROM entity ORDER BY name")
    found = (_parsed(row["definition"]) for row in rows)
    return {entity.name: entity for entity in found}


def names(connection: Connection) -> list[str]:
    """Return the logical names of all entities, sorted."""
    return [row["name"] for row in connection.execute("SELECT name FROM entity ORDER BY name")]


def stored(connection: Connection, name: str) -> Stored | None:
    """Return an entity as the file holds it, or None."""
    row = connection.one("SELECT definition, schema_version, purged_version FROM entity WHERE name = ?", [name])
    if row is None:
        return None
    return Stored(_parsed(row["definition"]), row["schema_version"], row["purged_version"])


def schema_version(connection: Connection, name: str) -> int | None:
    """Return the version of an entity's attributes, or None when there is no such entity."""
    row = connection.one("SELECT schema_version FROM entity WHERE name = ?", [name])
    return int(row["schema_version"]) if row else None


@lru_cache(maxsize=4096)
def _parsed(definition: str) -> Entity:
    """Return a definition. The engine asks for all of them at every pass, and they hardly ever change."""
    return Entity.model_validate_json(definition)


def definition(connection: Connection, name: str) -> Entity:
    """Return an entity's definition. Raises NotFound (ORG008)."""
    found = stored(connection, name)
    if found is None:
        raise no_entity(name, names(connection))
    return found.definition


def no_entity(name: str, known: Iterable[str]) -> NotFound:
    """Return what is said of an entity that is not there."""
    return NotFound("ORG008", f"there is no entity {name}", where=name, fix=nearest(name, known))


def choices(connection: Connection) -> dict[str, tuple[Option, ...]]:
    """Return the global choices by name."""
    rows = connection.execute("SELECT name, options FROM global_choice ORDER BY name")
    return {row["name"]: _OPTIONS.validate_json(row["options"]) for row in rows}


def put_choices(connection: Connection, new: Choices) -> None:
    """Create or replace global choices."""
    old = choices(connection)
    for name, options in new.items():
        if old.get(name) != options:
            _put_choice(connection, name, options)


def _put_choice(connection: Connection, name: str, options: tuple[Option, ...]) -> None:
    connection.execute(
        "INSERT INTO global_choice VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET options = excluded.options",
        [name, _OPTIONS.dump_json(options).decode()],
    )
    metadata_log.option_set(connection, name)


def drop_choice(connection: Connection, name: str) -> None:
    """Delete a global choice that no attribute uses."""
    connection.execute("DELETE FROM global_choice WHERE name = ?", [name])
    metadata_log.option_set(connection, name, deleted=True)


def put(connection: Connection, entity: Entity) -> None:
    """Create an entity with its table, or change it; the values of attributes that it no longer has are lost.

    Nothing happens when it is the same.
    """
    old = stored(connection, entity.name)
    if old is None:
        _create(connection, entity)
    elif old.definition != entity:
        _alter(connection, old, entity)


def drop(connection: Connection, name: str) -> None:
    """Delete an entity with its rows and all that is known of them; cursors of it are of no more use."""
    connection.execute(f"DROP TABLE {table(name)}")
    connection.execute("DELETE FROM entity WHERE name = ?", [name])
    connection.execute("DELETE FROM tombstone WHERE entity = ?", [name])
    # The organization has changed, and its version says so.
    next_version(connection)
    metadata_log.entity(connection, name, deleted=True)


def track(database: Database, entity: str) -> None:
    """Enable change tracking, for good. Raises NotFound (ORG008), or Refused (ORG009) where it cannot be enabled."""
    with database.write() as connection:
        found = definition(connection, entity)
        check_trackable(found)
        if not found.change_tracking:
            _save(connection, found.model_copy(update={"change_tracking": True}))
            metadata_log.entity(connection, entity)


def changed(connection: Connection, entity: str) -> None:
    """Take a row version for a change of an entity's attributes: cursors and delta tokens from before it expire."""
    connection.execute("UPDATE entity SET schema_version = ? WHERE name = ?", [next_version(connection), entity])


def check_trackable(entity: Entity) -> None:
    """Raise Refused (ORG009) where change tracking of an entity cannot be enabled."""
    if entity.intersect or not entity.can_track:
        raise Refused(
            "ORG009",
            f"change tracking cannot be enabled for {entity.name}",
            where=entity.name,
            why="Dataverse does not offer it for this entity",
            fix="leave the entity out of the link",
        )


def storage_type(column: pa.DataType) -> str:
    """Return the SQLite type of a column: times and booleans are integers, decimals exact text."""
    if pa.types.is_string(column) or pa.types.is_decimal(column):
        return "TEXT"
    return "REAL" if pa.types.is_floating(column) else "INTEGER"


def _create(connection: Connection, entity: Entity) -> None:
    connection.execute(
        "INSERT INTO entity VALUES (?, ?, ?, 0)",
        [entity.name, entity.model_dump_json(exclude_defaults=True), current_version(connection)],
    )
    key = entity.primary_id
    columns = ", ".join(_column(field) + (" UNIQUE" if field.name == key else "") for field in arrow_schema(entity))
    # A row keeps its number for life, so that a full read in the order of numbers misses none.
    connection.execute(f"CREATE TABLE {table(entity.name)} (row_number_ INTEGER PRIMARY KEY, {columns}) STRICT")
    connection.execute(f'CREATE INDEX "version_{entity.name}" ON {table(entity.name)} (versionnumber)')
    metadata_log.entity(connection, entity.name)


def _alter(connection: Connection, old: Stored, entity: Entity) -> None:
    before, after = arrow_schema(old.definition), arrow_schema(entity)
    for name in set(before.names) - set(after.names):
        connection.execute(f'ALTER TABLE {table(entity.name)} DROP COLUMN "{name}"')
    for field in after:
        if field.name not in before.names:
            connection.execute(f"ALTER TABLE {table(entity.name)} ADD COLUMN {_column(field)}")
    _save(connection, entity)
    if old.definition.attributes != entity.attributes:
        changed(connection, entity.name)
    _note(connection, old.definition, entity)


def _note(connection: Connection, old: Entity, new: Entity) -> None:
    """Note which attributes are others, and whether something else is."""
    before = {attribute.name: attribute for attribute in old.attributes}
    after = {attribute.name: attribute for attribute in new.attributes}
    metadata_log.attributes(connection, new.name, before.keys() - after.keys(), deleted=True)
    metadata_log.attributes(connection, new.name, [n for n, each in after.items() if before.get(n) != each])
    if old != new.model_copy(update={"attributes": old.attributes}):
        metadata_log.entity(connection, new.name)


def _column(field: pa.Field[pa.DataType]) -> str:
    return f'"{field.name}" {storage_type(field.type)}{"" if field.nullable else " NOT NULL"}'


def _save(connection: Connection, entity: Entity) -> None:
    connection.execute(
        "UPDATE entity SET definition = ? WHERE name = ?",
        [entity.model_dump_json(exclude_defaults=True), entity.name],
    )
