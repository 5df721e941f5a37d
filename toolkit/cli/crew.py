"""The threads of ``toolkit run``: one for each link, started when the link appears; it ends with its link."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Self

from toolkit.cli.linked import address_of
from toolkit.errors import Locked
from toolkit.model.link import LakeAddress
from toolkit.site import Linked

MOST_LINKS = 1000
"""Threads that there can be; one is made only when a link needs it."""


@dataclass(slots=True)
class Crew:
    """Exports links, each in a thread of its own, until ``stop`` is set; as a context it waits for all of them.

    ``export`` exports a link until it has ended or ``stop`` is set. When one fails, ``stop`` is set, since the others
    shall not hide it, and the context ends with its error.
    """

    export: Callable[[Linked], None]
    stop: Event
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(MOST_LINKS, "link"))
    _at_work: dict[LakeAddress, Future[None]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._pool.shutdown()
        for future in self._at_work.values():
            future.result()

    def begin(self, links: Iterable[Linked]) -> None:
        """Export links. Whoever holds one of them already is an error (Locked)."""
        for linked in links:
            self._start(linked, self.export)

    def join(self, links: Callable[[], Iterable[Linked]]) -> list[str]:
        """Export those of the links that nobody exports yet, and return their names.

        One that somebody else holds is left for the next time: whoever makes a link syncs it first.
        """
        # Before the links are read: an export that ends in between has its link among them still.
        self._at_work = {address: future for address, future in self._at_work.items() if not _ended(future)}
        new = [linked for linked in links() if address_of(linked) not in self._at_work]
        for linked in new:
            self._start(linked, self._patiently)
        return [linked.link.config.name for linked in new]

    def _start(self, linked: Linked, export: Callable[[Linked], None]) -> None:
        future = self._at_work[address_of(linked)] = self._pool.submit(export, linked)
        future.add_done_callback(self._look_at)

    def _look_at(self, future: Future[None]) -> None:
        if future.exception() is not None:
            self.stop.set()

    def _patiently(self, linked: Linked) -> None:
        try:
            self.export(linked)
        except Locked:
            return


def _ended(future: Future[None]) -> bool:
    return future.done() and future.exception() is None
