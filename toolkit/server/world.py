"""What the handlers work on: one embedded organization, a clock and a maker of ids."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from toolkit.organization.database import Connection, Database
from toolkit.server.background import Background


@dataclass(frozen=True, slots=True)
class World:
    """A served organization. Safe to use from several threads.

    Blocks nest: within ``write`` every ``read`` and ``write`` of the same thread belongs to the one transaction that is
    open, those inside the organization's modules too. A changeset is such a block.
    """

    database: Database
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    background: Background = field(default_factory=Background)

    def read(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one state of the organization until the block ends."""
        return self.database.read()

    def write(self) -> AbstractContextManager[Connection]:
        """Give the connection that may write; the block commits as a whole, or leaves nothing behind."""
        return self.database.write()
