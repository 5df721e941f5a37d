"""Continuous export: passes, snapshots at the config's interval, new generations of the link, a clean stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from toolkit.engine.report import EntityProgress, EntityReport, SyncReport
from toolkit.engine.session import Ways, opened
from toolkit.engine.settings import DEFAULTS, Settings
from toolkit.engine.sync import ignore
from toolkit.lake.protocol import Holder
from toolkit.site import Linked
from toolkit.source.protocol import Source

LONGEST_BACK_OFF = timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)
"""The longest rest that a source may ask for."""
MOST_DOUBLINGS = 32


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
    returns True when the engine shall stop; ``wait(0.0)`` is asked in the middle of a pass too, from any thread, so a
    stop takes effect between two batches, at a consistent point: what the pass (a first sync, say) has read is thrown
    away, what earlier ones wrote stays. ``passed`` is told what each pass did. The lock is
    held all the while. An entity that fails is left alone for a while, longer each time; the others go on.
    """
    linked = read()
    back_off = BackOff(timedelta(seconds=trickle_seconds))
    ways = Ways(clock, settings, progress, stop=lambda: wait(0.0))
    with opened(linked.lake, holder, ways) as session:
        while True:
            link = linked.link
            names = {entity.name for entity in link.config.entities} - back_off.waiting(clock())
            report = session.sync(link, source, names)
            back_off.learn(report, clock())
            passed(report)
            if report.stopped or wait(trickle_seconds):
                return
            linked = read()


@dataclass(slots=True)
class BackOff:
    """How long each failing entity is left alone: ``unit``, doubled with each failure; longer where the source asks."""

    unit: timedelta
    _failures: dict[str, int] = field(default_factory=dict)
    _until: dict[str, datetime] = field(default_factory=dict)

    def waiting(self, now: datetime) -> set[str]:
        """Return the entities that are to be left alone now."""
        return {name for name, until in self._until.items() if until > now}

    def learn(self, report: SyncReport, now: datetime) -> None:
        """Take note of what failed and what went well."""
        for entity in report.entities:
            if entity.error is None:
                self._failures.pop(entity.entity, None)
                self._until.pop(entity.entity, None)
                continue
            count = self._failures[entity.entity] = self._failures.get(entity.entity, 0) + 1
            self._until[entity.entity] = now + max(self._doubled(count), _asked(entity))

    def _doubled(self, count: int) -> timedelta:
        # In seconds, since a timedelta overflows where a float does not.
        seconds = self.unit.total_seconds() * 2.0 ** min(count, MOST_DOUBLINGS)
        return timedelta(seconds=min(seconds, LONGEST_BACK_OFF.total_seconds()))


def _asked(entity: EntityReport) -> timedelta:
    return timedelta(seconds=min(entity.retry_after or 0, LONGEST_ASKED.total_seconds()))
