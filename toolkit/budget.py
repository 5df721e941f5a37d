"""The request budget of an environment: how many requests all of its links together may make in a minute, in a day."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
IDLE_SHARE = 0.5
"""How much of the requests the polls of what does not change may take; the rest is for what does."""
GRAIN = timedelta(minutes=1)
"""Requests of a day are counted by the minute: each is free again up to a minute late, and a day takes no memory."""


class Allowance(Protocol):
    """Requests that may be made."""

    def take(self) -> float:
        """Take one request and return 0.0; or take none, and return after how many seconds one may be free."""
        ...

    def free(self) -> int:
        """Return how many requests may be made now."""
        ...

    def pace(self, who: str, polls: int) -> timedelta:
        """Return how far apart the polls of an idle thing are to be, where ``who`` polls so many."""
        ...


class Budget:
    """At most so many requests within any 60 seconds and any 24 hours; None sets no limit. Safe in several threads.

    It counts what was asked of it, so it begins anew with the process.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], datetime], per_day: int | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._minute = _Window(per_minute, MINUTE, timedelta(0))
        self._day = _Window(per_day, DAY, GRAIN)
        self._polled: dict[str, int] = {}

    def allow(self, per_minute: int) -> None:
        """Set another limit for a minute."""
        with self._lock:
            self._minute = _Window(per_minute, MINUTE, timedelta(0))

    def take(self) -> float:
        """Take one request and return 0.0; or take none, and return after how many seconds one may be free."""
        with self._lock:
            now = self._clock()
            rest = self._rest(now)
            if rest <= 0:
                self._minute.count(now)
                self._day.count(now)
            return rest

    def rest(self) -> float:
        """Return after how many seconds a request may be free, 0.0 for now, and take none."""
        with self._lock:
            return self._rest(self._clock())

    def free(self) -> int:
        """Return how many requests may be made now."""
        with self._lock:
            now = self._clock()
            return min(self._minute.free(now), self._day.free(now))

    def pace(self, who: str, polls: int) -> timedelta:
        """Return how far apart polls are to be, for those of all together to take their share of the requests."""
        with self._lock:
            self._polled[who] = polls
            every = sum(self._polled.values())
            return max(self._minute.pace(every), self._day.pace(every))

    def _rest(self, now: datetime) -> float:
        return max(self._minute.rest(now), self._day.rest(now))


@dataclass(frozen=True, slots=True)
class CountedElsewhere:
    """The budget of a source that takes from it itself, request by request, as a run looks at it."""

    budget: Budget

    def take(self) -> float:
        """Take nothing, and return how long to wait; a longer wait than a minute is left to the source, which says so.

        Else one used-up day would hold up all that needs no request.
        """
        rest = self.budget.rest()
        return rest if rest <= MINUTE.total_seconds() else 0.0

    def free(self) -> int:
        """Return how many requests may be made now."""
        return self.budget.free()

    def pace(self, who: str, polls: int) -> timedelta:
        """Return how far apart polls are to be."""
        return self.budget.pace(who, polls)


class _Window:
    """The requests of the last ``span``, those of one ``grain`` counted together as if the last had been all.

    Without a limit none is counted.
    """

    def __init__(self, limit: int | None, span: timedelta, grain: timedelta) -> None:
        self._limit, self._span, self._grain = limit, span, grain
        self._made: deque[_Grain] = deque()
        self._used = 0

    def free(self, now: datetime) -> int:
        if self._limit is None:
            return sys.maxsize
        while self._made and now - self._made[0].last >= self._span:
            self._used -= self._made.popleft().requests
        return self._limit - self._used

    def rest(self, now: datetime) -> float:
        return 0.0 if self.free(now) > 0 else (self._made[0].last + self._span - now).total_seconds()

    def pace(self, polls: int) -> timedelta:
        return timedelta(0) if self._limit is None else self._span * (polls / (self._limit * IDLE_SHARE))

    def count(self, now: datetime) -> None:
        if self._limit is None:
            return
        if not self._made or now - self._made[-1].first >= self._grain:
            self._made.append(_Grain(now))
        self._made[-1].last = now
        self._made[-1].requests += 1
        self._used += 1


class _Grain:
    """Requests that are counted together."""

    def __init__(self, first: datetime) -> None:
        self.first = self.last = first
        self.requests = 0
