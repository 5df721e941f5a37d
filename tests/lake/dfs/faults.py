"""What goes wrong between a client and the service: at which request, and how."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from tests.lake.dfs.wire import Request

Kind = Literal["lost_before", "lost_after", "busy", "throttled", "reset_request", "reset_answer", "slow", "expired"]
"""``lost_before``: the connection ends before anything is done; ``lost_after``: after all is done, before the answer;
``busy``: 503 with Retry-After; ``throttled``: 429; ``reset_request``: the connection ends half way through the body of
the request, and nothing is done; ``reset_answer``: half way through the body of the answer, and all is done; ``slow``:
the answer comes in pieces; ``expired``: 401, the token is no longer valid."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Death = Literal["lost_before", "lost_after", "reset_request"]
"""How the request ends in which a client's process dies."""

Matches = Callable[[Request], bool]


@dataclass
class Faults:
    """What is to go wrong. Requests are counted from 1 on, those of retries too."""

    count: int = 0
    _at: dict[int, Kind] = field(default_factory=dict)
    _when: list[tuple[Matches, Kind]] = field(default_factory=list)
    _dead_from: int | None = None
    _dead: Death = "lost_before"
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def at(self, number: int, kind: Kind) -> None:
        """Let the request of that number go wrong, once."""
        self._at[number] = kind

    def when(self, matches: Matches, kind: Kind, times: int = 1) -> None:
        """Let the next requests that match go wrong, ``times`` of them."""
        self._when += [(matches, kind)] * times

    def die(self, number: int, kind: Death) -> None:
        """Let the client's process die in the request of that number: none after it reaches the service."""
        self._dead_from, self._dead = number, kind

    def clear(self) -> None:
        """Let nothing go wrong any more, and count from 1 again."""
        with self._guard:
            self.count, self._dead_from = 0, None
            self._at.clear()
            self._when.clear()

    def next(self, request: Request) -> Kind | None:
        """Count a request, and return how it goes wrong; None when it does not."""
        with self._guard:
            self.count += 1
            if self._dead_from is not None and self.count >= self._dead_from:
                return self._dead if self.count == self._dead_from else "lost_before"
            if kind := self._at.pop(self.count, None):
                return kind
            for each in self._when:
                if each[0](request):
                    self._when.remove(each)
                    return each[1]
            return None
