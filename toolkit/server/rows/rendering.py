"""Rows as JSON objects, made column by column: a page of wide rows costs no Python object for each value.

What the objects are joined from, all columns at once, are pieces: texts that all rows have in common, and columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toolkit.engine.arrays import compute
from toolkit.model.entity import Attribute, AttributeType
from toolkit.organization.storage import Column, precision

Piece: TypeAlias = "Column | str"

_json = json.JSONEncoder(ensure_ascii=False).encode


def objects(pieces: Iterable[Piece], end: str = "}") -> Column:
    """Return a JSON object for each row, of the pieces of its members; the last one may not be an ``optional`` one."""
    *members, _comma = pieces
    how = {"null_handling": "replace", "null_replacement": "null"}
    return cast("Column", compute.binary_join_element_wise(*_merged(["{", *members, end]), "", **how))


def array(pieces: Iterable[Piece]) -> bytes | memoryview:
    """Return what the JSON array of such objects holds between its brackets, in UTF-8."""
    _, data = _bytes(objects(pieces, "},"))
    return data.data[:-1]


def member(name: str, values: Column) -> tuple[Piece, ...]:
    """Return the pieces of a member whose values are JSON already; where a row has no value it is ``null``."""
    return f"{json.dumps(name)}:", values, ","


def optional(name: str, texts: Column) -> tuple[Piece, ...]:
    """Return the pieces of a member that only those rows have which have a text; ``escaped`` texts, without quotes."""
    return (compute.coalesce(text_of(f'{json.dumps(name)}:"', texts, '",'), pa.scalar("")),)


def text_of(*pieces: Piece) -> Column:
    """Join texts row by row; a row that lacks one of them has none."""
    return cast("Column", compute.binary_join_element_wise(*pieces, ""))


def _merged(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Yield the pieces, with neighbouring texts as one."""
    for is_text, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        run = list(group)
        yield from ["".join(map(str, run))] if is_text else run


def value(attribute: Attribute, values: Column) -> Column:
    """Return values of an attribute, in the types of ``arrow_schema``, as JSON; null where there is none."""
    return _FORMS.get(attribute.type, _text)(attribute, values)


def _text(_attribute: Attribute, values: Column) -> Column:
    """Return texts as JSON strings."""
    return _quoted(escaped(values))


def escaped(values: Column) -> Column:
    """Return texts as they stand between the quotes of JSON strings."""
    if (special := _special(values)) is None:
        return values
    awkward = [_json(each)[1:-1] for each in values.filter(special).to_pylist()]
    return cast("Column", compute.replace_with_mask(values, special, pa.array(awkward, pa.string())))


def _special(values: Column) -> Column | None:
    """Return which texts hold what JSON escapes, or None: many times as quick as to look at each text."""
    offsets, data = _bytes(values)
    places = np.flatnonzero((data < ord(" ")) | (data == ord('"')) | (data == ord("\\")))
    if len(places) == 0:
        return None
    mask = np.zeros(len(values), np.bool_)
    mask[np.searchsorted(offsets - offsets[0], places, side="right") - 1] = True
    return cast("Column", compute.and_(pa.array(mask), compute.is_valid(values)))


def _bytes(values: Column) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return where each text begins (and the last one ends), and the bytes of all, without copying."""
    _, starts, data = values.buffers()
    if starts is None or data is None:
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    offsets = np.frombuffer(memoryview(starts), np.int32)[values.offset : values.offset + len(values) + 1]
    return offsets, np.frombuffer(memoryview(data), np.uint8)[offsets[0] : offsets[-1]]


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
