"""One entity, from what changed to the files of a folder.

    gather    batches of the source become records in staged files
    resolve   the last state of each row that changed, against the keys: a row comes, or it ended
    stage     rows by year, and the rows that ended in a file of their own

A pass changes nothing: it stages files, and says what the record shall hold and where the files belong. A row is in a
folder once, with its last state; so a reader may take the files of a folder in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import pyarrow as pa

from toolkit.engine import resolve
from toolkit.engine.ahead import read_ahead
from toolkit.engine.checkpoint import Checkpoint, Move
from toolkit.engine.columns import ID, IS_DELETE, SINK_CREATED, SINK_MODIFIED, VERSION, Column, columns_of, evolve
from toolkit.engine.decisions import Decisions
from toolkit.engine.entries import ID_LENGTH, Entries, entries_of, text_of_ids
from toolkit.engine.incremental.folders import NO_YEAR, file_path
from toolkit.engine.incremental.keys import (
    NO_KEYS,
    KeyRun,
    Keys,
    LostKeys,
    joined_keys,
    known,
    paths,
    read_run,
    run_file,
    run_path,
    sorted_keys,
    with_new,
)
from toolkit.engine.incremental.rebuild import notice, rebuilt
from toolkit.engine.incremental.record import Exported
from toolkit.engine.partitions import part_name
from toolkit.engine.place import Piece, Target, placed, targets
from toolkit.engine.report import EntityProgress, EntityReport, Phase
from toolkit.engine.resolve import Located, Resolved
from toolkit.engine.resync import resynced
from toolkit.engine.rows import unspelled
from toolkit.engine.schema_history import changes_of, notices, returned, with_changes
from toolkit.engine.scratch import Scratch, buckets, stored
from toolkit.engine.shape import shaping
from toolkit.engine.splice import Appended, Change, Span, Splice, Task
from toolkit.engine.spool import SLICE, Gathered, Layout, Spool, Tombstones
from toolkit.engine.style import Style
from toolkit.engine.work import Work, cut_short, stopped
from toolkit.errors import CursorExpired
from toolkit.lake.protocol import Staged
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.entity import Entity
from toolkit.model.link import EntityState
from toolkit.model.shape import reformed, shape_of
from toolkit.source.protocol import Cursor

_LOWEST = np.iinfo(np.int64).min
"""A version that no row has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where what a pass writes belongs: the folder in progress, and the commit that will close it.

    ``folders`` are those that hold all that was exported so far; None where some of them were removed.
    """

    folder: str
    seq: int
    folders: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of a folder: its partition and number, which are its name, and what was staged for it."""

    partition: str
    number: int
    staged: Staged


@dataclass(frozen=True, slots=True)
class Found:
    """What a pass found: the entity as the record shall hold it, its files in the folder, and what follows.

    ``moves`` are those of ``files`` and of the keys, ``removes`` the keys that are of no more use.
    """

    exported: Exported
    report: EntityReport
    files: tuple[File, ...] = ()
    moves: tuple[Move, ...] = ()
    removes: tuple[str, ...] = ()


def do_pass(
    work: Work, linked: LinkedEntity, entity: Entity, before: Exported, place: Place, *, cursor: str | None
) -> Found:
    """Do one pass. ``cursor`` is where it begins, which may be ahead of the record."""
    try:
        return _pass_or_rebuild(work, linked, entity, before, place, cursor=cursor)
    except pa.ArrowException as error:
        # Its own words quote values.
        raise unspelled(f"a row of {entity.name}", f"Arrow said {type(error).__name__}") from None


def _pass_or_rebuild(
    work: Work, linked: LinkedEntity, entity: Entity, before: Exported, place: Place, *, cursor: str | None
) -> Found:
    try:
        return _pass_or_compare(work, linked, entity, before, place, cursor=cursor)
    except LostKeys:
        if place.folders is None:
            raise
        anew = rebuilt(work.lake, before, place.folders, place.seq)
        found = _pass_or_compare(work, linked, entity, anew, place, cursor=cursor)
        report = replace(found.report, notices=(*found.report.notices, notice(entity.name)))
        lost = paths(before.keys) - paths(found.exported.keys)
        return replace(found, report=report, removes=(*found.removes, *sorted(lost)))


def _pass_or_compare(
    work: Work, linked: LinkedEntity, entity: Entity, before: Exported, place: Place, *, cursor: str | None
) -> Found:
    try:
        return _Pass(work, linked, entity, before, place).run(cursor)
    except CursorExpired as expired:
        if cursor is None:
            raise
        # Every row is read again and compared by id and version; only what differs is written.
        found = _Pass(work, linked, entity, before, place).run(None)
        return replace(found, report=resynced(found.report, expired))


class _Pass:
    """One pass, from its first batch to what it staged. ``run`` is its story."""

    def __init__(self, work: Work, linked: LinkedEntity, entity: Entity, before: Exported, place: Place) -> None:
        self.work, self.before, self.place = work, before, place
        self.old = before.checkpoint
        self.shaping = shaping(entity, shape_of(linked, work.output), work.mask_key)
        self.entity = self.shaping.entity
        stays = self.old.completed is not None and not reformed(self.old.form, self.shaping.form)
        evolution = evolve(self.old.columns, self.entity) if stays else None
        self.anew = evolution is None or bool(evolution.retyped)
        """Whether every row is sent: for the first time, or because its values are spelled in another way now."""
        self.columns = columns_of(self.entity) if evolution is None or self.anew else evolution.columns
        self.now, self.style = work.clock(), Style.of(work.output)
        changed = changes_of(evolution, self.old.columns, self.now) if evolution else ()
        self.changes = (*returned(self.old.schema_changes, self.now), *changed)
        self.pieces: list[Piece] = []
        self.inserted = 0
        self.name = f"{self.now:%Y%m%dT%H%M%SZ}-{work.fence.number}-{place.seq}-{entity.name}"

    def run(self, cursor: str | None) -> Found:
        full = cursor is None or self.anew or self.work.compare or not self.entity.change_tracking
        with closing(Scratch()) as scratch:
            gathered = self._gather(scratch, None if full else cursor)
            if not (full or gathered.rows or len(gathered.tombstones.ids)):
                return self._unchanged(gathered.cursor)
            decisions, keys = self._decided(scratch, gathered, full=full)
            if not len(keys):
                return self._unchanged(gathered.cursor)
            self.work.progress(EntityProgress(self.entity.name, Phase.WRITING))
            rows = tuple(self._rows(decisions))
            files = (*rows, *self._deletes(keys.take(keys.gone), rows))
        return self._found(gathered.cursor, decisions, keys, files)

    # gather

    def _gather(self, scratch: Scratch, cursor: str | None) -> Gathered:
        work, name = self.work, self.entity.name
        self._require_going()
        total = work.source.size(name) if cursor is None else None
        layout = Layout(name, self.entity.primary_id, self.columns, PartitionStrategy.YEAR, self.now, self.style)
        limit, ahead = work.settings.part_limit, work.ahead
        spool = Spool(work.lake, self.name, layout, scratch, split=self.anew, limit=limit, ahead=ahead)
        final = False
        changes = work.source.changes(name, self.shaping.read, Cursor(cursor) if cursor is not None else None)
        shape = partial(self.shaping.shaped, full=cursor is None)
        with closing(spool), closing(read_ahead(changes, partial(spool.formatted, shape=shape))) as formatted:
            for each in formatted:
                self._require_going()
                spool.add(each)
                final = each.batch.final
                work.progress(EntityProgress(name, Phase.READING, spool.read, spool.bytes, total))
            if not final:
                raise cut_short(name)
            return spool.seal()

    def _require_going(self) -> None:
        if self.work.stop():
            raise stopped(self.entity.name)

    # resolve

    def _decided(self, scratch: Scratch, gathered: Gathered, *, full: bool) -> tuple[Decisions, Keys]:
        """Decide bucket by bucket of ids what comes, and return it with the keys of all rows that came or ended."""
        self.pieces = [
            Piece(run.staged, partition, entries, whole=len(run.pieces) == 1)
            for run in gathered.runs
            for partition, entries in run.pieces
        ]
        decisions, several = Decisions(scratch), [NO_KEYS]
        for given, tombstones, held in self._buckets(scratch, gathered.tombstones, full=full):
            # No version counts as known where every row is sent.
            versions = np.full(len(held), _LOWEST) if self.anew else held.versions
            known_as = Located(replace(held, versions=versions), np.full(len(held), -1))
            resolved = resolve.in_place(given, tombstones, known_as, full=full)
            several.append(_keys_of(resolved, held))
            self.inserted += int((resolved.before < 0).sum())
            come = placed(resolved, self.pieces, (), NO_YEAR)
            decisions.add(replace(resolved, gone=resolve.NOWHERE), come)
        return decisions, joined_keys(several)

    def _buckets(
        self, scratch: Scratch, tombstones: Tombstones, *, full: bool
    ) -> Iterator[tuple[Located, Tombstones, Entries]]:
        """Yield what was given, what was deleted and what is known, bucket by bucket of ids."""
        given, most = [piece.entries for piece in self.pieces], self.work.settings.bucket
        ids = None if full else resolve.asked_for(given, tombstones, most)
        held = stored(scratch, _entries(known(self.work.lake, self.before.keys, ids)))
        for bucket in buckets([*given, held], most):
            *rows, keys = bucket.read([*given, held])
            yield resolve.located(rows), tombstones.within(bucket), keys

    # stage

    def _rows(self, decisions: Decisions) -> Iterator[File]:
        """Stage the rows that come, by year; a gathered file that holds nothing else is taken as it is."""
        wanted: list[tuple[Target, tuple[int, int] | None]] = []
        with closing(Appended(self.work.lake, self.name, "changes")) as changes:
            for target, change in self._targets(decisions):
                wanted.append((target, None if target.adopt else changes.append(change.to_bytes())))
            path = "".join(staged.path for staged in changes.seal())
        tasks: list[Task] = [self._task(target, Span(path, *span)) for target, span in wanted if span is not None]
        made = iter(self.work.execute(self.work.lake, tasks))
        for target, _ in wanted:
            staged = target.adopt or next(made).part
            if staged is not None:
                yield File(target.partition, target.number, staged)

    def _targets(self, decisions: Decisions) -> Iterator[tuple[Target, Change]]:
        limit = self.work.settings.part_limit
        for partition in decisions.partitions(()):
            come = decisions.come(partition)
            yield from targets(partition, resolve.NOWHERE, come, self.pieces, (), limit=limit, pad=False)

    def _task(self, target: Target, change: Span) -> Splice:
        name = part_name(target.partition, target.number)
        files = tuple(piece.staged.path for piece in self.pieces)
        sink, head = self.style.sink(self.now), self.style.head(self.columns)
        return Splice(self.name, name, change, files, None, self.columns, 0, sink, head)

    def _deletes(self, ended: Keys, rows: tuple[File, ...]) -> Iterator[File]:
        """Stage the delete rows of what ended, in a file of their own: a file holds rows or delete rows, never both."""
        if len(ended):
            number = sum(file.partition == NO_YEAR for file in rows)
            lines = _delete_rows(ended, self.columns, self.style.sink(self.now))
            yield File(NO_YEAR, number, self._staged("deletes", chain([self.style.head(self.columns)], lines)))

    def _staged(self, name: str, data: Iterator[bytes] | Sequence[bytes]) -> Staged:
        with closing(self.work.lake.stage(self.name, name)) as writer:
            for block in data:
                writer.write(block)
            return writer.seal()

    # what is found

    def _found(self, cursor: str, decisions: Decisions, new: Keys, files: tuple[File, ...]) -> Found:
        ended = int(new.gone.sum())
        keys, kept = self._keys(new)
        exported = self.before.model_copy(
            update={
                "checkpoint": self._moved(cursor),
                "keys": kept,
                "rows": decisions.written if self.anew else self.before.rows + self.inserted - ended,
                "folder": self.place.folder,
            }
        )
        moves = (*keys, *(self._move(file) for file in files))
        removes = tuple(sorted(paths(self.before.keys) - paths(kept)))
        return Found(exported, self._report(files, decisions.written, ended), files, moves, removes)

    def _keys(self, new: Keys) -> tuple[list[Move], tuple[KeyRun, ...]]:
        """Stage the keys of what is in the folder, merged with earlier runs where that is due."""
        lake = self.work.lake
        runs = () if self.anew else self.before.keys
        stay, keys = with_new(runs, new, lambda run: read_run(lake, run))
        if not len(keys):
            return [], stay
        blocks, run = run_file(keys, run_path(self.entity.name, self.place.seq))
        return [Move.of(self._staged("keys", blocks), run.path)], (*stay, run)

    def _move(self, file: File) -> Move:
        return Move.of(file.staged, file_path(self.place.folder, self.entity.name, file.partition, file.number))

    def _moved(self, cursor: str) -> Checkpoint:
        return self.old.model_copy(
            update={
                "fence": self.work.fence.number,
                "cursor": cursor,
                "cursor_at": self.now,
                "columns": self.columns,
                "form": self.shaping.form,
                "schema_changes": with_changes(self.old.schema_changes, self.changes),
                "completed": self.old.completed or self.now,
            }
        )

    def _unchanged(self, cursor: str) -> Found:
        exported = self.before.model_copy(update={"checkpoint": self._moved(cursor)})
        return Found(exported, self._report((), 0, 0))

    def _report(self, files: tuple[File, ...], written: int, deleted: int) -> EntityReport:
        size = sum(file.staged.size for file in files)
        self.work.progress(EntityProgress(self.entity.name, Phase.DONE, written, size))
        return EntityReport(
            self.entity.name,
            EntityState.COMPLETED,
            written=written,
            deleted=deleted,
            bytes=size,
            partitions=tuple(dict.fromkeys(file.partition for file in files)),
            notices=tuple(notices(self.entity.name, self.changes)),
        )


def _entries(keys: Keys) -> Entries:
    """Return keys as entries, whose records nothing holds."""
    return entries_of(keys.ids, np.zeros(len(keys), np.int64), keys.versions)


def _keys_of(resolved: Resolved, held: Entries) -> Keys:
    """Return the keys of the rows that come and of those that ended, which have the version that is known of them."""
    ends = np.ones(len(resolved.gone), np.bool_)
    ends[resolved.before[resolved.before >= 0]] = False
    ended = held.take(np.searchsorted(held.ids, resolved.gone.ids[ends]))
    return sorted_keys(
        np.concatenate([resolved.come.ids, ended.ids]),
        np.concatenate([resolved.come.versions, ended.versions]),
        np.repeat([False, True], [len(resolved.come), len(ended)]),
    )


def _delete_rows(ended: Keys, columns: tuple[Column, ...], sink: str) -> Iterator[bytes]:
    """Yield delete rows by (version, id): the id, the sink times, the last known version, and IsDelete."""
    said = {SINK_CREATED: f'"{sink}"', SINK_MODIFIED: f'"{sink}"', IS_DELETE: "True", ID: "{0}", VERSION: "{1}"}
    row = ",".join(said.get(column.name, "") for column in columns) + "\n"
    ordered = ended.take(np.lexsort((ended.ids, ended.versions)))
    for start in range(0, len(ordered), SLICE):
        some = ordered.take(np.arange(start, min(start + SLICE, len(ordered))))
        text = text_of_ids(some.ids).decode()
        ids = (text[at : at + ID_LENGTH] for at in range(0, len(text), ID_LENGTH))
        yield "".join(map(row.format, ids, some.versions.tolist())).encode()
