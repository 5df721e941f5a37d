"""The status file: when each entity was last synced, and why it failed. One small file, written once per pass at most.

A pass that finds nothing new writes it only when it is older than ``Settings.status_age``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from toolkit.engine.report import EntityReport
from toolkit.errors import Finding
from toolkit.lake.protocol import STATE_FOLDER, Lake
from toolkit.model.base import Frozen
from toolkit.model.names import LogicalName

STATUS_PATH = f"{STATE_FOLDER}/status.json"


class EntityJournal(Frozen):
    """How the last passes of an entity ended. ``reason`` is empty unless the last one failed."""

    synced: datetime | None = None
    reason: str = ""


class Journal(Frozen):
    """The content of ``_toolkit/status.json``."""

    format: Literal[1] = 1
    at: datetime | None = None
    entities: Mapping[LogicalName, EntityJournal] = {}

    def after(self, reports: Iterable[EntityReport], names: Iterable[str], now: datetime) -> Journal:
        """Return the journal after a pass, of the entities ``names``."""
        entities = {name: self.entities.get(name, EntityJournal()) for name in names}
        for report in reports:
            error = report.error
            synced = entities[report.entity].synced if error else now
            reason = reason_of(error) if error else ""
            entities[report.entity] = EntityJournal(synced=synced, reason=reason)
        return Journal(at=now, entities=dict(sorted(entities.items())))

    def outdates(self, before: Journal, age: timedelta) -> bool:
        """Whether it tells more than another time of the last sync, or ``before`` is older than ``age``."""
        if before.at is None or self.at is None or self._without_times() != before._without_times():
            return True
        return not timedelta(0) <= self.at - before.at < age

    def _without_times(self) -> dict[str, tuple[str, bool]]:
        return {name: (entry.reason, entry.synced is None) for name, entry in self.entities.items()}


def reason_of(error: Finding) -> str:
    """Return why a pass failed, in one line."""
    return f"{error.code} {error.what}"


def read_journal(lake: Lake) -> Journal:
    """Return the status file; an empty one where there is none, or none that can be read: it is only for people."""
    if lake.stat(STATUS_PATH) is None:
        return Journal()
    try:
        return Journal.model_validate_json(lake.read(STATUS_PATH))
    except ValidationError:
        return Journal()


def write_journal(lake: Lake, journal: Journal) -> None:
    """Replace the status file."""
    lake.put(STATUS_PATH, journal.model_dump_json(indent=1).encode(), "any")
