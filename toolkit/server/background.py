"""Work that goes on after its answer: each job in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakSet


class Background:
    """The threads of a server's jobs."""

    def __init__(self) -> None:
        self._threads: WeakSet[threading.Thread] = WeakSet()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Begin to work. A process that ends does not wait for it: ``finish`` does."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def finish(self, seconds: float) -> bool:
        """Wait for all work, each so many seconds at most, and return whether it has ended."""
        for thread in list(self._threads):
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)
