"""The threads of ``toolkit run``: one for each link, started when the link appears; it ends with its link."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Self

from toolkit.errors import Locked, ToolkitError
from toolkit.model.link import LakeAddress
from toolkit.site import Linked

MOST_LINKS = 1000
"""Threads that there can be; one is made only when a link needs it."""
MOST_SKIPPED = 32
"""How many looks for links an export is left alone at most that fails again and again."""

Export = Callable[[Linked], tuple[str, ...]]
"""Exports a link until it has ended or is to stop; returns the entities whose first sync is not complete then."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How an export ended: with an error, or because somebody else holds the link; else what is not complete."""

    incomplete: tuple[str, ...] = ()
    error: ToolkitError | None = None
    held: bool = False


@dataclass(slots=True)
class _Failing:
    """An export that failed: how often in a row, and for how many more looks it is left alone."""

    times: int
    skip: int


@dataclass(slots=True)
class Crew:
    """Exports links, each in a thread of its own, until ``stop`` is set; as a context it waits for all of them.

    An export that fails is told to ``failed`` and begun again later, ever more rarely; the others go on. ``stop`` is
    set when none is left. A link to begin with that somebody else holds ends the context with Locked; with ``patient``
    it is told to ``held``, and waited for. So does an error that is none of ours.
    """

    export: Export
    stop: Event
    patient: bool = False
    failed: Callable[[Linked, ToolkitError], None] = lambda _, __: None
    held: Callable[[Linked, Locked], None] = lambda _, __: None
    incomplete: list[str] = field(default_factory=list)
    """Entities whose first sync is not complete, once the context has ended."""
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(MOST_LINKS, "link"))
    _at_work: dict[LakeAddress, Future[_Ended]] = field(default_factory=dict)
    _failing: dict[LakeAddress, _Failing] = field(default_factory=dict)
    _held: set[LakeAddress] = field(default_factory=set)
    """Links of somebody else."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._pool.shutdown()
        self._collect()
        for future in self._at_work.values():
            future.result()

    @property
    def failing(self) -> bool:
        """Whether an export failed and has not begun again."""
        return bool(self._failing)

    def begin(self, links: Iterable[Linked]) -> None:
        """Export links. Whoever holds one of them already is an error (Locked), unless the crew is patient."""
        self._start(links, patient=self.patient)

    def join(self, links: Callable[[], Iterable[Linked]]) -> None:
        """Export those of the links that nobody exports yet.

        One that somebody else holds is left for the next time: whoever makes a link syncs it first.
        """
        # Before the links are read: an export that ends in between has its link among them still.
        self._collect()
        there = [linked for linked in links() if linked.link.address not in self._at_work]
        self._start([linked for linked in there if not self._left_alone(linked.link.address)], patient=True)

    def _start(self, links: Iterable[Linked], *, patient: bool) -> None:
        futures = {linked.link.address: self._pool.submit(self._work, linked, patient=patient) for linked in links}
        self._at_work |= futures
        for future in futures.values():
            future.add_done_callback(self._look_at)

    def _work(self, linked: Linked, *, patient: bool) -> _Ended:
        try:
            return _Ended(self.export(linked))
        except Locked as error:
            if not patient:
                raise
            if self.patient:
                self.held(linked, error)
            return _Ended(held=True)
        except ToolkitError as error:
            self.failed(linked, error)
            return _Ended(error=error)

    def _look_at(self, future: Future[_Ended]) -> None:
        """Stop after an error that ends all, and when no export is left but such that failed."""
        if future.exception() is not None or (future.result().error is not None and self._none_left()):
            self.stop.set()

    def _none_left(self) -> bool:
        futures = list(self._at_work.values())
        ended = all(each.done() and (each.exception() is not None or not each.result().held) for each in futures)
        return ended and not self._held

    def _collect(self) -> None:
        """Take note of the exports that ended, and forget the failures of those that are at work again."""
        for address, future in list(self._at_work.items()):
            failing = self._failing.pop(address, None)
            if not future.done() or future.exception() is not None:
                continue
            ended = self._at_work.pop(address).result()
            self.incomplete += ended.incomplete
            if ended.held:
                self._held.add(address)
            else:
                self._held.discard(address)
            if ended.error is not None:
                times = 1 + (failing.times if failing else 0)
                self._failing[address] = _Failing(times, min(2 ** (times - 1), MOST_SKIPPED) - 1)

    def _left_alone(self, address: LakeAddress) -> bool:
        failing = self._failing.get(address)
        if failing is None or failing.skip == 0:
            return False
        failing.skip -= 1
        return True
