"""Repair: every file of a lake is read, and what is not as it was written is made good before anything else is written.

    indexes                      anew, by a scan of their live file
    snapshots that are named     a new one of the live file, the manifest, then the damaged one goes
    older snapshots              are taken off the list, and removed
    files that the checkpoint    snapshots join the list, for readers who follow a newer manifest; live files in place
    is too old to know           go, since the source gives their rows; history is kept (``mending``)
    live files, the checkpoint   a pass that heals (``healing``), while the manifest stays as it is
    the delete log               as far as its lines can be read
    pins                         of a file of the same content
    metadata, the manifest       anew

Each step is a commit, or writes a file of which nothing depends on an older one; so a second repair ends one that
died, and readers keep what they have until the new is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

from toolkit.engine.checkpoint import Checkpoint, DeleteLog, Move, Remove, Snapshot, read_checkpoint
from toolkit.engine.delete_log import salvaged
from toolkit.engine.incremental.inspection import FolderFault, content_faults, folder_faults, key_faults
from toolkit.engine.index import index_bytes, readable, scan
from toolkit.engine.inspection import Fault, Role, common_faults, faults
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.opening import opened
from toolkit.engine.partitions import part_of, snapshot_of
from toolkit.engine.pins import pins_locked, repair_pins
from toolkit.engine.rebuilding import left_behind, lost_checkpoint
from toolkit.engine.report import EntityProgress, EntityReport
from toolkit.engine.session import Session
from toolkit.engine.settings import DEFAULTS, Settings
from toolkit.engine.snapshot import with_snapshot, without
from toolkit.engine.status import status
from toolkit.engine.sync import ignore, never
from toolkit.engine.ways import Ways
from toolkit.errors import Damaged, Finding, Locked, Severity, ToolkitError
from toolkit.lake.protocol import ABSENT, Etag, Holder, Lake
from toolkit.model.config import Layout
from toolkit.site import Linked
from toolkit.source.protocol import Source


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is wrong with a lake. Nothing is a lake as it was written."""

    entities: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    common: tuple[Fault, ...] = ()
    """Faults of what belongs to no entity."""
    folders: tuple[FolderFault, ...] = ()
    """Faults of incremental folders."""
    errors: tuple[Finding, ...] = ()
    """Why state cannot be read."""
    unreadable: tuple[str, ...] = ()
    """The entities whose checkpoint that is."""
    incomplete: tuple[str, ...] = ()
    """Entities of which rows are still to be read anew, since a repair or a pass was stopped."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.entities or self.common or self.folders or self.errors or self.incomplete)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was wrong, what the passes did that healed it, and what is still wrong."""

    found: Inspection
    reports: tuple[EntityReport, ...] = ()
    lost: tuple[Fault, ...] = ()
    """Delete logs of which lines are gone for good."""
    left: Inspection = field(default_factory=Inspection)

    @property
    def notices(self) -> tuple[Finding, ...]:
        """What the passes tell: how damage was made good, and which history is lost."""
        return tuple(notice for report in self.reports for notice in report.notices)

    @property
    def whole(self) -> bool:
        """Whether all was made good."""
        failed = any(report.error is not None for report in self.reports)
        history = any(each.code == "ENG008" and each.severity is Severity.WARNING for each in self.notices)
        return self.left.clean and not (self.lost or failed or history)


def inspect(linked: Linked, entities: Collection[str] | None = None) -> Inspection:
    """Read every file of a lake, or of some entities, and return what is wrong. Takes no lock, writes nothing."""
    lake, config = linked.lake, linked.link.config
    if config.output.layout is Layout.INCREMENTAL:
        errors = [finding for error in key_faults(lake) for finding in error.findings]
        return Inspection(folders=(*folder_faults(lake), *content_faults(lake)), errors=tuple(errors))
    found = _inspected(lake, sorted(entities or (each.name for each in config.entities)))
    common = () if entities else tuple(common_faults(lake))
    stale = () if status(linked).manifest_current else (_manifest_fault(lake),)
    return replace(found, common=(*common, *stale))


def repair(
    linked: Linked,
    source: Source,
    *,
    clock: Callable[[], datetime],
    holder: Holder,
    entities: Collection[str] | None = None,
    progress: Callable[[EntityProgress], None] = ignore,
    settings: Settings = DEFAULTS,
) -> Repaired:
    """Find what of a lake is not as it was written, and make it good; ``entities`` limits it to some of them.

    Nothing is written where nothing is wrong. Raises Locked when another holder is at work.
    """
    ways = Ways(clock, settings, progress, never, mask_key=linked.mask_key)
    live = linked.link.config.output.layout is Layout.LIVE
    # What readers of incremental folders look at first is written anew as soon as a session opens.
    found = Inspection() if live else inspect(linked)
    with opened(linked, holder, ways) as session:
        if not isinstance(session, Session):
            return Repaired(found, left=inspect(linked))
        found = inspect(linked, entities)
        if found.clean:
            return Repaired(found)
        return _Repair(session, linked, source, holder, clock, settings).do(found)


def _inspected(lake: Lake, names: Iterable[str]) -> Inspection:
    entities: dict[str, tuple[Fault, ...]] = {}
    errors: dict[str, Sequence[Finding]] = {}
    incomplete: list[str] = []
    for name in names:
        try:
            checkpoint, _ = read_checkpoint(lake, name)
        except Damaged as error:
            errors[name] = error.findings
            continue
        if checkpoint is None and left_behind(lake, name):
            errors[name] = lost_checkpoint(lake, name).findings
        if checkpoint is None or checkpoint.retired is not None:
            continue
        if found := tuple(faults(lake, checkpoint)):
            entities[name] = found
        if checkpoint.mending:
            incomplete.append(name)
    findings = tuple(finding for each in errors.values() for finding in each)
    return Inspection(entities, errors=findings, unreadable=tuple(errors), incomplete=tuple(incomplete))


def _manifest_fault(lake: Lake) -> Fault:
    return Fault(MANIFEST_PATH, Role.MANIFEST, missing=lake.stat(MANIFEST_PATH) is None)


@dataclass(frozen=True, slots=True)
class _Repair:
    """One repair of live files, under the lock of the writer. ``do`` is its story."""

    session: Session
    linked: Linked
    source: Source
    holder: Holder
    clock: Callable[[], datetime]
    settings: Settings

    def do(self, found: Inspection) -> Repaired:
        self.session.require_own(self.linked.link, self.source)
        link, names = self.linked.link, {*found.entities, *found.incomplete, *found.unreadable}
        errors = {name: self._error(name, found.entities.get(name, ())) for name in sorted(names)}
        healing = {name: error for name, error in errors.items() if error is not None or name in found.incomplete}
        self.session.hold(names)
        failed = self._mend_files({name: found.entities[name] for name in found.entities if name not in healing})
        self.session.hold(healing)
        reports = self.session.heal(link, self.source, healing)
        # What a pass has made good is looked at again: it made snapshots, or read anew what was the only fault.
        failed += self._mend_files(_inspected(self.linked.lake, healing).entities)
        self._mend_pins(found.common)
        self.session.publish(link, self.source)
        return self._repaired(found, names, reports, failed)

    def _repaired(
        self, found: Inspection, names: Collection[str], reports: tuple[EntityReport, ...], failed: Sequence[Finding]
    ) -> Repaired:
        left = _inspected(self.linked.lake, sorted(names))
        common = tuple(common_faults(self.linked.lake)) if found.common else ()
        logs = tuple(fault for each in found.entities.values() for fault in each if fault.role is Role.LOG)
        return Repaired(found, reports, logs, replace(left, common=common, errors=(*left.errors, *failed)))

    def _error(self, name: str, found: Iterable[Fault]) -> ToolkitError | None:
        """Return what a pass has to heal; None where it has nothing to heal."""
        checkpoint = self.session.state(name)
        if checkpoint is None:
            return self.session.trouble(name) or lost_checkpoint(self.linked.lake, name)
        history = checkpoint.append_only
        for fault in found:
            if fault.role is Role.LIVE or (fault.role is Role.STRAY and history and part_of(fault.path)):
                return _unlike(fault)
        return None

    # files

    def _mend_files(self, found: Mapping[str, Sequence[Fault]]) -> list[Finding]:
        """Make good what needs no rows of the source, and return why that failed."""
        failed: list[Finding] = []
        for name, wrong in found.items():
            try:
                self._mend(name, wrong)
            except Locked:
                raise
            except ToolkitError as error:
                failed += error.findings
        return failed

    def _mend(self, name: str, wrong: Sequence[Fault]) -> None:
        checkpoint = self.session.state(name)
        if checkpoint is None or checkpoint.mending or any(fault.role is Role.LIVE for fault in wrong):
            # Its pass failed.
            return
        self._make_indexes(checkpoint, {fault.path for fault in wrong if fault.role is Role.INDEX})
        others = [fault for fault in wrong if fault.role is not Role.INDEX]
        if others:
            self.session.follow(self._without(checkpoint, others))

    def _make_indexes(self, checkpoint: Checkpoint, paths: Collection[str]) -> None:
        for part in checkpoint.parts:
            if part.index in paths:
                entries = scan(self.linked.lake, part.path, checkpoint.columns)
                data, _ = index_bytes(entries, Etag(part.etag), part.size)
                self._put(part.index, data)

    def _put(self, path: str, data: bytes) -> None:
        lake = self.linked.lake
        with closing(lake.stage(f"{self._run}-index", path.replace("/", "."))) as writer:
            writer.write(data)
            staged = writer.seal()
        stat = lake.stat(path)
        self.session.fence.check()
        lake.publish(staged, path, stat.etag if stat else ABSENT)

    @property
    def _run(self) -> str:
        return f"{self.clock():%Y%m%dT%H%M%SZ}-{self.session.fence.number}-repair"

    def _without(self, checkpoint: Checkpoint, wrong: Sequence[Fault]) -> Checkpoint:
        """Return the checkpoint without what is damaged, with a new snapshot where the manifest names one of those."""
        lost = {fault.path for fault in wrong if fault.role in {Role.NAMED, Role.KEPT}}
        strays = [fault.path for fault in wrong if fault.role is Role.STRAY]
        joining = [each for path in strays if (each := self._joining(path, checkpoint)) is not None]
        leaving = sorted(lost | {*strays} - {each.path for each in joining})
        log, moves = self._log(checkpoint, wrong)
        left = without(checkpoint, lost)
        after = left.model_copy(
            update={
                "fence": self.session.fence.number,
                "seq": checkpoint.seq + 1,
                "snapshots": tuple(sorted((*left.snapshots, *joining), key=lambda each: each.second)),
                # A new snapshot must not have the name of one that is there.
                "second": max((checkpoint.second, *(each.second for each in joining))),
                "delete_log": log,
                "pending": (
                    *moves,
                    *(step for step in checkpoint.pending if isinstance(step, Remove)),
                    *(Remove(path=path) for path in leaving),
                ),
            }
        )
        if not any(fault.role is Role.NAMED for fault in wrong):
            return after
        return with_snapshot(after, self.clock(), self.linked.link.config.snapshots, self.settings.reader_grace)

    def _log(self, checkpoint: Checkpoint, wrong: Sequence[Fault]) -> tuple[DeleteLog | None, tuple[Move, ...]]:
        log = checkpoint.delete_log
        if log is None or not any(fault.role is Role.LOG for fault in wrong):
            return log, ()
        return salvaged(self.linked.lake, f"{self._run}-{checkpoint.entity}", log)

    def _joining(self, path: str, checkpoint: Checkpoint) -> Snapshot | None:
        """Return a snapshot that the checkpoint is too old to know, if readers can read it."""
        place = snapshot_of(path)
        if place is None or not readable(self.linked.lake, path, checkpoint.columns):
            return None
        partition, number, second = place
        return Snapshot(path=path, partition=partition, number=number, second=second, superseded=self.clock())

    def _mend_pins(self, common: Sequence[Fault]) -> None:
        if any(fault.role is Role.PIN for fault in common):
            with pins_locked(self.linked.lake, self.holder) as fence:
                repair_pins(self.linked.lake, fence)


def _unlike(fault: Fault) -> Damaged:
    what = "is not known to its checkpoint" if fault.role is Role.STRAY else "is not what was written to it"
    return Damaged(
        "ENG111",
        f"{fault.path} {what}",
        where=fault.path,
        why="another program changed it, or the lake is an older copy in part",
        fix="run toolkit repair again; restore the file from a backup when that does not help",
    )
