"""Placing: which part takes which records, so that an update rewrites one part and a full part is left alone.

A record that replaces one of the same partition stays in the part of that one. All others go to the partition's last
part, and into further parts beyond the limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.engine.arrays import Mask, Places
from toolkit.engine.checkpoint import Part
from toolkit.engine.entries import Entries
from toolkit.engine.partitions import UNPLACED
from toolkit.engine.resolve import Located, Resolved
from toolkit.engine.splice import CREATED_WIDTH, Change
from toolkit.lake.protocol import Staged

NO_PLACES: Places = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Piece:
    """The records of one partition in one gathered file; ``whole`` when the file holds nothing else."""

    staged: Staged
    partition: str
    entries: Entries
    whole: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A part that changes. ``adopt`` is the gathered file that becomes the part as it is, if one does."""

    partition: str
    number: int
    part: Part | None
    change: Change
    adopt: Staged | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """Records that come, with their partition, the part that they stay in (or -1) and the SinkCreatedOn they keep."""

    rows: Located
    partitions: npt.NDArray[np.str_]
    stays: Places
    created: npt.NDArray[np.bytes_]

    def take(self, which: Places | Mask) -> Coming:
        """Return some of them, by place or by mask."""
        return Coming(self.rows.take(which), self.partitions[which], self.stays[which], self.created[which])


def coming(
    resolved: Resolved,
    pieces: Sequence[Piece],
    parts: Sequence[Part],
    created: npt.NDArray[np.bytes_],
    partition: str,
) -> Coming:
    """Say where the records go that come.

    ``created`` is that of the records that go, ``partition`` that of new rows that have no ``createdon``.
    """
    rows, home = resolved.come, resolved.home
    given = np.array([piece.partition for piece in pieces], dtype=np.str_)[rows.owners]
    names = np.array([*(part.partition for part in parts), partition], dtype=np.str_)
    homes = names[np.where(home >= 0, home, -1)]
    where = np.where(given == UNPLACED, homes, given)
    replaces = resolved.before >= 0
    stays = np.where(replaces & (homes == where), home, -1)
    blank = np.zeros(len(rows), f"S{CREATED_WIDTH}")
    kept = np.where(replaces, created[resolved.before], blank) if len(created) else blank
    return Coming(rows, where, stays, kept)


def targets(
    gone: Located, come: Coming, pieces: Sequence[Piece], parts: Sequence[Part], limit: int, *, pad: bool
) -> list[Target]:
    """Return the parts that change, by partition and number. With ``pad`` every part changes."""
    numbers = _numbers(come, parts, limit)
    known = {(part.partition, part.number): place for place, part in enumerate(parts)}
    coming_to = _by_part(come, numbers)
    leaving = _by_owner(gone)
    touched = {*coming_to, *((parts[place].partition, parts[place].number) for place in leaving)}
    touched |= set(known) if pad else set()
    adopted = dict(_adopted(come, pieces, {part.partition for part in parts}))
    made = [target for partition in adopted for target in _adoptions(partition, adopted[partition], pieces)]
    for partition, number in touched:
        if partition not in adopted:
            place = known.get((partition, number), -1)
            these = come.take(coming_to.get((partition, number), NO_PLACES))
            goes = gone.entries.take(leaving.get(place, NO_PLACES))
            change = Change(goes, these.rows.entries, these.rows.owners, these.created)
            made.append(Target(partition, number, parts[place] if place >= 0 else None, change))
    return sorted(made, key=lambda target: (target.partition, target.number))


def alike(*keys: Places) -> list[Places]:
    """Return the places at which all keys are the same, group by group in the order of the keys, each ascending.

    One sort finds them all; a mask for each group would look at every row as often as there are groups.
    """
    order = np.lexsort(keys[::-1])
    if not len(order):
        return []
    changes = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    return np.split(order, np.flatnonzero(changes) + 1)


def _by_partition(partitions: npt.NDArray[np.str_]) -> dict[str, Places]:
    """Return the places of each partition's records."""
    groups = alike(np.unique(partitions, return_inverse=True)[1])
    return {str(partitions[which[0]]): which for which in groups}


def _by_part(come: Coming, numbers: Places) -> dict[tuple[str, int], Places]:
    """Return the places of the records that go to each part."""
    groups = alike(np.unique(come.partitions, return_inverse=True)[1], numbers)
    return {(str(come.partitions[which[0]]), int(numbers[which[0]])): which for which in groups}


def _by_owner(rows: Located) -> dict[int, Places]:
    return {int(rows.owners[which[0]]): which for which in alike(rows.owners)}


def _numbers(come: Coming, parts: Sequence[Part], limit: int) -> Places:
    """Return the number of the part that each record goes to."""
    number_of = np.array([*(part.number for part in parts), -1])
    numbers = number_of[come.stays]
    last = {part.partition: part for part in sorted(parts, key=lambda part: part.number)}
    new = np.flatnonzero(come.stays < 0)
    for partition, within in _by_partition(come.partitions[new]).items():
        which = new[within]
        entries = come.rows.entries.take(which)
        order = np.lexsort((entries.deletes, entries.ids, entries.versions))
        lengths = entries.lengths[order]
        numbers[which[order]] = _numbered(np.cumsum(lengths) - lengths, last.get(partition), limit)
    return numbers


def _numbered(begins: Places, last: Part | None, limit: int) -> Places:
    """Return the part of records that begin so many bytes behind what the last part holds."""
    first, room = (last.number, max(limit - last.size, 0)) if last else (0, limit)
    return first + np.where(begins < room, 0, 1 + (begins - room) // limit)


def _adopted(come: Coming, pieces: Sequence[Piece], filled: set[str]) -> Iterator[tuple[str, list[int]]]:
    """Yield each new partition whose files can be taken as they are, with the numbers of its pieces."""
    for partition, which in _by_partition(come.partitions).items():
        owners, counts = np.unique(come.rows.owners[which], return_counts=True)
        taken = zip(owners.tolist(), counts.tolist(), strict=True)
        # A file of which another partition takes records, or nobody, is not this partition's alone.
        whole = all(pieces[owner].whole and count == len(pieces[owner].entries) for owner, count in taken)
        if partition not in filled and whole and not come.created[which].any():
            yield partition, owners.tolist()


def _adoptions(partition: str, owners: Sequence[int], pieces: Sequence[Piece]) -> Iterator[Target]:
    for number, owner in enumerate(owners):
        piece = pieces[owner]
        change = Change(piece.entries.take(NO_PLACES), piece.entries, NO_PLACES, np.empty(0, f"S{CREATED_WIDTH}"))
        yield Target(partition, number, None, change, piece.staged)
