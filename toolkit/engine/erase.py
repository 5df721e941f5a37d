"""Erasing a row: all its versions leave every file of the lake, and a search of the lake proves it.

    live files, their indexes, the delete log     a commit as of any pass, with a new snapshot of what changed
    model.json                                    then names the new snapshots
    pins                                          clean files beside, the pin's manifest, then the old files go
    all other files of the entity                 older snapshots, kept data, what nothing names: each is replaced
    the search                                    every file of the lake is read, whatever it is

A file that a manifest names is never changed while it is named. Each step does what a search found, so a second erasure
ends one that was cut off. What the source still has is not kept out: the lake holds what the source does, and a list
of ids that must not come back would be one more place in which they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np

from toolkit.engine.checkpoint import Checkpoint, Move, Part, Remove, Step, index_path
from toolkit.engine.entries import Entries
from toolkit.engine.incremental.erase import FolderErasure
from toolkit.engine.incremental.session import IncrementalSession
from toolkit.engine.index import index_bytes
from toolkit.engine.journal import redact
from toolkit.engine.opening import AnySession, opened
from toolkit.engine.partitions import part_name
from toolkit.engine.pins import manifest_of, names_of_pins, pin_folder, pins_locked, replace_files
from toolkit.engine.progress import discard
from toolkit.engine.search import STAGING_FOLDER, Found, Searched, search
from toolkit.engine.session import Session
from toolkit.engine.settings import DEFAULTS, Settings
from toolkit.engine.snapshot import with_snapshot
from toolkit.engine.splice import damaged, entries_of_part
from toolkit.engine.strip import Strip
from toolkit.engine.sync import ignore, never
from toolkit.engine.takeover import require_untouched
from toolkit.engine.ways import Ways
from toolkit.errors import Damaged, Refused, SourceError
from toolkit.lake.protocol import STATE_FOLDER, Fence, Holder, Lake
from toolkit.model.config import Retention
from toolkit.site import Linked
from toolkit.source.protocol import Source


@dataclass(frozen=True, slots=True)
class Erased:
    """What was found before, and what a search found afterwards.

    ``in_source`` says whether the source still has the row, which then comes back with its next change; None when the
    source could not tell.
    """

    entity: str
    row_id: str
    before: Searched
    after: Searched
    in_source: bool | None


def erase(
    linked: Linked,
    source: Source,
    entity: str,
    row_id: str,
    *,
    clock: Callable[[], datetime],
    holder: Holder,
    settings: Settings = DEFAULTS,
) -> Erased:
    """Remove a row from every file of a lake; ``row_id`` is a GUID in lower case.

    Raises Locked when another holder is at work, Damaged when a file of the entity is not what was written to it, and
    when the row is still in some file afterwards (ENG087).
    """
    lake = linked.lake
    ways = Ways(clock, settings, ignore, never)
    with opened(linked, holder, ways) as session, pins_locked(lake, holder):
        erasure = _Erasure(linked, session, entity, row_id, clock(), settings)
        erasure.settle()
        before = search(lake, entity, row_id)
        if before.own:
            erasure.do(before)
        after = search(lake, entity, row_id) if before.own else before
    if after.occurrences:
        raise _left(after, lake)
    return Erased(entity, row_id, before, after, _in_source(source, entity, row_id))


def _mending(checkpoint: Checkpoint) -> Refused:
    return Refused(
        "ENG089",
        f"rows of {checkpoint.entity} are missing, and are read anew by the next sync",
        where=checkpoint.entity,
        why="until then readers have the last snapshots, which cannot be replaced by whole ones",
        fix="toolkit sync; then erase",
    )


def _in_source(source: Source, entity: str, row_id: str) -> bool | None:
    try:
        return source.has(entity, row_id)
    except SourceError:
        return None


def _left(after: Searched, lake: Lake) -> Damaged:
    paths = [found.path for found in after.own if found.records or not found.path.endswith(".csv")]
    return Damaged(
        "ENG087",
        f"the row is still in {len(paths)} files, which are none of this toolkit's or are damaged: {', '.join(paths)}",
        where=lake.location(paths[0]),
        fix="see what these files are, delete or mend them, and erase again",
    )


@dataclass(frozen=True, slots=True)
class _Erasure:
    """One erasure under its locks. ``do`` is its story."""

    linked: Linked
    session: AnySession
    entity: str
    row_id: str
    now: datetime
    settings: Settings

    def settle(self) -> None:
        """End what a dead engine began, as far as opening the session has not."""
        checkpoint = self.session.checkpoint(self.entity) if isinstance(self.session, Session) else None
        if checkpoint is not None and checkpoint.mending:
            raise _mending(checkpoint)

    def do(self, before: Searched) -> None:
        session = self.session
        if isinstance(session, Session):
            retention = self.linked.link.config.snapshots
            live = _LiveErasure(session, self.lake, self.row_id, self.now, retention, self.settings, self.strip)
            live.clean(self.entity, {found.path: found for found in before.own if found.records})
        elif isinstance(session, IncrementalSession):
            FolderErasure(session, self.lake, self.entity, self.row_id, self.strip).clean(before.own)
        self._clean_pins(before.own)
        self._clean_others(search(self.lake, self.entity, self.row_id).own)
        redact(self.lake, self.row_id)

    @property
    def lake(self) -> Lake:
        return self.linked.lake

    @property
    def fence(self) -> Fence:
        return self.session.fence

    @property
    def strip(self) -> Strip:
        return Strip(self.lake, f"{self.now:%Y%m%dT%H%M%SZ}-{self.fence.number}-erase-{self.entity}")

    def _clean_pins(self, own: Sequence[Found]) -> None:
        for name in names_of_pins(self.lake):
            below = f"{pin_folder(name)}/"
            dirty = [each for each in own if each.path.startswith(below) and each.path != manifest_of(name)]
            if dirty:
                clean = {found.path: self.strip.cleaned(found) for found in dirty if found.records}
                replace_files(self.lake, self.fence, name, clean)

    def _clean_others(self, left: Sequence[Found]) -> None:
        """Replace files that no manifest names, and remove state that nothing does.

        What a stopped pass has read is thrown away when the row is in it: the next one reads it again.
        """
        if any(found.path.startswith(f"{STAGING_FOLDER}/") for found in left):
            discard(self.lake, self.entity)
        state = tuple(f"{STATE_FOLDER}/{self.entity}/{kind}/" for kind in ("index", "keys"))
        for found in left:
            self.fence.check()
            if found.records and (staged := self.strip.cleaned(found)) is not None:
                self.lake.publish(staged, found.path, found.etag)
            elif found.records or found.path.startswith(state):
                self.lake.delete(found.path)


@dataclass(frozen=True, slots=True)
class _LiveErasure:
    """The erasure of a row from what the checkpoint of its entity says: live files, indexes, the delete log."""

    session: Session
    lake: Lake
    row_id: str
    now: datetime
    retention: Retention
    settings: Settings
    strip: Strip

    def clean(self, entity: str, found: Mapping[str, Found]) -> None:
        """Commit the live files without the row, and have a snapshot of them named."""
        checkpoint = self.session.checkpoint(entity)
        if checkpoint is None:
            return
        if not found.keys().isdisjoint(_paths(checkpoint)):
            self.session.change(self._without(checkpoint, found))

    def _without(self, checkpoint: Checkpoint, found: Mapping[str, Found]) -> Checkpoint:
        parts: list[Part] = []
        steps: list[Step] = []
        seq = checkpoint.seq + 1
        for part in checkpoint.parts:
            kept, more = self._part(part, found[part.path], checkpoint, seq) if part.path in found else (part, [])
            parts += [kept] if kept else []
            steps += more
        after = checkpoint.model_copy(
            update={
                "fence": self.session.fence.number,
                "seq": seq,
                "parts": tuple(parts),
                **self._log(checkpoint, found, steps),
                "pending": tuple(steps),
            }
        )
        return with_snapshot(after, self.now, self.retention, self.settings.reader_grace)

    def _part(self, part: Part, found: Found, checkpoint: Checkpoint, seq: int) -> tuple[Part | None, list[Step]]:
        """Return a part without the row (None when nothing is left) and the steps that put it in its place."""
        require_untouched(self.lake, part, checkpoint.columns)
        kept = self._entries(part, found, checkpoint)
        if not len(kept):
            return None, [Remove(path=part.path), Remove(path=part.index)]
        staged = self.strip.stripped(found)
        name = part_name(part.partition, part.number)
        data, digest = index_bytes(kept, staged.etag, staged.size)
        index = self.strip.staged(f"{name}.idx", [data])
        path = index_path(checkpoint.entity, name, seq)
        update = {"etag": staged.etag, "size": staged.size, "rows": len(kept), "digest": digest}
        after = part.model_copy(update={**update, "index": path, "snapshot": None})
        return after, [Move.of(staged, part.path, found.etag), Move.of(index, path), Remove(path=part.index)]

    def _entries(self, part: Part, found: Found, checkpoint: Checkpoint) -> Entries:
        """Return the entries of a part without the row, at their new places."""
        entries = entries_of_part(self.lake, part, checkpoint.columns)
        kept = entries.take(entries.ids != np.bytes_(UUID(self.row_id).bytes))
        if len(entries) - len(kept) != len(found.records):
            raise damaged(part.path)
        begins, ends = np.array(found.records, np.int64).T
        gone = np.concatenate([[0], np.cumsum(ends - begins)])
        offsets = kept.offsets.astype(np.int64)
        return kept.at(offsets - gone[np.searchsorted(begins, offsets)])

    def _log(self, checkpoint: Checkpoint, found: Mapping[str, Found], steps: list[Step]) -> dict[str, object]:
        """Return what the checkpoint says of its delete log without the row, and add the step that replaces it."""
        log = checkpoint.delete_log
        if log is None or log.path not in found:
            return {}
        staged = self.strip.stripped(found[log.path])
        steps.append(Move.of(staged, log.path, found[log.path].etag))
        return {"delete_log": log.model_copy(update={"size": staged.size, "etag": staged.etag})}


def _paths(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield the files that a checkpoint depends on: live files, named snapshots, the delete log."""
    yield from (part.path for part in checkpoint.parts)
    if checkpoint.published is not None:
        yield from (file.path for file in checkpoint.published.files)
    if checkpoint.delete_log is not None:
        yield checkpoint.delete_log.path
