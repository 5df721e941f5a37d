"""One pass over one entity: read what changed, stage the parts that change, commit, publish.

    gather    batches of the source become records in staged files
    resolve   what goes and what comes, against the indexes of the parts
    stage     every part that changes is written anew by a task
    commit    the checkpoint, on condition of its etag: from here on the pass counts
    settle    publish and snapshot, as the checkpoint says

Until the commit nothing is changed but the staging folder. A pass that dies before is done again: what it staged is
thrown away, so no row is there twice. Of a long one the progress is kept now and then, a first sync above all; it then
goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from toolkit.engine import resolve
from toolkit.engine.ahead import read_ahead
from toolkit.engine.checkpoint import Checkpoint, Move, Part, Remove, anew, index_path
from toolkit.engine.columns import Column, columns_of, evolve
from toolkit.engine.commit import Committed, commit, settled
from toolkit.engine.decisions import Decisions
from toolkit.engine.delete_log import Logged, logged
from toolkit.engine.deletions import delete_rows, last_records, with_ended
from toolkit.engine.entries import Entries, Ids, joined
from toolkit.engine.healing import heal
from toolkit.engine.indexes import Indexes
from toolkit.engine.partitions import live_path, part_name, partition_of, require_known
from toolkit.engine.place import Coming, Piece, Target, coming, targets
from toolkit.engine.progress import Progress, Reading, Terms
from toolkit.engine.report import EntityProgress, EntityReport, Phase
from toolkit.engine.resolve import Located, Resolved
from toolkit.engine.resync import resynced
from toolkit.engine.rows import unspelled
from toolkit.engine.schema_history import ChangeKind, SchemaChange, changes_of, is_dropped, notices, with_changes
from toolkit.engine.scratch import Scratch, SortedRun, buckets, stored
from toolkit.engine.settings import Settings
from toolkit.engine.shape import effective, shaping
from toolkit.engine.snapshot import is_due, with_snapshot
from toolkit.engine.splice import (
    CREATED_WIDTH,
    Adopt,
    Appended,
    Change,
    Created,
    Executor,
    Made,
    Span,
    Splice,
    Task,
    created_of,
)
from toolkit.engine.split import Splitter
from toolkit.engine.spool import Gathered, Layout, Spool, Tombstones
from toolkit.engine.style import Style
from toolkit.engine.takeover import require_untouched
from toolkit.errors import CursorExpired, Damaged, EntityGone, NotFound, Partial, Refused, SourceError, ToolkitError
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Fence, Lake
from toolkit.model.config import LinkedEntity, Output, PartitionStrategy, Retention
from toolkit.model.entity import Entity
from toolkit.model.link import EntityState
from toolkit.model.shape import Form, Reshape, reformed, reshape, shape_of
from toolkit.site import MaskKey
from toolkit.source.protocol import Cursor, Source


@dataclass(frozen=True, slots=True)
class Work:
    """What a pass needs besides the entity: where from, where to, under which lock, and how."""

    lake: Lake
    source: Source
    organization: str
    generation: int
    fence: Fence
    clock: Callable[[], datetime]
    interval: timedelta
    retention: Retention
    delete_log: bool
    output: Output
    mask_key: MaskKey
    settings: Settings
    indexes: Indexes
    execute: Executor
    progress: Callable[[EntityProgress], None]
    stop: Callable[[], bool]
    compare: bool = False
    """Whether all rows are read and compared, whatever the cursors say."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How an entity is exported. An entity without createdon is append-only, and append-only forces Year."""

    append_only: bool
    strategy: PartitionStrategy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass did: the checkpoint as it is now, the report, and the cursor, which may be ahead of it."""

    committed: Committed
    report: EntityReport
    cursor: str | None


def mode_of(linked: LinkedEntity, entity: Entity) -> Mode:
    """Return how an entity is exported. Raises Refused for a strategy whose file names are not known."""
    if linked.append_only or not entity.has_createdon:
        return Mode(append_only=True, strategy=PartitionStrategy.YEAR)
    require_known(linked.strategy, entity.name)
    return Mode(append_only=False, strategy=linked.strategy)


def gone(name: str) -> EntityGone:
    """Return the error that the source has no such entity."""
    return EntityGone(
        "ENG051",
        f"the source has no entity {name}",
        where=name,
        why="it was deleted there, or its name is wrong",
        fix=f"toolkit entity remove {name}; what was exported stays readable until then",
    )


def stopped(name: str) -> Partial:
    """Return the error that a pass was stopped."""
    return Partial(
        "ENG052",
        f"{name} was stopped before its pass was complete",
        where=name,
        why="what it had read is kept; what earlier passes wrote stays as it is",
        fix="run it again: it goes on from there",
    )


def cut_short(name: str) -> SourceError:
    """Return the error that the rows of an entity ended before their last batch."""
    # Rows that were not given would be taken for deleted.
    return SourceError(
        "ENG053",
        f"the rows of {name} ended before their last batch",
        where=name,
        why="the source gave no batch that is final, so that some rows are missing",
        fix="run it again; when it happens again, report it as a fault of the source",
    )


def begin(work: Work, linked: LinkedEntity, entity: Entity) -> Committed:
    """Write the first checkpoint of an entity, so that the manifest lists it before its first sync is complete."""
    first = _first(work, linked, entity)
    work.lake.create_folder(entity.name)
    return commit(work.lake, work.fence, first, ABSENT)


def _first(work: Work, linked: LinkedEntity, entity: Entity) -> Checkpoint:
    """Return the checkpoint with which an entity begins."""
    mode, shape = mode_of(linked, entity), shape_of(linked, work.output)
    return Checkpoint(
        entity=entity.name,
        fence=work.fence.number,
        organization=work.organization,
        generation=work.generation,
        began=work.clock(),
        columns=columns_of(effective(entity, shape)),
        form=shaping(entity, shape, work.mask_key).form,
        append_only=mode.append_only,
        strategy=mode.strategy,
    )


def _healed(work: Work, linked: LinkedEntity, entity: Entity) -> Committed | None:
    """Make good what is damaged of an entity; None where nothing is."""
    definition = effective(entity, shape_of(linked, work.output))
    return heal(work.lake, work.fence, lambda: _first(work, linked, entity), definition, work.clock)


def do_pass(
    work: Work, linked: LinkedEntity, entity: Entity, before: Committed, cursor: str | None, *, resume: bool = False
) -> Outcome:
    """Do one pass. ``cursor`` is where it begins, which may be ahead of the checkpoint.

    With ``resume`` one may have been stopped, which this one then goes on with. Damage that it meets is made good, and
    then it begins again.
    """
    mending = before.checkpoint.mending
    try:
        outcome = _pass_or_resync(work, linked, entity, before, cursor, resume=resume)
    except (Damaged, NotFound):
        healed = _healed(work, linked, entity)
        if healed is None:
            raise
        return do_healed_pass(work, linked, entity, healed)
    return _telling(outcome, before.checkpoint) if mending else outcome


def do_healing_pass(work: Work, linked: LinkedEntity, entity: Entity, error: ToolkitError) -> Outcome:
    """Do a pass over an entity whose last commit cannot be followed up, once what it met was made good."""
    healed = _healed(work, linked, entity)
    if healed is None:
        raise error
    return do_healed_pass(work, linked, entity, healed)


def do_healed_pass(work: Work, linked: LinkedEntity, entity: Entity, healed: Committed) -> Outcome:
    """Do a pass over an entity whose damage was just made good, and tell of it."""
    outcome = _pass_or_resync(work, linked, entity, healed, healed.checkpoint.cursor, resume=True)
    return _telling(outcome, healed.checkpoint)


def _telling(outcome: Outcome, healed: Checkpoint) -> Outcome:
    """Return an outcome that tells of the last healing; what one healing made good has one time."""
    last = max((each.at for each in healed.healed), default=None)
    told = tuple(each.finding for each in healed.healed if each.at == last)
    return replace(outcome, report=replace(outcome.report, notices=(*told, *outcome.report.notices)))


def _pass_or_resync(
    work: Work, linked: LinkedEntity, entity: Entity, before: Committed, cursor: str | None, *, resume: bool
) -> Outcome:
    try:
        return _resyncing(work, linked, entity, before, cursor, resume=resume)
    except pa.ArrowException as error:
        # Its own words quote values.
        raise unspelled(f"a row of {entity.name}", f"Arrow said {type(error).__name__}") from None


def _resyncing(
    work: Work, linked: LinkedEntity, entity: Entity, before: Committed, cursor: str | None, *, resume: bool
) -> Outcome:
    try:
        return _Pass(work, linked, entity, before, resume=resume).run(cursor)
    except CursorExpired as expired:
        if cursor is None:
            raise
        # Every row is read again and compared by id and version; only what differs is written. What of that was read
        # before it was stopped is kept. The new cursor is committed even where nothing differs.
        aged = replace(before, checkpoint=before.checkpoint.model_copy(update={"cursor_at": None}))
        outcome = _Pass(work, linked, entity, aged, resume=True).run(None)
        return replace(outcome, report=resynced(outcome.report, expired))


class _Pass:
    """One pass, from its first batch to its last step. ``run`` is its story."""

    def __init__(self, work: Work, linked: LinkedEntity, entity: Entity, before: Committed, *, resume: bool) -> None:
        self.work, self.before = work, before
        self.old = before.checkpoint
        self.mode = mode_of(linked, entity)
        _require_history_kept(self.old, self.mode)
        self.shaping = shaping(entity, shape_of(linked, work.output), work.mask_key)
        self.entity = self.shaping.entity
        ways = _ways(self.old, self.shaping.form)
        fresh = self.old.completed is None or Reshape.REBUILD in ways
        self.evolution = evolve(columns_of(self.entity) if fresh else self.old.columns, self.entity)
        _require_one_spelling(self.old, self.evolution.retyped)
        again = bool(self.evolution.retyped) or Reshape.REBUILD in ways
        self.rebuild = _must_rebuild(self.old, self.mode, again=again)
        self.compares = work.compare or Reshape.COMPARE in ways
        """Whether every row is read, since that was asked for, or since the filter is another one."""
        self.parts: tuple[Part, ...] = () if self.rebuild else self.old.parts
        self.now = self.sink = work.clock()
        self.changes = (*returned(self.old, self.now), *changes_of(self.evolution, self.old.columns, self.now))
        self.lost: list[Entries] = []
        """The last known records of the rows that ended, where a log of them is kept."""
        self.sweeps = True
        """Whether files may be staged that no checkpoint names, which then must go."""
        self.reading = Reading(work.lake, work.fence, entity.name, work.clock, work.settings, resume=resume)
        number = f"{work.fence.number}-{self.old.seq + 1}-{self.reading.attempt}"
        self.name = f"{self.now:%Y%m%dT%H%M%SZ}-{number}-{entity.name}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.evolution.columns

    @property
    def style(self) -> Style:
        return Style.of(self.shaping.form.shape)

    @property
    def spelled_sink(self) -> str:
        return self.style.sink(self.sink)

    def run(self, cursor: str | None) -> Outcome:
        try:
            return self._run(None if self.rebuild or self.compares else cursor)
        finally:
            if self.sweeps:
                self._sweep()

    def _run(self, cursor: str | None) -> Outcome:
        full = cursor is None or not self.entity.change_tracking
        with closing(Scratch()) as scratch:
            gathered = self._gather(scratch, None if full else cursor)
            if not self._changes(gathered, full=full):
                self.reading.end()
                self.sweeps = bool(self.reading.stale)
                return self._unchanged(gathered.cursor)
            decisions = self._decided(scratch, gathered, full=full)
            made = self._stage(decisions)
        self.reading.end()
        return self._commit(gathered.cursor, decisions, made)

    # gather

    def _gather(self, scratch: Scratch, cursor: str | None) -> Gathered:
        """Read what changed, from where an earlier pass was stopped, if one was."""
        self._require_going()
        terms = self._terms(cursor)
        progress = self.reading.fitting(terms)
        try:
            return self._gathered(scratch, terms, progress)
        except (Damaged, NotFound, CursorExpired):
            if progress is None:
                raise
            # It can be gone on with no longer.
            self.reading.end()
            return self._gathered(scratch, terms, None)

    def _terms(self, cursor: str | None) -> Terms:
        return Terms(
            organization=self.work.organization,
            begun=cursor,
            columns=self.columns,
            append_only=self.mode.append_only,
            strategy=self.mode.strategy,
            form=self.shaping.form,
            split=not self.parts,
        )

    def _gathered(self, scratch: Scratch, terms: Terms, progress: Progress | None) -> Gathered:
        work, name = self.work, self.entity.name
        total = work.source.count(name) if terms.begun is None else None
        with closing(self._spool(scratch, terms, progress)) as spool:
            if progress is not None:
                spool.go_on(progress.kept)
                self.reading.keep(spool, self.sink, terms)
            after = progress.kept.cursor if progress else terms.begun
            changes = work.source.changes(name, self.shaping.read, None if after is None else Cursor(after))
            final, left_out = False, 0
            with closing(read_ahead(changes)) as batches, self._kept_when_it_ends(spool, terms):
                for batch in batches:
                    self._require_going()
                    shaped = self.shaping.shaped(batch, full=terms.begun is None)
                    left_out += batch.rows.num_rows - shaped.rows.num_rows
                    spool.add(shaped)
                    work.progress(EntityProgress(name, Phase.READING, spool.rows + left_out, spool.bytes, total))
                    if not (final := batch.final):
                        self.reading.keep_when_due(spool, self.sink, terms)
            if not final:
                raise cut_short(name)
            return spool.seal()

    def _spool(self, scratch: Scratch, terms: Terms, progress: Progress | None) -> Spool:
        """Return the spool of this pass. Its time is that at which the pass was begun that it goes on with."""
        self.sink = progress.sink if progress else self.now
        layout = Layout(
            self.entity.name, self.entity.primary_id, self.columns, self.mode.strategy, self.sink, self.style
        )
        return Spool(self.work.lake, self.name, layout, scratch, split=terms.split, limit=self.work.settings.part_limit)

    @contextmanager
    def _kept_when_it_ends(self, spool: Spool, terms: Terms) -> Iterator[None]:
        """Keep what was read when the source fails, or when the pass is asked to stop."""
        try:
            yield
        except (Partial, SourceError) as error:
            if spool.unkept and not isinstance(error, CursorExpired):
                self.reading.keep(spool, self.sink, terms)
            raise

    def _require_going(self) -> None:
        if self.work.stop():
            raise stopped(self.entity.name)

    def _changes(self, gathered: Gathered, *, full: bool) -> bool:
        """Whether the pass can change anything."""
        return full or bool(gathered.rows or len(gathered.tombstones.ids) or self.evolution.added)

    # resolve

    def _decided(self, scratch: Scratch, gathered: Gathered, *, full: bool) -> Decisions:
        """Decide what goes and what comes, bucket by bucket of ids."""
        self.pieces = [
            Piece(run.staged, partition, entries, whole=len(run.pieces) == 1)
            for run in gathered.runs
            for partition, entries in run.pieces
        ]
        decide = resolve.append_only if self.mode.append_only else resolve.in_place
        decisions = Decisions(scratch)
        with closing(Appended(self.work.lake, self.name, "deletes")) as deletes:
            for given, tombstones, known in self._buckets(scratch, gathered.tombstones, full=full):
                resolved = decide(given, tombstones, known, full=full)
                come = coming(resolved, self.pieces, self.parts, self._created(resolved), self._now_partition)
                decisions.add(resolved, self._with_delete_rows(resolved, come, deletes))
                self.lost += [resolved.lost] if self.work.delete_log else []
            ended = deletes.seal()
        self.lost += self._left_behind(scratch)
        self.files = [staged.path for staged in (*(piece.staged for piece in self.pieces), *ended)]
        return decisions

    def _buckets(
        self, scratch: Scratch, tombstones: Tombstones, *, full: bool
    ) -> Iterator[tuple[Located, Tombstones, Located]]:
        """Yield what was given, what was deleted and what is known, bucket by bucket of ids."""
        given, most = [piece.entries for piece in self.pieces], self.work.settings.bucket
        asked = None if full else asked_for(given, tombstones, most)
        known = [stored(scratch, self._known(number, asked)) for number in range(len(self.parts))]
        for bucket in buckets([*given, *known], most):
            several = bucket.read([*given, *known])
            rows, ended = resolve.located(several[: len(given)]), tombstones.within(bucket)
            held = resolve.located(several[len(given) :]).sorted()
            if not full and asked is None:
                held = held.take(np.isin(held.ids, np.union1d(rows.ids, ended.ids)))
            yield rows, ended, held

    def _known(self, number: int, ids: Ids | None) -> Entries:
        """Return what a part holds of some ids, or all that it holds."""
        part, columns = self.parts[number], self.old.columns
        return self._entries(part) if ids is None else self.work.indexes.entries_of(part, columns, ids)

    def _left_behind(self, scratch: Scratch) -> Iterator[Entries]:
        """Yield what the parts before a rebuild hold and the source no longer has, where the log wants to know."""
        if not (self.rebuild and self.work.delete_log):
            return
        with suppress(Damaged):
            # Files that cannot be read must not hinder the rebuild, which is what makes them whole again.
            given = [piece.entries for piece in self.pieces]
            before = [stored(scratch, self._entries(part)) for part in self.old.parts]
            for bucket in buckets([*given, *before], self.work.settings.bucket):
                several = bucket.read([*given, *before])
                yield resolve.missing(joined(several[len(given) :]), joined(several[: len(given)]).ids)

    @property
    def _now_partition(self) -> str:
        return partition_of(self.sink, self.mode.strategy)

    def _created(self, resolved: Resolved) -> Created:
        """Return the SinkCreatedOn of the records that go, and see that each begins with its id."""
        created = np.zeros(len(resolved.gone), f"S{CREATED_WIDTH}")
        for number in np.unique(resolved.gone.owners).tolist():
            which = resolved.gone.owners == number
            created[which] = created_of(self.work.lake, self.parts[number], resolved.gone.entries.take(which))
        return created

    def _with_delete_rows(self, resolved: Resolved, come: Coming, deletes: Appended) -> Coming:
        """Write the delete rows of append-only mode to a file of their own, and let them come as well."""
        if not len(resolved.ended):
            return come
        last = last_records(self.work.lake, resolved, self.parts, self.pieces)
        data, entries = delete_rows(resolved.ended, last, self.columns, self.spelled_sink, start=deletes.size)
        deletes.append(data)
        return with_ended(come, resolved, entries, self.parts, len(self.pieces))

    # stage

    def _stage(self, decisions: Decisions) -> list[tuple[Target, Made]]:
        work, name = self.work, self.entity.name
        work.progress(EntityProgress(name, Phase.WRITING))
        changed: list[tuple[Target, int, int]] = []
        with closing(Appended(work.lake, self.name, "changes")) as changes:
            for target, change in self._targets(decisions):
                if target.part is not None:
                    require_untouched(work.lake, target.part, self.old.columns)
                changed.append((target, *changes.append(change.to_bytes())))
            path = "".join(staged.path for staged in changes.seal())
        tasks = [self._task(target, Span(path, start, length)) for target, start, length in changed]
        made = work.execute(work.lake, tasks)
        return [(target, each) for (target, _, _), each in zip(changed, made, strict=True)]

    def _targets(self, decisions: Decisions) -> Iterator[tuple[Target, Change]]:
        """Yield the parts that change, and how; one partition is in memory at a time."""
        pad, limit = bool(self.evolution.added), self.work.settings.part_limit
        changed = decisions.partitions(self.parts)
        for partition in sorted({*changed, *(part.partition for part in self.parts)}) if pad else changed:
            come, gone = decisions.come(partition), decisions.gone(partition, self.parts)
            changes = list(targets(partition, gone, come, self.pieces, self.parts, limit=limit, pad=pad))
            # Records that move to another part are not padded: a part that grew meanwhile is split at its next change.
            yield from changes if pad else self._split(changes)

    def _split(self, changes: list[tuple[Target, Change]]) -> Iterator[tuple[Target, Change]]:
        """Split the parts of a partition that grow too large."""
        splitter = Splitter(self.work.settings.part_limit, self._entries, self._file_of)
        partition = changes[0][0].partition
        numbers = (part.number for part in self.parts if part.partition == partition)
        return splitter.split(changes, max((*numbers, *(target.number for target, _ in changes))))

    def _file_of(self, part: Part) -> int:
        """Return the number of a part's live file among those that records come from."""
        if part.path not in self.files:
            self.files.append(part.path)
        return self.files.index(part.path)

    def _entries(self, part: Part) -> Entries:
        return self.work.indexes.entries(part, self.old.columns)

    def _task(self, target: Target, change: Span) -> Task:
        name = part_name(target.partition, target.number)
        if target.adopt is not None:
            return Adopt(self.name, name, change, target.adopt)
        pad = len(self.evolution.added)
        head = self.style.head(self.columns)
        files = tuple(self.files)
        good = self.work.indexes.good(target.part) if target.part else ABSENT
        return Splice(self.name, name, change, files, target.part, self.old.columns, pad, self.spelled_sink, head, good)

    # commit

    def _commit(self, cursor: str, decisions: Decisions, made: list[tuple[Target, Made]]) -> Outcome:
        first = self.old.completed is None
        if not (made or first or self.rebuild):
            return self._unchanged(cursor)
        log = self._logged()
        checkpoint = self._next(cursor, made, log)
        if is_due(checkpoint, self.now, self.work.interval):
            checkpoint = self._with_snapshot(checkpoint)
        report = self._report(checkpoint, decisions, made)
        return self._done(checkpoint, replace(report, notices=log.notices if log else ()), cursor)

    def _logged(self) -> Logged | None:
        """Stage the delete log, where there is something to log."""
        work, name = self.work, self.entity.name
        lost = joined(self.lost)
        if not (work.delete_log and len(lost)):
            return None
        limit = work.settings.part_limit
        return logged(work.lake, self.name, name, self.old.delete_log, lost, now=self.now, limit=limit)

    def _done(self, checkpoint: Checkpoint, report: EntityReport, cursor: str | None) -> Outcome:
        # From here on staged files belong to the checkpoint, until they are published.
        self.sweeps = False
        lake, fence = self.work.lake, self.work.fence
        committed = settled(lake, fence, commit(lake, fence, checkpoint, self.before.etag))
        self.work.indexes.follow(committed.checkpoint.pending)
        self.sweeps = True
        report = replace(report, notices=(*report.notices, *notices(self.entity.name, self.changes)))
        self.work.progress(EntityProgress(self.entity.name, Phase.DONE, report.written, report.bytes))
        return Outcome(committed, report, cursor)

    def _unchanged(self, cursor: str) -> Outcome:
        """End a pass that changes no file. What is written is a snapshot that is due, or a cursor that grew old."""
        old, now = self.old, self.now
        moved = self._moved(cursor)
        report = EntityReport(self.entity.name, EntityState.COMPLETED)
        if is_due(old.model_copy(update={"cursor": cursor}), now, self.work.interval):
            checkpoint = self._with_snapshot(moved)
            return self._done(checkpoint, replace(report, snapshots=_new_snapshots(old, checkpoint)), cursor)
        aged = old.cursor_at is None or now - old.cursor_at >= self.work.settings.cursor_age
        if aged or self.changes or moved.form != old.form:
            return self._done(moved, report, cursor)
        return Outcome(self.before, report, cursor)

    def _with_snapshot(self, checkpoint: Checkpoint) -> Checkpoint:
        return with_snapshot(checkpoint, self.now, self.work.retention, self.work.settings.reader_grace)

    def _moved(self, cursor: str) -> Checkpoint:
        """Return the checkpoint with its cursor moved, and nothing else begun."""
        return self.old.model_copy(
            update={
                "fence": self.work.fence.number,
                "seq": self.old.seq + 1,
                "cursor": cursor,
                "cursor_at": self.now,
                "columns": self.columns,
                "schema_changes": with_changes(self.old.schema_changes, self.changes),
                "form": self.shaping.form,
                "changed": self.old.changed or (self.now if self.columns != self.old.columns else None),
                "pending": self._carried(self.old.parts),
                "healed": tuple(each for each in self.old.healed if self.now - each.at < self.work.settings.healed_age),
            }
        )

    def _next(self, cursor: str, made: list[tuple[Target, Made]], log: Logged | None) -> Checkpoint:
        """Return the checkpoint after this pass, with what is to be published."""
        touched = {(target.partition, target.number) for target, _ in made}
        kept = [part for part in self.parts if (part.partition, part.number) not in touched]
        new = [part for target, result in made if (part := self._part(target, result))]
        parts = tuple(sorted((*kept, *new), key=lambda part: (part.partition, part.number)))
        return self._moved(cursor).model_copy(
            update={
                "append_only": self.mode.append_only,
                "strategy": self.mode.strategy,
                "parts": parts,
                "completed": self.old.completed or self.now,
                "changed": self.old.changed or self.now,
                "delete_log": log.log if log else self.old.delete_log,
                "pending": (
                    *self._moves(made),
                    *((log.move,) if log else ()),
                    *self._removes(parts),
                    *self._carried(parts),
                ),
            }
        )

    def _part(self, target: Target, made: Made) -> Part | None:
        if made.part is None:
            return None
        return Part(
            partition=target.partition,
            number=target.number,
            path=live_path(self.entity.name, target.partition, target.number),
            etag=made.part.etag,
            size=made.part.size,
            rows=made.rows,
            digest=made.digest,
            index=self._index(target),
        )

    def _index(self, target: Target) -> str:
        return index_path(self.entity.name, part_name(target.partition, target.number), self.old.seq + 1)

    def _moves(self, made: list[tuple[Target, Made]]) -> list[Move]:
        etags = {part.path: part.etag for part in self.old.parts}
        moves = []
        for target, result in made:
            if result.part is not None and result.index is not None:
                path = live_path(self.entity.name, target.partition, target.number)
                moves += [
                    Move.of(result.part, path, etags.get(path, ABSENT)),
                    Move.of(result.index, self._index(target)),
                ]
        return moves

    def _carried(self, parts: tuple[Part, ...]) -> tuple[Remove, ...]:
        """Return what a healing asked to be removed, and was not yet: the manifest comes first."""
        now = {path for part in parts for path in (part.path, part.index)}
        removes = (step for step in self.old.pending if isinstance(step, Remove))
        return tuple(step for step in removes if step.path not in now)

    def _removes(self, parts: tuple[Part, ...]) -> list[Remove]:
        """Return what the parts before this pass had and those after it have not."""
        now = {part.path for part in parts} | {part.index for part in parts}
        before = [path for part in self.old.parts for path in (part.path, part.index)]
        return [Remove(path=path) for path in before if path not in now]

    def _report(self, checkpoint: Checkpoint, decisions: Decisions, made: list[tuple[Target, Made]]) -> EntityReport:
        return EntityReport(
            self.entity.name,
            EntityState.COMPLETED,
            written=decisions.written,
            deleted=decisions.deleted,
            bytes=sum(result.part.size for _, result in made if result.part),
            partitions=tuple(dict.fromkeys(target.partition for target, _ in made)),
            snapshots=_new_snapshots(self.old, checkpoint),
        )

    def _sweep(self) -> None:
        """Remove what the pass staged and neither published nor kept."""
        staged = {stat.path for stat in self.work.lake.list(f"{STATE_FOLDER}/staging/{self.name}")}
        for path in sorted((staged | self.reading.stale) - self.reading.named):
            self.work.lake.delete(path)


def asked_for(given: Sequence[SortedRun], tombstones: Tombstones, most: int) -> Ids | None:
    """Return the ids that a pass is about, sorted and unique; None when they are too many to be held in memory."""
    if sum(map(len, given)) + len(tombstones.ids) > most:
        return None
    return np.unique(np.concatenate([tombstones.ids, *(run.ids() for run in given)]))


def _new_snapshots(before: Checkpoint, after: Checkpoint) -> tuple[str, ...]:
    known = {snapshot.path for snapshot in before.snapshots}
    return tuple(snapshot.path for snapshot in after.snapshots if snapshot.path not in known)


def _ways(old: Checkpoint, form: Form) -> set[Reshape]:
    """Return what another form asks of the files that are there. Raises Refused where it cannot be done (ENG072)."""
    other = reformed(old.form, form) if old.completed else ()
    ways = {aspect: reshape(aspect, append_only=old.append_only) for aspect in other}
    if refused := [aspect.replace("_", " ") for aspect, way in ways.items() if way is Reshape.REFUSE]:
        raise Refused(
            "ENG072",
            f"{old.entity} is append-only, and its history was written with other {' and '.join(refused)}",
            where=old.entity,
            why="append-only files are never written anew, so the history would hold the old form",
            fix=f"put the config back as it was; or {anew(old.entity)}",
        )
    return set(ways.values())


def _must_rebuild(old: Checkpoint, mode: Mode, *, again: bool) -> bool:
    """Whether the parts are of no more use. Append-only parts always are: they hold history."""
    if old.completed is None or old.append_only:
        return False
    return again or (old.append_only, old.strategy) != (mode.append_only, mode.strategy)


def returned(old: Checkpoint, now: datetime) -> tuple[SchemaChange, ...]:
    """Return the change that the source has the entity again, where it had none."""
    return (SchemaChange(at=now, change=ChangeKind.ENTITY_RESTORED),) if is_dropped(old.schema_changes) else ()


def with_dropped(old: Checkpoint, fence: int, now: datetime) -> Checkpoint:
    """Return the checkpoint of an entity that the source no longer has."""
    change = SchemaChange(at=now, change=ChangeKind.ENTITY_DROPPED)
    update = {"fence": fence, "seq": old.seq + 1, "pending": ()}
    return old.model_copy(update={**update, "schema_changes": with_changes(old.schema_changes, (change,))})


def _require_one_spelling(old: Checkpoint, retyped: tuple[str, ...]) -> None:
    if retyped and old.append_only and old.completed is not None:
        raise Refused(
            "ENG004",
            f"{', '.join(retyped)} of {old.entity} has another type now, and its history has values of the old one",
            where=old.entity,
            why="append-only files are never written anew, and a column holds values of one spelling",
            fix=anew(old.entity),
        )


def _require_history_kept(old: Checkpoint, mode: Mode) -> None:
    if old.append_only and not mode.append_only and old.completed is not None:
        raise Refused(
            "ENG002",
            f"{old.entity} is append-only, and its history would be lost in place",
            where=old.entity,
            fix=f"link it append-only again; or {anew(old.entity)}",
        )
