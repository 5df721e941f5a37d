"""Scratch: what a pass cannot hold in memory, in a temporary file of this process that is gone when it is closed.

Entries of a few hundred thousand rows stay in memory; those of millions lie on disk, 36 bytes a row, and are looked at
bucket by bucket of ids: all entries of an id are in one bucket, whichever run they are in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from tempfile import SpooledTemporaryFile

import numpy as np

from toolkit.engine.arrays import Places
from toolkit.engine.entries import ENTRY_BYTES, ENTRY_COLUMNS, Entries, Ids, entries_from

IN_MEMORY = 32 << 20
"""Bytes of scratch that need no file."""

_SAMPLES = 64
"""Ids of a bucket from which its bounds are chosen."""


@dataclass(frozen=True, slots=True)
class Region:
    """A range of the scratch file, in bytes."""

    start: int
    length: int


class Scratch:
    """An append-only file that nobody else sees. Close it."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._file = SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - closed by ``close``
        self._size = 0

    def put(self, data: bytes) -> Region:
        """Append bytes and return where they are."""
        self._file.seek(self._size)
        self._file.write(data)
        region = Region(self._size, len(data))
        self._size += len(data)
        return region

    def get(self, start: int, length: int) -> bytes:
        """Return a range."""
        self._file.seek(start)
        return self._file.read(length)

    def close(self) -> None:
        """Give it up."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class SortedRun:
    """Sorted entries in scratch: columns one after the other, of which ranges are read."""

    scratch: Scratch
    region: Region

    def __len__(self) -> int:
        return self.region.length // ENTRY_BYTES

    def ids(self) -> Ids:
        """Return the ids of all entries."""
        return np.frombuffer(self.scratch.get(self.region.start, len(self) * ENTRY_COLUMNS[0].itemsize), "S16")

    def between(self, start: int, stop: int) -> Entries:
        """Return the entries from one place to another."""
        at, columns = self.region.start, []
        for column in ENTRY_COLUMNS:
            columns.append(self.scratch.get(at + start * column.itemsize, (stop - start) * column.itemsize))
            at += len(self) * column.itemsize
        return entries_from(b"".join(columns))

    def load(self) -> Entries:
        """Return all entries."""
        return self.between(0, len(self))


def stored(scratch: Scratch, entries: Entries) -> SortedRun:
    """Put sorted entries into scratch."""
    return SortedRun(scratch, scratch.put(entries.to_bytes()))


@dataclass(frozen=True, slots=True)
class Bucket:
    """A range of ids: for each run, from which place to which its entries are. None is no bound."""

    first: bytes | None
    behind: bytes | None
    places: tuple[tuple[int, int], ...]

    def read(self, runs: Sequence[SortedRun]) -> list[Entries]:
        """Return the entries of each run that are in the bucket."""
        return [run.between(*places) for run, places in zip(runs, self.places, strict=True)]

    def within(self, ids: Ids) -> slice:
        """Return which of some sorted ids are in the bucket."""
        start = 0 if self.first is None else int(np.searchsorted(ids, np.bytes_(self.first)))
        stop = len(ids) if self.behind is None else int(np.searchsorted(ids, np.bytes_(self.behind)))
        return slice(start, stop)


def buckets(runs: Sequence[SortedRun], most: int) -> Iterator[Bucket]:
    """Yield buckets of about ``most`` entries that hold all entries of some runs, in the order of ids."""
    bounds = _bounds(runs, most)
    cuts = [[0, *np.searchsorted(run.ids(), bounds).tolist(), len(run)] for run in runs]
    edges: list[bytes | None] = [None, *bounds.tolist(), None]
    for place, (first, behind) in enumerate(pairwise(edges)):
        yield Bucket(first, behind, tuple((cut[place], cut[place + 1]) for cut in cuts))


def _bounds(runs: Sequence[SortedRun], most: int) -> Ids:
    """Return the ids at which a new bucket begins: quantiles of a sample of all runs."""
    total = sum(map(len, runs))
    count = -(-total // most)
    if count <= 1:
        return np.empty(0, "S16")
    step = max(most // _SAMPLES, 1)
    sample = np.sort(np.concatenate([run.ids()[step // 2 :: step] for run in runs]))
    places: Places = np.arange(1, count) * len(sample) // count
    return np.unique(sample[places])
