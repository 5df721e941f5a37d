"""Splitting: a part that updates would make too large becomes several, each of about the limit, in one commit.

The records are shared out in the order in which one file would hold them, so the bytes are the same on any executor.
The first share stays in the part; the others become parts behind the last one, and take what they had in the old file
from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from toolkit.engine.arrays import Places
from toolkit.engine.checkpoint import Part
from toolkit.engine.entries import NOTHING, Entries, joined
from toolkit.engine.place import Target
from toolkit.engine.splice import Change, in_order

GROWTH = 1.25
"""How far beyond the limit updates may make a part grow."""


@dataclass(frozen=True, slots=True)
class Splitter:
    """Splits the parts of one partition. ``entries_of`` gives what a part holds, ``file_of`` the number of its file."""

    limit: int
    entries_of: Callable[[Part], Entries]
    file_of: Callable[[Part], int]

    def split(self, changes: Iterable[tuple[Target, Change]], last: int) -> Iterator[tuple[Target, Change]]:
        """Yield changed parts, split where they grow too large; ``last`` is the highest number of a part so far."""
        for target, change in changes:
            last = max(last, target.number)
            shares = self._shares(target.part, change)
            yield target, shares[0]
            for last, share in enumerate(shares[1:], last + 1):  # noqa: B020 - numbers go on from there
                yield Target(target.partition, last, None), share

    def _shares(self, part: Part | None, change: Change) -> list[Change]:
        """Return the change of a part, and those of the parts that it is split into."""
        if part is None or _size(part, change) <= self.limit * GROWTH:
            return [change]
        held = self.entries_of(part)
        kept = held.take(~np.isin(held.offsets, change.gone.offsets)).by_offset()
        come = change.take(in_order(change.come))
        share = _shared_out(np.concatenate([kept.lengths, come.come.lengths]), self.limit)
        stays, new = share[: len(kept)], share[len(kept) :]
        first = come.take(new == 0)
        gone = joined([change.gone, kept.take(stays > 0)])
        others = (
            _new_part(kept.take(stays == number), self.file_of(part), come.take(new == number))
            for number in range(1, int(share.max()) + 1)
        )
        return [replace(first, gone=gone), *others]


def _size(part: Part, change: Change) -> int:
    return part.size - int(change.gone.lengths.sum()) + int(change.come.lengths.sum())


def _shared_out(lengths: Places, limit: int) -> Places:
    """Return the share of each record: as few shares as hold them, as even as records allow, none empty."""
    total = int(lengths.sum())
    even = -(-total // -(-total // limit))
    shares: Places = np.unique((np.cumsum(lengths) - lengths) // even, return_inverse=True)[1]
    return shares


def _new_part(moved: Entries, file: int, come: Change) -> Change:
    """Return the change of a new part that takes records from the old file, and others from where they come."""
    return Change(
        NOTHING,
        joined([moved, come.come]),
        np.concatenate([np.full(len(moved), file), come.files]),
        np.concatenate([np.full(len(moved), -1), come.old_files]),
        np.concatenate([np.zeros(len(moved), np.int64), come.old_offsets]),
    )
