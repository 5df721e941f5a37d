"""Inspection: every file that a checkpoint commits is read, and compared with what was written. Reads only.

A pass looks at the etag and the size of the files that it changes, and at no others. A storage account that failed
over to a lagging copy, or a disk that lost blocks, is found by reading all of them: live files and indexes by the
digest of their entries (id, place, length and version of every record), snapshots of what is live now likewise, older
ones by their records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from toolkit.engine.checkpoint import Checkpoint, Move, Part
from toolkit.engine.index import read_index, scan
from toolkit.engine.takeover import holds
from toolkit.errors import Damaged
from toolkit.lake.protocol import Lake


class Role(StrEnum):
    """What a file is to its entity."""

    LIVE = "live file"
    INDEX = "index"
    NAMED = "snapshot that model.json names"
    KEPT = "older snapshot"


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as it was written: ``missing``, or damaged."""

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


def _whole(lake: Lake, path: str, part: Part | None, checkpoint: Checkpoint) -> bool:
    if part is not None:
        return holds(lake, path, part, checkpoint.columns)
    try:
        scan(lake, path, checkpoint.columns)
    except Damaged:
        return False
    return True
