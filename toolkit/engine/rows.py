"""Rows as CSV: an Arrow batch becomes the bytes of a file and the places of its records, column by column.

Every column is spelled as text at once, and the columns are joined into one: its data are the bytes of the file, its
offsets are where each record begins. Nothing here loops over rows, except to name the one that is wrong.

A record is ``Id,"SinkCreatedOn","SinkModifiedOn",...`` and ends in a line feed (docs/formats.md, section CSV).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.engine.columns import CREATED, ID, IS_DELETE, SINK_CREATED, SINK_MODIFIED, VERSION, Column, Kind
from toolkit.engine.entries import ID_LENGTH, Ids, characters, ids_of_text
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
_TEXT = pa.large_string()


@dataclass(frozen=True, slots=True)
class Records:
    """Formatted rows: the bytes of all records, one after the other, and per record its id, version and partition."""

    text: pa.LargeStringArray
    ids: Ids
    versions: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


def sink_time(time: datetime) -> str:
    """Spell the time of a pass: ``M/d/yyyy h:mm:ss tt``, in UTC."""
    hour = time.hour % 12 or 12
    return f"{time.month}/{time.day}/{time.year} {hour}:{time:%M:%S} {'AM' if time.hour < 12 else 'PM'}"


def format_rows(batch: pa.RecordBatch, columns: Sequence[Column], primary_id: str, sink: datetime) -> Records:
    """Spell the rows of a batch, in their order, as records of ``columns`` that the pass at ``sink`` writes.

    Raises ToolkitError when a value cannot be spelled (a decimal with more digits than its attribute has, a time
    beyond the year 9999, an id that is no guid), and names the row by its id.
    """
    name = _row_namer(batch, primary_id)
    ids = ids_of_text(batch.column(primary_id), name)
    versions = batch.column(VERSION).cast(pa.int64()).to_numpy(zero_copy_only=False)
    quoted = f'"{sink_time(sink)}"'
    pieces = [_piece(batch, column, primary_id, quoted, name) for column in columns]
    pieces[-1] = _ended(pieces[-1])
    # A record of no columns but the fixed ones is still one per row: the id is an array.
    text = pc.binary_join_element_wise(*pieces, _scalar(","), null_handling="replace", null_replacement="")
    return Records(text, ids, versions)


def delete_record(record: bytes, columns: Sequence[Column], sink: datetime) -> bytes:
    """Return the delete row that follows a record: its id, versionnumber and createdon, the sink times and IsDelete.

    ``record`` may be shorter than ``columns``, when it was written before columns were added.
    """
    last = dict(zip((column.name for column in columns), split_record(record), strict=False))
    quoted = f'"{sink_time(sink)}"'.encode()
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


def _row_namer(batch: pa.RecordBatch, primary_id: str) -> _Name:
    return lambda row: str(batch.column(primary_id)[row].as_py())


def _piece(
    batch: pa.RecordBatch, column: Column, primary_id: str, sink: str, name: _Name
) -> pa.LargeStringArray | pa.LargeStringScalar:
    if column.kind is Kind.SINK:
        return _scalar(sink)
    source = primary_id if column.name == ID else column.name
    if column.kind is Kind.DELETED or source not in batch.schema.names:
        return _scalar("")
    return _SPELLINGS[column.kind](batch.column(source), column, name)


def _ended(piece: pa.LargeStringArray | pa.LargeStringScalar) -> pa.LargeStringArray | pa.LargeStringScalar:
    if isinstance(piece, pa.Scalar):
        return _scalar(f"{piece.as_py()}\n")
    return pc.binary_join_element_wise(piece, _scalar("\n"), _scalar(""), null_handling="replace", null_replacement="")


def _scalar(text: str) -> pa.LargeStringScalar:
    return pa.scalar(text, _TEXT)


def _string(values: pa.Array, _: Column, __: _Name) -> pa.LargeStringArray:
    text = values.cast(_TEXT)
    data = bytes(characters(text))
    if b"\r\n" in data:
        text = pc.replace_substring(text, "\r\n", "\n")
    if b'"' in data:
        text = pc.replace_substring(text, '"', '""')
    return pc.binary_join_element_wise(_scalar('"'), text, _scalar('"'), _scalar(""))


def _plain(values: pa.Array, _: Column, __: _Name) -> pa.LargeStringArray:
    return values.cast(_TEXT)


def _guid(values: pa.Array, column: Column, name: _Name) -> pa.LargeStringArray:
    """Guids stand without quotes, so nothing else may pass."""
    text = values.cast(_TEXT)
    odd = pc.not_equal(pc.binary_length(text), ID_LENGTH)
    letters = bytes(characters(text))
    if letters.translate(None, _GUID_LETTERS) or pc.any(odd).as_py():
        _require_guids(text, column, name)
    return text


def _require_guids(text: pa.LargeStringArray, column: Column, name: _Name) -> None:
    good = pc.match_substring_regex(text, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").fill_null(value=True)
    row = pc.index(good, pa.scalar(value=False)).as_py()
    if row >= 0:
        raise ToolkitError(
            "ENG011",
            f"{column.name} of row {name(row)} is not a guid of 36 lower-case characters",
            where=column.name,
            fix="mend the row in the source",
        )


def _boolean(values: pa.Array, _: Column, __: _Name) -> pa.LargeStringArray:
    return pc.if_else(values, _scalar("True"), _scalar("False"))


def _decimal(values: pa.Array, column: Column, name: _Name) -> pa.LargeStringArray:
    scale = SOURCE_SCALE if column.scale is None else column.scale
    try:
        text = values.cast(pa.decimal128(38, scale)).cast(_TEXT)
    except pa.ArrowInvalid as error:
        raise _too_fine(values, column, scale, name) from error
    return text if scale <= _PLAIN_SCALE else _without_exponents(text)


def _too_fine(values: pa.Array, column: Column, scale: int, name: _Name) -> ToolkitError:
    unit = Decimal(1).scaleb(-scale)
    row = next((at for at, value in enumerate(values.to_pylist()) if value is not None and value % unit), 0)
    return ToolkitError(
        "ENG012",
        f"{column.name} of row {name(row)} has more digits than the {scale} that the attribute's precision allows",
        where=column.name,
        why="decimals are written exactly, never rounded",
        fix="raise the attribute's precision, or mend the row in the source",
    )


def _without_exponents(text: pa.LargeStringArray) -> pa.LargeStringArray:
    exponents = pc.match_substring(text, "E").fill_null(value=False)
    if not pc.any(exponents).as_py():
        return text
    plain = [f"{Decimal(value):f}" for value in text.filter(exponents).to_pylist()]
    return pc.replace_with_mask(text, exponents, pa.array(plain, _TEXT))


def _time(values: pa.Array, column: Column, name: _Name, *, end: str) -> pa.LargeStringArray:
    """Spell times by patching Arrow's own spelling, which is twice as fast as ``strftime``."""
    times = values.cast(pa.timestamp("us"))
    present = times.drop_null()
    arrow = _fixed_width(times, present, column, name)
    template = np.frombuffer(f'"{" " * 10}T{" " * 15}{PRECISE_TIME}{end}"'.encode(), np.uint8)
    text = np.empty((len(present), template.size), np.uint8)
    text[:] = template
    text[:, 1:11] = arrow[:, :10]
    text[:, 12:27] = arrow[:, 11:]
    return _spread(text, times.is_valid())


def _fixed_width(times: pa.Array, present: pa.Array, column: Column, name: _Name) -> npt.NDArray[np.uint8]:
    spelled = present.cast(pa.string())
    data = np.frombuffer(spelled.buffers()[2] or b"", np.uint8)
    if data.size != _ARROW_TIME * len(present):
        lengths = pc.binary_length(times.cast(pa.string())).fill_null(_ARROW_TIME)
        row = pc.index(pc.equal(lengths, _ARROW_TIME), pa.scalar(value=False)).as_py()
        raise ToolkitError(
            "ENG013",
            f"{column.name} of row {name(row)} is a time outside the years 0 to 9999",
            where=column.name,
            fix="mend the row in the source",
        )
    return data.reshape(len(present), _ARROW_TIME)


def _spread(text: npt.NDArray[np.uint8], valid: pa.BooleanArray) -> pa.LargeStringArray:
    """Return texts of one width as an array in which the places that are not valid are null."""
    flags = valid.to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(flags) + 1, np.int64)
    np.cumsum(flags, out=offsets[1:])
    offsets *= text.shape[1]
    return pa.LargeStringArray.from_buffers(len(flags), pa.py_buffer(offsets), pa.py_buffer(text), valid.buffers()[1])


_SPELLINGS: Mapping[Kind, Callable[[pa.Array, Column, _Name], pa.LargeStringArray]] = {
    Kind.GUID: _guid,
    Kind.STRING: _string,
    Kind.INTEGER: _plain,
    Kind.DOUBLE: _plain,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.INSTANT: partial(_time, end=INSTANT_END),
    Kind.CREATED: partial(_time, end=CREATED_END),
    Kind.WALL: partial(_time, end=WALL_END),
    Kind.DAY: partial(_time, end=DAY_END),
}
