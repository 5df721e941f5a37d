"""When metadata changed: what ``RetrieveMetadataChanges`` answers from.

A change takes the next number. An item is in the log once, with the number of its last change; what was created with
its entity and never changed is as old as the entity.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from toolkit.organization import metadata_ids
from toolkit.organization.database import Connection

DDL = """
CREATE TABLE metadata_change (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    deleted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Kind(StrEnum):
    """What a change is about; Dataverse's names of the collections of deleted metadata."""

    ENTITY = "Entity"
    ATTRIBUTE = "Attribute"
    RELATIONSHIP = "Relationship"
    OPTION_SET = "OptionSet"
    KEY = "Key"


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of an item: ``id`` is its MetadataId; ``created`` and ``changed`` are numbers of changes."""

    id: str
    kind: Kind
    created: int
    changed: int
    deleted: bool


def current(connection: Connection) -> int:
    """Return the number of the last change, 0 before any."""
    (row,) = connection.execute("SELECT coalesce(max(changed), 0) AS number FROM metadata_change")
    return int(row["number"])


def changes(connection: Connection) -> dict[str, Change]:
    """Return the last change of each item by its MetadataId."""
    rows = connection.execute("SELECT id, kind, created, changed, deleted FROM metadata_change ORDER BY id")
    found = (Change(r["id"], Kind(r["kind"]), r["created"], r["changed"], bool(r["deleted"])) for r in rows)
    return {change.id: change for change in found}


def entity(connection: Connection, name: str, *, deleted: bool = False) -> None:
    """Note that an entity was created, changed or deleted."""
    _note(connection, Kind.ENTITY, [metadata_ids.entity_id(name)], deleted=deleted)


def attributes(connection: Connection, owner: str, names: Iterable[str], *, deleted: bool = False) -> None:
    """Note that attributes of an entity were created, changed or deleted."""
    _note(connection, Kind.ATTRIBUTE, [metadata_ids.attribute_id(owner, name) for name in names], deleted=deleted)


def relationship(connection: Connection, schema_name: str, *, deleted: bool = False) -> None:
    """Note that a relationship was created, changed or deleted."""
    _note(connection, Kind.RELATIONSHIP, [metadata_ids.relationship_id(schema_name)], deleted=deleted)


def key(connection: Connection, owner: str, name: str, *, deleted: bool = False) -> None:
    """Note that an alternate key of an entity was created or deleted."""
    _note(connection, Kind.KEY, [metadata_ids.key_id(owner, name)], deleted=deleted)


def option_set(connection: Connection, name: str, *, deleted: bool = False) -> None:
    """Note that a global choice was created, changed or deleted."""
    _note(connection, Kind.OPTION_SET, [metadata_ids.option_set_id(name)], deleted=deleted)


def _note(connection: Connection, kind: Kind, ids: Iterable[str], *, deleted: bool) -> None:
    number = current(connection) + 1
    for item in ids:
        connection.execute(
            "INSERT INTO metadata_change VALUES (?1, ?2, ?3, ?3, ?4) ON CONFLICT (id) DO UPDATE SET "
            # What was deleted and is there again is new.
            "created = CASE WHEN deleted THEN excluded.created ELSE created END, "
            "changed = excluded.changed, deleted = excluded.deleted",
            [item, kind, number, int(deleted)],
        )
