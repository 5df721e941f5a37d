"""Gathering: batches of the source become records in staged files, as they come, and their entries go into scratch.

A first sync writes a file per partition, which becomes the part as it is. A later pass writes one file, from which
the parts that changed take their records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa

from toolkit.engine.arrays import TEXT, Places, contents, lengths_of
from toolkit.engine.columns import CREATED, Column
from toolkit.engine.entries import Ids, entries_from, entries_of, ids_of_text, joined
from toolkit.engine.partitions import UNPLACED, partitions_of
from toolkit.engine.rows import Records, format_rows, naming
from toolkit.engine.scratch import Bucket, Region, Scratch, SortedRun, stored
from toolkit.lake.protocol import Lake, Staged, Writer
from toolkit.model.config import PartitionStrategy
from toolkit.source.protocol import Batch, Deleted

SLICE = 16_384
"""Rows that are formatted together: their text fits the processor's cache."""

MOST_OPEN = 120
"""Partitions of a first sync that have files of their own: ten years of months. Four entities are
below the 1,024 files that a process may open."""

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


@dataclass(slots=True)
class _OpenRun:
    """A file of records that is being written."""

    writer: Writer
    size: int = 0
    pieces: dict[str, list[Region]] = field(default_factory=dict)

    def sealed(self, scratch: Scratch) -> Run:
        """Make the file durable."""
        pieces = tuple((name, _sorted(scratch, regions)) for name, regions in self.pieces.items())
        return Run(self.writer.seal(), pieces)


def _sorted(scratch: Scratch, regions: list[Region]) -> SortedRun:
    """Put entries into scratch that lie there as they came, sorted."""
    entries = (entries_from(scratch.get(region.start, region.length)) for region in regions)
    return stored(scratch, joined(entries).sorted())


@dataclass(frozen=True, slots=True)
class Layout:
    """How an entity's rows are written in one pass. ``sink`` is the time of the pass."""

    entity: str
    primary_id: str
    columns: tuple[Column, ...]
    strategy: PartitionStrategy
    sink: datetime


class Spool:
    """Takes batches, writes their records to files of the staging folder. Close it in any case.

    With ``split`` each partition has a file of its own, and another one from ``limit`` bytes on; but only the first
    ``MOST_OPEN`` of them, since a process may open so many files: all others share one.
    """

    def __init__(self, lake: Lake, run: str, layout: Layout, scratch: Scratch, *, split: bool, limit: int) -> None:
        self._lake, self._run, self._layout, self._scratch = lake, run, layout, scratch
        self._split, self._limit = split, limit
        self._open: dict[str, _OpenRun] = {}
        self._own: set[str] = set()
        """Partitions that have files of their own."""
        self._done: list[Run] = []
        self._deleted: list[tuple[Ids, Places]] = []
        """The ids and versions of the tombstones of each batch, packed: there may be many."""
        self._cursor = ""
        self.rows = 0
        self.bytes = 0

    def add(self, batch: Batch) -> None:
        """Write the rows of a batch, and remember its tombstones."""
        if batch.deleted:
            self._deleted.append(_packed(batch.deleted))
        self._cursor = batch.resume
        for start in range(0, batch.rows.num_rows, SLICE):
            self._write(batch.rows.slice(start, SLICE))

    def seal(self) -> Gathered:
        """Make everything durable."""
        # Sorted by partition, so that numbers of files do not depend on which row came first.
        for key in sorted(self._open):
            self._seal(key)
        return Gathered(tuple(self._done), _tombstones(self._deleted), self._cursor, self.rows)

    def close(self) -> None:
        """Give up what is not sealed."""
        with ExitStack() as every:
            for run in self._open.values():
                every.callback(run.writer.close)
            self._open.clear()

    def _seal(self, key: str) -> None:
        self._done.append(self._open[key].sealed(self._scratch))
        del self._open[key]

    def _write(self, rows: pa.RecordBatch) -> None:
        layout = self._layout
        records = format_rows(rows, layout.columns, layout.primary_id, layout.sink)
        for name, group in _groups(rows, records, layout.strategy):
            self._append(name, group)
        self.rows += len(records)

    def _append(self, partition: str, records: Records) -> None:
        key = self._key(partition)
        run = self._run_of(key)
        data = contents(records.text)
        entries = entries_of(records.ids, lengths_of(records.text), records.versions, start=run.size)
        run.writer.write(data)
        run.pieces.setdefault(partition, []).append(self._scratch.put(entries.to_bytes()))
        run.size += len(data)
        self.bytes += len(data)
        if self._split and run.size >= self._limit:
            self._seal(key)

    def _key(self, partition: str) -> str:
        if self._split and len(self._own) < MOST_OPEN:
            self._own.add(partition)
        return partition if partition in self._own else UNPLACED

    def _run_of(self, key: str) -> _OpenRun:
        if key not in self._open:
            name = f"{self._layout.entity}.{key or 'rows'}.{len(self._done)}"
            self._open[key] = _OpenRun(self._lake.stage(self._run, name))
        return self._open[key]


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
    every = (_packed(()), *deleted)
    ids, versions = np.concatenate([ids for ids, _ in every]), np.concatenate([versions for _, versions in every])
    order = np.lexsort((versions, ids))
    ids, versions = ids[order], versions[order]
    last = np.concatenate([ids[1:] != ids[:-1], np.ones(min(len(ids), 1), np.bool_)])
    return Tombstones(ids[last], versions[last])
