"""Progress: how far a pass has read, in the lake, so that one that was stopped or killed goes on from there.

``_toolkit/<entity>/progress.json`` names the files of the spool with their lengths, the cursor to go on from, and the
terms under which all that was read. It is written after the files are durable, and removed right before the commit:
so what it names is never taken for something that a commit holds already. One that does not fit the terms of a pass
is thrown away with its files. Nothing depends on it: without it a pass begins at its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from toolkit.engine.columns import Column
from toolkit.engine.settings import Settings
from toolkit.engine.spool import Kept, Spool
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Fence, Lake
from toolkit.model.base import Frozen
from toolkit.model.config import PartitionStrategy
from toolkit.model.names import LogicalName
from toolkit.model.shape import Form


class Terms(Frozen):
    """What decides which rows a pass reads and how it writes them. ``begun`` is its first cursor; None reads all."""

    organization: str
    begun: str | None
    columns: tuple[Column, ...]
    append_only: bool
    strategy: PartitionStrategy
    form: Form
    split: bool
    """Whether every partition has a file of its own."""


class Progress(Frozen):
    """How far a pass has read. ``sink`` is the time at which it began, ``attempt`` counts those who went on with it."""

    format: Literal[1] = 1
    entity: LogicalName
    fence: int
    attempt: int = 0
    sink: datetime
    terms: Terms
    kept: Kept


def progress_path(entity: str) -> str:
    """Return where the progress of an entity's pass is."""
    return f"{STATE_FOLDER}/{entity}/progress.json"


def unfinished(paths: Iterable[str]) -> frozenset[str]:
    """Return the entities whose progress is among some paths."""
    return frozenset(entity for path in paths if path == progress_path(entity := path.split("/")[1]))


def read_progress(lake: Lake, entity: str) -> tuple[Progress | None, Etag]:
    """Return the progress of an entity with its etag; None where there is none, or none that can be read."""
    path = progress_path(entity)
    stat = lake.stat(path)
    if stat is None:
        return None, ABSENT
    try:
        return Progress.model_validate_json(lake.read(path)), stat.etag
    except ValidationError:
        return None, stat.etag


def discard(lake: Lake, entity: str) -> None:
    """Remove the progress of an entity, and then the files that it names."""
    progress, etag = read_progress(lake, entity)
    if etag != ABSENT:
        lake.delete(progress_path(entity))
    for path in sorted(progress.kept.paths if progress else ()):
        lake.delete(path)


class Reading:
    """The progress of one pass. Nothing is asked of the lake before there is something to keep.

    With ``resume`` the lake may hold progress of an earlier one.
    """

    def __init__(
        self,
        lake: Lake,
        fence: Fence,
        entity: str,
        clock: Callable[[], datetime],
        settings: Settings,
        *,
        resume: bool,
    ) -> None:
        self._lake, self._fence, self._entity, self._clock, self._settings = lake, fence, entity, clock, settings
        self._progress, self._etag = read_progress(lake, entity) if resume else (None, ABSENT)
        self.attempt = self._progress.attempt + 1 if self._progress else 0
        """Files of earlier attempts are still there, and must not be written over."""
        self._at, self._bytes = clock(), 0
        self._former: set[str] = set()
        """What progress named, and no longer does."""

    def fitting(self, terms: Terms) -> Progress | None:
        """Return the progress of an earlier pass that read on these terms."""
        return self._progress if self._progress and self._progress.terms == terms else None

    def keep_when_due(self, spool: Spool, sink: datetime, terms: Terms, *, dear: bool = False) -> None:
        """Keep a spool when much was written since the last time, much time went by, or what came last was dear."""
        settings = self._settings
        much = spool.bytes - self._bytes >= settings.progress_bytes
        if spool.unkept and (dear or much or self._clock() - self._at >= settings.progress_age):
            self.keep(spool, sink, terms)

    def keep(self, spool: Spool, sink: datetime, terms: Terms) -> None:
        """Make a spool durable, and write how another pass goes on with it."""
        before = self._progress
        self._fence.check()
        progress = Progress(
            entity=self._entity,
            fence=self._fence.number,
            attempt=self.attempt,
            sink=sink,
            terms=terms,
            kept=spool.keep(),
        )
        data = progress.model_dump_json(indent=1).encode()
        self._etag = self._lake.put(progress_path(self._entity), data, self._etag)
        self._former |= before.kept.paths if before else frozenset()
        self._progress, self._at, self._bytes = progress, self._clock(), spool.bytes

    def end(self) -> None:
        """Remove the progress: what it names belongs to a commit from here on, or is of no more use."""
        if self._etag == ABSENT:
            return
        self._lake.delete(progress_path(self._entity))
        self._former |= self._progress.kept.paths if self._progress else frozenset()
        self._progress, self._etag = None, ABSENT

    @property
    def named(self) -> frozenset[str]:
        """The staged files that the progress names."""
        return self._progress.kept.paths if self._progress else frozenset()

    @property
    def stale(self) -> frozenset[str]:
        """The staged files that it no longer names."""
        return frozenset(self._former - self.named)
