"""A source in a run: its calls keep to a budget of requests, and one that never returns does not hold up a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from datetime import datetime, timedelta
from typing import TypeVar

from toolkit.budget import Allowance
from toolkit.engine.work import stopped
from toolkit.errors import ToolkitError
from toolkit.model.entity import Entity
from toolkit.source.protocol import Batch, Cursor, Source
from toolkit.threads import Threads

_T = TypeVar("_T")

LOOK_SECONDS = 0.1
"""How often a call that takes its time is left to look whether to stop."""
DEFINITIONS_AGE = timedelta(minutes=1)
"""How old the definitions of a source may be that does not tell when something changed."""
GRACE_SECONDS = 2.0
"""How long a call may go on once the run is told to stop; then it is left behind."""


class Attended:
    """A source whose calls are made in threads that do not keep the process alive.

    Every call, and every batch, is a request of the ``budget``; where none is free, it waits. Once ``wait`` says stop,
    a call that waits, or that does not return, raises Partial (ENG052): nothing of it has reached the lake.
    """

    def __init__(
        self,
        source: Source,
        budget: Allowance,
        wait: Callable[[float], bool],
        clock: Callable[[], datetime],
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._source, self._budget, self._wait, self._grace = source, budget, wait, grace
        self._threads = Threads("source")
        self._clock = clock
        self._definitions: tuple[Mapping[str, Entity], datetime] | None = None

    def close(self) -> None:
        """Let the threads end that are not in a call."""
        self._threads.close()

    @property
    def organization(self) -> str:
        """The OrganizationId of the source."""
        return self._call("the source", lambda: self._source.organization)

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions; where only asking tells what changed, they may be a minute old.

        Else a pass over one idle entity would make two requests. A change of attributes ends the cursor at once.
        """
        now = self._clock()
        if self._definitions is None or now - self._definitions[1] >= DEFINITIONS_AGE or self._tells():
            self._definitions = (self._call("the source", self._source.entities), now)
        return self._definitions[0]

    def count(self, entity: str) -> int:
        """Return how many rows an entity has."""
        return self._call(entity, lambda: self._source.count(entity))

    def size(self, entity: str) -> int:
        """Return about how many rows an entity has."""
        return self._call(entity, lambda: self._source.size(entity))

    def has(self, entity: str, row_id: str) -> bool:
        """Return whether an entity has a row."""
        return self._call(entity, lambda: self._source.has(entity, row_id))

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        """Yield the batches of a pass."""
        batches = self._source.changes(entity, columns, after)
        while (batch := self._call(entity, lambda: next(batches, None))) is not None:
            yield batch
            if batch.final:
                return

    def mark(self) -> str | None:
        """Return the mark of the source."""
        return self._source.mark()

    def _tells(self) -> bool:
        """Whether the source says that something changed, or may do so again once it is not busy."""
        try:
            return self._source.mark() is not None
        except ToolkitError:
            return True

    def _call(self, about: str, work: Callable[[], _T]) -> _T:
        while (rest := self._budget.take()) > 0:
            if self._wait(rest):
                raise stopped(about)
        future = self._threads.submit(work)
        while not wait([future], LOOK_SECONDS).done:
            if self._wait(0.0):
                wait([future], self._grace)
                break
        if not future.done():
            raise stopped(about)
        return future.result()
