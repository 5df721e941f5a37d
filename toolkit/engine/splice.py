"""The task: one part is written anew by splicing bytes.

The records that stay are copied as they are, in ranges; those that come are written behind them, by (version, id). A
task is a small frozen value that names files of the lake; doing it stages files and changes nothing else, so it may
be done twice, by any process. What it writes depends on nothing but the task.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toolkit.engine.arrays import BYTES, Array, Mask, Places, Scalar, between, contents, joined_bytes, lengths_of, taken
from toolkit.engine.checkpoint import REPAIR, Part
from toolkit.engine.columns import Column
from toolkit.engine.entries import ID_LENGTH, NOTHING, Entries, entries_from, ids_of_letters, merged
from toolkit.engine.index import digest_of, index_bytes, read_index, scan
from toolkit.engine.ranges import BLOCK, read_ranges
from toolkit.errors import Damaged
from toolkit.lake.protocol import ABSENT, Etag, Lake, Staged, Writer

CREATED_WIDTH = 24
"""The longest spelling of SinkCreatedOn, quotes included."""

_HEAD = ID_LENGTH + 1 + CREATED_WIDTH + 1
"""Bytes at the beginning of a record in which SinkCreatedOn ends."""

_BLOCKS = struct.Struct("<5Q")
"""The lengths in bytes of the five blocks of a change."""

_Created = npt.NDArray[np.bytes_]
"""Spellings of SinkCreatedOn, quotes included; an empty one says nothing."""


@dataclass(frozen=True, slots=True)
class _Left:
    """Records of a file that do not stay there: where they begin, in order, and the SinkCreatedOn of each."""

    offsets: Places
    created: _Created


_NOTHING_LEFT = _Left(np.empty(0, np.int64), np.empty(0, f"S{CREATED_WIDTH}"))


@dataclass(frozen=True, slots=True)
class Change:
    """What changes in one part: entries that go, entries that come.

    ``files`` has for each that comes the number of the file that holds its record. ``old_files`` has the number of the
    live file that holds the record it replaces, whose SinkCreatedOn it keeps, or -1, and ``old_offsets`` where in it.
    """

    gone: Entries
    come: Entries
    files: Places
    old_files: Places
    old_offsets: Places

    def take(self, which: Places | Mask) -> Change:
        """Return the change with some of the records that come, by place or by mask, and none that goes."""
        columns = self.files, self.old_files, self.old_offsets
        return Change(NOTHING, self.come.take(which), *(column[which] for column in columns))

    def to_bytes(self) -> bytes:
        """Return the change as a file: the lengths of its five blocks, then the blocks."""
        columns = (column.astype(np.int64).tobytes() for column in (self.files, self.old_files, self.old_offsets))
        blocks = (self.gone.to_bytes(), self.come.to_bytes(), *columns)
        return b"".join((_BLOCKS.pack(*map(len, blocks)), *blocks))


def change_from(data: bytes) -> Change:
    """Return the change that a file holds."""
    # numpy's own files are of no use here: their header goes through Python's parser, which fails now and then when
    # several threads call it (CPython 3.11, "AST constructor recursion depth mismatch": measured).
    ends = np.cumsum((_BLOCKS.size, *_BLOCKS.unpack_from(data))).tolist()
    gone, come, *columns = (data[start:end] for start, end in pairwise(ends))
    return Change(entries_from(gone), entries_from(come), *(np.frombuffer(column, np.int64) for column in columns))


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a file of the lake."""

    path: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Splice:
    """Write a part anew. ``part`` is the part before, None for a new one; ``pad`` columns are added to its records.

    ``columns`` are those of the part before, ``head`` is what the new one begins with, ``sink`` the time of the pass as
    it is spelled, ``good`` the etag of the part's index if that was checked.
    """

    run: str
    name: str
    change: Span
    files: tuple[str, ...]
    part: Part | None
    columns: tuple[Column, ...]
    pad: int
    sink: str
    head: bytes = b""
    good: Etag = ABSENT


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take a file of gathered records as a part, as it is; only its index is written. What comes is sorted."""

    run: str
    name: str
    change: Span
    staged: Staged


Task = Splice | Adopt


@dataclass(frozen=True, slots=True)
class Made:
    """What a task staged: a part and its index. ``part`` is None when no record is left."""

    part: Staged | None
    index: Staged | None
    rows: int
    digest: str


def do(lake: Lake, task: Task) -> Made:
    """Do a task."""
    change = change_from(lake.read(task.change.path, task.change.start, task.change.length))
    with lake.together():
        match task:
            case Adopt():
                return indexed(lake, task.run, task.name, task.staged, change.come)
            case Splice():
                return _spliced(lake, task, change)
            case _:
                assert_never(task)


def entries_of_part(lake: Lake, part: Part, columns: tuple[Column, ...], good: Etag = ABSENT) -> Entries:
    """Return the entries of a part, from its index, or by a scan when the index is not there or not its own.

    ``good`` is the etag of an index that need not be checked again.
    """
    stat = lake.stat(part.index)
    entries = from_index(lake, part, good=stat.etag == good) if stat else None
    return scanned(lake, part, columns) if entries is None else entries


def from_index(lake: Lake, part: Part, *, good: bool) -> Entries | None:
    """Return the entries of a part from its index, or None when that is not its own; a ``good`` one is not checked."""
    return read_index(lake.read(part.index), part.digest, trusted=good)


def scanned(lake: Lake, part: Part, columns: tuple[Column, ...]) -> Entries:
    """Return the entries of a part by a scan. Raises Damaged (ENG041) when they are not those that were written."""
    entries = scan(lake, part.path, columns)
    if digest_of(entries) != part.digest:
        raise damaged(part.path)
    return entries


def damaged(path: str) -> Damaged:
    """Return the error that a live file does not hold what was written to it."""
    return Damaged(
        "ENG041",
        f"{path} does not hold the rows that were written to it",
        where=path,
        why="another program changed the file, or an older copy of it was restored",
        fix=REPAIR,
    )


def indexed(lake: Lake, run: str, name: str, staged: Staged, entries: Entries) -> Made:
    """Stage the index of a staged part that holds these entries, which are sorted."""
    data, digest = index_bytes(entries, staged.etag, staged.size)
    return Made(staged, _staged(lake, run, f"{name}.idx", [data]), len(entries), digest)


class Appended:
    """A staged file that is begun with its first bytes. Close it in any case."""

    def __init__(self, lake: Lake, run: str, name: str) -> None:
        self._lake, self._run, self._name = lake, run, name
        self._writer: Writer | None = None
        self.size = 0

    def append(self, data: bytes) -> tuple[int, int]:
        """Write bytes, and return where they begin and how many they are."""
        if self._writer is None:
            self._writer = self._lake.stage(self._run, self._name)
        self._writer.write(data)
        self.size += len(data)
        return self.size - len(data), len(data)

    def seal(self) -> tuple[Staged, ...]:
        """Make the file durable, if it was begun."""
        return () if self._writer is None else (self._writer.seal(),)

    def close(self) -> None:
        """Give up what is not sealed."""
        if self._writer is not None:
            self._writer.close()


def _staged(lake: Lake, run: str, name: str, pieces: list[bytes]) -> Staged:
    with closing(lake.stage(run, name)) as writer:
        for piece in pieces:
            writer.write(piece)
        return writer.seal()


def _spliced(lake: Lake, task: Splice, change: Change) -> Made:
    known = entries_of_part(lake, task.part, task.columns, task.good) if task.part else NOTHING
    stay = _places_that_stay(known, change.gone, task)
    kept = known.take(stay)
    if not (len(kept) or len(change.come)):
        return Made(None, None, 0, "")
    with closing(lake.stage(task.run, f"{task.name}.csv", _most(task, kept, change.come))) as writer:
        if task.head:
            writer.write(task.head)
        stayed, left = _write_kept(lake, writer, task, kept, change.gone.by_offset())
        start = int(stayed.ends[-1]) if len(stayed) else len(task.head)
        came = _write_new(lake, writer, task, change, left, start=start)
        staged = writer.seal()
    return indexed(lake, task.run, task.name, staged, merged(stayed.take(_ranks(stay, len(known))), came.sorted()))


def _places_that_stay(known: Entries, gone: Entries, task: Splice) -> Places:
    """Return the places of the entries that stay, in the order of the file."""
    order = np.argsort(known.offsets)
    ordered = known.offsets[order]
    at = np.searchsorted(ordered, gone.offsets)
    if task.part is not None and (ordered.take(at, mode="clip") != gone.offsets).any():
        raise damaged(task.part.path)
    return np.delete(order, at)


def _ranks(places: Places, count: int) -> Places:
    """Return the order that sorts different places below ``count``, without sorting them."""
    ranks = np.full(count, -1, np.int64)
    ranks[places] = np.arange(len(places))
    return ranks[ranks >= 0]


def _most(task: Splice, kept: Entries, come: Entries) -> int:
    """Return how many bytes a part has at most: those that come may have a longer SinkCreatedOn than was given."""
    known = len(task.head) + int(kept.lengths.sum() + come.lengths.sum())
    return known + task.pad * len(kept) + CREATED_WIDTH * len(come)


def _write_kept(lake: Lake, writer: Writer, task: Splice, kept: Entries, gone: Entries) -> tuple[Entries, _Left]:
    """Write the records that stay, in the order of the file, and return their new entries, and what of others goes."""
    if task.part is None:
        return kept, _NOTHING_LEFT
    path, lengths = task.part.path, kept.lengths
    if task.pad:
        lengths = lengths + task.pad
        _write_padded(lake, writer, path, task.pad, kept)
        left = _left(lake, path, gone)
    else:
        starts, ends = _ranges(kept)
        heads = writer.copy_ranges(path, starts.tolist(), ends.tolist(), gone.offsets.tolist(), _HEAD)
        left = _left_in(heads, path, gone)
    return kept.sized(lengths).at(len(task.head) + np.cumsum(lengths) - lengths), left


def _ranges(kept: Entries) -> tuple[Places, Places]:
    """Return where the ranges begin and end in which records follow each other without a gap."""
    starts, ends = kept.offsets.astype(np.int64), kept.ends
    gaps = starts[1:] != ends[:-1]
    edge = np.ones(min(len(kept), 1), np.bool_)
    return starts[np.concatenate([edge, gaps])], ends[np.concatenate([gaps, edge])]


def _write_padded(lake: Lake, writer: Writer, path: str, pad: int, kept: Entries) -> None:
    """Write records with nothing in the columns that were added: a comma for each before the line feed."""
    ending = cast("Scalar", pa.scalar(b"," * pad + b"\n", BYTES))
    for chunk in map(kept.take, _blocks(kept.lengths)):
        whole = read_ranges(lake, path, chunk.offsets.astype(np.int64), chunk.ends - 1)
        writer.write(contents(joined_bytes(whole, ending)))


def _write_new(lake: Lake, writer: Writer, task: Splice, change: Change, left: _Left, *, start: int) -> Entries:
    """Write the records that come, by (version, id), and return their entries."""
    created = _kept_created(lake, task, change, left)
    order = in_order(change.come)
    come, files, created = change.come.take(order), change.files[order], created[order]
    lengths: list[Places] = []
    for chunk in _blocks(come.lengths):
        records = _fetch(lake, task.files, come.take(chunk), files[chunk])
        records = _with_created(records, created[chunk], task.sink)
        writer.write(contents(records))
        lengths.append(lengths_of(records))
    sizes = np.concatenate([np.empty(0, np.int64), *lengths])
    return come.sized(sizes).at(start + np.cumsum(sizes) - sizes)


def in_order(come: Entries) -> Places:
    """Return the order in which records that come are written: by (version, id, delete row)."""
    return np.lexsort((come.deletes, come.ids, come.versions))


def _blocks(lengths: Places) -> Iterator[Places]:
    """Yield the places of ranges that are a block of memory together."""
    bounds = np.flatnonzero(np.diff(np.cumsum(lengths) // BLOCK)) + 1
    if len(lengths):
        yield from np.split(np.arange(len(lengths)), bounds)


def _fetch(lake: Lake, paths: tuple[str, ...], entries: Entries, files: Places) -> Array:
    """Return the records of entries, in their order."""
    order = np.lexsort((entries.offsets, files))
    read = []
    for number in np.unique(files).tolist():
        which = order[files[order] == number]
        these = entries.take(which)
        read.append(read_ranges(lake, paths[number], these.offsets.astype(np.int64), these.ends))
    found = read[0] if len(read) == 1 else pa.concat_arrays(read)
    places = np.arange(len(order))
    if (order == places).all():
        # Sources mostly give changes by version, which is how they are written.
        return found
    back = np.empty(len(order), np.int64)
    back[order] = places
    return taken(found, back)


def _with_created(records: Array, created: _Created, sink: str) -> Array:
    """Return records with the SinkCreatedOn that they keep in the place of the one that they were given.

    Those that keep their own stay as they are.
    """
    if not (created != b"").any():
        return records
    data, lengths = contents(records), lengths_of(records)
    given = f'"{sink}"'
    cuts = np.outer(created != b"", [0, ID_LENGTH + 1, ID_LENGTH + 1 + len(given)])
    starts = (np.cumsum(lengths) - lengths)[:, None] + cuts
    pieces = between(data, np.append(starts.ravel(), len(data)))
    heads, tails = (taken(pieces, np.arange(at, 3 * len(records), 3)) for at in (0, 2))
    return joined_bytes(heads, _texts(created), tails)


def _texts(created: _Created) -> Array:
    """Return spellings as an array."""
    lengths = np.strings.str_len(created)
    letters = created.view(np.uint8)
    return between(letters[letters != 0].tobytes(), np.append(0, np.cumsum(lengths)))


def _kept_created(lake: Lake, task: Splice, change: Change, left: _Left) -> _Created:
    """Return how the SinkCreatedOn is spelled that each record that comes keeps; empty where it keeps its own.

    The record that it replaces may be in another part.
    """
    created = np.zeros(len(change.come), f"S{CREATED_WIDTH}")
    own = task.files.index(task.part.path) if task.part else -1
    for number in np.unique(change.old_files[change.old_files >= 0]).tolist():
        which = np.flatnonzero(change.old_files == number)
        offsets = change.old_offsets[which]
        there = left
        if number != own:
            there = _left(lake, task.files[number], change.come.take(which).at(offsets).by_offset())
        created[which] = there.created[np.searchsorted(there.offsets, offsets)]
    return created


def _left(lake: Lake, path: str, records: Entries) -> _Left:
    """Look at some records of a file, which are given in its order."""
    starts = records.offsets.astype(np.int64)
    return _left_in(lake.read_ranges(path, starts.tolist(), (starts + _HEAD).tolist()), path, records)


def _left_in(heads: bytes | bytearray, path: str, records: Entries) -> _Left:
    """Return what is known of some records by their first bytes; ``_HEAD`` of each, one after the other.

    Every record must begin with its id: else the index is not that of the file, and Damaged is raised.
    """
    if len(heads) != len(records) * _HEAD:
        raise damaged(path)
    letters = np.frombuffer(heads, np.uint8).reshape(-1, _HEAD)
    found = ids_of_letters(letters[:, :ID_LENGTH])
    if found is None or (found != records.ids).any():
        raise damaged(path)
    field = letters[:, ID_LENGTH + 1 :].copy()
    field[np.logical_or.accumulate(field == ord(","), axis=1)] = 0
    created = np.ascontiguousarray(field[:, :CREATED_WIDTH]).view(f"S{CREATED_WIDTH}").ravel()
    return _Left(records.offsets.astype(np.int64), created)


Executor = Callable[[Lake, list[Task]], list[Made]]
"""Does tasks, wherever, and returns what they made in their order."""
