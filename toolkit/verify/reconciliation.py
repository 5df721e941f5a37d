"""Reconciliation: the rows of a lake against those of its source, by id and version, and by content on request.

The source is read whole, and the lake through its indexes. What the source has changed since the lake read it is
pending, and no difference. In append-only mode the newest record of each id counts, unless it is a delete row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toolkit.engine import resolve
from toolkit.engine.arrays import TEXT, Array, Places, compute, taken
from toolkit.engine.checkpoint import Checkpoint, Part
from toolkit.engine.columns import SINK_CREATED, SINK_MODIFIED, VERSION, columns_of
from toolkit.engine.entries import ID_LENGTH, Ids, entries_of, ids_of_text, text_of_ids
from toolkit.engine.incremental.keys import known
from toolkit.engine.incremental.record import Exported
from toolkit.engine.lookup import places_of
from toolkit.engine.ranges import read_ranges
from toolkit.engine.resolve import Located
from toolkit.engine.rows import Records, format_rows, split_record
from toolkit.engine.shape import shaping
from toolkit.engine.splice import entries_of_part
from toolkit.errors import CursorExpired, Refused
from toolkit.lake.protocol import Lake
from toolkit.model.entity import Entity
from toolkit.site import MaskKey
from toolkit.source.protocol import Batch, Cursor, Source

EXAMPLES = 5
"""Ids that are named for each kind of difference."""
_SINKS = (SINK_CREATED, SINK_MODIFIED)
_HEAD = rf"^(.{{{ID_LENGTH}}}),[^,]*,[^,]*,"
"""The id and the two times of passes, which the source does not know."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows of one kind of difference: how many, and the first ids."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """An entity of a lake beside its source.

    ``missing`` are rows that only the source has, ``extra`` only the lake, ``stale`` have another version,
    ``different`` have the same version and another content. ``pending`` rows changed since the lake read the source
    and count as none of these. The checksums are sums of 64-bit hashes of all rows without their times of passes, in
    any order; pending rows count in them, so they are to be equal only when nothing is pending. None unless asked for.
    """

    entity: str
    source_rows: int
    lake_rows: int
    missing: Differences
    extra: Differences
    stale: Differences
    different: Differences
    pending: int
    source_checksum: str | None = None
    lake_checksum: str | None = None

    @property
    def equal(self) -> bool:
        """Whether the lake holds what the source holds, as far as it was read."""
        return not (self.missing.count or self.extra.count or self.stale.count or self.different.count)


def reconciled(
    lake: Lake,
    source: Source,
    definition: Entity,
    checkpoint: Checkpoint,
    key: MaskKey,
    *,
    checksum: bool,
    exported: Exported | None = None,
) -> Reconciled:
    """Compare an entity whose initial sync is complete with what of it is exported, in the form of its last pass.

    ``exported`` is what is known of an entity in incremental folders: its keys stand for its rows. Raises SourceError,
    Damaged where an index or keys are lost, and Refused where the form does not fit the definition or, for checksums,
    where the key of hashed columns is not there or the rows are in incremental folders (VFY094).
    """
    if exported is not None and checksum:
        raise _no_checksum(checkpoint.entity)
    held = _current(lake, checkpoint) if exported is None else _keys(lake, exported)
    shape = checkpoint.form.shape
    # Content counts for checksums only.
    shaped = shaping(definition, shape if checksum else shape.model_copy(update={"mask": {}}), key)
    comparison = _Comparison(lake, shaped.entity, checkpoint, held, checksum=checksum)
    for batch in source.changes(definition.name, shaped.read if checksum else (VERSION, *shaped.filtered), None):
        comparison.add(shaped.shaped(batch, full=True))
    # Asked last, so that what changed while the source was read is in it.
    return comparison.result(_pending(source, definition, checkpoint.cursor))


def _current(lake: Lake, checkpoint: Checkpoint) -> Located:
    """Return the newest record of each id that is not deleted, by id."""
    parts = checkpoint.parts
    every = resolve.located([entries_of_part(lake, part, checkpoint.columns) for part in parts]).sorted()
    known = resolve.standing(every)
    last = np.ones(len(known), np.bool_)
    last[:-1] = known.ids[1:] != known.ids[:-1]
    return known.take(last & ~known.entries.deletes)


def _keys(lake: Lake, exported: Exported) -> Located:
    keys = known(lake, exported.keys, None)
    nowhere = np.zeros(len(keys), np.int64)
    return Located(entries_of(keys.ids, nowhere, keys.versions), nowhere)


def _no_checksum(entity: str) -> Refused:
    return Refused(
        "VFY094",
        f"the rows of {entity} are in incremental folders, of which there are no checksums",
        where=entity,
        why="the folders hold what changed, and the keys beside them know ids and versions only",
        fix="leave out --checksum",
    )


def _pending(source: Source, entity: Entity, cursor: str | None) -> Ids:
    """Return the ids that changed after a cursor, sorted."""
    if cursor is None or not entity.change_tracking:
        return np.empty(0, "S16")
    try:
        batches = list(source.changes(entity.name, (VERSION,), Cursor(cursor)))
    except CursorExpired:
        # Nothing tells what is new: the next pass compares everything, as this does.
        return np.empty(0, "S16")
    rows = [_ids(batch, entity) for batch in batches]
    text = pa.array([tombstone.id for batch in batches for tombstone in batch.deleted], TEXT)
    return np.unique(np.concatenate([*rows, ids_of_text(text, str)]))


def _ids(batch: Batch, entity: Entity) -> Ids:
    return ids_of_text(batch.rows.column(entity.primary_id), str)


class _Comparison:
    """Takes the source's rows, batch by batch; a row that the source gives again counts once."""

    def __init__(self, lake: Lake, entity: Entity, checkpoint: Checkpoint, held: Located, *, checksum: bool) -> None:
        self._lake, self._entity, self._checkpoint = lake, entity, checkpoint
        self._held = held
        self._checksum = checksum
        self._seen = np.zeros(len(self._held), np.bool_)
        self._missing: Ids = np.empty(0, "S16")
        self._stale: list[Ids] = []
        self._different: list[Ids] = []
        self._sums = {"source": 0, "lake": 0}

    def add(self, batch: Batch) -> None:
        """Compare a batch with what is held."""
        ids = _ids(batch, self._entity)
        at = places_of(ids, self._held.ids)
        new = self._new(ids, at)
        versions = np.asarray(batch.rows.column(VERSION).to_numpy(zero_copy_only=False), np.int64)
        held = new & (at >= 0)
        same = held.copy()
        same[held] = self._held.versions[at[held]] == versions[held]
        self._seen[at[held]] = True
        self._missing = np.union1d(self._missing, ids[new & (at < 0)])
        self._stale.append(ids[held & ~same])
        if self._checksum:
            self._compare(self._formatted(batch), at, new, same)

    def _new(self, ids: Ids, at: Places) -> Mask:
        """Return which rows of a batch were not given before."""
        first = np.zeros(len(ids), np.bool_)
        first[np.unique(ids, return_index=True)[1]] = True
        seen = np.isin(ids, self._missing)
        if len(self._seen):
            seen |= (at >= 0) & self._seen[at]
        return first & ~seen

    def result(self, pending: Ids) -> Reconciled:
        """Return what was found; differences of pending rows are none."""
        extra = self._held.take(~self._seen)
        if self._checksum:
            self._add("lake", _rest(_records(self._lake, self._checkpoint.parts, extra)))

        def settled(*ids: Ids) -> Differences:
            every = np.concatenate([np.empty(0, "S16"), *ids])
            return _differences(every[~np.isin(every, pending)])

        return Reconciled(
            self._entity.name,
            int(self._seen.sum()) + len(self._missing),
            len(self._held),
            missing=settled(self._missing),
            extra=settled(extra.ids),
            stale=settled(*self._stale),
            different=settled(*self._different),
            pending=len(pending),
            source_checksum=self._sum("source"),
            lake_checksum=self._sum("lake"),
        )

    def _compare(self, given: Records, at: Places, new: Mask, same: Mask) -> None:
        """Compare the content of rows of equal versions, and add every row to the checksums."""
        self._add("source", _rest(given.text.filter(pa.array(new))))
        held = np.flatnonzero(new & (at >= 0))
        ours = _rest(_records(self._lake, self._checkpoint.parts, self._held.take(at[held])))
        theirs = _rest(taken(given.text, held))
        alike = same[held] & self._alike(theirs, ours)
        self._different.append(given.ids[held][same[held] & ~alike])
        # A row that differs only in columns that the source no longer has counts as the source's.
        self._add("lake", compute.if_else(pa.array(alike), theirs, ours))

    def _formatted(self, batch: Batch) -> Records:
        checkpoint = self._checkpoint
        sink = checkpoint.completed
        if sink is None:
            raise ValueError(f"{checkpoint.entity} has no complete initial sync")
        return format_rows(batch.rows, checkpoint.columns, self._entity.primary_id, sink, checkpoint.style)

    def _alike(self, theirs: Array, ours: Array) -> Mask:
        alike = np.asarray(compute.equal(theirs, ours).to_numpy(zero_copy_only=False), np.bool_).copy()
        for row in np.flatnonzero(~alike).tolist():
            alike[row] = self._same_values(theirs[row].as_py(), ours[row].as_py())
        return alike

    def _same_values(self, theirs: bytes, ours: bytes) -> bool:
        """Whether two records agree in the columns that the source has; a shorter one has nothing in the others."""
        names = [column.name for column in self._checkpoint.columns if column.name not in _SINKS]
        known = {column.name for column in columns_of(self._entity)}
        one, other = split_record(theirs), split_record(ours)
        width = len(names)
        both = zip(names, _padded(one, width), _padded(other, width), strict=True)
        return all(left == right for name, left, right in both if name in known)

    def _add(self, side: str, records: Array) -> None:
        digests = (blake2b(record or b"", digest_size=8).digest() for record in records.to_pylist())
        self._sums[side] += sum(int.from_bytes(digest, "big") for digest in digests)

    def _sum(self, side: str) -> str | None:
        return f"{self._sums[side] % 2**64:016x}" if self._checksum else None


def _padded(fields: list[bytes], width: int) -> list[bytes]:
    return fields + [b""] * (width - len(fields))


def _records(lake: Lake, parts: Sequence[Part], rows: Located) -> Array:
    """Return the records of rows, in their order."""
    order = np.lexsort((rows.entries.offsets, rows.owners))
    read = list(_read(lake, parts, rows.take(order)))
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return taken(pa.concat_arrays([pa.array([], pa.large_binary()), *read]), back)


def _read(lake: Lake, parts: Sequence[Part], rows: Located) -> Iterator[Array]:
    for owner in np.unique(rows.owners).tolist():
        these = rows.entries.take(rows.owners == owner)
        yield read_ranges(lake, parts[owner].path, these.offsets.astype(np.int64), these.ends)


def _rest(records: Array) -> Array:
    """Return records without the times of passes."""
    rest: Array = compute.replace_substring_regex(records.cast(pa.large_binary()), _HEAD, r"\1,")
    return rest


def _differences(ids: Ids) -> Differences:
    text = text_of_ids(np.sort(ids)[:EXAMPLES]).decode()
    examples = tuple(text[start : start + ID_LENGTH] for start in range(0, len(text), ID_LENGTH))
    return Differences(len(ids), examples)
