"""A session: one engine at work on one link, under its lock. It alone commits, and writes the manifest.

Opening a session finishes what a dead engine began: pending steps are done, staged files that no checkpoint names are
removed, the manifest is written. Then come passes, any number of them: ``sync`` is the story of one over all entities.
What is known of each entity is in ``states``, what readers are told in ``listing``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

from toolkit.engine.checkpoint import Checkpoint, files_due
from toolkit.engine.companions import Companions
from toolkit.engine.definitions import definitions_of, scans
from toolkit.engine.healing import taken_from
from toolkit.engine.indexes import Indexes
from toolkit.engine.journal import StatusFile
from toolkit.engine.listing import Listing
from toolkit.engine.manifest import ManifestFile
from toolkit.engine.organizations import require_organization
from toolkit.engine.passes import Outcome, do_healing_pass, do_pass
from toolkit.engine.rebuilding import left_behind, lost_checkpoint
from toolkit.engine.report import EntityReport, SyncReport
from toolkit.engine.retirement import Retirement
from toolkit.engine.schema_history import is_dropped
from toolkit.engine.settings import scan_interval
from toolkit.engine.snapshot import is_due
from toolkit.engine.snapshots import Snapshots
from toolkit.engine.states import States
from toolkit.engine.succession import begin, with_dropped
from toolkit.engine.ways import Ways, work_of
from toolkit.engine.work import Work, gone
from toolkit.errors import Locked, Partial, ToolkitError
from toolkit.lake.protocol import Fence, Lake
from toolkit.model.config import LinkedEntity, Output
from toolkit.model.entity import Entity
from toolkit.model.link import Link
from toolkit.source.protocol import Source


class Session:
    """The checkpoints of a link's entities, and what may be done to them while the lock is held."""

    def __init__(self, lake: Lake, fence: Fence, ways: Ways, parts: ThreadPoolExecutor) -> None:
        self._lake, self._fence, self._ways, self._parts = lake, fence, ways, parts
        self._indexes = Indexes(lake)
        self._status = StatusFile(lake, ways.settings.status_age)
        self._manifest = ManifestFile(lake, fence)
        self._states = States(lake, fence, self._status, self._manifest)
        self._companions = Companions(lake, fence, self._status.journal.written)
        self._retirement = Retirement(lake, fence, ways, self._states, self._companions)
        self._listing = Listing(lake, self._states, self._manifest, self._companions, self._retirement)
        self._snapshots = Snapshots(lake, fence, ways, self._states)

    # what the engine does with it

    def recover(self) -> None:
        """Finish what another engine began."""
        self._manifest.read()
        self._states.recover()

    def sync(self, link: Link, source: Source, entities: Collection[str] | None, *, scan: bool = False) -> SyncReport:
        """Do one pass over the link; ``entities`` limits it to some of the linked ones.

        Entities that cannot be tracked are read when their time has come; with ``scan`` at once.
        """
        definitions, organization, silent = definitions_of(source)
        self._require_organization(link, organization)
        self._states.settle_doubts()
        self._listing.publish()
        gone_now = self._retire(link)
        work = self._work(link, source)
        linked = self._linked(link)
        if not silent:
            self._companions.learn(definitions, [each.name for each in linked])
        mute = {each.name: silent for each in linked} if silent else {}
        failed = {**mute, **self._states.unsettled, **self._begin(work, linked, definitions)}
        self._listing.publish()
        asked = [each for each in linked if entities is None or each.name in entities]
        resting = [] if scan else [each.name for each in asked if self._rests(each, link.config.output, definitions)]
        ended = dict(self._passes(work, [each for each in asked if each.name not in resting], definitions, failed))
        reports = [report for each in asked if (report := ended.get(each.name)) is not None]
        due = [name for name in resting if is_due(self._states.committed[name].checkpoint, work.clock(), work.interval)]
        snapshots = self._snapshots.take(due, link.config.snapshots)
        self._listing.publish()
        failing, recovered = self._status.journal.turns(reports)
        self._write_journal(reports, {report.entity for report in reports if scans(report.entity, definitions)})
        return SyncReport(
            (*reports, *snapshots),
            gone_now,
            lingering=tuple(self._states.retired),
            stopped=None in ended.values(),
            failing=failing,
            recovered=recovered,
            **self._news(),
        )

    def _news(self) -> dict[str, Any]:
        """Return what a report tells besides entities, and forget it."""
        mended, self._states.mended = tuple(self._states.mended), []
        return {**self._listing.news(), "mended": mended}

    def incomplete(self, link: Link) -> tuple[str, ...]:
        """Return the linked entities whose first sync is not complete."""
        complete = {name for name, each in self._states.checkpoints.items() if each.completed is not None}
        return tuple(each.name for each in self._linked(link) if each.name not in complete)

    def due(self, link: Link) -> set[str]:
        """Return the linked entities whose snapshot is due, or whose time has come to be read whole."""
        interval, now = timedelta(minutes=link.config.interval_minutes), self._ways.clock()
        checkpoints = self._states.checkpoints
        known = [each for each in self._linked(link) if each.name in checkpoints]
        return {each.name for each in known if is_due(checkpoints[each.name], now, interval) or self._must_scan(each)}

    def snapshot(self, link: Link, entities: Collection[str] | None) -> SyncReport:
        """Snapshot what changed since the last snapshot, and what lost the one that the manifest names."""
        # The next commit has steps of its own: those of the last one must be done before.
        self._listing.publish()
        names = sorted(self._states.known if entities is None else entities)
        reports = self._snapshots.take(names, link.config.snapshots)
        self._listing.publish()
        self._write_journal(())
        return SyncReport(reports, **self._news())

    @property
    def fence(self) -> Fence:
        """The lock that is held."""
        return self._fence

    def checkpoint(self, entity: str) -> Checkpoint | None:
        """Return the checkpoint of an entity, followed up to its last step; None where it has none, or leaves.

        Raises why it cannot be read, or why its steps cannot be done.
        """
        self._listing.publish()
        if (error := self._states.unsettled.get(entity)) is not None:
            raise error
        state = self._states.committed.get(entity)
        return state.checkpoint if state and state.checkpoint.retired is None else None

    def change(self, after: Checkpoint) -> None:
        """Commit a checkpoint in the place of the one that ``checkpoint`` gave, and follow it up to its last step."""
        self._states.follow(after)
        self._listing.publish()
        self._write_journal(())

    # what a repair does with it

    def trouble(self, entity: str) -> ToolkitError | None:
        """Return why the checkpoint of an entity cannot be read, or its last steps not be done."""
        return self._states.unsettled.get(entity)

    def require_own(self, link: Link, source: Source) -> None:
        """Refuse a source, and checkpoints, of another organization than the link's."""
        _, organization, _ = definitions_of(source)
        self._require_organization(link, organization)

    def hold(self, entities: Collection[str]) -> None:
        """Let the manifest say what it says of some entities, and let their files be, until ``publish``."""
        self._listing.hold(entities)

    def heal(self, link: Link, source: Source, damaged: Mapping[str, ToolkitError | None]) -> tuple[EntityReport, ...]:
        """Do a pass over some entities, those with an error once it is made good."""
        definitions, _, silent = definitions_of(source)
        errors = {name: error for name, error in damaged.items() if error is not None}
        self._states.unsettled |= errors
        self._states.doubtful |= errors.keys()
        linked = [each for each in self._linked(link) if each.name in damaged]
        failed = dict.fromkeys(damaged, silent) if silent else errors
        ended = dict(self._passes(self._work(link, source), linked, definitions, failed))
        reports = tuple(report for report in ended.values() if report is not None)
        self._write_journal(reports, {report.entity for report in reports if scans(report.entity, definitions)})
        return reports

    def state(self, entity: str) -> Checkpoint | None:
        """Return the checkpoint of an entity, as it is."""
        return self._states.settled(entity)

    def follow(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint, and put its files in their places. The manifest is not written yet."""
        self._states.follow(checkpoint)

    def publish(self, link: Link, source: Source) -> SyncReport:
        """Write the manifest, and what goes with it, where they are not what they should be."""
        self._listing.release()
        definitions, _, silent = definitions_of(source)
        if not silent:
            self._companions.learn(definitions, [each.name for each in self._linked(link)])
        self._listing.publish()
        self._write_journal(())
        return SyncReport((), **self._news())

    def redact(self, words: str) -> None:
        """Take words out of the status file."""
        self._status.redact(words)

    # entities that come and go

    def _linked(self, link: Link) -> tuple[LinkedEntity, ...]:
        entities = {each.name: each for each in link.config.entities} if link.active else {}
        return tuple(entities[name] for name in sorted(entities))

    def _retire(self, link: Link) -> tuple[str, ...]:
        """Retire what the link no longer has, and return what leaves now or is gone from now on."""
        before = self._states.retired
        leaving = self._retirement.begin(link)
        if aside := self._states.retired:
            self._listing.publish()
        for name in aside:
            if name in self._states.committed:
                self._retirement.clear(name)
        return tuple(name for name in leaving if name not in before or name not in self._states.committed)

    def _begin(
        self, work: Work, linked: Iterable[LinkedEntity], definitions: Mapping[str, Entity]
    ) -> dict[str, ToolkitError]:
        """Give every entity that is new a checkpoint, so that the manifest lists it."""
        failed: dict[str, ToolkitError] = {}
        known = self._states.committed.keys() | self._states.doubtful
        for each in linked:
            if each.name in known or each.name not in definitions:
                continue
            try:
                self._begin_or_fail(work, each, definitions[each.name])
            except Locked:
                raise
            except ToolkitError as error:
                failed[each.name] = error
                self._states.doubtful.add(each.name)
        return failed

    def _begin_or_fail(self, work: Work, linked: LinkedEntity, definition: Entity) -> None:
        """Begin an entity; one that left files behind must be healed."""
        if left_behind(self._lake, linked.name):
            self._states.unsettled[linked.name] = lost_checkpoint(self._lake, linked.name)
            raise self._states.unsettled[linked.name]
        self._states.committed[linked.name] = begin(work, linked, definition)

    def _require_organization(self, link: Link, given: str | None) -> None:
        """Refuse a source, and checkpoints, of another organization than the link's."""
        checkpoints = self._states.checkpoints.values()
        held = [each.organization for each in checkpoints if each.retired is None]
        require_organization(link, [*([given] if given else ()), *held], self._lake)

    def take_over(self, organization: str) -> tuple[str, ...]:
        """Let the entities of another organization go on with this one, and return them.

        Their rows are read whole and compared by id and version, and the source wins; readers keep what they have
        until then.
        """
        taken = []
        for name, state in sorted(self._states.committed.items()):
            old = state.checkpoint
            if name not in self._states.unsettled and old.retired is None and old.organization != organization:
                after = taken_from(old, organization, self._fence.number, self._ways.clock())
                self._listing.publish()
                self._states.commit(after, self._states.committed[name].etag)
                taken.append(name)
        return tuple(taken)

    # passes

    def _rests(self, linked: LinkedEntity, output: Output, definitions: Mapping[str, Entity]) -> bool:
        """Whether an entity that cannot be tracked was read whole so lately that it is not read again yet."""
        state = self._states.committed.get(linked.name)
        if state is None or linked.name in self._states.doubtful or not scans(linked.name, definitions):
            return False
        return self._scanned_lately(linked) and not files_due(state.checkpoint, linked, output)

    def _must_scan(self, linked: LinkedEntity) -> bool:
        """Whether the time has come for an entity that was read whole to be read so again."""
        return self._status.journal.scanned(linked.name) is not None and not self._scanned_lately(linked)

    def _scanned_lately(self, linked: LinkedEntity) -> bool:
        at, now = self._status.journal.scanned(linked.name), self._ways.clock()
        complete = self._states.committed[linked.name].checkpoint.completed is not None
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
                elif definition is None or (error is not None and not self._states.heals(each.name)):
                    yield each.name, self._ways.failed(each.name, error or gone(each.name))
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
        state = self._states.committed[entity.name]
        cursor = self._states.cursors.get(entity.name, state.checkpoint.cursor)
        if entity.name not in self._states.unfinished:
            return do_pass(work, linked, entity, state, cursor)
        outcome = do_pass(work, linked, entity, state, cursor, resume=True)
        # A pass that went on where another was stopped ends where that one would have: what came since is read now.
        after = do_pass(replace(work, compare=False), linked, entity, outcome.committed, outcome.cursor)
        return replace(after, report=outcome.report.followed_by(after.report))

    def _ended(self, running: dict[Future[Outcome], str]) -> Iterator[tuple[str, EntityReport | None]]:
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                name = running.pop(future)
                yield name, self._outcome(name, future)
            # Readers need not wait for the slowest entity.
            self._listing.publish()

    def _outcome(self, name: str, future: Future[Outcome]) -> EntityReport | None:
        self._states.unfinished.add(name)
        try:
            outcome = future.result()
        except Locked:
            raise
        except Partial:
            self._states.doubtful.add(name)
            return None
        except ToolkitError as error:
            self._states.doubtful.add(name)
            return self._ways.failed(name, error)
        self._states.take(name, outcome)
        return outcome.report

    def _gone(self, name: str) -> EntityReport:
        """Note in an entity's checkpoint, once, that the source no longer has it, and return the failure."""
        state = self._states.committed.get(name)
        if state is None or is_dropped(state.checkpoint.schema_changes):
            return self._ways.failed(name, gone(name))
        try:
            after = with_dropped(state.checkpoint, self._fence.number, self._ways.clock())
            self._states.commit(after, state.etag)
        except Locked:
            raise
        except ToolkitError as error:
            self._states.doubtful.add(name)
            return self._ways.failed(name, error)
        return self._ways.failed(name, gone(name))

    # the status file

    def _write_journal(self, reports: Collection[EntityReport], scanned: Collection[str] = ()) -> None:
        done = {name: each.seq for name, each in self._states.checkpoints.items() if not each.pending}
        names = {*self._states.known, *(report.entity for report in reports)}
        settled = {name: done.get(name) for name in names}
        journal = self._status.journal.after(reports, settled, self._ways.clock(), scanned)
        journal = journal.model_copy(update={"written": dict(sorted(self._companions.written.items()))})
        self._status.keep(journal)
