"""Threads for calls that may never return, such as requests: the process ends whatever they are at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


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


class Threads:
    """Threads that are used again, and that end with the process whatever they are at. A pool's would keep it alive."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._idle: list[_Server] = []
        self._closed = False

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Start work in a thread, and return what becomes of it."""
        call = _Call(work)
        with self._lock:
            server = self._idle.pop() if self._idle else _Server(self._name, self._rest)
        server.calls.put(call)
        return call.future

    def close(self) -> None:
        """End the threads that rest, and wait until they are gone with what they hold; others end after their call."""
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

    def __init__(self, name: str, rest: Callable[[_Server], None]) -> None:
        self.calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._rest = rest
        self.thread = Thread(target=self._serve, name=name, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (call := self.calls.get()) is not None:
            with call:
                call.future.set_result(call.work())
            self._rest(self)
