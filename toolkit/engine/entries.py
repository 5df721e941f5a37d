"""Entries: where the records of a part are, as columns. What an index holds, and what a change is made of.

36 bytes a row in a file: id 16, offset 8, length 4, version 8, each a column, sorted by (id, version, delete row).
The highest bit of the length marks a delete row of append-only mode, which has the id and the version of the row that
it deletes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.engine.arrays import TEXT, Array, Mask, Places, contents
from toolkit.errors import ToolkitError

ID_LENGTH = 36
"""Characters of a guid; every record begins with one."""
ID_BYTES = 16

Ids = npt.NDArray[np.bytes_]
"""Guids as 16 bytes (``S16``), which sort like their text. Numpy compares them whole, trailing zeros or not."""

DELETE_FLAG = np.uint32(1 << 31)
_LENGTH_MASK = np.uint32((1 << 31) - 1)
MAX_RECORD = int(_LENGTH_MASK)

_DASHES = (8, 13, 18, 23)
_HEX = np.array([place for place in range(ID_LENGTH) if place not in _DASHES])
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[list(b"0123456789abcdef")] = range(16)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
ENTRY_COLUMNS: tuple[np.dtype[Any], ...] = (np.dtype("S16"), np.dtype("<u8"), np.dtype("<u4"), np.dtype("<i8"))
ENTRY_BYTES = sum(column.itemsize for column in ENTRY_COLUMNS)


@dataclass(frozen=True, slots=True)
class Entries:
    """Records by id, offset, length (with the delete flag) and version; four columns of one length."""

    ids: Ids
    offsets: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.uint32]
    """Length in bytes, and the delete flag."""
    versions: Places

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Places:
        """Lengths in bytes, line feed included."""
        return (self.sizes & _LENGTH_MASK).astype(np.int64)

    @property
    def deletes(self) -> Mask:
        """Which entries are delete rows."""
        return (self.sizes & DELETE_FLAG).astype(np.bool_)

    @property
    def ends(self) -> Places:
        """The offsets behind the records."""
        return self.offsets.astype(np.int64) + self.lengths

    def take(self, which: Places | Mask) -> Entries:
        """Return some entries, by place or by mask."""
        return Entries(self.ids[which], self.offsets[which], self.sizes[which], self.versions[which])

    def at(self, offsets: Places) -> Entries:
        """Return the entries with other offsets."""
        return Entries(self.ids, offsets.astype(np.uint64), self.sizes, self.versions)

    def sized(self, lengths: Places) -> Entries:
        """Return the entries with other lengths; delete rows stay such."""
        sizes = lengths.astype(np.uint32) | (self.sizes & DELETE_FLAG)
        return Entries(self.ids, self.offsets, sizes, self.versions)

    def sorted(self) -> Entries:
        """Return the entries by (id, version, delete row): the order of an index; equal ones stay in their order."""
        return self.take(by_id(self.ids, self.versions, self.deletes))

    def by_offset(self) -> Entries:
        """Return the entries in the order of the file."""
        # No two records begin at one place; a stable sort takes six times as long (measured).
        return self.take(np.argsort(self.offsets))

    def to_bytes(self) -> bytes:
        """Return the four columns, one after the other."""
        return packed((self.ids, self.offsets, self.sizes, self.versions), ENTRY_COLUMNS)


def first_halves(ids: Ids) -> npt.NDArray[np.uint64]:
    """Return the first eight bytes of ids as numbers, which sort like the ids as far as they differ."""
    first, _ = _halves(ids)
    return first


def _halves(ids: Ids) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    both = np.ascontiguousarray(ids, "S16").view(">u8")
    return both[::2].astype(np.uint64), both[1::2].astype(np.uint64)


def by_id(ids: Ids, versions: Places, deletes: Mask, *, runs: bool = False) -> Places:
    """Return the order by (id, version, delete row). Where no two ids begin alike, numbers alone are sorted.

    With ``runs`` they are a few sorted runs one after the other, which a stable sort makes use of (in a fourteenth of
    the time: measured).
    """
    first, second = _halves(ids)
    order = np.argsort(first, kind="stable" if runs else None)
    ordered = first[order]
    if (ordered[1:] == ordered[:-1]).any():
        return np.lexsort((deletes, versions, second, first))
    return order


def merged(*several: Entries) -> Entries:
    """Return the sorted entries of several that are sorted."""
    every = joined(several)
    return every.take(by_id(every.ids, every.versions, every.deletes, runs=True))


def packed(columns: Sequence[npt.NDArray[Any]], types: Sequence[np.dtype[Any]]) -> bytes:
    """Return columns of one length as bytes, one after the other."""
    return b"".join(np.ascontiguousarray(column, kind).tobytes() for column, kind in zip(columns, types, strict=True))


def unpacked(data: bytes | memoryview, types: Sequence[np.dtype[Any]]) -> list[npt.NDArray[Any]]:
    """Return the columns that ``packed`` made bytes of."""
    count = len(data) // sum(kind.itemsize for kind in types)
    columns, at = [], 0
    for kind in types:
        columns.append(np.frombuffer(data, kind, count, at))
        at += count * kind.itemsize
    return columns


def entries_of(ids: Ids, lengths: Places, versions: Places, *, start: int = 0, deletes: bool = False) -> Entries:
    """Return entries of records that follow each other from ``start``."""
    longest = int(lengths.max(initial=0))
    if longest > MAX_RECORD:
        raise ToolkitError("ENG014", f"a row has {longest} bytes, and {MAX_RECORD} is the most", fix="split the row")
    sizes = lengths.astype(np.uint32) | (DELETE_FLAG if deletes else np.uint32(0))
    offsets = start + np.cumsum(lengths) - lengths
    return Entries(ids, offsets.astype(np.uint64), sizes, versions)


def entries_from(data: bytes | memoryview) -> Entries:
    """Return the entries whose columns ``data`` holds; its length is a multiple of 36."""
    return Entries(*unpacked(data, ENTRY_COLUMNS))


def without_places(ids: Ids, versions: Places) -> Entries:
    """Return entries that have no records: tombstones."""
    nothing = np.zeros(len(ids), np.int64)
    return Entries(ids, nothing.astype(np.uint64), nothing.astype(np.uint32), versions)


def joined(several: Iterable[Entries]) -> Entries:
    """Return all entries of several, one after the other."""
    them = [NOTHING, *several]
    return Entries(
        np.concatenate([entries.ids for entries in them]),
        np.concatenate([entries.offsets for entries in them]),
        np.concatenate([entries.sizes for entries in them]),
        np.concatenate([entries.versions for entries in them]),
    )


NOTHING = Entries(np.empty(0, "S16"), np.empty(0, np.uint64), np.empty(0, np.uint32), np.empty(0, np.int64))
"""No entries."""


def ids_of_text(text: Array, name: Callable[[int], str]) -> Ids:
    """Return guids, spelled in 36 lower-case characters, as bytes; ``name(row)`` names a row that is wrong."""
    flat = np.frombuffer(contents(text.cast(TEXT)), np.uint8)
    if text.null_count or flat.size != len(text) * ID_LENGTH:
        raise _no_guid(text, name)
    ids = ids_of_letters(flat.reshape(len(text), ID_LENGTH))
    if ids is None:
        raise _no_guid(text, name)
    return ids


def ids_of_letters(letters: npt.NDArray[np.uint8]) -> Ids | None:
    """Return guids, one per row of 36 characters, as bytes; None when one of them is no guid."""
    nibbles = _NIBBLES[letters[:, _HEX]]
    if (nibbles == 255).any() or (letters[:, _DASHES] != ord("-")).any():
        return None
    return np.ascontiguousarray((nibbles[:, ::2] << 4) | nibbles[:, 1::2]).view("S16").ravel()


def _no_guid(text: Array, name: Callable[[int], str]) -> ToolkitError:
    row = next((at for at, value in enumerate(text.to_pylist()) if not _is_guid(value)), 0)
    return ToolkitError(
        "ENG011", f"the id of row {name(row)} is not a guid of 36 lower-case characters", fix="mend the source"
    )


def _is_guid(value: str | None) -> bool:
    dashes = value is not None and len(value) == ID_LENGTH and all(value[at] == "-" for at in _DASHES)
    return dashes and value is not None and all(char in "0123456789abcdef" for char in value.replace("-", ""))


def text_of_ids(ids: Ids) -> bytes:
    """Return guids as text, 36 characters each, one after the other."""
    raw = np.ascontiguousarray(ids, "S16").view(np.uint8).reshape(len(ids), ID_BYTES)
    text = np.full((len(ids), ID_LENGTH), ord("-"), np.uint8)
    nibbles = np.empty((len(ids), 2 * ID_BYTES), np.uint8)
    nibbles[:, ::2], nibbles[:, 1::2] = raw >> 4, raw & 15
    text[:, _HEX] = _DIGITS[nibbles]
    return text.tobytes()
