"""The source: where rows come from. A change feed per entity, with an opaque cursor.

Rows are Arrow. A batch has one column per attribute asked for, named by logical name, in the types of ``arrow_type``;
a polymorphic lookup is followed by ``<name>_entitytype``. The primary id and ``versionnumber`` are always there and
never null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NewType, Protocol

import pyarrow as pa

from toolkit.model.entity import Attribute, AttributeType, DateTimeBehavior, Entity

Cursor = NewType("Cursor", str)
"""Opaque to everybody but the source that made it."""

ENTITY_TYPE_SUFFIX = "_entitytype"

_TYPES: Mapping[AttributeType, pa.DataType] = {
    AttributeType.STRING: pa.string(),
    AttributeType.MEMO: pa.string(),
    AttributeType.INTEGER: pa.int64(),
    AttributeType.BIGINT: pa.int64(),
    AttributeType.DECIMAL: pa.decimal128(38, 10),
    AttributeType.DOUBLE: pa.float64(),
    AttributeType.MONEY: pa.decimal128(38, 10),
    AttributeType.BOOLEAN: pa.bool_(),
    AttributeType.CHOICE: pa.int64(),
    AttributeType.MULTISELECT: pa.string(),
    AttributeType.STATE: pa.int64(),
    AttributeType.STATUS: pa.int64(),
    AttributeType.LOOKUP: pa.string(),
    AttributeType.CUSTOMER: pa.string(),
    AttributeType.OWNER: pa.string(),
    AttributeType.UNIQUEIDENTIFIER: pa.string(),
}


def arrow_type(attribute: Attribute) -> pa.DataType:
    """Return the Arrow type of an attribute's values.

    Guids are 36 lower-case characters. Decimals are exact at (38, 10). An instant is ``timestamp[us, UTC]``, a time
    without a zone ``timestamp[us]``, a day ``date32``. A multi-select is its values with semicolons between them.
    """
    if attribute.type is not AttributeType.DATETIME:
        return _TYPES[attribute.type]
    if attribute.behavior is DateTimeBehavior.DATE_ONLY:
        return pa.date32()
    return pa.timestamp("us", "UTC" if attribute.behavior is DateTimeBehavior.USER_LOCAL else None)


def arrow_schema(entity: Entity, columns: Sequence[str] | None = None) -> pa.Schema:
    """Return the schema of a batch of ``entity``: its attributes in their order, or those that ``columns`` names."""
    fields: list[pa.Field[pa.DataType]] = []
    for attribute in entity.attributes:
        always = attribute.name in {entity.primary_id, "versionnumber"}
        if columns is not None and attribute.name not in columns and not always:
            continue
        fields.append(pa.field(attribute.name, arrow_type(attribute), nullable=not always))
        if attribute.polymorphic:
            fields.append(pa.field(attribute.name + ENTITY_TYPE_SUFFIX, pa.string()))
    return pa.schema(fields)


class Deleted(NamedTuple):
    """A tombstone. ``version`` is None where the source gives none, as the Web API does."""

    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows and some tombstones of one entity.

    Rows may repeat within and between batches: the newest version wins. A tombstone wins over a row of the same pass
    when its version is absent or greater. ``resume`` is valid once this batch is durable; after the ``final`` batch it
    is the cursor of the next pass.
    """

    rows: pa.RecordBatch
    deleted: tuple[Deleted, ...]
    resume: Cursor
    final: bool


class Source(Protocol):
    """Where rows come from. Safe to use from several threads, one entity each.

    Failures are kinds of ``SourceError``: Retriable, CursorExpired, EntityGone, Forbidden.
    """

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions of all entities, by logical name, as they are now."""
        ...

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        """Yield what changed after the cursor, or every row when there is none; the last batch is final.

        ``columns`` are the attributes to read; None means all. At least one batch is yielded, perhaps an empty one.
        """
        ...

    def count(self, entity: str) -> int:
        """Return how many rows the entity has now."""
        ...
