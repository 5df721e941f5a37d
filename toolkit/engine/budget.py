"""The request budget of an environment: how many requests all of its links together may make in a minute."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

MINUTE = timedelta(minutes=1)


class Budget:
    """At most ``per_minute`` requests within any 60 seconds; None sets no limit. Safe to use from several threads."""

    def __init__(self, per_minute: int | None, clock: Callable[[], datetime]) -> None:
        self._limit = sys.maxsize if per_minute is None else per_minute
        self._clock = clock
        self._lock = Lock()
        self._made: deque[datetime] = deque()
        """When the requests of the last minute were made; empty without a limit."""

    def take(self) -> float:
        """Take one request and return 0.0; or take none, and return after how many seconds one may be free."""
        with self._lock:
            now = self._clock()
            if self._free(now) <= 0:
                return (self._made[0] + MINUTE - now).total_seconds()
            if self._limit < sys.maxsize:
                self._made.append(now)
            return 0.0

    def free(self) -> int:
        """Return how many requests may be made now."""
        with self._lock:
            return self._free(self._clock())

    def _free(self, now: datetime) -> int:
        while self._made and now - self._made[0] >= MINUTE:
            self._made.popleft()
        return self._limit - len(self._made)
