"""When each entity of a run is polled: a busy one often, an idle one rarely, a failing one ever later.

    changed    again after the trickle interval
    unchanged  after twice the rest before, up to the longest one
    failed     after the interval of the retry policy, doubled with each failure, up to an hour; or what the source asks

Every rest is lengthened by up to a tenth at random, so that entities and engines that began together drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from toolkit.engine.report import EntityReport, SyncReport
from toolkit.model.config import ExportConfig

LONGEST_BACK_OFF = timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)
"""The longest rest that a source may ask for."""
SHORTEST_BACK_OFF = timedelta(seconds=1)
MOST_DOUBLINGS = 32
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class _Turn:
    """When an entity is polled next, how long it rests until then, and how often it failed without a success."""

    due: datetime
    rest: timedelta
    failures: int = 0

    @property
    def nearly_due(self) -> datetime:
        """When it may be polled, where others are: a tenth of its rest earlier, unless it failed."""
        return self.due if self.failures else self.due - self.rest * JITTER


@dataclass(slots=True)
class Schedule:
    """The next poll of every entity; one that is not known is due. ``random`` gives a number from 0 to 1."""

    trickle: timedelta
    longest: timedelta
    random: Callable[[], float]
    _turns: dict[str, _Turn] = field(default_factory=dict)

    def due(self, names: Iterable[str], now: datetime) -> list[str]:
        """Return which of some entities are due, those that change most first.

        Those that rest well and are nearly due come along: a pass over many costs little more than one over one.
        """
        known = list(names)
        due = [name for name in known if name not in self._turns or self._turns[name].due <= now]
        if due:
            due = [name for name in known if name not in self._turns or self._turns[name].nearly_due <= now]
        return sorted(due, key=lambda name: (self._rest(name), name))

    def next(self, names: Iterable[str]) -> datetime | None:
        """Return when the first of some entities, all of them known, is due; None where there is none."""
        return min((self._turns[name].due for name in names if name in self._turns), default=None)

    def wake(self, now: datetime, *, failing: bool = False) -> None:
        """Let every entity be due now; those that fail only when asked to."""
        for name, turn in self._turns.items():
            if failing or not turn.failures:
                self._turns[name] = _Turn(min(turn.due, now), self.trickle, turn.failures)

    def failures(self, name: str) -> int:
        """Return how often an entity failed since it last went well."""
        return self._turns[name].failures if name in self._turns else 0

    def resting(self, now: datetime) -> set[str]:
        """Return the entities that failed and are left alone for now."""
        return {name for name, turn in self._turns.items() if turn.failures and turn.due > now}

    def learn(self, config: ExportConfig, asked: Iterable[str], report: SyncReport, now: datetime) -> None:
        """Take note of what a pass over some entities of a config did."""
        reports = report.by_entity
        for name in asked:
            rest, failures = self._after(name, config, reports.get(name))
            self._turns[name] = _Turn(now + rest * (1 + JITTER * self.random()), rest, failures)

    def _after(self, name: str, config: ExportConfig, report: EntityReport | None) -> tuple[timedelta, int]:
        """Return how long an entity rests after a pass, and its failures. One that was only passed over is idle."""
        if report is not None and report.error is not None:
            failures = self.failures(name) + 1
            return max(_backed_off(config.retry.interval_seconds, failures), _asked(report)), failures
        if report is not None and report.changed:
            return self.trickle, 0
        return max(self.trickle, min(self._rest(name) * 2, self.longest)), 0

    def _rest(self, name: str) -> timedelta:
        turn = self._turns.get(name)
        return timedelta(0) if turn is None or turn.failures else turn.rest


def _backed_off(interval: float, failures: int) -> timedelta:
    first = max(interval, SHORTEST_BACK_OFF.total_seconds())
    # In seconds, since a timedelta overflows where a float does not.
    seconds = first * 2.0 ** min(failures - 1, MOST_DOUBLINGS)
    return timedelta(seconds=min(seconds, LONGEST_BACK_OFF.total_seconds()))


def _asked(report: EntityReport) -> timedelta:
    return timedelta(seconds=min(report.retry_after or 0, LONGEST_ASKED.total_seconds()))
