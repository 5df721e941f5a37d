"""A session: one engine at work on one link with incremental folders, under its lock.

A pass reads what changed in every entity, stages it, and commits all of it as one folder. An entity that fails is
listed there without a change, and its cursor stays. Nothing is written into the folder in progress before the commit
but the choice metadata, which readers want to find there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from threading import Event

from toolkit.engine.checkpoint import Checkpoint, Move, PublishedFile
from toolkit.engine.columns import columns_of
from toolkit.engine.definitions import definitions_of, scans
from toolkit.engine.incremental.about import about, choices
from toolkit.engine.incremental.folders import file_path, model_path, next_folder, opened_at
from toolkit.engine.incremental.ledger import Ledger, model
from toolkit.engine.incremental.passes import Found, Place, do_pass
from toolkit.engine.incremental.record import Exported, Record
from toolkit.engine.indexes import Indexes
from toolkit.engine.journal import StatusFile
from toolkit.engine.organizations import require_organization
from toolkit.engine.parallel import as_ended
from toolkit.engine.report import EntityReport, SyncReport
from toolkit.engine.retirement import latest
from toolkit.engine.schema_history import is_dropped
from toolkit.engine.settings import scan_interval
from toolkit.engine.shape import effective
from toolkit.engine.succession import with_dropped
from toolkit.engine.ways import Ways, work_of
from toolkit.engine.work import Work, gone
from toolkit.errors import Locked, Partial, Refused, ToolkitError
from toolkit.lake.protocol import Fence, Lake
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.entity import Entity
from toolkit.model.link import Dropped, Link
from toolkit.model.shape import shape_of
from toolkit.source.protocol import Source

Definitions = Mapping[str, Entity]
Reports = dict[str, EntityReport | None]


@dataclass(frozen=True, slots=True)
class _Feed:
    """What a pass reads: the link, and the source with its definitions, or why it gives none now."""

    link: Link
    source: Source
    definitions: Definitions
    silent: ToolkitError | None
    scan: bool


class IncrementalSession:
    """The record of a link, and what may be done to it while the lock is held."""

    def __init__(self, lake: Lake, fence: Fence, ways: Ways, parts: ThreadPoolExecutor) -> None:
        self._lake, self._fence, self._ways, self._parts = lake, fence, ways, parts
        self._ledger = Ledger(lake, fence)
        self._cursors: dict[str, str | None] = {}
        """Cursors that moved without a change, and are ahead of the record."""
        self._waiting: set[str] = set()
        """Entities that were not asked, since the interval was not over."""
        self._status = StatusFile(lake, ways.settings.status_age)

    def recover(self) -> None:
        """Finish what another engine began."""
        self._ledger.refresh()
        self._ledger.sweep()

    def sync(self, link: Link, source: Source, entities: Collection[str] | None, *, scan: bool = False) -> SyncReport:
        """Do one pass over the link, and close a folder if anything changed; ``entities`` limits it to some of them.

        A patient session asks before the interval is over only those whose first pass was never complete. Once it is
        over and one of ``entities`` changed, all others are asked too, so that the folder holds what they have.
        """
        self._ledger.refresh()
        definitions, organization, silent = definitions_of(source)
        self._require_own(link, organization)
        retired = self._agree(link, definitions, heard=silent is None)
        feed = _Feed(link, source, definitions, silent, scan=scan)
        due = self._due(feed)
        asked = [name for name in due if entities is None or name in entities]
        self._waiting = (self._waiting | set(_linked(link) if entities is None else entities)) - set(due)
        found, reports = self._passes(feed, asked)
        if self._ways.patient and any(each.files for each in found.values()):
            others = self._passes(feed, [name for name in due if name not in asked])
            found, reports = {**found, **others[0]}, {**reports, **others[1]}
        folder = self._close_or_report(feed, found, reports)
        self._ledger.sweep()
        done = tuple(report for _, report in sorted(reports.items()) if report is not None)
        failing, recovered = self._status.journal.turns(done)
        self._write_journal(done, definitions)
        stopped = None in reports.values()
        return SyncReport(done, retired, stopped=stopped, failing=failing, recovered=recovered, folder=folder)

    def incomplete(self, link: Link) -> tuple[str, ...]:
        """Return the linked entities whose first pass is not complete."""
        return tuple(name for name in _linked(link) if not self._is_complete(name))

    def due(self, link: Link) -> set[str]:
        """Return the linked entities that waited for the end of the interval, once it is over."""
        return self._waiting & set(_linked(link)) if self._is_over(link) else set()

    def snapshot(self, link: Link, entities: Collection[str] | None) -> SyncReport:  # noqa: ARG002 - as above
        """Refuse (ENG094): a folder that is closed never changes."""
        raise Refused(
            "ENG094",
            f"{link.config.name} exports incremental folders, of which there are no snapshots",
            where=self._lake.location(""),
            why="a folder that is closed never changes",
            fix="toolkit sync closes a folder at once, if anything changed",
        )

    @property
    def fence(self) -> Fence:
        """The lock that is held."""
        return self._fence

    @property
    def record(self) -> Record | None:
        """The record of the link; None before the first commit."""
        return self._ledger.record

    def commit(self, record: Record) -> None:
        """Write the record, and do what it asks for."""
        self._ledger.commit(record)
        self._cursors.clear()

    # which entities there are

    def _require_own(self, link: Link, given: str | None) -> None:
        record = self._ledger.record
        held = [record.organization] if record else []
        require_organization(link, [*([given] if given else ()), *held], self._lake)

    def _agree(self, link: Link, definitions: Definitions, *, heard: bool) -> tuple[str, ...]:
        """Bring the record's entities in line with the link, and return those that were taken off.

        Where the source was ``heard``, an entity that it no longer has is noted as such.
        """
        record = self._ledger.record
        before = record.entities if record else {}
        linked, dropped = _linked(link), latest(link.dropped)
        off = [name for name, each in before.items() if each.linked and _left(name, each, linked, dropped)]
        now = {**before, **{name: before[name].model_copy(update={"linked": False}) for name in off}}
        new = [name for name in linked if name in definitions and (name not in now or not now[name].linked)]
        now |= {name: self._begun(link, linked[name], definitions[name], now.get(name)) for name in new}
        if heard:
            now |= {name: self._without_source(each) for name, each in now.items() if _is_lost(each, definitions)}
        if record is None and now:
            self._open(link, now, definitions)
        elif record is not None and now != before:
            self.commit(record.following(self._fence, now))
        return tuple(sorted(off))

    def _open(self, link: Link, entities: Mapping[str, Exported], definitions: Definitions) -> None:
        """Write the first record, and open the first folder."""
        folder = next_folder(None, self._ways.clock())
        first = Record(fence=self._fence.number, organization=link.organization, open=folder, entities=entities)
        tables, digest = choices(first.linked, definitions)
        moves = self._staged(first, {f"{folder}/{path}": data for path, data in tables.items()})
        self.commit(first.model_copy(update={"tables": digest, "moves": moves}))

    def _without_source(self, exported: Exported) -> Exported:
        checkpoint = with_dropped(exported.checkpoint, self._fence.number, self._ways.clock())
        return exported.model_copy(update={"checkpoint": checkpoint})

    def _begun(self, link: Link, linked: LinkedEntity, entity: Entity, before: Exported | None) -> Exported:
        """Return an entity that is linked from now on; one that was linked before keeps its keys."""
        checkpoint = Checkpoint(
            entity=entity.name,
            fence=self._fence.number,
            organization=link.organization,
            generation=link.generation,
            began=self._ways.clock(),
            columns=columns_of(effective(entity, shape_of(linked, link.config.output))),
            append_only=True,
            strategy=PartitionStrategy.YEAR,
        )
        return Exported(checkpoint=checkpoint, keys=before.keys if before else ())

    def _is_complete(self, name: str) -> bool:
        record = self._ledger.record
        exported = record.linked.get(name) if record else None
        return exported is not None and exported.checkpoint.completed is not None

    def _due(self, feed: _Feed) -> list[str]:
        """Return the linked entities that are read now; those that the source does not have too."""
        linked = _linked(feed.link)
        if not self._is_over(feed.link):
            return [name for name in linked if not self._is_complete(name)]
        return [name for name, each in linked.items() if feed.scan or not self._rests(each, feed)]

    def _is_over(self, link: Link) -> bool:
        """Whether the interval since the last folder is over; who is not patient does not care."""
        record, interval = self._ledger.record, timedelta(minutes=link.config.interval_minutes)
        if not self._ways.patient or record is None or record.closed is None:
            return True
        return not timedelta(0) <= self._ways.clock() - record.closed < interval

    def _rests(self, linked: LinkedEntity, feed: _Feed) -> bool:
        """Whether an entity that cannot be tracked was read whole so lately that it is not read again yet."""
        if not scans(linked.name, feed.definitions) or not self._is_complete(linked.name):
            return False
        at, now = self._status.journal.scanned(linked.name), self._ways.clock()
        return at is not None and timedelta(0) <= now - at < scan_interval(linked)

    # passes

    def _passes(self, feed: _Feed, names: list[str]) -> tuple[dict[str, Found], Reports]:
        """Do the passes of some entities, several at once; one that was stopped has None for its report."""
        failed = {name: feed.silent or gone(name) for name in names if feed.silent or name not in feed.definitions}
        reports: Reports = {name: self._ways.failed(name, error) for name, error in failed.items()}
        found: dict[str, Found] = {}
        record, leaving = self._ledger.record, Event()
        if record is not None:
            work = work_of(
                self._fence,
                self._ways,
                feed.link,
                feed.source,
                lake=self._lake,
                indexes=Indexes(self._lake),
                parts=self._parts,
            )
            work = replace(work, stop=lambda: leaving.is_set() or self._ways.stop())
            place = Place(record.open, record.seq + 1, None if record.trimmed else record.folders)
            known = {name: record.entities[name] for name in names if name not in failed}
            linked = _linked(feed.link)
            jobs = {
                name: self._job(work, linked[name], feed.definitions[name], each, place) for name, each in known.items()
            }
            for name, future in as_ended(jobs, work.settings.workers, leaving.set):
                reports[name] = self._ended(name, future, found)
        return found, reports

    def _job(
        self, work: Work, linked: LinkedEntity, entity: Entity, exported: Exported, place: Place
    ) -> Callable[[], Found]:
        cursor = self._cursors.get(entity.name, exported.checkpoint.cursor)
        return partial(do_pass, work, linked, entity, exported, place, cursor=cursor)

    def _ended(self, name: str, future: Future[Found], found: dict[str, Found]) -> EntityReport | None:
        """Take the result of a pass, and return its report."""
        try:
            found[name] = future.result()
        except Locked:
            raise
        except Partial:
            return None
        except ToolkitError as error:
            return self._ways.failed(name, error)
        return found[name].report

    # the folder

    def _close_or_report(self, feed: _Feed, found: Mapping[str, Found], reports: Reports) -> str | None:
        try:
            return self._close(feed, found)
        except Locked:
            raise
        except ToolkitError as error:
            # Whether the folder counts is read from the record before the next pass.
            self._cursors.clear()
            reports.update({name: self._ways.failed(name, error) for name in found})
            return None

    def _close(self, feed: _Feed, found: Mapping[str, Found]) -> str | None:
        """Commit what was found: as a folder if there is anything in it, else only what the record should know."""
        record = self._ledger.record
        if record is None:
            return None
        now = {**record.entities, **{name: each.exported for name, each in found.items()}}
        if any(each.files for each in found.values()):
            self.commit(self._with_folder(record, feed, now, found))
            return record.open
        # What was told is committed, so that it is told once.
        news = (
            each.report.notices or self._is_news(record.entities[name], each.exported) for name, each in found.items()
        )
        if any(news):
            removes = tuple(path for each in found.values() for path in each.removes)
            self.commit(record.following(self._fence, now, removes))
        else:
            self._cursors |= {name: each.exported.checkpoint.cursor for name, each in found.items()}
        return None

    def _is_news(self, before: Exported, after: Exported) -> bool:
        """Whether the record should know of more than a cursor that moved a while ago."""
        old, new = before.checkpoint, after.checkpoint
        if old.cursor_at is None or self._ways.clock() - old.cursor_at >= self._ways.settings.cursor_age:
            return True
        moved = {"cursor": new.cursor, "cursor_at": new.cursor_at, "fence": new.fence}
        return after != before.model_copy(update={"checkpoint": old.model_copy(update=moved)})

    def _with_folder(
        self, record: Record, feed: _Feed, entities: Mapping[str, Exported], found: Mapping[str, Found]
    ) -> Record:
        """Return the record after a commit that closes the folder in progress and opens the next one."""
        now, folder = self._ways.clock(), record.open
        following = next_folder(folder, now)
        leaving = _expired((*record.folders, folder), following, feed.link.config.snapshots.keep_days)
        after = record.following(self._fence, entities)
        tables, digest = choices(after.linked, feed.definitions)
        about = self._about(after, feed, found)
        refreshed = {f"{folder}/{path}": data for path, data in tables.items()} if digest != record.tables else {}
        opened = {f"{following}/{path}": data for path, data in tables.items()}
        rows = tuple(move for each in found.values() for move in each.moves)
        return after.model_copy(
            update={
                "open": following,
                "folders": (*(each for each in record.folders if each not in leaving), folder),
                "closed": now,
                "tables": digest,
                "moves": (*rows, *self._staged(after, {**refreshed, **about, **opened})),
                "removes": tuple(path for each in found.values() for path in each.removes),
                "leaving": leaving,
                "trimmed": record.trimmed or bool(leaving),
            }
        )

    def _about(self, after: Record, feed: _Feed, found: Mapping[str, Found]) -> dict[str, bytes]:
        """Return what a folder says of itself; its model.json comes last."""
        folder = after.open
        files = {name: _published(folder, name, each) for name, each in found.items() if each.files}
        own = {
            f"{folder}/{path}": data
            for name, published in files.items()
            for path, data in about(after.entities[name], feed.definitions, published, self._lake)
        }
        return {**own, model_path(folder): model(after.linked, files, self._lake)}

    def _staged(self, after: Record, files: Mapping[str, bytes]) -> tuple[Move, ...]:
        """Stage small files, and return the moves to their paths, in their order."""
        run = f"{after.open}-{after.fence}-{after.seq}"
        return tuple(self._stage(run, path, data) for path, data in files.items())

    def _stage(self, run: str, path: str, data: bytes) -> Move:
        with closing(self._lake.stage(run, path)) as writer:
            writer.write(data)
            return Move.of(writer.seal(), path)

    # the status file

    def _write_journal(self, reports: Collection[EntityReport], definitions: Definitions) -> None:
        record = self._ledger.record
        names = {*(record.linked if record else ()), *(report.entity for report in reports)}
        scanned = {report.entity for report in reports if scans(report.entity, definitions)}
        self._status.keep(self._status.journal.after(reports, dict.fromkeys(names), self._ways.clock(), scanned))


def _linked(link: Link) -> dict[str, LinkedEntity]:
    """Return the linked entities, in name order; none of an ended link."""
    entities = {each.name: each for each in link.config.entities} if link.active else {}
    return dict(sorted(entities.items()))


def _is_lost(each: Exported, definitions: Definitions) -> bool:
    """Whether the source no longer has an entity, and that was not noted yet."""
    checkpoint = each.checkpoint
    return each.linked and checkpoint.entity not in definitions and not is_dropped(checkpoint.schema_changes)


def _left(name: str, each: Exported, linked: Collection[str], dropped: Mapping[str, Dropped]) -> bool:
    """Whether an entity is no longer linked, or was taken off since it began."""
    off = dropped.get(name)
    return name not in linked or (off is not None and each.checkpoint.generation < off.generation)


def _published(folder: str, entity: str, found: Found) -> list[PublishedFile]:
    return [
        PublishedFile(
            partition=file.partition,
            number=file.number,
            path=file_path(folder, entity, file.partition, file.number),
        )
        for file in found.files
    ]


def _expired(closed: tuple[str, ...], following: str, days: int | None) -> tuple[str, ...]:
    """Return the folders that were closed more than so many days ago; never the newest one."""
    if days is None:
        return ()
    until = opened_at(following) - timedelta(days=days)
    # A folder was closed when the next one was opened.
    return tuple(folder for folder, behind in pairwise(closed) if opened_at(behind) < until)
