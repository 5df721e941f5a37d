"""A session: one engine at work on one link, under its lock. It holds the checkpoints, it alone writes the manifest.

Opening a session finishes what a dead engine began: pending steps are done, staged files that no checkpoint names are
removed, the manifest is written. Then come passes, any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

from toolkit.engine.checkpoint import (
    Checkpoint,
    Copy,
    Move,
    Newer,
    checkpoint_path,
    entities_with_state,
    read_checkpoint,
)
from toolkit.engine.commit import Committed, commit, require_ahead, settled, tidy
from toolkit.engine.companions import Companions
from toolkit.engine.healing import taken_from
from toolkit.engine.indexes import Indexes
from toolkit.engine.journal import StatusFile
from toolkit.engine.manifest import MANIFEST_PATH, entries_in, manifest, names_in, shown
from toolkit.engine.partitions import SNAPSHOT_FOLDER
from toolkit.engine.passes import Outcome, do_healing_pass, do_pass
from toolkit.engine.progress import discard, read_progress, unfinished
from toolkit.engine.rebuilding import left_behind, lost_checkpoint
from toolkit.engine.report import EntityProgress, EntityReport, Phase, SyncReport
from toolkit.engine.retire import clear, clear_live, free_second, is_over, retired, unreadable
from toolkit.engine.schema_history import is_dropped
from toolkit.engine.settings import Settings, scan_interval
from toolkit.engine.snapshot import is_due, is_stale, with_snapshot, without
from toolkit.engine.splice import Made, Task, do
from toolkit.engine.succession import begin, with_dropped
from toolkit.engine.work import Work, gone, stopped
from toolkit.errors import Damaged, Locked, NotFound, Partial, Refused, Retriable, ToolkitError
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Fence, Lake
from toolkit.model.config import LinkedEntity, Retention
from toolkit.model.entity import Entity
from toolkit.model.link import Dropped, EntityState, Link
from toolkit.site import NO_KEY, MaskKey
from toolkit.source.protocol import Source

WRITER_LOCK = "writer"
"""The lock of a link's one writer."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a session goes about its work: time, limits, whom to tell, when to stop."""

    clock: Callable[[], datetime]
    settings: Settings
    progress: Callable[[EntityProgress], None]
    stop: Callable[[], bool]
    patient: bool = False
    """Whether an incremental folder is closed at the end of the link's interval, and not at once."""
    mask_key: MaskKey = NO_KEY
    compare: bool = False
    """Whether all rows are read and compared, whatever the cursors say."""


class Session:
    """The checkpoints of a link's entities, and what may be done to them while the lock is held."""

    def __init__(self, lake: Lake, fence: Fence, ways: Ways, parts: ThreadPoolExecutor) -> None:
        self._lake, self._fence, self._ways, self._parts = lake, fence, ways, parts
        self._indexes = Indexes(lake)
        self._states: dict[str, Committed] = {}
        self._cursors: dict[str, str | None] = {}
        """Cursors that moved without rows, and are ahead of their checkpoint."""
        self._doubtful: set[str] = set()
        """Entities whose last pass failed: their checkpoint is read again before the next one."""
        self._unsettled: dict[str, ToolkitError] = {}
        """Why the checkpoint of some of them cannot be read, or its pending steps cannot be done."""
        self._hurried: set[str] = set()
        """Retired entities whose snapshots are set aside without a grace for readers."""
        self._lingering: set[str] = set()
        """Retired entities of which only snapshots are left."""
        self._held: set[str] = set()
        """Entities that are being repaired: readers keep what they have."""
        self._unfinished: set[str] = set()
        """Entities whose last pass may have left its progress."""
        self._manifest = b""
        self._manifest_etag = ABSENT
        self._manifest_written = self._manifest_restored = False
        self._mended: list[str] = []
        """Snapshots that recovery made, and no report has told of."""
        self._published: dict[str, Etag | None] | None = None
        """What the manifest was last written from."""
        self._listed: dict[str, tuple[Etag, str]] = {}
        """What the manifest says of an entity, by its checkpoint: hundreds of them end their first sync one by one."""
        self._status = StatusFile(lake, ways.settings.status_age)
        self._companions = Companions(lake, fence, {})

    # what the engine does with it

    def recover(self) -> None:
        """Finish what another engine began."""
        self._companions = Companions(self._lake, self._fence, self._status.journal.written)
        self._read_manifest()
        self._doubtful = set(entities_with_state(self._lake)) | names_in(self._manifest)
        self._unfinished = set(unfinished(self._lake))
        self._settle_doubts()
        self._sweep()

    def sync(self, link: Link, source: Source, entities: Collection[str] | None, *, scan: bool = False) -> SyncReport:
        """Do one pass over the link; ``entities`` limits it to some of the linked ones.

        Entities that cannot be tracked are read when their time has come; with ``scan`` at once.
        """
        definitions, organization, silent = definitions_of(source)
        self._require_organization(link, organization)
        self._settle_doubts()
        self._publish()
        gone_now = self._retire(link)
        work = self._work(link, source)
        linked = self._linked(link)
        if not silent:
            self._companions.learn(definitions, [each.name for each in linked])
        mute = {each.name: silent for each in linked} if silent else {}
        failed = {**mute, **self._unsettled, **self._begin(work, linked, definitions)}
        self._publish()
        asked = [each for each in linked if entities is None or each.name in entities]
        resting = [] if scan else [each.name for each in asked if self._rests(each, definitions)]
        ended = dict(self._passes(work, [each for each in asked if each.name not in resting], definitions, failed))
        reports = [report for each in asked if (report := ended.get(each.name)) is not None]
        due = [name for name in resting if is_due(self._states[name].checkpoint, work.clock(), work.interval)]
        snapshots = [report for name in due if (report := self._snapshot_of(name, link.config.snapshots)) is not None]
        self._publish()
        failing, recovered = self._status.journal.turns(reports)
        self._write_journal(reports, {report.entity for report in reports if scans(report.entity, definitions)})
        return SyncReport(
            (*reports, *snapshots),
            gone_now,
            stopped=None in ended.values(),
            failing=failing,
            recovered=recovered,
            **self._news(),
        )

    def _news(self) -> dict[str, Any]:
        """Return what a report tells besides entities, and forget it."""
        news = {"manifest": self._manifest_written, "restored": self._manifest_restored, "mended": tuple(self._mended)}
        self._manifest_written, self._manifest_restored, self._mended = False, False, []
        return news

    def incomplete(self, link: Link) -> tuple[str, ...]:
        """Return the linked entities whose first sync is not complete."""
        complete = {name for name, state in self._states.items() if state.checkpoint.completed is not None}
        return tuple(each.name for each in self._linked(link) if each.name not in complete)

    def due(self, link: Link) -> set[str]:
        """Return the linked entities whose snapshot is due, or whose time has come to be read whole."""
        interval, now = timedelta(minutes=link.config.interval_minutes), self._ways.clock()
        states = [
            (each, self._states[each.name].checkpoint) for each in self._linked(link) if each.name in self._states
        ]
        return {
            each.name
            for each, checkpoint in states
            if is_due(checkpoint, now, interval)
            or (self._status.journal.scanned(each.name) is not None and not self._scanned_lately(each))
        }

    def snapshot(self, link: Link, entities: Collection[str] | None) -> SyncReport:
        """Snapshot what changed since the last snapshot, and what lost the one that the manifest names."""
        # The next commit has steps of its own: those of the last one must be done before.
        self._publish()
        names = sorted({*self._states, *self._unsettled} if entities is None else entities)
        reports = [report for name in names if (report := self._snapshot_of(name, link.config.snapshots)) is not None]
        self._publish()
        self._write_journal(())
        return SyncReport(tuple(reports), **self._news())

    @property
    def fence(self) -> Fence:
        """The lock that is held."""
        return self._fence

    def checkpoint(self, entity: str) -> Checkpoint | None:
        """Return the checkpoint of an entity, followed up to its last step; None where it has none, or leaves.

        Raises why it cannot be read, or why its steps cannot be done.
        """
        self._publish()
        if (error := self._unsettled.get(entity)) is not None:
            raise error
        state = self._states.get(entity)
        return state.checkpoint if state and state.checkpoint.retired is None else None

    def change(self, before: Checkpoint, after: Checkpoint) -> None:
        """Commit a checkpoint in the place of the one that ``checkpoint`` gave, and follow it up to its last step."""
        self._follow(self._states[before.entity], after)
        self._publish()
        self._write_journal(())

    # what a repair does with it

    def trouble(self, entity: str) -> ToolkitError | None:
        """Return why the checkpoint of an entity cannot be read, or its last steps not be done."""
        return self._unsettled.get(entity)

    def require_own(self, link: Link, source: Source) -> None:
        """Refuse a source, and checkpoints, of another organization than the link's."""
        _, organization, _ = definitions_of(source)
        self._require_organization(link, organization)

    def hold(self, entities: Collection[str]) -> None:
        """Let the manifest say what it says of some entities, and let their files be, until ``publish``."""
        self._held = set(entities)

    def heal(self, link: Link, source: Source, damaged: Mapping[str, ToolkitError | None]) -> tuple[EntityReport, ...]:
        """Do a pass over some entities, those with an error once it is made good."""
        definitions, _, silent = definitions_of(source)
        errors = {name: error for name, error in damaged.items() if error is not None}
        self._unsettled |= errors
        self._doubtful |= errors.keys()
        linked = [each for each in self._linked(link) if each.name in damaged]
        failed = dict.fromkeys(damaged, silent) if silent else errors
        ended = dict(self._passes(self._work(link, source), linked, definitions, failed))
        reports = tuple(report for report in ended.values() if report is not None)
        self._write_journal(reports, {report.entity for report in reports if scans(report.entity, definitions)})
        return reports

    def state(self, entity: str) -> Checkpoint | None:
        """Return the checkpoint of an entity, as it is."""
        state = self._states.get(entity)
        return state.checkpoint if state and entity not in self._unsettled else None

    def follow(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint, and put its files in their places. The manifest is not written yet."""
        self._follow(self._states[checkpoint.entity], checkpoint)

    def publish(self, link: Link, source: Source) -> SyncReport:
        """Write the manifest, and what goes with it, where they are not what they should be."""
        self._held = set()
        self._companions.distrust()
        definitions, _, silent = definitions_of(source)
        if not silent:
            self._companions.learn(definitions, [each.name for each in self._linked(link)])
        self._published = None
        self._publish()
        self._write_journal(())
        return SyncReport((), **self._news())

    def redact(self, words: str) -> None:
        """Take words out of the status file."""
        self._status.redact(words)

    def _follow(self, state: Committed, checkpoint: Checkpoint) -> None:
        entity = checkpoint.entity
        # Readers keep what they have until the files are there.
        self._doubtful.add(entity)
        committed = commit(self._lake, self._fence, checkpoint, state.etag)
        self._states[entity] = settled(self._lake, self._fence, committed)
        self._doubtful.discard(entity)

    # recovery

    def _settle_doubts(self) -> None:
        """Read the checkpoints again that are in doubt, and do what they still ask for."""
        self._unsettled = {}
        for entity in sorted(self._doubtful):
            try:
                self._settle(entity)
            except Locked:
                raise
            except ToolkitError as error:
                self._unsettled[entity] = error
        self._doubtful = set(self._unsettled)

    def _settle(self, entity: str) -> None:
        self._cursors.pop(entity, None)
        self._states.pop(entity, None)
        checkpoint, etag = read_checkpoint(self._lake, entity)
        if checkpoint is None:
            if entity in names_in(self._manifest):
                raise lost_checkpoint(self._lake, entity)
            return
        require_ahead(self._fence, checkpoint.fence)
        if checkpoint.seq == self._status.journal.settled(entity):
            self._states[entity] = _done(Committed(checkpoint, etag))
            return
        state = self._states[entity] = Committed(checkpoint, etag)
        missing = [
            step.to for step in checkpoint.pending if isinstance(step, Copy) and self._lake.stat(step.to) is None
        ]
        self._states[entity] = settled(self._lake, self._fence, state)
        self._mended += missing

    def _sweep(self) -> None:
        """Remove staged files that no checkpoint and no progress names: nobody else writes while the lock is held."""
        if self._unsettled.keys() - self._states.keys():
            # Who cannot read a checkpoint does not know what it names.
            return
        pending = {
            step.staged
            for state in self._states.values()
            for step in state.checkpoint.pending
            if isinstance(step, Move)
        }
        progress = [found for name in sorted(self._unfinished) if (found := read_progress(self._lake, name)[0])]
        named = pending.union(*(each.kept.paths for each in progress))
        for stat in self._lake.list(f"{STATE_FOLDER}/staging"):
            if stat.path not in named:
                self._lake.delete(stat.path)

    def _read_manifest(self) -> None:
        stat = self._lake.stat(MANIFEST_PATH)
        if stat is not None:
            self._manifest, self._manifest_etag = self._lake.read(MANIFEST_PATH), stat.etag

    # the manifest

    def _publish(self) -> None:
        """Write the manifest, before it what goes with it, and then remove what it no longer names."""
        if self._shown() == self._published and not self._companions.stale:
            return
        entries = dict(self._entries())
        self._companions.write(entries, self._told_of(entries))
        data = manifest(entries)
        if data != self._manifest:
            self._fence.check()
            self._manifest_etag = self._lake.put(MANIFEST_PATH, data, self._manifest_etag)
            self._manifest_written = True
            # What is written first says what was committed before this session: readers should have found it.
            self._manifest_restored |= self._published is None and bool(entries)
            self._manifest = data
        for entity in sorted(set(self._states) - self._doubtful - self._held):
            self._tidy(entity)
        self._published = self._shown()

    def _entries(self) -> Iterator[tuple[str, str]]:
        """Yield what the manifest says of each entity: of an unsettled one, what it said before."""
        mending = any(state.checkpoint.mending for state in self._states.values())
        left = {*self._unsettled, *self._held}
        before = entries_in(self._manifest) if left or mending else {}
        for name in {*self._states, *self._unsettled}:
            if name not in left:
                state = self._states[name]
                if state.checkpoint.retired is None:
                    yield name, self._entry(name, state, before)
            elif name in before:
                yield name, before[name]

    def _told_of(self, entries: Collection[str]) -> dict[str, Checkpoint]:
        """Return the checkpoints that can be read of the entities that the manifest lists."""
        return {name: self._states[name].checkpoint for name in entries if name not in self._unsettled}

    def _entry(self, name: str, state: Committed, before: Mapping[str, str]) -> str:
        etag, text = self._listed.get(name, (ABSENT, ""))
        if etag != state.etag:
            text = shown(state.checkpoint, before, self._lake.location)
            self._listed[name] = state.etag, text
        return text

    def _shown(self) -> dict[str, Etag | None]:
        """Return what the manifest depends on: the checkpoints, and which of them are in doubt."""
        return {name: state.etag for name, state in self._states.items()} | dict.fromkeys(self._doubtful)

    def _tidy(self, entity: str) -> None:
        state = self._states[entity]
        if state.checkpoint.retired is not None:
            self._clear(entity, state.checkpoint)
        elif state.checkpoint.pending:
            tidy(self._lake, state.checkpoint)
            self._states[entity] = _done(state)

    def _clear(self, entity: str, checkpoint: Checkpoint) -> None:
        """Set the files of a retired entity aside, and its snapshots once readers have had their grace."""
        over = entity in self._hurried or is_over(checkpoint, self._ways.clock(), self._ways.settings.reader_grace)
        if not over and entity in self._lingering:
            return
        discard(self._lake, entity)
        self._unfinished.discard(entity)
        self._companions.forget(entity)
        if over:
            clear(self._lake, checkpoint)
            self._lingering.discard(entity)
            del self._states[entity]
        else:
            clear_live(self._lake, checkpoint)
            self._lingering.add(entity)

    # entities that come and go

    def _linked(self, link: Link) -> tuple[LinkedEntity, ...]:
        entities = {each.name: each for each in link.config.entities} if link.active else {}
        return tuple(entities[name] for name in sorted(entities))

    def _retire(self, link: Link) -> tuple[str, ...]:
        """Retire entities that have state and are not linked, or were taken off and linked anew since they began.

        Pending steps that cannot be done hinder nobody, nor does a checkpoint that cannot be read; a newer one does.
        """
        dropped = latest(link.dropped)
        linked = {each.name for each in self._linked(link) if not self._began_before(dropped.get(each.name), each.name)}
        newer = {name for name, error in self._unsettled.items() if isinstance(error, Newer)}
        # Nobody may come back to the lake of a link that has ended, and an entity that is linked again starts clean.
        everything = {*self._states, *self._unsettled}
        self._hurried = {each.name for each in self._linked(link)} if link.active else everything
        gone_before = {name for name, state in self._states.items() if state.checkpoint.retired is not None}
        leaving = sorted(everything - linked - newer)
        for name in leaving:
            state = self._states.get(name) or self._unreadable(name, link)
            if state.checkpoint.retired is None:
                at = free_second(self._lake, name, self._ways.clock())
                after = retired(
                    state.checkpoint, at, self._fence.number, keep=name not in dropped or dropped[name].keep
                )
                self._states[name] = commit(self._lake, self._fence, after, state.etag)
            self._unsettled.pop(name, None)
            self._doubtful.discard(name)
        aside = [name for name, state in self._states.items() if state.checkpoint.retired is not None]
        if aside:
            self._publish()
        for name in aside:
            if name in self._states:
                self._tidy(name)
        return tuple(name for name in leaving if name not in gone_before or name not in self._states)

    def _began_before(self, dropped: Dropped | None, name: str) -> bool:
        """Whether an entity has state of a time before it was taken off."""
        state = self._states.get(name)
        return dropped is not None and state is not None and state.checkpoint.generation < dropped.generation

    def _unreadable(self, name: str, link: Link) -> Committed:
        stat = self._lake.stat(checkpoint_path(name))
        return Committed(unreadable(name, link.organization), stat.etag if stat else ABSENT)

    def _begin(
        self, work: Work, linked: Iterable[LinkedEntity], definitions: Mapping[str, Entity]
    ) -> dict[str, ToolkitError]:
        """Give every entity that is new a checkpoint, so that the manifest lists it."""
        failed: dict[str, ToolkitError] = {}
        for each in linked:
            if each.name in self._states or each.name in self._doubtful or each.name not in definitions:
                continue
            try:
                self._begin_or_fail(work, each, definitions[each.name])
            except Locked:
                raise
            except ToolkitError as error:
                failed[each.name] = error
                self._doubtful.add(each.name)
        return failed

    def _begin_or_fail(self, work: Work, linked: LinkedEntity, definition: Entity) -> None:
        """Begin an entity; one that left files behind must be healed."""
        if left_behind(self._lake, linked.name):
            self._unsettled[linked.name] = lost_checkpoint(self._lake, linked.name)
            raise self._unsettled[linked.name]
        self._states[linked.name] = begin(work, linked, definition)

    def _require_organization(self, link: Link, given: str | None) -> None:
        """Refuse a source, and checkpoints, of another organization than the link's."""
        checkpoints = (state.checkpoint for state in self._states.values() if state.checkpoint.retired is None)
        require_organization(
            link, [*([given] if given else ()), *(each.organization for each in checkpoints)], self._lake
        )

    def take_over(self, organization: str) -> tuple[str, ...]:
        """Let the entities of another organization go on with this one, and return them.

        Their rows are read whole and compared by id and version, and the source wins; readers keep what they have
        until then.
        """
        taken = []
        for name, state in sorted(self._states.items()):
            old = state.checkpoint
            if name not in self._unsettled and old.retired is None and old.organization != organization:
                after = taken_from(old, organization, self._fence.number, self._ways.clock())
                self._publish()
                self._states[name] = commit(self._lake, self._fence, after, self._states[name].etag)
                taken.append(name)
        return tuple(taken)

    # passes

    def _rests(self, linked: LinkedEntity, definitions: Mapping[str, Entity]) -> bool:
        """Whether an entity that cannot be tracked was read whole so lately that it is not read again yet."""
        known = linked.name in self._states and linked.name not in self._doubtful
        return known and scans(linked.name, definitions) and self._scanned_lately(linked)

    def _scanned_lately(self, linked: LinkedEntity) -> bool:
        at, now = self._status.journal.scanned(linked.name), self._ways.clock()
        complete = self._states[linked.name].checkpoint.completed is not None
        return complete and at is not None and timedelta(0) <= now - at < scan_interval(linked)

    def _work(self, link: Link, source: Source) -> Work:
        ways, parts = self._ways, self._parts
        return work_of(self._fence, ways, link, source, lake=self._lake, indexes=self._indexes, parts=parts)

    def _passes(
        self,
        work: Work,
        linked: list[LinkedEntity],
        definitions: Mapping[str, Entity],
        failed: Mapping[str, ToolkitError],
    ) -> Iterator[tuple[str, EntityReport | None]]:
        """Do the passes, several at once, and yield their reports as they end; a stopped one has none."""
        leaving = Event()
        work = replace(work, stop=lambda: leaving.is_set() or self._ways.stop())
        pool = ThreadPoolExecutor(work.settings.workers, "entity")
        running: dict[Future[Outcome], str] = {}
        try:
            for each in linked:
                error, definition = failed.get(each.name), definitions.get(each.name)
                if error is None and definition is None:
                    yield each.name, self._gone(each.name)
                elif definition is None or (error is not None and not self._heals(each.name)):
                    yield each.name, self._failure(each.name, error or gone(each.name))
                else:
                    running[pool.submit(self._pass, work, each, definition, error)] = each.name
            yield from self._ended(running)
        finally:
            # After an exception nothing more begins, and what is at work ends at its next batch.
            leaving.set()
            pool.shutdown(cancel_futures=True)

    def _pass(self, work: Work, linked: LinkedEntity, entity: Entity, error: ToolkitError | None) -> Outcome:
        """Do a pass; ``error`` is damage to be made good before."""
        if error is not None:
            return do_healing_pass(work, linked, entity, error)
        state = self._states[entity.name]
        cursor = self._cursors.get(entity.name, state.checkpoint.cursor)
        if entity.name not in self._unfinished:
            return do_pass(work, linked, entity, state, cursor)
        outcome = do_pass(work, linked, entity, state, cursor, resume=True)
        # A pass that went on where another was stopped ends where that one would have: what came since is read now.
        after = do_pass(replace(work, compare=False), linked, entity, outcome.committed, outcome.cursor)
        return replace(after, report=outcome.report.followed_by(after.report))

    def _heals(self, name: str) -> bool:
        """Whether what is wrong with an entity's state may be made good."""
        error = self._unsettled.get(name)
        return isinstance(error, Damaged | NotFound) and not isinstance(error, Newer)

    def _ended(self, running: dict[Future[Outcome], str]) -> Iterator[tuple[str, EntityReport | None]]:
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                name = running.pop(future)
                yield name, self._outcome(name, future)
            # Readers need not wait for the slowest entity.
            self._publish()

    def _outcome(self, name: str, future: Future[Outcome]) -> EntityReport | None:
        self._unfinished.add(name)
        try:
            outcome = future.result()
        except Locked:
            raise
        except Partial:
            self._doubtful.add(name)
            return None
        except ToolkitError as error:
            self._doubtful.add(name)
            return self._failure(name, error)
        self._unfinished.discard(name)
        self._unsettled.pop(name, None)
        self._doubtful.discard(name)
        self._states[name] = outcome.committed
        self._cursors[name] = outcome.cursor
        return outcome.report

    def _gone(self, name: str) -> EntityReport:
        """Note in an entity's checkpoint, once, that the source no longer has it, and return the failure."""
        state = self._states.get(name)
        if state is None or is_dropped(state.checkpoint.schema_changes):
            return self._failure(name, gone(name))
        try:
            after = with_dropped(state.checkpoint, self._fence.number, self._ways.clock())
            self._states[name] = commit(self._lake, self._fence, after, state.etag)
        except Locked:
            raise
        except ToolkitError as error:
            self._doubtful.add(name)
            return self._failure(name, error)
        return self._failure(name, gone(name))

    def _failure(self, name: str, error: ToolkitError) -> EntityReport:
        self._ways.progress(EntityProgress(name, Phase.FAILED))
        after = error.after if isinstance(error, Retriable) else None
        return EntityReport(name, EntityState.FAILED, error=error.findings[0], retry_after=after)

    def _snapshot_of(self, name: str, retention: Retention) -> EntityReport | None:
        """Snapshot an entity and return the report; None where there is nothing to do."""
        if (error := self._unsettled.get(name)) is not None:
            return self._failure(name, error)
        state = self._states.get(name)
        if state is None or state.checkpoint.retired is not None:
            return None
        lost = self._lost(state.checkpoint)
        if not (lost or is_stale(state.checkpoint)):
            return None
        try:
            return self._snapshot(state, without(state.checkpoint, lost), retention)
        except Locked:
            raise
        except ToolkitError as failure:
            return self._failure(name, failure)

    def _lost(self, checkpoint: Checkpoint) -> set[str]:
        """Return which snapshots are named and not there."""
        there = {stat.path for stat in self._lake.list(f"{checkpoint.entity}/{SNAPSHOT_FOLDER}")}
        named = checkpoint.published.files if checkpoint.published else ()
        return {file.path for file in named} - there

    def _snapshot(self, state: Committed, before: Checkpoint, retention: Retention) -> EntityReport:
        now = self._ways.clock()
        begun = before.model_copy(update={"seq": before.seq + 1, "fence": self._fence.number, "pending": ()})
        checkpoint = with_snapshot(begun, now, retention, self._ways.settings.reader_grace)
        self._follow(state, checkpoint)
        made = [snapshot for snapshot in checkpoint.snapshots if snapshot not in before.snapshots]
        new = tuple(snapshot.path for snapshot in made if snapshot.second == checkpoint.second)
        self._ways.progress(EntityProgress(before.entity, Phase.DONE))
        return EntityReport(before.entity, EntityState.COMPLETED, snapshots=new)

    # the status file

    def _write_journal(self, reports: Collection[EntityReport], scanned: Collection[str] = ()) -> None:
        done = {name: state.checkpoint.seq for name, state in self._states.items() if not state.checkpoint.pending}
        names = {*self._states, *self._unsettled, *(report.entity for report in reports)}
        settled = {name: done.get(name) for name in names}
        journal = self._status.journal.after(reports, settled, self._ways.clock(), scanned)
        journal = journal.model_copy(update={"written": dict(sorted(self._companions.written.items()))})
        self._status.keep(journal)


def work_of(
    fence: Fence, ways: Ways, link: Link, source: Source, *, lake: Lake, indexes: Indexes, parts: ThreadPoolExecutor
) -> Work:
    """Return what the passes of a link need; ``parts`` does their tasks."""
    return Work(
        lake=lake,
        source=source,
        organization=link.organization,
        generation=link.generation,
        fence=fence,
        clock=ways.clock,
        interval=timedelta(minutes=link.config.interval_minutes),
        retention=link.config.snapshots,
        delete_log=link.config.write_delete_log,
        output=link.config.output,
        mask_key=ways.mask_key,
        settings=ways.settings,
        indexes=indexes,
        execute=partial(_executed, parts, ways.stop),
        progress=ways.progress,
        stop=ways.stop,
        compare=ways.compare,
    )


def _executed(parts: ThreadPoolExecutor, stop: Callable[[], bool], lake: Lake, tasks: list[Task]) -> list[Made]:
    def one(task: Task) -> Made:
        # Nothing is published before all tasks of a pass are done: a stop between two of them is harmless.
        if stop():
            raise stopped(task.name)
        return do(lake, task)

    return list(parts.map(one, tasks))


def require_organization(link: Link, found: Iterable[str], lake: Lake) -> None:
    """Raise Refused (ENG003) unless a source and what a lake holds are of the link's organization."""
    for organization in found:
        if organization != link.organization:
            raise other_organization(organization, link, lake)


def other_organization(found: str, link: Link, lake: Lake) -> Refused:
    """Return the error that a lake or a source has rows of another organization than the link's."""
    return Refused(
        "ENG003",
        f"the link is of the organization {link.organization}, and rows are of {found}",
        where=lake.location(STATE_FOLDER),
        why="the environment was copied, or the link was made for another one",
        fix="link the environment to another file system; or, when it shall go on with this one: "
        "toolkit sync --take-over",
    )


def definitions_of(source: Source) -> tuple[Mapping[str, Entity], str | None, Retriable | None]:
    """Return the definitions and whose rows the source has; or neither, and why it cannot give them now."""
    try:
        return source.entities(), source.organization, None
    except Retriable as error:
        return {}, None, error


def scans(name: str, definitions: Mapping[str, Entity]) -> bool:
    """Whether an entity has to be read whole to know what changed."""
    return name in definitions and not definitions[name].change_tracking


def latest(dropped: Iterable[Dropped]) -> dict[str, Dropped]:
    """Return how each entity was taken off the last time."""
    return {each.entity: each for each in sorted(dropped, key=lambda each: each.generation)}


def _done(state: Committed) -> Committed:
    """Return a state without its steps: the checkpoint in the lake still has them, and they are done."""
    return Committed(state.checkpoint.model_copy(update={"pending": ()}), state.etag)
