"""Rows as people and programs give them, brought into the types of their entity and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import Finding, Invalid, Place, Severity, nearest
from toolkit.model.columns import arrow_schema
from toolkit.model.entity import LOOKUPS, AttributeType, Entity
from toolkit.organization import row_checks
from toolkit.organization.storage import Column

Rows = pa.Table | pa.RecordBatch | Sequence[Mapping[str, object]]
"""Arrow in the types of ``arrow_schema``, or mappings with the Python values of those types."""

_GUIDS = LOOKUPS | {AttributeType.UNIQUEIDENTIFIER}


def checked(entity: Entity, rows: Rows) -> pa.RecordBatch:
    """Return rows as one batch that keeps the rules of the entity. Raises Invalid (ORG021 to ORG030)."""
    batch = typed(entity, rows)
    if found := list(row_checks.findings(entity, batch)):
        raise Invalid(found)
    return batch


def typed(entity: Entity, rows: Rows) -> pa.RecordBatch:
    """Return rows as one batch in the types of the entity, guids in lower case, the version left out."""
    given = _columns(rows)
    fields = {field.name: field for field in arrow_schema(entity)}
    guids = {attribute.name for attribute in entity.attributes if attribute.type in _GUIDS}
    found = [_unknown(entity, name, fields) for name in given if name not in fields]
    columns: dict[str, Column] = {}
    for name in given.keys() & fields.keys() - {"versionnumber"}:
        try:
            values = _cast(given[name], fields[name].type)
            columns[name] = pc.utf8_lower(values) if name in guids else values
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            found.append(_wrong_type(entity, fields[name], error))
    if found:
        raise Invalid(found)
    names = [name for name in fields if name in columns]
    return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)


def _columns(rows: Rows) -> dict[str, Any]:
    if isinstance(rows, pa.Table | pa.RecordBatch):
        return dict(zip(rows.schema.names, rows.columns, strict=True))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _cast(values: Any, kind: pa.DataType) -> Column:  # noqa: ANN401 - an Arrow column or a list of Python values
    if isinstance(values, list):
        return pa.array(values, kind)
    if isinstance(values, pa.Array):
        return values.cast(kind)
    return pa.concat_arrays([pa.array([], kind), *(chunk.cast(kind) for chunk in values.chunks)])


def _unknown(entity: Entity, name: str, known: Mapping[str, object]) -> Finding:
    where = Place(entity.name, key=name)
    return Finding("ORG021", Severity.ERROR, f"{entity.name} has no attribute {name}", where, fix=nearest(name, known))


def _wrong_type(entity: Entity, field: pa.Field[pa.DataType], error: Exception) -> Finding:
    # The error's text would hold values of rows.
    what = f"{entity.name}: {field.name} holds values that are no {field.type}"
    fix = f"give values of the type {field.type}"
    return Finding("ORG021", Severity.ERROR, what, Place(entity.name, key=field.name), type(error).__name__, fix)
