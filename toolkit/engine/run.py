"""Continuous export: passes, snapshots at the config's interval, new generations of the link, a clean stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from toolkit.engine.report import EntityProgress, SyncReport
from toolkit.engine.settings import DEFAULTS, Settings
from toolkit.engine.sync import ignore
from toolkit.lake.protocol import Holder
from toolkit.site import Linked
from toolkit.source.protocol import Source


def run(
    read: Callable[[], Linked],
    source: Source,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], bool],
    holder: Holder,
    trickle_seconds: float = 10.0,
    progress: Callable[[EntityProgress], None] = ignore,
    passed: Callable[[SyncReport], None] = lambda _: None,
    settings: Settings = DEFAULTS,
) -> None:
    """Export until ``wait`` says stop.

    ``read`` gives the link as it is now; a new generation is picked up at the next pass. ``wait(seconds)`` sleeps and
    returns True when the engine shall stop; ``wait(0.0)`` is asked in the middle of a pass too, so a stop takes effect
    between two batches, at a consistent point. ``passed`` is told what each pass did. The lock is held all the while.
    """
    raise NotImplementedError
