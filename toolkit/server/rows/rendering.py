"""Rows as JSON objects, made column by column: a page of wide rows costs no Python object for each value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa

from toolkit.engine.arrays import compute
from toolkit.model.entity import Attribute, AttributeType
from toolkit.organization.storage import Column, precision

NULL = pa.scalar("null")
_SPECIAL = '["\\\\\\x00-\\x1f]'
"""What a text in JSON cannot hold as it is."""


def objects(members: Sequence[Column], count: int) -> Column:
    """Return a JSON object for each row. A member is ``"name":value`` for each row, or null where a row lacks it."""
    if not members:
        return pa.array(["{}"] * count)
    body = compute.binary_join_element_wise(*members, ",", null_handling="skip")
    return text_of("{", body, "}")


def member(name: str, values: Column, *, or_null: bool = True) -> Column:
    """Return a member of an object for each row, of values that are JSON already.

    Where a row has no value the member is ``null``, or left out (``or_null`` false).
    """
    given = compute.coalesce(values, NULL) if or_null else values
    return text_of(f"{json.dumps(name)}:", given)


def text_of(*pieces: Column | str) -> Column:
    """Join texts row by row; a row that lacks one of them has none."""
    return cast("Column", compute.binary_join_element_wise(*pieces, ""))


def value(attribute: Attribute, values: Column) -> Column:
    """Return values of an attribute, in the types of ``arrow_schema``, as JSON; null where there is none."""
    return _FORMS.get(attribute.type, text)(attribute, values)


def text(_attribute: Attribute | None, values: Column) -> Column:
    """Return texts as JSON strings."""
    special = compute.match_substring_regex(values, _SPECIAL)
    if compute.any(special).as_py():
        awkward = [json.dumps(each, ensure_ascii=False)[1:-1] for each in values.filter(special).to_pylist()]
        values = compute.replace_with_mask(values, special, pa.array(awkward, pa.string()))
    return _quoted(values)


def plain_decimals(attribute: Attribute, values: Column) -> Column:
    """Return decimals as text with all the digits of their attribute, without an exponent."""
    texts = values.cast(pa.decimal128(38, precision(attribute))).cast(pa.string())
    exponents = compute.match_substring(texts, "E")
    if compute.any(exponents).as_py():
        plain = [format(Decimal(str(each)), "f") for each in texts.filter(exponents).to_pylist()]
        texts = compute.replace_with_mask(texts, exponents, pa.array(plain, pa.string()))
    return texts


def _quoted(values: Column) -> Column:
    return text_of('"', values, '"')


def _simple(_attribute: Attribute, values: Column) -> Column:
    return _quoted(values)


def _number(_attribute: Attribute, values: Column) -> Column:
    return values.cast(pa.string())


def _selection(_attribute: Attribute, values: Column) -> Column:
    return _quoted(compute.replace_substring(values, ";", ","))


def _time(_attribute: Attribute, values: Column) -> Column:
    if pa.types.is_date32(values.type):
        return _quoted(values.cast(pa.string()))
    # A cast to text is quicker than strftime by far; what it writes is 2026-03-01 12:00:00, with Z after a time in UTC.
    seconds = compute.floor_temporal(values, unit="second").cast(pa.timestamp("s"))
    texts = compute.utf8_replace_slice(seconds.cast(pa.string()), 10, 11, "T")
    return text_of('"', texts, 'Z"')


_FORMS: Mapping[AttributeType, Callable[[Any, Column], Column]] = {
    AttributeType.INTEGER: _number,
    AttributeType.BIGINT: _number,
    AttributeType.DOUBLE: _number,
    AttributeType.CHOICE: _number,
    AttributeType.STATE: _number,
    AttributeType.STATUS: _number,
    AttributeType.BOOLEAN: _number,
    AttributeType.DECIMAL: plain_decimals,
    AttributeType.MONEY: plain_decimals,
    AttributeType.MULTISELECT: _selection,
    AttributeType.DATETIME: _time,
    AttributeType.LOOKUP: _simple,
    AttributeType.CUSTOMER: _simple,
    AttributeType.OWNER: _simple,
    AttributeType.UNIQUEIDENTIFIER: _simple,
}
