"""What goes wrong on purpose: a fault per call, as tests and users' own trials ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from toolkit.server.call import Answer, Call


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call: it waits, then another answer is given in its place, or the connection drops."""

    wait: float = 0.0
    """Seconds."""
    answer: Answer | None = None
    drop: bool = False
    """Break off in the middle of the answer's body."""


class Faults(Protocol):
    """Decides on each call."""

    def next(self, call: Call) -> Fault | None:
        """Return what happens to a call, or None for nothing."""
        ...


class NoFaults:
    """Nothing goes wrong."""

    def next(self, call: Call) -> Fault | None:  # noqa: ARG002 - the protocol's signature
        """Return None."""
        return None
