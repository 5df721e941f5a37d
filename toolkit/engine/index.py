"""The index of a part: which record is where, in one file beside the checkpoint.

The file is a header of 512 bytes (JSON, padded with spaces: format, the part's etag and size, digest, count) and the
columns of its entries, sorted by (id, version, delete row). The digest is the SHA-256 of two others, of the ids and of
the rest, so that ids alone can be read and checked. A scan of the part gives the same entries again, so it says whether
a part still holds what it held. An index that is missing, or that has another digest than the part, is made anew by one
scan. The etag is for people: a copied lake has others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.engine.arrays import Mask, Places
from toolkit.engine.checkpoint import restore_or_anew
from toolkit.engine.columns import IS_DELETE, VERSION, Column, header_line
from toolkit.engine.entries import (
    DELETE_FLAG,
    ENTRY_BYTES,
    ENTRY_COLUMNS,
    ID_BYTES,
    ID_LENGTH,
    Entries,
    Ids,
    entries_from,
    ids_of_letters,
    joined,
)
from toolkit.engine.partitions import entity_of
from toolkit.errors import Damaged, NotFound
from toolkit.lake.protocol import Etag, Lake
from toolkit.model.base import Frozen

HEADER_BYTES = 512
CHUNK = 8 * 1024 * 1024
"""Bytes of a part that are looked at together."""

_QUOTE, _COMMA, _LINE_FEED = b'",\n'


class Header(Frozen):
    """What an index says of the part that it belongs to; ``ids`` and ``rest`` are the two digests of its columns."""

    format: Literal[1] = 1
    etag: str
    size: int
    digest: str
    ids: str
    rest: str
    count: int


def digest_of(entries: Entries) -> str:
    """Return the digest of sorted entries."""
    return _digest(*_digests(entries.to_bytes(), len(entries)))


def _digests(columns: bytes | memoryview, count: int) -> tuple[str, str]:
    """Return the digests of the ids and of the rest."""
    view, ids = memoryview(columns), count * ID_BYTES
    return hashlib.sha256(view[:ids]).hexdigest(), hashlib.sha256(view[ids:]).hexdigest()


def _digest(ids: str, rest: str) -> str:
    return f"sha256:{hashlib.sha256(bytes.fromhex(ids + rest)).hexdigest()}"


def index_bytes(entries: Entries, etag: Etag, size: int) -> tuple[bytes, str]:
    """Return the index file of a part that holds these entries, which are sorted, and their digest."""
    columns = entries.to_bytes()
    ids, rest = _digests(columns, len(entries))
    header = Header(etag=etag, size=size, digest=_digest(ids, rest), ids=ids, rest=rest, count=len(entries))
    return header.model_dump_json().encode().ljust(HEADER_BYTES - 1) + b"\n" + columns, header.digest


def read_index(data: bytes, digest: str, *, trusted: bool = False) -> Entries | None:
    """Return the entries of an index file, or None when it is not the one of a part with this digest.

    A header that is whole says nothing of the columns: one damaged offset would drop a row and repeat another, one
    damaged id would hide a row from its update. So all of them are checked, unless the file is ``trusted``, since
    this process checked or wrote it.
    """
    header, columns = _header(data, digest), memoryview(data)[HEADER_BYTES:]
    if header is None or len(columns) != header.count * ENTRY_BYTES:
        return None
    good = trusted or _digests(columns, header.count) == (header.ids, header.rest)
    return entries_from(columns) if good else None


def read_ids(data: bytes, digest: str) -> Ids | None:
    """Return the ids of an index file that is cut behind them, or None when they are not those of this digest."""
    header, ids = _header(data, digest), memoryview(data)[HEADER_BYTES:]
    good = header is not None and hashlib.sha256(ids).hexdigest() == header.ids
    return np.frombuffer(ids, ENTRY_COLUMNS[0]) if good else None


def _header(data: bytes, digest: str) -> Header | None:
    """Return the header of an index file of this digest, or None."""
    try:
        header = Header.model_validate_json(data[:HEADER_BYTES])
        return header if header.digest == digest == _digest(header.ids, header.rest) else None
    except ValueError:
        return None


def scan(lake: Lake, path: str, columns: Sequence[Column], *, chunk: int = CHUNK) -> Entries:
    """Return the sorted entries of a file by reading it once; it may begin with a header of these columns.

    Raises Damaged where it is no file of ours.
    """
    return joined(found.entries for found in scan_chunks(lake, path, columns, chunk=chunk)).sorted()


@dataclass(frozen=True, slots=True)
class Scanned:
    """Whole records of a file: their bytes, their entries in the order of the file, and where their fields end."""

    data: bytes
    entries: Entries
    _stops: Places
    _first: Places
    """The place in ``_stops`` of the end of each record's first field."""

    def field(self, number: int) -> tuple[Places, Places]:
        """Return where a field of each record begins and ends in ``data``; the first one is no such field."""
        return self._stops[self._first + number - 1] + 1, self._stops[self._first + number]


def scan_chunks(lake: Lake, path: str, columns: Sequence[Column], *, chunk: int = CHUNK) -> Iterator[Scanned]:
    """Yield the records of a file as ``scan`` finds them, so many bytes at a time. Raises Damaged."""
    names = [column.name for column in columns]
    fields = names.index(VERSION), names.index(IS_DELETE)
    for start, data in _without_header(record_chunks(lake, path, chunk), header_line(columns)):
        yield _scanned(data, start, fields, path)


def readable(lake: Lake, path: str, columns: Sequence[Column]) -> bool:
    """Whether a file is there, and all of it is records."""
    try:
        scan(lake, path, columns)
    except (Damaged, NotFound):
        return False
    return True


def _without_header(chunks: Iterable[tuple[int, bytes]], header: bytes) -> Iterator[tuple[int, bytes]]:
    for start, data in chunks:
        skipped = len(header) if start == 0 and data.startswith(header) else 0
        if len(data) > skipped:
            yield start + skipped, data[skipped:]


def record_chunks(lake: Lake, path: str, chunk: int = CHUNK) -> Iterator[tuple[int, bytes]]:
    """Yield whole records, with the offset at which they begin. Raises Damaged where the last one does not end."""
    start, rest, at = 0, b"", 0
    while data := lake.read(path, at, chunk):
        at += len(data)
        rest += data
        if end := _end_of_records(rest):
            yield start, rest[:end]
            start, rest = start + end, rest[end:]
    if rest:
        raise Damaged("ENG021", f"{path} ends within a record", where=path, fix=_restore_or_anew(path))


def _restore_or_anew(path: str) -> str:
    return restore_or_anew(entity_of(path))


def outside_quotes(data: npt.NDArray[np.uint8]) -> Mask:
    """Return which bytes of whole records are outside quotes."""
    return np.logical_not(np.logical_xor.accumulate(data == _QUOTE))


def _end_of_records(data: bytes) -> int:
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((array == _LINE_FEED) & outside_quotes(array))
    return int(ends[-1]) + 1 if ends.size else 0


def _scanned(data: bytes, start: int, fields: tuple[int, int], path: str) -> Scanned:
    """Return whole records; ``fields`` are the places of versionnumber and IsDelete."""
    array = np.frombuffer(data, np.uint8)
    outside = outside_quotes(array)
    ends = np.flatnonzero((array == _LINE_FEED) & outside) + 1
    begins = np.concatenate([[0], ends[:-1]])
    # Every field ends at a comma or at the line feed of its record.
    stops = np.flatnonzero(((array == _COMMA) | (array == _LINE_FEED)) & outside)
    first = np.searchsorted(stops, begins)
    width = np.diff(np.append(first, len(stops)))
    if (width <= max(fields)).any() or (stops[first] - begins != ID_LENGTH).any():
        raise Damaged("ENG022", f"{path} has a record that is none of ours", where=path, fix=_restore_or_anew(path))
    version, deleted = fields
    entries = Entries(
        ids=_ids(array[begins[:, None] + np.arange(ID_LENGTH)], path),
        offsets=(start + begins).astype(np.uint64),
        sizes=_sizes(ends - begins, stops[first + deleted] - stops[first + deleted - 1] > 1),
        versions=_numbers(data, stops[first + version - 1] + 1, stops[first + version], path),
    )
    return Scanned(data, entries, stops, first)


def _ids(letters: npt.NDArray[np.uint8], path: str) -> Ids:
    ids = ids_of_letters(letters)
    if ids is None:
        raise Damaged(
            "ENG022", f"{path} has a record that does not begin with an id", where=path, fix=_restore_or_anew(path)
        )
    return ids


def _sizes(lengths: Places, deleted: Mask) -> npt.NDArray[np.uint32]:
    return lengths.astype(np.uint32) | np.where(deleted, DELETE_FLAG, np.uint32(0))


def _numbers(data: bytes, starts: Places, stops: Places, path: str) -> Places:
    try:
        numbers = [int(data[start:stop]) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    except ValueError as error:
        raise Damaged(
            "ENG022", f"{path} has a record without a version", where=path, fix=_restore_or_anew(path)
        ) from error
    return np.array(numbers, np.int64)
