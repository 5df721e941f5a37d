"""What Dataverse says of an entity beyond what an export needs: schema names, other languages, keys, relationships.

The definition of an entity (``toolkit.model.entity``) is what rows are read and written by. These details stand beside
it and are never needed for that. An entity without any has those that its names and attributes give.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from pydantic import TypeAdapter

from toolkit.model.base import Frozen
from toolkit.model.names import LogicalName
from toolkit.model.solution import Localized
from toolkit.organization.database import Connection

DDL = """
CREATE TABLE entity_detail (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE choice_detail (
    name TEXT PRIMARY KEY,
    display_names TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

BASE_LANGUAGE = 1033
"""The language of every ``display_name``: English."""


_NAMES: TypeAdapter[Localized] = TypeAdapter(Localized)


class AttributeDetail(Frozen):
    """What an attribute has beside its definition; ranges and formats are kept and told, and not enforced."""

    schema_name: str = ""
    labels: Localized = {}
    """Display names in other languages than the base language."""
    descriptions: Localized = {}
    recommended: bool = False
    """Whether the requirement level is Recommended, where the attribute is not required."""
    format: str = ""
    """Dataverse's Format or FormatName, such as Email or DateOnly; empty: the usual one of the type."""
    minimum: Decimal | None = None
    maximum: Decimal | None = None


_NOTHING = AttributeDetail()


class UnstoredKind(StrEnum):
    """Columns that have metadata, and no values in rows."""

    IMAGE = "Image"
    FILE = "File"
    VIRTUAL = "Virtual"


class Unstored(Frozen):
    """An image, file or virtual column: there for clients to see and skip."""

    name: LogicalName
    kind: UnstoredKind
    display_name: str = ""
    schema_name: str = ""
    of: LogicalName | None = None
    """The attribute that it tells of (Dataverse's AttributeOf)."""


class OneToMany(Frozen):
    """A relationship that was created under a name of its own: ``attribute`` is the lookup that leads to ``target``."""

    schema_name: str
    attribute: LogicalName
    target: LogicalName
    cascade: Mapping[str, str] = {}
    """Dataverse's CascadeConfiguration, such as ``{"Delete": "RemoveLink"}``; kept and told, and not enforced."""


class ManyToMany(Frozen):
    """The relationship whose table an intersect entity is, with its columns that hold the ids of either side."""

    schema_name: str
    entity1: LogicalName
    attribute1: LogicalName
    entity2: LogicalName
    attribute2: LogicalName


class Key(Frozen):
    """An alternate key: no two rows have the same values in all of its attributes."""

    schema_name: str
    attributes: tuple[LogicalName, ...]
    display_name: str = ""

    @property
    def name(self) -> str:
        """The logical name."""
        return self.schema_name.lower()


class EntityDetail(Frozen):
    """What an entity has beside its definition."""

    schema_name: str = ""
    labels: Localized = {}
    """Display names in other languages than the base language."""
    collection_names: Localized = {}
    """Plural display names."""
    descriptions: Localized = {}
    ownership: str = "UserOwned"
    has_notes: bool = False
    has_activities: bool = False
    attributes: Mapping[LogicalName, AttributeDetail] = {}
    unstored: tuple[Unstored, ...] = ()
    relationships: tuple[OneToMany, ...] = ()
    many_to_many: ManyToMany | None = None
    keys: tuple[Key, ...] = ()

    def attribute(self, name: str) -> AttributeDetail:
        """Return what is kept of an attribute; an empty detail when that is nothing."""
        return self.attributes.get(name, _NOTHING)


def detail(connection: Connection, entity: str) -> EntityDetail:
    """Return the details of an entity; empty ones where none were put."""
    row = connection.one("SELECT definition FROM entity_detail WHERE name = ?", [entity])
    return EntityDetail() if row is None else EntityDetail.model_validate_json(row["definition"])


def details(connection: Connection) -> dict[str, EntityDetail]:
    """Return the details of all entities that have some, by logical name."""
    rows = connection.execute("SELECT name, definition FROM entity_detail")
    return {row["name"]: EntityDetail.model_validate_json(row["definition"]) for row in rows}


def put(connection: Connection, entity: str, new: EntityDetail) -> None:
    """Keep the details of an entity in the place of its old ones."""
    connection.execute(
        "INSERT OR REPLACE INTO entity_detail VALUES (?, ?)", [entity, new.model_dump_json(exclude_defaults=True)]
    )


def delete(connection: Connection, entity: str) -> None:
    """Forget the details of an entity."""
    connection.execute("DELETE FROM entity_detail WHERE name = ?", [entity])


def choice_names(connection: Connection) -> dict[str, Localized]:
    """Return the display names of the global choices that have some, by name."""
    rows = connection.execute("SELECT name, display_names FROM choice_detail")
    return {row["name"]: _NAMES.validate_json(row["display_names"]) for row in rows}


def put_choice_names(connection: Connection, choice: str, names: Localized) -> None:
    """Keep the display names of a global choice."""
    connection.execute("INSERT OR REPLACE INTO choice_detail VALUES (?, ?)", [choice, _NAMES.dump_json(names).decode()])
