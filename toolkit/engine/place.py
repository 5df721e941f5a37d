"""Placing: which part takes which records, so that an update rewrites one part and a full part is left alone.

A record that replaces one of the same partition stays in the part of that one. All others go to the partition's last
part, and into further parts beyond the limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.engine.arrays import Mask, Places
from toolkit.engine.checkpoint import Part
from toolkit.engine.entries import ENTRY_COLUMNS, NOTHING, Entries, joined, packed, unpacked
from toolkit.engine.partitions import UNPLACED
from toolkit.engine.resolve import Located, Resolved
from toolkit.engine.scratch import SortedRun
from toolkit.engine.splice import Change, in_order
from toolkit.lake.protocol import Staged

NO_PLACES: Places = np.empty(0, np.int64)
_COMING_COLUMNS = (*ENTRY_COLUMNS, *[np.dtype("<i8")] * 4)


@dataclass(frozen=True, slots=True)
class Piece:
    """The records of one partition in one gathered file; ``whole`` when the file holds nothing else."""

    staged: Staged
    partition: str
    entries: SortedRun
    whole: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A part that changes. ``adopt`` is the gathered file that becomes the part as it is, if one does."""

    partition: str
    number: int
    part: Part | None
    adopt: Staged | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """Records that come to partitions, and the part that they stay in (or -1).

    ``olds`` is the part that holds the record that each replaces (or -1), and ``old_offsets`` where in it.
    """

    rows: Located
    stays: Places
    olds: Places
    old_offsets: Places

    def take(self, which: Places | Mask) -> Coming:
        """Return some of them, by place or by mask."""
        stays, olds, offsets = (column[which] for column in (self.stays, self.olds, self.old_offsets))
        return Coming(self.rows.take(which), stays, olds, offsets)

    def to_bytes(self) -> bytes:
        """Return them as bytes."""
        rows = self.rows.entries
        places = (self.rows.owners, self.stays, self.olds, self.old_offsets)
        return packed((rows.ids, rows.offsets, rows.sizes, rows.versions, *places), _COMING_COLUMNS)


@dataclass(frozen=True, slots=True)
class Placed:
    """Records that come, and for each the place of its partition in ``names``: numbers are sorted faster than texts."""

    come: Coming
    partitions: Places
    names: tuple[str, ...]

    def by_partition(self) -> dict[str, Places]:
        """Return the places of each partition's records."""
        return by_partition(self.partitions, self.names)


def coming_from(data: bytes) -> Coming:
    """Return the records whose bytes these are."""
    *entries, owners, stays, olds, old_offsets = unpacked(data, _COMING_COLUMNS)
    return Coming(Located(Entries(*entries), owners), stays, olds, old_offsets)


def joined_coming(several: Sequence[Coming]) -> Coming:
    """Return all of several, one after the other."""
    return Coming(
        Located(
            joined(each.rows.entries for each in several),
            np.concatenate([NO_PLACES, *(each.rows.owners for each in several)]),
        ),
        np.concatenate([NO_PLACES, *(each.stays for each in several)]),
        np.concatenate([NO_PLACES, *(each.olds for each in several)]),
        np.concatenate([NO_PLACES, *(each.old_offsets for each in several)]),
    )


def placed(resolved: Resolved, pieces: Sequence[Piece], parts: Sequence[Part], partition: str) -> Placed:
    """Say where the records go that come; ``partition`` is that of new rows that have no ``createdon``."""
    rows, home, gone = resolved.come, resolved.home, resolved.gone
    of_pieces, of_parts = [piece.partition for piece in pieces], [part.partition for part in parts]
    numbers = {name: number for number, name in enumerate(sorted({*of_pieces, *of_parts, partition, UNPLACED}))}
    given = np.array([numbers[name] for name in of_pieces], np.int64)[rows.owners]
    homes = np.array([numbers[name] for name in (*of_parts, partition)])[np.where(home >= 0, home, -1)]
    where = np.where(given == numbers[UNPLACED], homes, given)
    replaces = resolved.before >= 0
    stays = np.where(replaces & (homes == where), home, -1)
    if not replaces.any():
        return Placed(newcomers(rows, stays), where, tuple(numbers))
    olds = np.where(replaces, gone.owners[resolved.before], -1)
    come = Coming(rows, stays, olds, gone.entries.offsets[resolved.before].astype(np.int64))
    return Placed(come, where, tuple(numbers))


def newcomers(rows: Located, stays: Places) -> Coming:
    """Return records that come and replace none."""
    return Coming(rows, stays, np.full(len(rows), -1, np.int64), np.zeros(len(rows), np.int64))


def targets(
    partition: str,
    gone: Located,
    come: Coming,
    pieces: Sequence[Piece],
    parts: Sequence[Part],
    *,
    limit: int,
    pad: bool,
    live: int = 0,
) -> Iterator[tuple[Target, Change]]:
    """Yield the parts of a partition that change, by number, and how. With ``pad`` every part changes.

    ``gone`` and ``come`` are of this partition alone; ``parts`` are all there are, and ``live`` is the number of the
    first one's file among those that records come from.
    """
    known = {part.number: place for place, part in enumerate(parts) if part.partition == partition}
    if not known and (owners := _adopted(come, pieces)):
        yield from _adoptions(partition, owners, pieces)
        return
    coming_to = _by_part(_numbers(come, [parts[place] for place in known.values()], parts, limit))
    leaving = by_owner(gone)
    touched = {*coming_to, *(parts[place].number for place in leaving), *(known if pad else ())}
    for number in sorted(touched):
        place = known.get(number, -1)
        these = come.take(coming_to.get(number, NO_PLACES))
        goes = gone.entries.take(leaving.get(place, NO_PLACES))
        old_files = np.where(these.olds >= 0, these.olds + live, -1)
        change = Change(goes, these.rows.entries, these.rows.owners, old_files, these.old_offsets)
        yield Target(partition, number, parts[place] if place >= 0 else None), change


def alike(*keys: Places) -> list[Places]:
    """Return the places at which all keys are the same, group by group in the order of the keys, each ascending.

    One sort finds them all; a mask for each group would look at every row as often as there are groups.
    """
    order = np.lexsort(keys[::-1])
    if not len(order):
        return []
    changes = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    return np.split(order, np.flatnonzero(changes) + 1)


def by_partition(partitions: Places, names: Sequence[str]) -> dict[str, Places]:
    """Return the places of each partition's records, which are numbered as their partitions are named."""
    narrow = partitions.astype(np.min_scalar_type(len(names)))  # sorted by radix
    return {names[partitions[which[0]]]: which for which in alike(narrow)}


def by_owner(rows: Located) -> dict[int, Places]:
    """Return the places of each owner's records."""
    return {int(rows.owners[which[0]]): which for which in alike(rows.owners)}


def _by_part(numbers: Places) -> dict[int, Places]:
    """Return the places of the records that go to each part."""
    return {int(numbers[which[0]]): which for which in alike(numbers)}


def _numbers(come: Coming, known: Sequence[Part], parts: Sequence[Part], limit: int) -> Places:
    """Return the number of the part that each record goes to. ``known`` are the parts of their partition."""
    numbers = np.array([*(part.number for part in parts), -1])[come.stays]
    which = np.flatnonzero(come.stays < 0)
    entries = come.rows.entries.take(which)
    order = in_order(entries)
    lengths = entries.lengths[order]
    last = max(known, key=lambda part: part.number, default=None)
    numbers[which[order]] = _numbered(np.cumsum(lengths) - lengths, last, limit)
    return numbers


def _numbered(begins: Places, last: Part | None, limit: int) -> Places:
    """Return the part of records that begin so many bytes behind what the last part holds."""
    first, room = (last.number, max(limit - last.size, 0)) if last else (0, limit)
    return first + np.where(begins < room, 0, 1 + (begins - room) // limit)


def _adopted(come: Coming, pieces: Sequence[Piece]) -> list[int]:
    """Return the numbers of the pieces whose files can be taken as they are, if that is all that comes."""
    owners, counts = np.unique(come.rows.owners, return_counts=True)
    taken = zip(owners.tolist(), counts.tolist(), strict=True)
    # A file of which another partition takes records, or nobody, is not this partition's alone.
    whole = all(pieces[owner].whole and count == len(pieces[owner].entries) for owner, count in taken)
    return owners.tolist() if whole and (come.olds < 0).all() else []


def _adoptions(partition: str, owners: Sequence[int], pieces: Sequence[Piece]) -> Iterator[tuple[Target, Change]]:
    for number, owner in enumerate(owners):
        piece = pieces[owner]
        change = Change(NOTHING, piece.entries.load(), NO_PLACES, NO_PLACES, NO_PLACES)
        yield Target(partition, number, None, piece.staged), change
