"""Resolving: what was gathered, against what the parts hold, becomes which records go and which come.

    in place      the newest version of an id wins; a record that is replaced or deleted goes. The source wins over
                  what is held only by a newer version; in a full pass, by any other one.
    append-only   nothing goes. What is held already, by (id, version), does not come again; a deleted id brings a
                  delete row with the last known version. A record that a delete row has ended, and that a full pass
                  gives again as it was, comes once more: another filter lets it in again. So of one (id, version) there
                  are as many records as delete rows, or one more, and then the row is there.

A full pass gives every row there is, so an id that is held and was not given is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from toolkit.engine.arrays import Mask, Places
from toolkit.engine.entries import NOTHING, Entries, Ids, by_id, joined
from toolkit.engine.lookup import places_of
from toolkit.engine.scratch import SortedRun
from toolkit.engine.spool import Tombstones


@dataclass(frozen=True, slots=True)
class Located:
    """Entries, and for each the number of what holds the record: a part, or a piece of a gathered file."""

    entries: Entries
    owners: Places

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def ids(self) -> Ids:
        """The ids."""
        return self.entries.ids

    @property
    def versions(self) -> Places:
        """The versions."""
        return self.entries.versions

    def take(self, which: Places | Mask) -> Located:
        """Return some of them, by place or by mask."""
        return Located(self.entries.take(which), self.owners[which])

    def sorted(self) -> Located:
        """Return them by (id, version, delete row); equal ones stay in their order."""
        return self.take(by_id(self.ids, self.versions, self.entries.deletes))


NOWHERE = Located(NOTHING, np.empty(0, np.int64))


def located(several: Sequence[Entries], numbers: Iterable[int] | None = None) -> Located:
    """Return the entries of several owners, which are numbered as they come unless ``numbers`` says otherwise."""
    named = zip(count() if numbers is None else numbers, several, strict=False)
    owners = [np.full(len(entries), number, np.int64) for number, entries in named]
    return Located(joined(several), np.concatenate([np.empty(0, np.int64), *owners]))


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a pass changes: records that go (owners are parts) and records that come (owners are pieces).

    ``before`` has, for each record that comes, the place in ``gone`` of the one that it replaces, or -1, and
    ``home`` the part in which its id is known, or -1. ``ended`` are the last known records of deleted ids in
    append-only mode, which bring delete rows; ``ended_new`` has the place in ``come`` of each, or -1 when a part holds
    it.
    """

    gone: Located
    come: Located
    before: Places
    home: Places
    ended: Located
    ended_new: Places
    deleted: int

    @property
    def lost(self) -> Entries:
        """The last known records of the ids that were deleted."""
        replaced = np.zeros(len(self.gone), np.bool_)
        replaced[self.before[self.before >= 0]] = True
        return joined([self.gone.take(~replaced).entries, self.ended.entries])


def in_place(given: Located, tombstones: Tombstones, known: Located, *, full: bool) -> Resolved:
    """Resolve a pass of an in-place entity. ``known`` is sorted, and holds an id once."""
    given = given.sorted()
    rows = _last_of_each(given, _same_id)
    rows = rows.take(_versions_of(tombstones, rows.ids) <= rows.versions)
    held_at = places_of(rows.ids, known.ids)
    rows, held_at = _news(rows, held_at, known, full=full)
    ends = _ended(known, given.ids, tombstones, full=full) & ~_member(known.ids, rows.ids)
    goes = ends.copy()
    goes[held_at[held_at >= 0]] = True
    place = np.cumsum(goes) - 1
    before = np.where(held_at >= 0, place[held_at] if len(known) else -1, -1)
    home = _owner(known, held_at)
    return Resolved(known.take(goes), rows, before, home, NOWHERE, NOWHERE.owners, deleted=int(ends.sum()))


def append_only(given: Located, tombstones: Tombstones, known: Located, *, full: bool) -> Resolved:
    """Resolve a pass of an append-only entity. ``known`` is sorted, and may hold an id many times."""
    given = given.sorted()
    rows = _first_of_each(given, _same_version)
    last = _last_of_each(standing(known), _same_id)
    come = ~_held_already(rows, known)
    rows = rows.take(come | _returns(rows, last, tombstones) if full else come)
    home = _owner(last, places_of(rows.ids, last.ids))
    ended, new = _last_known(rows, last)
    ends = _ended(ended, given.ids, tombstones, full=full) & ~ended.entries.deletes
    before = np.full(len(rows), -1, np.int64)
    return Resolved(NOWHERE, rows, before, home, ended.take(ends), new[ends], deleted=int(ends.sum()))


def missing(known: Entries, given: Ids) -> Entries:
    """Return the last known records of the ids that are not among others, and that no delete row has ended."""
    last = _last_of_each(standing(located([known]).sorted()), _same_id).entries
    return last.take(~last.deletes & ~_member(last.ids, np.unique(given)))


def standing(known: Located) -> Located:
    """Return each (id, version) once, as it stands: a record, or the delete row that has ended it."""
    if not len(known):
        return known
    first = np.flatnonzero(np.concatenate([_edge(known), ~_same_version(known)]))
    last = np.append(first[1:], len(known)) - 1
    more = np.add.reduceat(np.where(known.entries.deletes, -1, 1), first) > 0
    return known.take(np.where(more, first, last))


def _returns(rows: Located, last: Located, tombstones: Tombstones) -> Mask:
    """Return which rows are the last known ones of their id, ended by a delete row and there again."""
    if not len(last):
        return np.zeros(len(rows), np.bool_)
    at = places_of(rows.ids, last.ids)
    ended = (at >= 0) & last.entries.deletes[at] & (last.versions[at] == rows.versions)
    there: Mask = ended & (_versions_of(tombstones, rows.ids) <= rows.versions)
    return there


def _news(rows: Located, held_at: Places, known: Located, *, full: bool) -> tuple[Located, Places]:
    """Return the rows that are not held as they are."""
    if not len(known):
        return rows, held_at
    versions = known.versions[held_at]
    news = (held_at < 0) | ((rows.versions != versions) if full else (rows.versions > versions))
    return rows.take(news), held_at[news]


def _ended(known: Located, given: Ids, tombstones: Tombstones, *, full: bool) -> Mask:
    """Return which known records are of an id that a tombstone, or its absence from a full pass, ends.

    The ids that were given are sorted.
    """
    ends = _versions_of(tombstones, known.ids) > known.versions
    if full and len(known):
        ends |= ~_member(known.ids, given[np.append(given[1:] != given[:-1], np.ones(min(len(given), 1), np.bool_))])
    return ends


def _last_known(rows: Located, last: Located) -> tuple[Located, Places]:
    """Return the last record of each id among new rows and those held, with its place among the new ones, or -1."""
    both = Located(joined([last.entries, rows.entries]), np.concatenate([last.owners, rows.owners]))
    order = by_id(both.ids, both.versions, both.entries.deletes)
    order = order[_ends(both.take(order), _same_id)]
    return both.take(order), np.maximum(order - len(last), -1)


def _held_already(rows: Located, known: Located) -> Mask:
    """Return which rows are held with the same version. Both are sorted; delete rows do not count."""
    records = known.take(~known.entries.deletes)
    keys, others = _keys(rows), _keys(records)
    return np.isin(keys, others)


def _keys(rows: Located) -> npt.NDArray[np.bytes_]:
    """Return (id, version) as one value of 25 bytes; the last one is never zero, which numpy would cut."""
    keys = np.empty((len(rows), 25), np.uint8)
    keys[:, :16] = np.ascontiguousarray(rows.ids, "S16").view(np.uint8).reshape(len(rows), 16)
    keys[:, 16:24] = np.ascontiguousarray(rows.versions, "<i8").view(np.uint8).reshape(len(rows), 8)
    keys[:, 24] = 1
    return keys.view("S25").ravel()


def _versions_of(tombstones: Tombstones, ids: Ids) -> Places:
    """Return the version of the tombstone of each id; lower than any row's where there is none."""
    at = places_of(ids, tombstones.ids)
    none = np.iinfo(np.int64).min
    return np.where(at >= 0, tombstones.versions[at] if len(tombstones.ids) else none, none)


def _member(ids: Ids, among: Ids) -> Mask:
    return np.greater_equal(places_of(ids, among), 0)


def _owner(known: Located, at: Places) -> Places:
    return np.where(at >= 0, known.owners[at] if len(known) else -1, -1)


_Same = Callable[[Located], Mask]


def _same_id(rows: Located) -> Mask:
    """Return which rows have the id of the one before."""
    same: Mask = rows.ids[1:] == rows.ids[:-1]
    return same


def _same_version(rows: Located) -> Mask:
    """Return which rows have the id and the version of the one before."""
    same: Mask = _same_id(rows) & (rows.versions[1:] == rows.versions[:-1])
    return same


def _ends(rows: Located, same: _Same) -> Mask:
    return np.concatenate([~same(rows), _edge(rows)])


def _last_of_each(rows: Located, same: _Same) -> Located:
    return rows.take(_ends(rows, same))


def _first_of_each(rows: Located, same: _Same) -> Located:
    return rows.take(np.concatenate([_edge(rows), ~same(rows)]))


def _edge(rows: Located) -> Mask:
    """Return what the first or the last row is, which has no neighbour; nothing when there is no row."""
    return np.ones(min(len(rows), 1), np.bool_)


def asked_for(given: Sequence[SortedRun], tombstones: Tombstones, most: int) -> Ids | None:
    """Return the ids that a pass is about, sorted and unique; None when they are too many to be held in memory."""
    if sum(map(len, given)) + len(tombstones.ids) > most:
        return None
    return np.unique(np.concatenate([tombstones.ids, *(run.ids() for run in given)]))
