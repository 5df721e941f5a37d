"""What the service does, a row for each rule that the server here follows, with where it is written down.

S: the REST specification; R: recorded answers of the real service; L: Microsoft's pages; M: measured with the SDK.
A server without one of the facts is a mutant: some test of the contract must fail on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fact:
    """A rule of the service; ``page`` is below learn.microsoft.com/rest/api/storageservices unless it says more."""

    key: str
    rule: str
    source: Literal["S", "R", "L", "M"]
    page: str


FACTS: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Held:
    """The facts that hold on a server: all but those that are switched off."""

    off: frozenset[str] = frozenset()

    def __call__(self, key: str) -> bool:
        """Return whether a fact holds."""
        return key not in self.off
