"""Continuous export: passes when something may have changed, snapshots in time, new generations of the link, a stop."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from toolkit.budget import Allowance, Budget
from toolkit.engine.attended import Attended
from toolkit.engine.opening import AnySession, opened
from toolkit.engine.report import EntityProgress, SyncReport
from toolkit.engine.schedule import Schedule
from toolkit.engine.settings import DEFAULTS, Settings
from toolkit.engine.sync import ignore
from toolkit.engine.ways import Ways
from toolkit.errors import Partial, ToolkitError
from toolkit.lake.protocol import Holder
from toolkit.model.link import Link
from toolkit.site import Linked
from toolkit.source.protocol import Source

LOOK = timedelta(seconds=0.2)
"""How often a source that tells is looked at."""


def run(
    read: Callable[[], Linked],
    source: Source,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], bool],
    holder: Holder,
    trickle_seconds: float = 10.0,
    budget: Allowance | None = None,
    jitter: Callable[[], float] = random.random,
    progress: Callable[[EntityProgress], None] = ignore,
    began: Callable[[], None] = lambda: None,
    passed: Callable[[SyncReport], None] = lambda _: None,
    settings: Settings = DEFAULTS,
) -> tuple[str, ...]:
    """Export until ``wait`` says stop, and return the linked entities whose first sync is not complete yet.

    ``read`` gives the link as it is now; a new generation is picked up after ``trickle_seconds`` at most. ``wait(s)``
    sleeps and returns True when the engine shall stop; ``wait(0.0)`` is asked in the middle of a pass too, from any
    thread, so a stop takes effect between two batches, at a consistent point; a call of the source that does not
    return is left behind. The lock is held all the while.

    An entity that changes is polled every ``trickle_seconds``, an idle one ever more rarely, up to ``idle_poll`` of the
    settings, or as the ``budget`` lasts; a failing one ever later (``Schedule``). The others go on. Where the source
    tells that something changed, all are polled at once, unless a pass wrote something less than ``trickle_seconds``
    ago. ``jitter`` gives numbers from 0 to 1. ``began`` is called once the lock is held, ``passed`` after each pass.
    """
    budget = budget or Budget(None, clock)
    schedule = Schedule(timedelta(seconds=trickle_seconds), settings.idle_poll, jitter)
    linked = read()
    ways = Ways(clock, settings, progress, stop=lambda: wait(0.0), patient=True, mask_key=linked.mask_key)
    with (
        closing(Attended(source, budget, wait, clock)) as attended,
        opened(linked, holder, ways) as session,
    ):
        began()
        return _Run(
            read, attended, session, schedule, budget, clock, wait, passed, linked.link, settings.idle_poll
        ).go()


@dataclass(slots=True)
class _Run:
    """A run that holds the lock."""

    read: Callable[[], Linked]
    source: Attended
    session: AnySession
    schedule: Schedule
    budget: Allowance
    clock: Callable[[], datetime]
    wait: Callable[[float], bool]
    passed: Callable[[SyncReport], None]
    link: Link
    idle: timedelta
    """How far apart the polls of an idle entity are, unless the budget is too small for that."""
    _done: int | None = None
    """The generation of the link that the last pass was about."""
    _mark: str | None = None
    """The mark of the source when every entity was last found due."""
    _wrote: datetime | None = None
    """When a pass last changed something."""

    def go(self) -> tuple[str, ...]:
        while not (self._pass() or self._rest()):
            self.link = self.read().link
        return self.session.incomplete(self.link)

    def _pass(self) -> bool:
        """Do a pass over what is due, if anything is, and say whether it was stopped."""
        same = self.link.generation == self._done
        if not same:
            self.schedule.wake(self.clock(), failing=True)
        self._news()
        names = self._due()
        if not names and same and self.link.active:
            return False
        self._done = self.link.generation
        report = self._sync(names)
        now = self.clock()
        self.schedule.longest = max(self.idle, self.budget.pace(self.link.config.id, len(self._names)))
        self.schedule.learn(self.link.config, names, report, now)
        if any(each.changed for each in report.entities):
            self._wrote = now
        self.passed(report)
        return report.stopped

    def _due(self) -> list[str]:
        """Return what is to be polled now, the busiest first, and no more than there are requests for."""
        now = self.clock()
        due = self.schedule.due(self._names, now)
        waiting = self.session.due(self.link) - self.schedule.resting(now) - {*due}
        return [*sorted(waiting), *due][: max(1, self.budget.free())]

    @property
    def _names(self) -> list[str]:
        return [entity.name for entity in self.link.config.entities] if self.link.active else []

    def _sync(self, names: list[str]) -> SyncReport:
        try:
            return self.session.sync(self.link, self.source, names)
        except Partial:
            # Not one entity was begun: the definitions were still being asked for.
            return SyncReport((), stopped=True)

    def _rest(self) -> bool:
        """Wait until something is to be done, and say whether to stop."""
        until = self._until()
        while (left := until - self.clock()) > timedelta(0):
            if self.wait((left if self._mark is None else min(left, LOOK)).total_seconds()):
                return True
            if self._news():
                break
        return self.wait(0.0)

    def _until(self) -> datetime:
        tick, due = self.clock() + self.schedule.trickle, self.schedule.next(self._names)
        return tick if due is None else min(tick, due)

    def _news(self) -> bool:
        """Whether the source tells of a change; then every entity is due, unless the last write was a moment ago."""
        now = self.clock()
        if self._wrote is not None and now - self._wrote < self.schedule.trickle:
            return False
        if (mark := self._look()) in {None, self._mark}:
            return False
        # Looked at before the pass: a change while it goes on is another mark.
        self._mark = mark
        self.schedule.wake(now)
        return True

    def _look(self) -> str | None:
        try:
            return self.source.mark()
        except ToolkitError:
            # The next pass says what is wrong.
            return None
