"""Gathering: batches of the source become records in staged files, as they come, and their entries go into scratch.

A first sync writes a file per partition, which becomes the part as it is. A later pass writes one file, from which
the parts that changed take their records.

A spool can be kept: its files are made durable as long as they are, with a log of their entries. Another spool goes on
from there with copies of the files that were open, so that whoever still writes to those does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import numpy as np
import pyarrow as pa

from toolkit.engine.ahead import Ahead, in_turn
from toolkit.engine.arrays import TEXT, Places, contents, lengths_of
from toolkit.engine.columns import CREATED, Column
from toolkit.engine.entries import Ids, entries_from, entries_of, ids_of_text, joined, without_places
from toolkit.engine.partitions import UNPLACED, partitions_of
from toolkit.engine.rows import Records, format_rows, naming
from toolkit.engine.scratch import Bucket, Region, Scratch, SortedRun, stored
from toolkit.engine.spool_log import TOMBSTONES, Block, blocks_from
from toolkit.engine.style import SERVICE, Style
from toolkit.errors import Damaged
from toolkit.lake.protocol import STATE_FOLDER, Lake, Staged, Writer
from toolkit.model.base import Frozen
from toolkit.model.config import PartitionStrategy
from toolkit.source.protocol import Batch, Deleted

SLICE = 16_384
"""Rows that are formatted together: their text fits the processor's cache."""

HANDED_OVER = 1 << 20
"""Bytes of a partition's own file after which they are handed over to the lake: nobody reads them before the next pass.
If they waited for the end instead, a first sync into a folder would take a sixth longer, and a fifth more CPU for new
pages of memory (measured)."""

MOST_OPEN = 120
"""Partitions of a first sync that have files of their own: ten years of months. Six entities (``MOST_WORKERS``) are
below the 1,024 files that a process may open."""

SEALED_TOGETHER = 8
"""Files that one thread makes durable, and their names at once, while another does so and this one sorts entries."""

BLOCK = 8 << 20
"""Bytes of a log that are read together."""

ABSENT_VERSION = np.iinfo(np.int64).max
"""A tombstone without a version is newer than every row."""


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Deleted ids, sorted and unique, with the newest version of each."""

    ids: Ids
    versions: Places

    def within(self, bucket: Bucket) -> Tombstones:
        """Return those of a bucket."""
        which = bucket.within(self.ids)
        return Tombstones(self.ids[which], self.versions[which])


NO_TOMBSTONES = Tombstones(np.empty(0, "S16"), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Run:
    """A sealed file of records: the entries of each partition that has records in it."""

    staged: Staged
    pieces: tuple[tuple[str, SortedRun], ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a pass pulled from the source, durable. ``cursor`` is where the next pass begins."""

    runs: tuple[Run, ...]
    tombstones: Tombstones
    cursor: str
    rows: int


class KeptFile(Frozen):
    """A staged file of which ``size`` bytes are durable. Only a sealed one has an etag."""

    number: int
    key: str
    """The partition whose file it is; empty when it is one of several."""
    path: str
    size: int
    etag: str = ""


class Kept(Frozen):
    """What a spool holds, durable: the sealed files in the order of the runs, the open ones, the log of the entries."""

    cursor: str
    rows: int
    bytes: int
    files: tuple[KeptFile, ...]
    log: KeptFile

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(file.path for file in (*self.files, self.log))


Pieces = dict[str, list[Region]]
"""Where the entries of a file are, by partition."""


@dataclass(slots=True)
class _Open:
    """A file that is being written."""

    number: int
    key: str
    path: str
    writer: Writer
    size: int = 0
    durable: int = 0
    """How many of its bytes were flushed."""
    handed: int = 0
    """How many of its bytes were handed over."""
    pieces: Pieces = field(default_factory=dict)

    def write(self, data: bytes | memoryview) -> None:
        self.writer.write(data)
        self.size += len(data)

    def hand_over(self) -> None:
        """Hand over what was written, where it is enough."""
        if self.size - self.handed >= HANDED_OVER:
            self.writer.hand_over()
            self.handed = self.size

    def kept(self) -> KeptFile:
        """Make durable what was written."""
        if self.durable < self.size:
            self.writer.flush()
            self.durable = self.size
        return KeptFile(number=self.number, key=self.key, path=self.path, size=self.size)


@dataclass(frozen=True, slots=True)
class Layout:
    """How an entity's rows are written in one pass. ``sink`` is the time of the pass."""

    entity: str
    primary_id: str
    columns: tuple[Column, ...]
    strategy: PartitionStrategy
    sink: datetime
    style: Style = SERVICE

    @property
    def head(self) -> bytes:
        """What every file begins with, before its first record."""
        return self.style.head(self.columns)


@dataclass(frozen=True, slots=True)
class Formatted:
    """What is exported of a batch of ``read`` rows, and its rows as records, a slice after the other."""

    batch: Batch
    read: int
    slices: tuple[tuple[pa.RecordBatch, Records], ...]


class Spool:
    """Takes batches, writes their records to files of the staging folder. Close it in any case.

    With ``split`` each partition has a file of its own, and another one from ``limit`` bytes on; but only the first
    ``MOST_OPEN`` of them, since a process may open so many files: all others share one.
    """

    def __init__(
        self,
        lake: Lake,
        run: str,
        layout: Layout,
        scratch: Scratch,
        *,
        split: bool,
        limit: int,
        ahead: Ahead = in_turn,
    ) -> None:
        self._lake, self._run, self._layout, self._scratch, self._ahead = lake, run, layout, scratch, ahead
        self._split, self._limit = split, limit
        self._open: dict[str, _Open] = {}
        self._own: set[str] = set()
        """Partitions that have files of their own."""
        self._done: list[Run] = []
        self._sealed: list[KeptFile] = []
        """The files of what is done."""
        self._deleted: list[tuple[Ids, Places]] = []
        """The ids and versions of the tombstones of each batch, packed: there may be many."""
        self._log: _Open | None = None
        self._unlogged: list[tuple[int, str, Region]] = []
        """Of which file and partition entries are that the log does not have yet."""
        self._cursor = ""
        self.read = 0
        """How many rows were read; ``rows`` of them were written."""
        self.rows = 0
        self.bytes = 0
        self._whole = True
        """Whether the last batch was written to its end."""

    def formatted(self, batch: Batch, shape: Callable[[Batch], Batch]) -> Formatted:
        """Return as records what ``shape`` leaves of a batch. Another thread may do so while the last one is added."""
        shaped = shape(batch)
        slices = [shaped.rows.slice(start, SLICE) for start in range(0, shaped.rows.num_rows, SLICE)]
        records = self._ahead(self._format, slices)
        return Formatted(shaped, batch.rows.num_rows, tuple(zip(slices, records, strict=True)))

    def add(self, given: Formatted) -> None:
        """Write the records of a batch, and remember its tombstones."""
        self._whole = False
        for rows, records in given.slices:
            self._write(rows, records)
        self.read += given.read
        if given.batch.deleted:
            self._end(*_packed(given.batch.deleted))
        self._cursor = given.batch.resume
        self._whole = True

    def seal(self) -> Gathered:
        """Make everything durable."""
        # Sorted by partition, so that numbers of files do not depend on which row came first.
        files = [self._open[key] for key in sorted(self._open)]
        several = [files[start : start + SEALED_TOGETHER] for start in range(0, len(files), SEALED_TOGETHER)]
        with closing(self._ahead(self._durable, several)) as durable:
            for file, staged in zip(files, chain.from_iterable(durable), strict=True):
                self._sealed_as(file, staged)
        return Gathered(tuple(self._done), _tombstones(self._deleted), self._cursor, self.rows)

    def close(self) -> None:
        """Give up what is neither sealed nor kept."""
        with ExitStack() as every:
            for file in (*self._open.values(), *([self._log] if self._log else ())):
                every.callback(file.writer.close)
            self._open.clear()

    @property
    def unkept(self) -> bool:
        """Whether there is something that was not kept yet, and that can be: whole batches."""
        return self._whole and bool(self._unlogged)

    def keep(self) -> Kept:
        """Make durable what the batches so far held, and return how another spool goes on from there."""
        files = (*self._sealed, *(file.kept() for file in self._open.values()))
        log = self._log = self._log or self._staged(0, UNPLACED, f"{self._layout.entity}.log")
        log.write(b"".join(self._block(*each).to_bytes() for each in self._unlogged))
        self._unlogged.clear()
        return Kept(cursor=self._cursor, rows=self.rows, bytes=self.bytes, files=files, log=log.kept())

    def go_on(self, kept: Kept) -> None:
        """Begin with what another spool kept. Raises Damaged or NotFound where it is not there as it was."""
        sizes = dict.fromkeys((file.number for file in kept.files), len(self._layout.head))
        pieces: dict[int, Pieces] = {number: {} for number in sizes}
        for block in self._blocks(kept.log):
            entries = entries_from(block.entries)
            if block.file == TOMBSTONES:
                self._deleted.append((entries.ids, entries.versions))
            elif block.file in pieces:
                sizes[block.file] += int(entries.lengths.sum())
                pieces[block.file].setdefault(block.partition, []).append(self._scratch.put(block.entries))
        for file in kept.files:
            if sizes[file.number] != file.size:
                raise _unlike(file)
            self._own |= {file.key} - {UNPLACED}
            if file.etag:
                self._take(file, pieces[file.number])
            else:
                self._open[file.key] = self._copy(file, self._name(file.key, file.number), pieces[file.number])
        self._log = self._copy(kept.log, f"{self._layout.entity}.log", {})
        self._cursor, self.rows, self.bytes = kept.cursor, kept.rows, kept.bytes
        self.read = kept.rows

    def _blocks(self, log: KeptFile) -> Iterator[Block]:
        chunks = (self._lake.read(log.path, at, min(BLOCK, log.size - at)) for at in range(0, log.size, BLOCK))
        try:
            yield from blocks_from(chunks)
        except ValueError:
            raise _unlike(log) from None

    def _block(self, number: int, partition: str, region: Region) -> Block:
        return Block(number, partition, self._scratch.get(region.start, region.length))

    def _take(self, file: KeptFile, entries: Pieces) -> None:
        """Take over a sealed file as it is."""
        stat = self._lake.stat(file.path)
        if stat is None or stat.etag != file.etag:
            raise _unlike(file)
        self._sealed.append(file)
        self._done.append(_run(self._scratch, Staged(file.path, file.size, stat.etag), entries))

    def _copy(self, file: KeptFile, name: str, entries: Pieces) -> _Open:
        """Take over a copy of a file that was open."""
        copy = self._staged(file.number, file.key, name)
        copy.pieces = entries
        if file.size:
            copy.writer.copy(file.path, 0, file.size)
        copy.size = file.size
        return copy

    def _durable(self, files: Sequence[_Open]) -> list[Staged]:
        with self._lake.together():
            return [file.writer.seal() for file in files]

    def _sealed_as(self, file: _Open, staged: Staged) -> None:
        kept = KeptFile(number=file.number, key=file.key, path=staged.path, size=staged.size, etag=staged.etag)
        self._sealed.append(kept)
        self._done.append(_run(self._scratch, staged, file.pieces))
        del self._open[file.key]

    def _format(self, rows: pa.RecordBatch) -> Records:
        layout = self._layout
        return format_rows(rows, layout.columns, layout.primary_id, layout.sink, layout.style)

    def _write(self, rows: pa.RecordBatch, records: Records) -> None:
        for name, group in _groups(rows, records, self._layout.strategy):
            self._append(name, group)
        self.rows += len(records)

    def _append(self, partition: str, records: Records) -> None:
        key = self._key(partition)
        file = self._opened(key)
        data = contents(records.text)
        entries = entries_of(records.ids, lengths_of(records.text), records.versions, start=file.size)
        file.write(data)
        if key != UNPLACED:
            file.hand_over()
        region = self._scratch.put(entries.to_bytes())
        file.pieces.setdefault(partition, []).append(region)
        self._unlogged.append((file.number, partition, region))
        self.bytes += len(data)
        if self._split and file.size >= self._limit:
            self._sealed_as(file, file.writer.seal())

    def _end(self, ids: Ids, versions: Places) -> None:
        self._deleted.append((ids, versions))
        self._unlogged.append((TOMBSTONES, UNPLACED, self._scratch.put(without_places(ids, versions).to_bytes())))

    def _key(self, partition: str) -> str:
        if self._split and len(self._own) < MOST_OPEN:
            self._own.add(partition)
        return partition if partition in self._own else UNPLACED

    def _opened(self, key: str) -> _Open:
        if key not in self._open:
            number = len(self._sealed) + len(self._open)
            self._open[key] = file = self._staged(number, key, self._name(key, number))
            if head := self._layout.head:
                file.write(head)
        return self._open[key]

    def _name(self, key: str, number: int) -> str:
        return f"{self._layout.entity}.{key or 'rows'}.{number}"

    def _staged(self, number: int, key: str, name: str) -> _Open:
        return _Open(number, key, f"{STATE_FOLDER}/staging/{self._run}/{name}", self._lake.stage(self._run, name))


def _run(scratch: Scratch, staged: Staged, pieces: Pieces) -> Run:
    return Run(staged, tuple((name, _sorted(scratch, regions)) for name, regions in pieces.items()))


def _sorted(scratch: Scratch, regions: list[Region]) -> SortedRun:
    """Put entries into scratch that lie there as they came, sorted."""
    entries = (entries_from(scratch.get(region.start, region.length)) for region in regions)
    return stored(scratch, joined(entries).sorted())


def _unlike(file: KeptFile) -> Damaged:
    return Damaged("ENG005", f"{file.path} is not as it was kept", where=file.path, fix="read the entity anew")


def _groups(rows: pa.RecordBatch, records: Records, strategy: PartitionStrategy) -> Iterator[tuple[str, Records]]:
    """Yield the records of each partition, in their order."""
    if CREATED not in rows.schema.names:
        yield UNPLACED, records
        return
    with naming(rows, CREATED):
        names, codes = partitions_of(rows.column(CREATED), strategy)
    if len(names) == 1:
        yield names[0], records
        return
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        records, codes = records.take(order), codes[order]
    bounds = np.searchsorted(codes, np.arange(len(names) + 1))
    for name, start, stop in zip(names, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield name, records.slice(start, stop)


def _packed(deleted: Sequence[Deleted]) -> tuple[Ids, Places]:
    text = [tombstone.id for tombstone in deleted]
    ids = ids_of_text(pa.array(text, TEXT), lambda row: text[row])
    given = [ABSENT_VERSION if tombstone.version is None else tombstone.version for tombstone in deleted]
    return ids, np.array(given, np.int64)


def _tombstones(deleted: Sequence[tuple[Ids, Places]]) -> Tombstones:
    if not deleted:
        return NO_TOMBSTONES
    ids, versions = np.concatenate([ids for ids, _ in deleted]), np.concatenate([versions for _, versions in deleted])
    order = np.lexsort((versions, ids))
    ids, versions = ids[order], versions[order]
    last = np.concatenate([ids[1:] != ids[:-1], np.ones(min(len(ids), 1), np.bool_)])
    return Tombstones(ids[last], versions[last])
