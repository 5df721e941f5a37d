"""A source in a run: its calls keep to a budget of requests, and one that never returns does not hold up a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Generic, TypeVar

from toolkit.budget import Budget
from toolkit.engine.work import stopped
from toolkit.model.entity import Entity
from toolkit.source.protocol import Batch, Cursor, Source

_T = TypeVar("_T")

LOOK_SECONDS = 0.1
"""How often a call that takes its time is left to look whether to stop."""
GRACE_SECONDS = 2.0
"""How long a call may go on once the run is told to stop; then it is left behind."""


class Attended:
    """A source whose calls are made in threads that do not keep the process alive.

    Every call, and every batch, is a request of the ``budget``; where none is free, it waits. Once ``wait`` says stop,
    a call that waits, or that does not return, raises Partial (ENG052): nothing of it has reached the lake.
    """

    def __init__(
        self, source: Source, budget: Budget, wait: Callable[[float], bool], grace: float = GRACE_SECONDS
    ) -> None:
        self._source, self._budget, self._wait, self._grace = source, budget, wait, grace
        self._threads = _Threads()

    def close(self) -> None:
        """Let the threads end that are not in a call."""
        self._threads.close()

    @property
    def organization(self) -> str:
        """The OrganizationId of the source."""
        return self._call("the source", lambda: self._source.organization)

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions."""
        return self._call("the source", self._source.entities)

    def count(self, entity: str) -> int:
        """Return how many rows an entity has."""
        return self._call(entity, lambda: self._source.count(entity))

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


@dataclass(slots=True)
class _Call(Generic[_T]):
    """Work for a thread; as a context it gives the future whatever the work raises, since the caller is elsewhere."""

    work: Callable[[], _T]
    future: Future[_T] = field(default_factory=Future)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        if error is not None:
            self.future.set_exception(error)
        return True


class _Threads:
    """Threads that are used again, and that end with the process whatever they are at. A pool's would keep it alive."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: list[_Server] = []
        self._closed = False

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        call = _Call(work)
        with self._lock:
            server = self._idle.pop() if self._idle else _Server(self._rest)
        server.calls.put(call)
        return call.future

    def close(self) -> None:
        """End the threads that rest, and wait until they are gone with what they hold."""
        with self._lock:
            for server in self._idle:
                server.calls.put(None)
                server.thread.join()
            self._idle, self._closed = [], True

    def _rest(self, server: _Server) -> None:
        with self._lock:
            if self._closed:
                server.calls.put(None)
            else:
                self._idle.append(server)


class _Server:
    """A thread, and the calls that it is to make."""

    def __init__(self, rest: Callable[[_Server], None]) -> None:
        self.calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._rest = rest
        self.thread = Thread(target=self._serve, name="source", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (call := self.calls.get()) is not None:
            with call:
                call.future.set_result(call.work())
            self._rest(self)
