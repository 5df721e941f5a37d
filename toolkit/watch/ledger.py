"""The ledger of a run: what it did and what fails, by link and entity. Counters count since the run began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from threading import Lock

from toolkit.engine import EntityReport, EntityStatus, SyncReport
from toolkit.model.link import EntityState


class LinkState(StrEnum):
    """What a run does with a link."""

    RUNNING = "running"
    STANDBY = "standby"
    """Somebody else holds it."""
    FAILING = "failing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run knows of an entity; times are UTC."""

    entity: str
    state: EntityState = EntityState.NOT_STARTED
    synced: datetime | None = None
    passed: datetime | None = None
    """The end of the last pass of this run, well or not."""
    reason: str = ""
    failing: int = 0
    """Failures since the last pass that went well."""
    failures: int = 0
    retries: int = 0
    """Passes over the entity while it was failing."""
    written: int = 0
    deleted: int = 0
    bytes: int = 0
    snapshots: int = 0

    @classmethod
    def of(cls, status: EntityStatus) -> Tally:
        """Return the tally of an entity as its lake says."""
        return cls(
            status.entity, status.state, status.last_synced, reason=status.reason, failing=int(bool(status.reason))
        )

    def after(self, report: EntityReport, now: datetime) -> Tally:
        """Return the tally after a pass."""
        counted = replace(
            self,
            state=report.state,
            passed=now,
            retries=self.retries + bool(self.failing),
            written=self.written + report.written,
            deleted=self.deleted + report.deleted,
            bytes=self.bytes + report.bytes,
            snapshots=self.snapshots + len(report.snapshots),
        )
        if report.error is None:
            return replace(counted, synced=now, reason="", failing=0)
        reason = f"{report.error.code} {report.error.what}"
        return replace(counted, reason=reason, failing=self.failing + 1, failures=self.failures + 1)

    def lag(self, now: datetime) -> float | None:
        """Return the seconds since the entity was last synced; None where it never was."""
        return None if self.synced is None else max(0.0, (now - self.synced).total_seconds())


@dataclass(frozen=True, slots=True)
class LinkTally:
    """What a run knows of a link, by the name of its config."""

    config: str
    state: LinkState
    reason: str = ""
    entities: Mapping[str, Tally] = field(default_factory=dict)


class Ledger:
    """The tallies of a run. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._links: dict[str, LinkTally] = {}

    def began(self, config: str, status: Iterable[EntityStatus]) -> None:
        """Take note that a link is exported from now on, and of what its lake says."""
        known = {each.entity: Tally.of(each) for each in status}
        with self._lock:
            counted = self._links[config].entities if config in self._links else {}
            self._links[config] = LinkTally(config, LinkState.RUNNING, entities={**known, **counted})

    def told(self, config: str, linked: Iterable[str], report: SyncReport, now: datetime) -> Mapping[str, Tally]:
        """Take note of a pass over a link with some linked entities, and return the tallies from before it."""
        with self._lock:
            link = self._links.get(config, LinkTally(config, LinkState.RUNNING))
            after = {name: link.entities.get(name, Tally(name)) for name in linked}
            for each in report.entities:
                after[each.entity] = after.get(each.entity, Tally(each.entity)).after(each, now)
            self._links[config] = replace(link, entities=after)
        return link.entities

    def turned(self, config: str, state: LinkState, reason: str = "") -> bool:
        """Take note of the state of a link, and say whether it is another one than before."""
        with self._lock:
            before = self._links.get(config, LinkTally(config, LinkState.STOPPED))
            self._links[config] = replace(before, state=state, reason=reason)
            return before.state is not state

    def links(self) -> tuple[LinkTally, ...]:
        """Return what is known, by the names of the configs."""
        with self._lock:
            return tuple(self._links[name] for name in sorted(self._links))
