"""What of the engine's behaviour a caller may choose; the defaults are those of the service."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta

from toolkit.model.config import SCAN_MINUTES, LinkedEntity

MEBIBYTE = 1024 * 1024
MOST_WORKERS = 6
"""First syncs that may run at once: each keeps files open (``spool.MOST_OPEN``), and a process may have 1,024."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of the engine."""

    part_limit: int = 256 * MEBIBYTE
    """Bytes after which a partition continues in a further numbered part."""
    reader_grace: timedelta = timedelta(hours=1)
    """How long a snapshot that is no longer named stays, for readers that are still at it."""
    cursor_age: timedelta = timedelta(hours=42)
    """Age at which a cursor that moved without rows is written: a quarter of the shortest known expiry, 7 days."""
    status_age: timedelta = timedelta(minutes=1)
    """How old the status file may be while all that it could tell anew is when entities were synced."""
    bucket: int = 200_000
    """Entries of records that are compared together, about: 100 MB with what is made of them meanwhile."""
    progress_bytes: int = 512 * MEBIBYTE
    """Bytes of a long read after which its progress is kept, so that it goes on from there when it is stopped."""
    progress_age: timedelta = timedelta(minutes=1)
    """Time after which it is kept in any case."""
    healed_age: timedelta = timedelta(days=1)
    """How long the status tells of damage that was made good."""
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, MOST_WORKERS))
    """Entities that are worked on at once, and parts: as many as the machine has cores."""
    idle_poll: timedelta = timedelta(minutes=5)
    """The longest rest of an entity that does not change, in a run."""


def scan_interval(linked: LinkedEntity) -> timedelta:
    """Return how often an entity is read whole when it cannot be tracked."""
    return timedelta(minutes=linked.scan_minutes or SCAN_MINUTES)


DEFAULTS = Settings()
