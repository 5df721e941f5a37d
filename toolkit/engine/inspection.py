"""Inspection: every file that a checkpoint commits is read, and compared with what was written. Reads only.

A pass looks at the etag and the size of the files that it changes, and at no others. A storage account that failed
over to a lagging copy, or a disk that lost blocks, is found by reading all of them: live files and indexes by the
digest of their entries (id, place, length and version of every record), snapshots of what is live now likewise, older
ones and pinned ones by their records, metadata files by the digest of their bytes, the delete log by its lines. After
such a failover there may be files, too, that the checkpoint is too old to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from toolkit.engine.checkpoint import Checkpoint, Move, Part, Remove
from toolkit.engine.companions import damaged_files
from toolkit.engine.delete_log import whole_lines
from toolkit.engine.index import read_index, readable
from toolkit.engine.journal import read_journal
from toolkit.engine.partitions import part_of, snapshot_of
from toolkit.engine.pins import damaged_pins
from toolkit.engine.takeover import holds
from toolkit.lake.protocol import Lake


class Role(StrEnum):
    """What a file is to its entity."""

    LIVE = "live file"
    INDEX = "index"
    NAMED = "snapshot that model.json names"
    KEPT = "older snapshot"
    STRAY = "file that no checkpoint knows"
    LOG = "delete log"
    MANIFEST = "manifest"
    METADATA = "metadata file"
    PIN = "pinned file"


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it was written: ``missing``, or damaged. A stray one is there and should not be."""

    path: str
    role: Role
    missing: bool


def faults(lake: Lake, checkpoint: Checkpoint) -> Iterator[Fault]:
    """Yield what is wrong with the files of an entity. A file that waits to be published is looked at where it is."""
    # A checkpoint keeps its steps until the next commit: what was published is no longer where it was staged.
    moves = (step for step in checkpoint.pending if isinstance(step, Move))
    staged = {step.path: step.staged for step in moves if lake.stat(step.staged) is not None}
    for part in checkpoint.parts:
        yield from _live(lake, checkpoint, part, staged)
        yield from _index(lake, part, staged)
    yield from _snapshots(lake, checkpoint, set(staged))
    yield from _strays(lake, checkpoint)
    yield from _log(lake, checkpoint, set(staged))


def common_faults(lake: Lake) -> Iterator[Fault]:
    """Yield what is wrong with the files of all entities together: those that go with the manifest, and the pins."""
    for path in damaged_files(lake, read_journal(lake).written):
        yield Fault(path, Role.METADATA, missing=lake.stat(path) is None)
    for path in damaged_pins(lake):
        yield Fault(path, Role.PIN, missing=lake.stat(path) is None)


def _live(lake: Lake, checkpoint: Checkpoint, part: Part, staged: dict[str, str]) -> Iterator[Fault]:
    waiting, columns = staged.get(part.path), checkpoint.columns
    if not holds(lake, part.path, part, columns) and not (waiting and holds(lake, waiting, part, columns)):
        yield Fault(part.path, Role.LIVE, missing=lake.stat(part.path) is None)


def _index(lake: Lake, part: Part, staged: dict[str, str]) -> Iterator[Fault]:
    there = [path for path in (part.index, staged.get(part.index)) if path and lake.stat(path) is not None]
    if all(read_index(lake.read(path), part.digest) is None for path in there):
        yield Fault(part.index, Role.INDEX, missing=not there)


def _snapshots(lake: Lake, checkpoint: Checkpoint, pending: set[str]) -> Iterator[Fault]:
    current = {part.snapshot: part for part in checkpoint.parts if part.snapshot}
    named = {file.path for file in checkpoint.published.files} if checkpoint.published else set()
    for snapshot in checkpoint.snapshots:
        part = current.get(snapshot.path)
        if part is not None and part.path in pending:
            # It is made of a live file that is not published yet.
            continue
        there = lake.stat(snapshot.path) is not None
        if not there or not _whole(lake, snapshot.path, part, checkpoint):
            yield Fault(snapshot.path, Role.NAMED if snapshot.path in named else Role.KEPT, missing=not there)


def _strays(lake: Lake, checkpoint: Checkpoint) -> Iterator[Fault]:
    """Yield live files and snapshots that the checkpoint does not know: it is older than they are."""
    known = {part.path for part in checkpoint.parts} | {snapshot.path for snapshot in checkpoint.snapshots}
    leaving = {step.path for step in checkpoint.pending if isinstance(step, Remove)}
    for stat in lake.list(checkpoint.entity):
        ours = part_of(stat.path) or snapshot_of(stat.path)
        if ours and stat.path not in known | leaving:
            yield Fault(stat.path, Role.STRAY, missing=False)


def _log(lake: Lake, checkpoint: Checkpoint, staged: set[str]) -> Iterator[Fault]:
    log = checkpoint.delete_log
    if log is None or log.path in staged:
        return
    stat = lake.stat(log.path)
    if stat is None or stat.size != log.size or len(whole_lines(lake.read(log.path))) != stat.size:
        yield Fault(log.path, Role.LOG, missing=stat is None)


def _whole(lake: Lake, path: str, part: Part | None, checkpoint: Checkpoint) -> bool:
    if part is not None:
        return holds(lake, path, part, checkpoint.columns)
    return readable(lake, path, checkpoint.columns)
