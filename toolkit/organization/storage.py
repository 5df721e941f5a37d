"""Rows between Arrow and SQLite. SQLite knows integers, floats and text; Arrow's types are those of ``arrow_schema``.

decimal      text at the attribute's precision, so that 1.10 stays 1.10 (a number's affinity would make it 1.1)
timestamp    microseconds since 1970
date         days since 1970
boolean      0 or 1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pyarrow as pa

from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.organization.database import Connection, Scalar

Column: TypeAlias = "pa.Array[Any]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DEFAULT_PRECISION = {AttributeType.DECIMAL: 2, AttributeType.MONEY: 2, AttributeType.DOUBLE: 2}
"""Digits after the point where an attribute gives none. Source: Dataverse's defaults."""


def quoted(names: Iterable[str]) -> str:
    """Return column names for SQL, quoted and with commas between them."""
    return ", ".join(f'"{name}"' for name in names)


def precision(attribute: Attribute) -> int:
    """Return the digits that a decimal, money or double attribute has after the point."""
    return DEFAULT_PRECISION[attribute.type] if attribute.precision is None else attribute.precision


def microseconds(instant: datetime) -> int:
    """Return an aware instant in microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def to_storage(rows: pa.RecordBatch, entity: Entity) -> pa.RecordBatch:
    """Return typed rows as SQLite stores them. Raises pa.ArrowInvalid where a decimal has too many digits."""
    attributes = {attribute.name: attribute for attribute in entity.attributes}
    columns = [_stored(rows.column(at), attributes.get(field.name)) for at, field in enumerate(rows.schema)]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)


def from_storage(rows: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as SQLite stores them in the types of ``schema``; columns are taken by name."""
    columns = [_typed(_one_chunk(rows.column(field.name)), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def select(
    connection: Connection,
    source: str,
    schema: pa.Schema,
    tail: str,
    limit: int,
    *,
    parameters: Sequence[Scalar] = (),
) -> pa.Table:
    """Select the columns of ``schema`` from a table, in stored types; ``tail`` is the statement after FROM.

    ADBC infers types from the first rows; all that come are among those, so that a column of nulls alone comes in
    another type than its own, and every other one in the type that it is stored in.
    """
    wanted = f"SELECT {quoted(schema.names)} FROM {source} {tail} LIMIT {limit}"  # noqa: S608 - names of the metadata, and a number
    return connection.arrow(wanted, parameters, limit)


def _stored(column: Column, attribute: Attribute | None) -> Column:
    kind = column.type
    if pa.types.is_decimal(kind) and attribute is not None:
        return column.cast(pa.decimal128(38, precision(attribute))).cast(pa.string())
    if pa.types.is_date32(kind):
        return column.cast(pa.int32()).cast(pa.int64())
    if pa.types.is_timestamp(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.int64())
    return column


def _typed(column: Column, kind: pa.DataType) -> Column:
    if column.type == kind:
        return column
    if pa.types.is_date32(kind):
        return column.cast(pa.int32()).cast(kind)
    return column.cast(kind)


def _one_chunk(column: pa.ChunkedArray[Any]) -> Column:
    return column.chunks[0] if column.num_chunks == 1 else pa.concat_arrays([pa.array([], column.type), *column.chunks])
