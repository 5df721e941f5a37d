"""How many requests are under way at once: few at first, more while it goes well, half as many when told to slow down.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681): Dataverse tells nobody beforehand how many
requests at once it takes, and the limit is per web server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Condition

from toolkit.dataverse.limits import Limits


class Gate:
    """Lets at most ``width`` requests through at once. Shared by all threads of a client."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        self._limits, self._clock, self._sleep = limits, clock, sleep
        self._room = Condition()
        self._width = limits.first
        self._inside = 0
        self._good = 0
        """Answers since the width last changed."""
        self._closed_until: datetime | None = None

    @property
    def width(self) -> int:
        """How many requests may be under way at once now."""
        return self._width

    @contextmanager
    def through(self) -> Iterator[None]:
        """Wait until nobody is told to wait and there is room, and be inside for the length of the block."""
        waited: datetime | None = None
        while (until := self._enter(waited)) is not None:
            self._sleep(max(0.0, (until - self._clock()).total_seconds()))
            waited = until
        try:
            yield
        finally:
            with self._room:
                self._inside -= 1
                self._room.notify_all()

    def went_well(self) -> None:
        """Count a good answer; after as many as are let through at once, one more is."""
        with self._room:
            self._good += 1
            if self._good >= self._width and self._width < self._limits.most:
                self._width += 1
                self._good = 0
                self._room.notify_all()

    def slow_down(self, seconds: float) -> None:
        """Let nobody through for some seconds, and half as many from then on.

        Those that were under way together are told so together: only the first of them halves.
        """
        with self._room:
            now = self._clock()
            if self._closed_until is None or now >= self._closed_until:
                self._width = max(1, self._width // 2)
                self._good = 0
            until = now + timedelta(seconds=seconds)
            self._closed_until = max(self._closed_until or until, until)

    def _enter(self, waited: datetime | None) -> datetime | None:
        """Wait for room and take it; or take none, and return until when everybody is told to wait.

        Who has ``waited`` for that time already goes in, whatever the clock says: it may have been set back meanwhile.
        """
        with self._room:
            self._room.wait_for(lambda: self._inside < self._width)
            until = self._closed_until
            if until is not None and until != waited and until > self._clock():
                return until
            self._inside += 1
            return None
