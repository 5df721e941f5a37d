"""Rows as CSV: an Arrow batch becomes the bytes of a file and the places of its records, column by column.

Arrow's CSV writer spells neighbouring columns at once. Guids and booleans stand without quotes, which it gives to all
texts; so they are joined with what it wrote, into one column of text: its data are the bytes of the file, its offsets
are where each record begins. Nothing here loops over rows, except to name the one that is wrong.

A record is ``Id,"SinkCreatedOn","SinkModifiedOn",...`` and ends in a line feed (docs/formats.md, section CSV).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from toolkit.engine.arrays import (
    TEXT,
    Array,
    Places,
    Scalar,
    compute,
    contents,
    flags,
    joined_text,
    offsets_of,
    spread,
    taken,
    text,
    texts_between,
)
from toolkit.engine.columns import CREATED, ID, IS_DELETE, SINK_CREATED, SINK_MODIFIED, VERSION, Column, Kind
from toolkit.engine.entries import ID_LENGTH, Ids, ids_of_text
from toolkit.engine.style import SERVICE, Style
from toolkit.errors import ToolkitError

PRECISE_TIME = "0"
"""What follows the six digits of a microsecond: the service writes seven digits (observed, not documented)."""
INSTANT_END = "Z"
CREATED_END = "+00:00"
WALL_END = "Z"
"""Dataverse spells a time without a zone with a Z as well."""
DAY_END = ""

SOURCE_SCALE = 10
"""Digits after the point in a source's decimals."""
_PLAIN_SCALE = 6
"""Up to so many digits Arrow never spells a decimal with an exponent."""
_ARROW_TIME = 26
"""Characters of a time as Arrow spells it: ``2018-05-25 16:21:09.000000``."""
_GUID_LETTERS = b"0123456789abcdef-"
_RETURN, _LINE_FEED = b"\r\n"
_NOWHERE: Places = np.empty(0, np.int64)
_CSV = csv.WriteOptions(include_header=False, batch_size=1 << 20)
_GUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


@dataclass(frozen=True, slots=True)
class Records:
    """Formatted rows: the bytes of all records, one after the other, and the id and version of each."""

    text: Array
    ids: Ids
    versions: Places

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: Places) -> Records:
        """Return some records, by place."""
        return Records(taken(self.text, which), self.ids[which], self.versions[which])

    def slice(self, start: int, stop: int) -> Records:
        """Return the records between two places, without copying."""
        return Records(self.text.slice(start, stop - start), self.ids[start:stop], self.versions[start:stop])


def format_rows(
    batch: pa.RecordBatch, columns: Sequence[Column], primary_id: str, sink: datetime, style: Style = SERVICE
) -> Records:
    """Spell the rows of a batch, in their order, as records of ``columns`` that the pass at ``sink`` writes.

    Raises ToolkitError when a value cannot be spelled (a decimal with more digits than its attribute has, a time
    beyond the year 9999, an id that is no guid), and names the row by its id.
    """
    name = row_namer(batch, primary_id)
    with naming(batch, primary_id):
        ids = ids_of_text(batch.column(primary_id), name)
    with naming(batch, VERSION):
        versions = np.asarray(batch.column(VERSION).cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    sink_field = Literal(f'"{style.sink(sink)}"')
    fields = [_field(batch, style.spelled(column), primary_id, sink_field, name) for column in columns]
    return Records(_records(fields, len(batch)), ids, versions)


@contextmanager
def naming(batch: pa.RecordBatch, column: str) -> Iterator[None]:
    """Turn what Arrow says against a column into ToolkitError (ENG015), which names the column and its type."""
    try:
        yield
    except pa.ArrowException:
        # Arrow's own words quote values, which belong to nobody who reads a log.
        raise unspelled(column, f"the source gave the type {batch.schema.field(column).type}") from None


def unspelled(what: str, why: str) -> ToolkitError:
    """Return the error that values have another type than they should."""
    return ToolkitError(
        "ENG015",
        f"{what} cannot be written",
        where=what,
        why=why,
        fix="give the attribute a type that holds its values; or report it as a fault of the source",
    )


def delete_record(record: bytes, columns: Sequence[Column], sink: str) -> bytes:
    """Return the delete row that follows a record: its id, versionnumber and createdon, the sink times and IsDelete.

    ``record`` may be shorter than ``columns``, when it was written before columns were added.
    """
    last = dict(zip((column.name for column in columns), split_record(record), strict=False))
    quoted = f'"{sink}"'.encode()
    kept = {name: last.get(name, b"") for name in (ID, VERSION, CREATED)}
    values = {**kept, SINK_CREATED: quoted, SINK_MODIFIED: quoted, IS_DELETE: b"True"}
    return b",".join(values.get(column.name, b"") for column in columns) + b"\n"


def split_record(record: bytes) -> list[bytes]:
    """Return the fields of a record as they are spelled, quotes and all."""
    fields: list[bytes] = []
    open_field: bytes | None = None
    for piece in record.rstrip(b"\n").split(b","):
        field = piece if open_field is None else open_field + b"," + piece
        # A field is whole when its quotes pair up; a doubled quote counts twice.
        open_field = field if field.count(b'"') % 2 else None
        if open_field is None:
            fields.append(field)
    return fields


_Name = Callable[[int], str]
"""Names a row of the batch."""


def row_namer(batch: pa.RecordBatch, primary_id: str) -> _Name:
    """Return what names a row of a batch in an error: by its id."""
    return lambda row: str(batch.column(primary_id)[row].as_py())


class Literal(NamedTuple):
    """A field that is the same in every record."""

    text: str


class Bare(NamedTuple):
    """A field that stands as it is spelled; it holds neither comma, quote nor line feed."""

    values: Array


_Spelled = Bare | Array
_Field = Literal | _Spelled
"""What becomes of a column. Arrow's CSV writer spells the arrays: it quotes texts, and numbers it does not."""


def _field(batch: pa.RecordBatch, column: Column, primary_id: str, sink: Literal, name: _Name) -> _Field:
    if column.kind is Kind.SINK:
        return sink
    source = primary_id if column.name == ID else column.name
    if column.kind is Kind.DELETED or source not in batch.schema.names:
        return pa.nulls(len(batch))
    values = batch.column(source)
    if values.null_count == len(values):
        return pa.nulls(len(batch))
    with naming(batch, source):
        return _SPELLINGS[column.kind](values, column, name)


def as_read(values: Array, column: Column, name: _Name) -> Array:
    """Spell values as a reader of the file gets them: without the quotes around them."""
    field = _SPELLINGS[column.kind](values, column, name)
    spelled = (field.values if isinstance(field, Bare) else field).cast(TEXT)
    return cast("Array", compute.replace_substring(spelled, "\r\n", "\n"))


def _records(fields: Sequence[_Field], count: int) -> Array:
    """Join fields to records, each with its line feed."""
    pieces: list[Array | Scalar] = []
    behind = len(fields)
    for kind, several in groupby(fields, key=_kind_of):
        run = list(several)
        behind -= len(run)
        pieces += _pieces(kind, run, count, "," if behind else "\n")
    return joined_text(*pieces, null="")


def _kind_of(field: _Field) -> type:
    return type(field) if isinstance(field, Literal | Bare) else Array


def _pieces(kind: type, run: list[Any], count: int, end: str) -> Iterator[Array | Scalar]:
    """Yield the pieces of neighbouring fields of one kind, with commas between them and ``end`` behind."""
    if kind is Literal:
        yield text(",".join(field.text for field in run) + end)
    elif kind is Bare:
        for place, field in enumerate(run, 1):
            yield field.values
            yield text("," if place < len(run) else end)
    else:
        yield _lines(run, count, end)


def _lines(run: list[Array], count: int, end: str) -> Array:
    """Return what Arrow's CSV writer makes of columns: for each row its fields, with ``end`` behind.

    Line feeds within values are counted, so that those behind the rows are told from them without parsing.
    """
    out = pa.BufferOutputStream()
    csv.write_csv(pa.RecordBatch.from_arrays(run, names=[str(place) for place in range(len(run))]), out, _CSV)
    data = np.frombuffer(memoryview(out.getvalue()), np.uint8)
    rows = np.concatenate([np.arange(count), *map(_rows_of_line_feeds, run)])
    feeds = np.flatnonzero(data == _LINE_FEED)
    behind = feeds[np.cumsum(np.bincount(rows, minlength=count)) - 1]
    data[behind] = ord(end)
    return _without_returns(data.data, np.concatenate([[0], behind + 1]), feeds[data[feeds - 1] == _RETURN] - 1)


def _without_returns(data: memoryview, offsets: Places, returns: Places) -> Array:
    """Return the texts between offsets without some bytes: the carriage returns before the line feeds of a text.

    Few rows hold one, but most columns do: leaving them out here takes a third of what it takes column by column
    (measured).
    """
    if not returns.size:
        return texts_between(data, offsets)
    starts, stops = [0, *(returns + 1).tolist()], [*returns.tolist(), len(data)]
    kept = b"".join(data[start:stop] for start, stop in zip(starts, stops, strict=True))
    return texts_between(memoryview(kept), offsets - np.searchsorted(returns, offsets))


def _rows_of_line_feeds(values: Array) -> Places:
    """Return the row of each line feed that is in a text."""
    if not pa.types.is_large_string(values.type):
        return _NOWHERE
    places = np.flatnonzero(np.frombuffer(contents(values), np.uint8) == _LINE_FEED)
    if not places.size:
        return _NOWHERE
    offsets = offsets_of(values)
    return np.asarray(np.searchsorted(offsets, places + offsets[0], "right") - 1, np.int64)


def _string(values: Array, _: Column, __: _Name) -> Array:
    return values.cast(TEXT)


def _integer(values: Array, _: Column, __: _Name) -> Array:
    return values.cast(pa.int64())


def _double(values: Array, _: Column, __: _Name) -> Array:
    return values.cast(pa.float64())


def _guid(values: Array, column: Column, name: _Name) -> Bare:
    """Guids stand without quotes, so nothing else may pass."""
    spelled = values.cast(TEXT)
    odd = compute.any(compute.not_equal(compute.binary_length(spelled), ID_LENGTH)).as_py()
    if odd or bytes(contents(spelled)).translate(None, _GUID_LETTERS):
        good = compute.match_substring_regex(spelled, _GUID_PATTERN)
        raise ToolkitError(
            "ENG011",
            f"{column.name} of row {name(_first_false(good))} is not a guid of 36 lower-case characters",
            where=column.name,
            fix="mend the row in the source",
        )
    return Bare(spelled)


def _first_false(good: Array) -> int:
    return int(np.argmin(flags(compute.fill_null(good, True))))  # noqa: FBT003 - the value of a missing flag


def _boolean(values: Array, _: Column, __: _Name) -> Bare:
    return Bare(compute.if_else(values, text("True"), text("False")))


def _decimal(values: Array, column: Column, name: _Name) -> _Spelled:
    scale = SOURCE_SCALE if column.scale is None else column.scale
    try:
        exact = values.cast(pa.decimal128(38, scale))
    except pa.ArrowInvalid as error:
        raise _too_fine(values, column, scale, name) from error
    return exact if scale <= _PLAIN_SCALE else Bare(_without_exponents(exact.cast(TEXT)))


def _too_fine(values: Array, column: Column, scale: int, name: _Name) -> ToolkitError:
    unit = Decimal(1).scaleb(-scale)
    row = next(at for at, value in enumerate(values.to_pylist()) if value is not None and value % unit)
    return ToolkitError(
        "ENG012",
        f"{column.name} of row {name(row)} has more digits than the {scale} that the attribute's precision allows",
        where=column.name,
        why="decimals are written exactly, never rounded",
        fix="raise the attribute's precision, or mend the row in the source",
    )


def _without_exponents(spelled: Array) -> Array:
    exponents = compute.fill_null(compute.match_substring(spelled, "E"), False)  # noqa: FBT003 - of a missing value
    if not compute.any(exponents).as_py():
        return spelled
    plain = [f"{Decimal(str(value)):f}" for value in spelled.filter(exponents)]
    without: Array = compute.replace_with_mask(spelled, exponents, pa.array(plain, TEXT))
    return without


def _time(values: Array, column: Column, name: _Name, *, end: str) -> Array:
    """Spell times by patching Arrow's own spelling, which is twice as fast as ``strftime``."""
    times = values.cast(pa.timestamp("us"))
    arrow = _fixed_width(times, column, name)
    template = np.frombuffer(f"{' ' * 10}T{' ' * 15}{PRECISE_TIME}{end}".encode(), np.uint8)
    letters = np.empty((len(arrow), template.size), np.uint8)
    letters[:] = template
    letters[:, :10] = arrow[:, :10]
    letters[:, 11:26] = arrow[:, 11:]
    return spread(template.size, letters, times.is_valid())


def _fixed_width(times: Array, column: Column, name: _Name) -> npt.NDArray[np.uint8]:
    """Return the times that are there, in 26 characters each."""
    data = np.frombuffer(contents(times.drop_null().cast(TEXT)), np.uint8)
    if data.size != _ARROW_TIME * (len(times) - times.null_count):
        good = compute.equal(compute.binary_length(times.cast(TEXT)), _ARROW_TIME)
        raise ToolkitError(
            "ENG013",
            f"{column.name} of row {name(_first_false(good))} is a time outside the years 0 to 9999",
            where=column.name,
            fix="mend the row in the source",
        )
    return data.reshape(-1, _ARROW_TIME)


_SPELLINGS: Mapping[Kind, Callable[[Array, Column, _Name], _Spelled]] = {
    Kind.GUID: _guid,
    Kind.STRING: _string,
    Kind.INTEGER: _integer,
    Kind.DOUBLE: _double,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.INSTANT: partial(_time, end=INSTANT_END),
    Kind.CREATED: partial(_time, end=CREATED_END),
    Kind.WALL: partial(_time, end=WALL_END),
    Kind.DAY: partial(_time, end=DAY_END),
}
