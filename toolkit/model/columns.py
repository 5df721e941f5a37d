"""Attributes as Arrow columns: the one form in which rows travel from an organization to a lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from toolkit.model.entity import Attribute, AttributeType, DateTimeBehavior, Entity

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
