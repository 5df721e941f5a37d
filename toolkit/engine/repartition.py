"""Repartitioning: an entity's live files are cut into other partitions, from their own bytes, without the source.

Twelve months become a year, or a year twelve months: each year is read once and written once, aside, and only the
entries of its records are in memory. Records keep their bytes and their order. One commit then brings all of it, and
the next snapshot shows it to readers. The cursor stays what it was, so nothing that came meanwhile is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from toolkit.engine.arrays import Array, between, contents, lengths_of, taken
from toolkit.engine.checkpoint import Checkpoint, Part
from toolkit.engine.columns import CREATED
from toolkit.engine.commit import Committed, commit, settled
from toolkit.engine.entries import Entries, joined
from toolkit.engine.index import Scanned, digest_of, scan_chunks
from toolkit.engine.partitions import part_name, recut, year_of
from toolkit.engine.place import Target, by_partition
from toolkit.engine.report import EntityProgress, EntityReport, Phase
from toolkit.engine.splice import Made, damaged, indexed
from toolkit.engine.succession import repartitioned
from toolkit.engine.work import Work, mode_of, stopped
from toolkit.errors import Finding, Place, Severity
from toolkit.lake.protocol import STATE_FOLDER, Lake, Writer
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.entity import Entity
from toolkit.model.link import EntityState


def repartition(
    work: Work, linked: LinkedEntity, entity: Entity, before: Committed
) -> tuple[Committed, EntityReport] | None:
    """Cut the live files of an entity as its link asks, commit, and tell of it; None where there is nothing to do.

    Files that hold history, or whose first sync is not complete, are left alone. Raises Damaged (ENG041) for a file
    that does not hold what was written to it, and Partial (ENG052) when it is to stop.
    """
    old, mode = before.checkpoint, mode_of(linked, entity)
    if old.completed is None or old.append_only or mode.append_only or old.strategy is mode.strategy:
        return None
    work.progress(EntityProgress(entity.name, Phase.WRITING))
    after = repartitioned(old, mode.strategy, work.fence.number, work.clock(), _cut(work, old, mode.strategy))
    committed = settled(work.lake, work.fence, commit(work.lake, work.fence, after, before.etag))
    work.indexes.follow(committed.checkpoint.pending)
    return committed, _report(old, after)


def _cut(work: Work, old: Checkpoint, strategy: PartitionStrategy) -> list[tuple[Target, Made]]:
    """Stage all parts of another strategy; nothing stays staged when that fails."""
    cutter = _Cutter(work, old, strategy, f"{work.clock():%Y%m%dT%H%M%SZ}-{work.fence.number}-{old.seq + 1}-cut")
    years = [list(parts) for _, parts in groupby(old.parts, lambda part: year_of(part.partition))]
    with ExitStack() as unless_done:
        unless_done.callback(_sweep, work.lake, cutter.run)
        made = [each for several in work.ahead(cutter.cut, years) for each in several]
        unless_done.pop_all()
    return made


def _sweep(lake: Lake, run: str) -> None:
    for stat in list(lake.list(f"{STATE_FOLDER}/staging/{run}")):
        lake.delete(stat.path)


def _report(old: Checkpoint, new: Checkpoint) -> EntityReport:
    told = Finding(
        "ENG130",
        Severity.NOTE,
        f"the files of {new.entity} are cut by {new.strategy} now, and were by {old.strategy}",
        Place(new.entity),
        "its link has another partition strategy; readers have the new files from the next snapshot on",
    )
    return EntityReport(
        new.entity,
        EntityState.COMPLETED,
        bytes=sum(part.size for part in new.parts),
        partitions=tuple(dict.fromkeys(part.partition for part in new.parts)),
        notices=(told,),
    )


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts the parts of one year after another; safe to use from several threads."""

    work: Work
    old: Checkpoint
    strategy: PartitionStrategy
    run: str

    def cut(self, parts: Sequence[Part]) -> list[tuple[Target, Made]]:
        """Stage the parts that a year has from now on."""
        with closing(_Year(self)) as year, self.work.lake.together():
            for part in parts:
                for found, partitions in self._found(part):
                    year.add(found, partitions)
            return year.seal()

    def _found(self, part: Part) -> Iterator[tuple[Scanned, npt.NDArray[np.str_]]]:
        """Yield the records of a part with their new partitions. Raises Damaged where it holds others in the end."""
        columns, seen = self.old.columns, list[Entries]()
        created = [column.name for column in columns].index(CREATED)
        for found in scan_chunks(self.work.lake, part.path, columns):
            if self.work.stop():
                raise stopped(self.old.entity)
            seen.append(found.entries)
            yield found, recut(found.data, *found.field(created), self.strategy, part.partition)
        if digest_of(joined(seen).sorted()) != part.digest:
            raise damaged(part.path)


@dataclass(slots=True)
class _File:
    """A part that is being written."""

    target: Target
    writer: Writer
    size: int = 0
    entries: list[Entries] = field(default_factory=list)

    def add(self, records: Array, entries: Entries) -> None:
        """Append records; their entries still say where they were."""
        lengths = lengths_of(records)
        self.writer.write(contents(records))
        self.entries.append(entries.at(self.size + np.cumsum(lengths) - lengths))
        self.size += int(lengths.sum())


class _Year:
    """The parts that a year is cut into. Close it in any case."""

    def __init__(self, cutter: _Cutter) -> None:
        self._cutter, self._lake = cutter, cutter.work.lake
        self._limit = cutter.work.settings.part_limit
        self._head = cutter.old.style.head(cutter.old.columns)
        self._open: dict[str, _File] = {}
        self._made: list[tuple[Target, Made]] = []
        self._writers = ExitStack()

    def add(self, found: Scanned, partitions: npt.NDArray[np.str_]) -> None:
        """Append records to their partitions."""
        records = between(found.data, np.append(0, np.cumsum(found.entries.lengths)))
        names, numbers = np.unique(partitions, return_inverse=True)
        for partition, which in by_partition(numbers, names.tolist()).items():
            self._append(partition, taken(records, which), found.entries.take(which))

    def seal(self) -> list[tuple[Target, Made]]:
        """Make everything durable."""
        for partition in sorted(self._open):
            self._seal(partition)
        return self._made

    def close(self) -> None:
        """Give up what is not sealed."""
        self._writers.close()

    def _append(self, partition: str, records: Array, entries: Entries) -> None:
        while len(records):
            file = self._file(partition)
            ends = np.cumsum(lengths_of(records))
            # A part takes the record that reaches beyond the limit, and no other one.
            fits = 1 + int(np.searchsorted(file.size + ends, self._limit))
            file.add(records.slice(0, fits), entries.take(np.arange(min(fits, len(records)))))
            records, entries = records.slice(fits), entries.take(np.arange(fits, len(entries)))

    def _file(self, partition: str) -> _File:
        """Return the file that a partition's next record goes to."""
        number, full = 0, self._open.get(partition)
        if full is not None:
            if full.size < self._limit:
                return full
            number = full.target.number + 1
            self._seal(partition)
        name = f"{self._cutter.old.entity}-{part_name(partition, number)}.csv"
        writer = self._lake.stage(self._cutter.run, name)
        self._writers.callback(writer.close)
        file = self._open[partition] = _File(Target(partition, number, None), writer)
        if self._head:
            writer.write(self._head)
            file.size = len(self._head)
        return file

    def _seal(self, partition: str) -> None:
        file = self._open.pop(partition)
        name = f"{self._cutter.old.entity}-{part_name(partition, file.target.number)}"
        entries = joined(file.entries).sorted()
        self._made.append((file.target, indexed(self._lake, self._cutter.run, name, file.writer.seal(), entries)))
