"""Which columns an entity's files have, and how they change when the entity does (docs/formats.md).

    Id, SinkCreatedOn, SinkModifiedOn, <own columns>, versionnumber, createdon, modifiedon, IsDelete, <added later>

The list of an entity is kept in its checkpoint, because it remembers what no definition says: columns that were added
later stand at the end, and dropped ones stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from toolkit.model.base import Frozen
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, DateTimeBehavior, Entity
from toolkit.source.protocol import ENTITY_TYPE_SUFFIX

ID = "Id"
SINK_CREATED = "SinkCreatedOn"
SINK_MODIFIED = "SinkModifiedOn"
VERSION = "versionnumber"
CREATED = "createdon"
MODIFIED = "modifiedon"
IS_DELETE = "IsDelete"
TAIL = (VERSION, CREATED, MODIFIED)
"""The columns that stand behind an entity's own, where it has them."""

MAX_DECIMAL_DIGITS = 38
ENTITY_TYPE_LENGTH = 128
"""A logical name has at most so many characters."""


class Kind(StrEnum):
    """How the values of a column are spelled in CSV."""

    GUID = "guid"
    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    """A time in UTC."""
    CREATED = "created"
    """A time in UTC, spelled with an offset: only createdon."""
    WALL = "wall"
    """A time without a zone."""
    DAY = "day"
    SINK = "sink"
    """The time of a pass."""
    DELETED = "deleted"
    """True or nothing."""


DATA_TYPES: Mapping[Kind, str] = {
    Kind.GUID: "guid",
    Kind.STRING: "string",
    Kind.INTEGER: "int64",
    Kind.DECIMAL: "decimal",
    Kind.DOUBLE: "double",
    Kind.BOOLEAN: "boolean",
    Kind.INSTANT: "dateTime",
    Kind.CREATED: "dateTimeOffset",
    Kind.WALL: "dateTime",
    Kind.DAY: "dateTime",
    Kind.SINK: "dateTime",
    Kind.DELETED: "boolean",
}
"""The ``dataType`` of model.json by kind."""

_KINDS: Mapping[AttributeType, Kind] = {
    AttributeType.STRING: Kind.STRING,
    AttributeType.MEMO: Kind.STRING,
    AttributeType.MULTISELECT: Kind.STRING,
    AttributeType.INTEGER: Kind.INTEGER,
    AttributeType.BIGINT: Kind.INTEGER,
    AttributeType.CHOICE: Kind.INTEGER,
    AttributeType.STATE: Kind.INTEGER,
    AttributeType.STATUS: Kind.INTEGER,
    AttributeType.DECIMAL: Kind.DECIMAL,
    AttributeType.MONEY: Kind.DECIMAL,
    AttributeType.DOUBLE: Kind.DOUBLE,
    AttributeType.BOOLEAN: Kind.BOOLEAN,
    AttributeType.UNIQUEIDENTIFIER: Kind.GUID,
    **dict.fromkeys(LOOKUPS, Kind.GUID),
}
_TIMES: Mapping[DateTimeBehavior, Kind] = {
    DateTimeBehavior.USER_LOCAL: Kind.INSTANT,
    DateTimeBehavior.TIME_ZONE_INDEPENDENT: Kind.WALL,
    DateTimeBehavior.DATE_ONLY: Kind.DAY,
}


class Column(Frozen):
    """A column of an entity's files.

    ``length`` is a string's greatest number of characters, ``scale`` a decimal's digits after the point; None when
    the source does not say, in which case a decimal keeps the ten digits that every source gives.
    """

    name: str
    kind: Kind
    length: int | None = None
    scale: int | None = None
    dropped: bool = False
    """Whether the entity no longer has it; it stays, and later rows have nothing in it."""
    calculated: bool = False
    """Whether the platform computes its values: they change only with their row."""


def header_line(columns: Iterable[Column]) -> bytes:
    """Return the line with the names of columns that a file may begin with. No record begins as it does."""
    return ",".join(column.name for column in columns).encode() + b"\n"


def calculated(columns: Iterable[Column]) -> tuple[str, ...]:
    """Return the names of the columns whose values the platform computes."""
    return tuple(column.name for column in columns if column.calculated and not column.dropped)


def columns_of(entity: Entity) -> tuple[Column, ...]:
    """Return the columns of an entity that is exported for the first time."""
    own = [column for attribute in entity.attributes for column in _of_attribute(attribute)]
    if entity.attribute(VERSION) is None:
        # Every row has a version, whether or not the definition lists the attribute (that of an N:N entity may not).
        own.append(Column(name=VERSION, kind=Kind.INTEGER))
    tail = sorted((column for column in own if column.name in TAIL), key=lambda column: TAIL.index(column.name))
    return (
        Column(name=ID, kind=Kind.GUID),
        Column(name=SINK_CREATED, kind=Kind.SINK),
        Column(name=SINK_MODIFIED, kind=Kind.SINK),
        *(column for column in own if column.name not in TAIL),
        *tail,
        Column(name=IS_DELETE, kind=Kind.DELETED),
    )


def _of_attribute(attribute: Attribute) -> Iterator[Column]:
    kind = _kind(attribute)
    yield Column(
        name=attribute.name,
        kind=kind,
        length=attribute.max_length if kind is Kind.STRING else None,
        scale=attribute.precision if kind is Kind.DECIMAL else None,
        calculated=attribute.calculated,
    )
    if attribute.polymorphic:
        yield Column(name=attribute.name + ENTITY_TYPE_SUFFIX, kind=Kind.STRING, length=ENTITY_TYPE_LENGTH)


def _kind(attribute: Attribute) -> Kind:
    if attribute.type is not AttributeType.DATETIME:
        return _KINDS[attribute.type]
    kind = _TIMES[attribute.behavior]
    return Kind.CREATED if attribute.name == CREATED and kind is Kind.INSTANT else kind


@dataclass(frozen=True, slots=True)
class Evolution:
    """How an entity's columns changed since they were last written, and the list that holds from now on."""

    columns: tuple[Column, ...]
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    """Columns that were dropped, and are there again."""
    widened: tuple[str, ...] = ()
    """Strings that became longer, and decimals that became finer."""
    retyped: tuple[str, ...] = ()
    """Columns whose values are spelled in another way now: the entity is written anew."""


def evolve(known: tuple[Column, ...], entity: Entity) -> Evolution:
    """Compare the columns of a checkpoint with an entity's definition.

    Added columns go to the end, behind IsDelete; dropped ones stay, and later rows have nothing in them. A string that
    became longer or a decimal that became finer keeps its place and its rows. One that became shorter or coarser keeps
    its size as well, since older rows may need it.
    """
    now = {column.name: column for column in columns_of(entity)}
    before = {column.name: column for column in known}
    kept = tuple(_kept(column, now.get(column.name)) for column in known)
    added = tuple(column for name, column in now.items() if name not in before)
    return Evolution(
        columns=(*kept, *added),
        added=tuple(column.name for column in added),
        dropped=tuple(column.name for column in kept if column.dropped and not before[column.name].dropped),
        restored=tuple(column.name for column in kept if before[column.name].dropped and not column.dropped),
        widened=tuple(column.name for column in kept if _is_wider(column, before[column.name])),
        retyped=tuple(column.name for column in kept if column.kind is not before[column.name].kind),
    )


def _kept(before: Column, now: Column | None) -> Column:
    """Return what becomes of a column that the files have."""
    if now is None:
        return before.model_copy(update={"dropped": True})
    if now.kind is not before.kind:
        return now
    length, scale = _widest(before.length, now.length), _widest(before.scale, now.scale)
    # Copying is dear, and this is asked of every column in every pass.
    same = (length, scale) == (now.length, now.scale)
    return now if same else now.model_copy(update={"length": length, "scale": scale})


def _widest(before: int | None, now: int | None) -> int | None:
    """Return the greater size; None stands for the greatest there is."""
    return None if before is None or now is None else max(before, now)


def _is_wider(column: Column, before: Column) -> bool:
    sizes = (column.length, column.scale), (before.length, before.scale)
    return column.kind is before.kind and sizes[0] != sizes[1]
