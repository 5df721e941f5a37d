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

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from toolkit.engine import resolve
from toolkit.engine.basis import basis_of
from toolkit.engine.checkpoint import Checkpoint, Part
from toolkit.engine.commit import Committed, commit, settled
from toolkit.engine.decisions import Decisions
from toolkit.engine.delete_log import Logged, logged
from toolkit.engine.deletions import delete_rows, last_records, with_ended
from toolkit.engine.entries import Entries, Ids, joined
from toolkit.engine.gathering import Gathering
from toolkit.engine.healing import heal
from toolkit.engine.lookup import Lookup
from toolkit.engine.partitions import part_name, partition_of
from toolkit.engine.place import Piece, Placed, Target, placed, targets
from toolkit.engine.progress import Reading
from toolkit.engine.repartition import repartition
from toolkit.engine.report import EntityProgress, EntityReport, Phase
from toolkit.engine.resolve import Located, Resolved
from toolkit.engine.resync import resynced
from toolkit.engine.rows import unspelled
from toolkit.engine.schema_history import notices
from toolkit.engine.scratch import Scratch, buckets, stored
from toolkit.engine.shape import effective
from toolkit.engine.snapshot import is_due, new_snapshots, with_snapshot
from toolkit.engine.splice import Adopt, Appended, Change, Made, Span, Splice, Task
from toolkit.engine.split import Splitter
from toolkit.engine.spool import Gathered, Tombstones
from toolkit.engine.succession import first_checkpoint, following, moved
from toolkit.engine.takeover import require_untouched
from toolkit.engine.work import Work
from toolkit.errors import CursorExpired, Damaged, NotFound, ToolkitError
from toolkit.lake.protocol import ABSENT, STATE_FOLDER
from toolkit.model.config import LinkedEntity
from toolkit.model.entity import Entity
from toolkit.model.link import EntityState
from toolkit.model.shape import shape_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass did: the checkpoint as it is now, the report, and the cursor, which may be ahead of it."""

    committed: Committed
    report: EntityReport
    cursor: str | None


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


def _healed(work: Work, linked: LinkedEntity, entity: Entity) -> Committed | None:
    """Make good what is damaged of an entity; None where nothing is."""
    definition = effective(entity, shape_of(linked, work.output))
    return heal(work.lake, work.fence, lambda: first_checkpoint(work, linked, entity), definition, work.clock)


def _telling(outcome: Outcome, healed: Checkpoint) -> Outcome:
    """Return an outcome that tells of the last healing; what one healing made good has one time."""
    last = max((each.at for each in healed.healed), default=None)
    told = tuple(each.finding for each in healed.healed if each.at == last)
    return replace(outcome, report=replace(outcome.report, notices=(*told, *outcome.report.notices)))


def _pass_or_resync(
    work: Work, linked: LinkedEntity, entity: Entity, before: Committed, cursor: str | None, *, resume: bool
) -> Outcome:
    try:
        cut = repartition(work, linked, entity, before)
        if cut is None:
            return _resyncing(work, linked, entity, before, cursor, resume=resume)
        committed, report = cut
        outcome = _resyncing(work, linked, entity, committed, cursor, resume=resume)
        return replace(outcome, report=report.followed_by(outcome.report))
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
        self.basis = basis_of(work, linked, entity, self.old)
        self.entity, self.parts, self.now = self.basis.entity, self.basis.parts, self.basis.now
        self.lost: list[Entries] = []
        """The last known records of the rows that ended, where a log of them is kept."""
        self.sweeps = True
        """Whether files may be staged that no checkpoint names, which then must go."""
        self.reading = Reading(work.lake, work.fence, entity.name, work.clock, work.settings, resume=resume)
        number = f"{work.fence.number}-{self.old.seq + 1}-{self.reading.attempt}"
        self.name = f"{self.now:%Y%m%dT%H%M%SZ}-{number}-{entity.name}"

    def run(self, cursor: str | None) -> Outcome:
        try:
            return self._run(None if self.basis.rebuild or self.basis.compares else cursor)
        finally:
            if self.sweeps:
                self._sweep()

    def _run(self, cursor: str | None) -> Outcome:
        full = cursor is None or not self.entity.change_tracking
        with closing(Scratch()) as scratch:
            gathering = Gathering(self.work, self.basis, self.name, self.reading, scratch)
            gathered = gathering.gather(None if full else cursor)
            self.sink = gathering.sink
            if not self._changes(gathered, full=full):
                self.reading.end()
                self.sweeps = bool(self.reading.stale)
                return self._unchanged(gathered.cursor)
            decisions = self._decided(scratch, gathered, full=full)
            made = self._stage(decisions)
        self.reading.end()
        return self._commit(gathered.cursor, decisions, made)

    def _changes(self, gathered: Gathered, *, full: bool) -> bool:
        """Whether the pass can change anything."""
        return full or bool(gathered.rows or len(gathered.tombstones.ids) or self.basis.evolution.added)

    # resolve

    def _decided(self, scratch: Scratch, gathered: Gathered, *, full: bool) -> Decisions:
        """Decide what goes and what comes, bucket by bucket of ids."""
        self.pieces = [
            Piece(run.staged, partition, entries, whole=len(run.pieces) == 1)
            for run in gathered.runs
            for partition, entries in run.pieces
        ]
        decide = resolve.append_only if self.basis.mode.append_only else resolve.in_place
        decisions = Decisions(scratch)
        with closing(Appended(self.work.lake, self.name, "deletes")) as deletes:
            for given, tombstones, known in self._buckets(scratch, gathered.tombstones, full=full):
                resolved = decide(given, tombstones, known, full=full)
                come = placed(resolved, self.pieces, self.parts, self._now_partition)
                decisions.add(resolved, self._with_delete_rows(resolved, come, deletes))
                self.lost += [resolved.lost] if self.work.delete_log else []
            ended = deletes.seal()
        self.lost += self._left_behind(scratch)
        self.files = [staged.path for staged in (*(piece.staged for piece in self.pieces), *ended)]
        self.live = len(self.files)
        self.files += [part.path for part in self.parts]
        return decisions

    def _buckets(
        self, scratch: Scratch, tombstones: Tombstones, *, full: bool
    ) -> Iterator[tuple[Located, Tombstones, Located]]:
        """Yield what was given, what was deleted and what is known, bucket by bucket of ids."""
        given, most = [piece.entries for piece in self.pieces], self.work.settings.bucket
        asked = None if full else resolve.asked_for(given, tombstones, most)
        known = [stored(scratch, each) for each in self.work.ahead(self._known(asked), self.parts)]
        for bucket in buckets([*given, *known], most):
            several = bucket.read([*given, *known])
            rows, ended = resolve.located(several[: len(given)]), tombstones.within(bucket)
            held = resolve.located(several[len(given) :]).sorted()
            if not full and asked is None:
                held = held.take(np.isin(held.ids, np.union1d(rows.ids, ended.ids)))
            yield rows, ended, held

    def _known(self, ids: Ids | None) -> Callable[[Part], Entries]:
        """Return what gives what a part holds of some ids, or all that it holds."""
        if ids is None:
            return self._entries
        wanted = Lookup(ids)
        return lambda part: self.work.indexes.entries_of(part, self.old.columns, wanted)

    def _left_behind(self, scratch: Scratch) -> Iterator[Entries]:
        """Yield what the parts before a rebuild hold and the source no longer has, where the log wants to know."""
        if not (self.basis.rebuild and self.work.delete_log):
            return
        with suppress(Damaged):
            # Files that cannot be read must not hinder the rebuild, which is what makes them whole again.
            given = [piece.entries for piece in self.pieces]
            before = [stored(scratch, self._entries(part)) for part in self.old.parts]
            for bucket in buckets([*given, *before], self.work.settings.bucket):
                several = bucket.read([*given, *before])
                yield resolve.missing(joined(several[len(given) :]), joined(several[: len(given)]).ids)

    @property
    def spelled_sink(self) -> str:
        return self.basis.style.sink(self.sink)

    @property
    def _now_partition(self) -> str:
        return partition_of(self.sink, self.basis.mode.strategy)

    def _with_delete_rows(self, resolved: Resolved, come: Placed, deletes: Appended) -> Placed:
        """Write the delete rows of append-only mode to a file of their own, and let them come as well."""
        if not len(resolved.ended):
            return come
        last = last_records(self.work.lake, resolved, self.parts, self.pieces)
        columns, sink = self.basis.columns, self.spelled_sink
        data, entries = delete_rows(resolved.ended, last, columns, sink, start=deletes.size)
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
        pad, limit = bool(self.basis.evolution.added), self.work.settings.part_limit
        changed = decisions.partitions(self.parts)
        for partition in sorted({*changed, *(part.partition for part in self.parts)}) if pad else changed:
            come, gone = decisions.come(partition), decisions.gone(partition, self.parts)
            found = targets(partition, gone, come, self.pieces, self.parts, limit=limit, pad=pad, live=self.live)
            changes = list(found)
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
        return self.live + self.parts.index(part)

    def _entries(self, part: Part) -> Entries:
        return self.work.indexes.entries(part, self.old.columns)

    def _task(self, target: Target, change: Span) -> Task:
        name = part_name(target.partition, target.number)
        if target.adopt is not None:
            return Adopt(self.name, name, change, target.adopt)
        pad = len(self.basis.evolution.added)
        head = self.basis.style.head(self.basis.columns)
        files = tuple(self.files)
        good = self.work.indexes.good(target.part) if target.part else ABSENT
        columns, sink = self.old.columns, self.spelled_sink
        return Splice(self.name, name, change, files, target.part, columns, pad, sink, head, good)

    # commit

    def _commit(self, cursor: str, decisions: Decisions, made: list[tuple[Target, Made]]) -> Outcome:
        first = self.old.completed is None
        if not (made or first or self.basis.rebuild):
            return self._unchanged(cursor)
        log = self._logged()
        checkpoint = following(self.work, self.basis, cursor, made, log)
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
        report = replace(report, notices=(*report.notices, *notices(self.entity.name, self.basis.changes)))
        self.work.progress(EntityProgress(self.entity.name, Phase.DONE, report.written, report.bytes))
        return Outcome(committed, report, cursor)

    def _unchanged(self, cursor: str) -> Outcome:
        """End a pass that changes no file. What is written is a snapshot that is due, or a cursor that grew old."""
        old, now = self.old, self.now
        after = moved(self.work, self.basis, cursor)
        report = EntityReport(self.entity.name, EntityState.COMPLETED)
        if is_due(old.model_copy(update={"cursor": cursor}), now, self.work.interval):
            checkpoint = self._with_snapshot(after)
            return self._done(checkpoint, replace(report, snapshots=new_snapshots(old, checkpoint)), cursor)
        aged = old.cursor_at is None or now - old.cursor_at >= self.work.settings.cursor_age
        if aged or self.basis.changes or after.form != old.form:
            return self._done(after, report, cursor)
        return Outcome(self.before, report, cursor)

    def _with_snapshot(self, checkpoint: Checkpoint) -> Checkpoint:
        return with_snapshot(checkpoint, self.now, self.work.retention, self.work.settings.reader_grace)

    def _report(self, checkpoint: Checkpoint, decisions: Decisions, made: list[tuple[Target, Made]]) -> EntityReport:
        return EntityReport(
            self.entity.name,
            EntityState.COMPLETED,
            written=decisions.written,
            deleted=decisions.deleted,
            bytes=sum(result.part.size for _, result in made if result.part),
            partitions=tuple(dict.fromkeys(target.partition for target, _ in made)),
            snapshots=new_snapshots(self.old, checkpoint),
        )

    def _sweep(self) -> None:
        """Remove what the pass staged and neither published nor kept."""
        staged = {stat.path for stat in self.work.lake.list(f"{STATE_FOLDER}/staging/{self.name}")}
        with self.work.lake.together():
            for path in sorted((staged | self.reading.stale) - self.reading.named):
                self.work.lake.delete(path)
