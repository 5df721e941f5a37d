"""How much goes to and comes from an account at once: bounds for requests, and for bytes that wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import BoundedSemaphore, Lock
from typing import TypeVar

from toolkit.threads import Threads

AT_ONCE = 8
"""Requests with bytes that a lake has under way at once."""

AHEAD = 4
"""Answers that one reader has under way or waiting."""

WAITING = 128 << 20
"""Bytes that all writers of a lake may keep back before each sends what it has."""

_T = TypeVar("_T")
_S = TypeVar("_S")


class Traffic:
    """The requests of a lake that run beside their callers."""

    def __init__(self) -> None:
        self._threads = Threads("adls")
        self._slots = BoundedSemaphore(AT_ONCE)
        self._lock = Lock()
        self._waiting = 0

    def start(self, work: Callable[[], _T]) -> Future[_T]:
        """Start a request as soon as few enough run."""
        self._slots.acquire()
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._slots.release())
        return future

    def ahead(self, work: Callable[[_S], _T], items: Iterable[_S]) -> Iterator[_T]:
        """Yield what becomes of each item, in order; the next ones are asked for meanwhile."""
        running: deque[Future[_T]] = deque()
        for item in items:
            running.append(self.start(lambda item=item: work(item)))  # type: ignore[misc]  # a lambda's default
            if len(running) == AHEAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

    def keep(self, size: int) -> None:
        """Count bytes that a writer keeps back; negative when it sent them."""
        with self._lock:
            self._waiting += size

    @property
    def crowded(self) -> bool:
        """Whether writers should send what they have."""
        return self._waiting > WAITING
