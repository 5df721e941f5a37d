"""The status file: when each entity was last synced, why it failed, and which commit was followed up to its last step.

One small file, written once per pass at most; a pass that finds nothing new writes it only when it is older than
``Settings.status_age``. Nothing depends on it: where it says less, the pending steps of a commit are done once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from toolkit.engine.companions import Written
from toolkit.engine.report import EntityReport
from toolkit.errors import Finding
from toolkit.lake.protocol import STATE_FOLDER, Lake
from toolkit.model.base import Frozen
from toolkit.model.link import EntityState
from toolkit.model.names import LogicalName

STATUS_PATH = f"{STATE_FOLDER}/status.json"


class EntityJournal(Frozen):
    """How the last passes of an entity ended. ``reason`` is empty unless the last one failed."""

    synced: datetime | None = None
    reason: str = ""
    settled: int | None = None
    """The ``seq`` of the last commit whose pending steps are all done."""
    scanned: datetime | None = None
    """When an entity that cannot be tracked was last read whole."""


class Journal(Frozen):
    """The content of ``_toolkit/status.json``."""

    format: Literal[1] = 1
    at: datetime | None = None
    entities: Mapping[LogicalName, EntityJournal] = {}
    written: Mapping[str, Written] = {}
    """The files that go with the manifest, by path."""

    def after(
        self,
        reports: Iterable[EntityReport],
        settled: Mapping[str, int | None],
        now: datetime,
        scanned: Collection[str] = (),
    ) -> Journal:
        """Return the journal after a pass; ``settled`` has the last commit followed up, for every entity there is.

        ``scanned`` are the entities among the reports that cannot be tracked.
        """
        entities = {name: self._entity(name, seq) for name, seq in settled.items()}
        for report in reports:
            error, entry = report.error, entities[report.entity]
            ended: dict[str, object] = {"reason": reason_of(error)} if error else {"reason": "", "synced": now}
            if error is None:
                ended["scanned"] = now if report.entity in scanned else None
            entities[report.entity] = entry.model_copy(update=ended)
        return Journal(at=now, entities=dict(sorted(entities.items())))

    def without(self, words: str) -> Journal:
        """Return the journal without some words in the reasons of failures."""
        entities = {
            name: entry.model_copy(update={"reason": entry.reason.replace(words, "(erased)")})
            for name, entry in self.entities.items()
        }
        return self.model_copy(update={"entities": entities})

    def turns(self, reports: Iterable[EntityReport]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return which entities begin to fail with a pass, and which recover."""
        before = {name for name, entry in self.entities.items() if entry.reason}
        failed = {report.entity: report.error is not None for report in reports}
        failing = tuple(name for name, now in failed.items() if now and name not in before)
        return failing, tuple(name for name, now in failed.items() if not now and name in before)

    def settled(self, entity: str) -> int | None:
        """Return the ``seq`` of the last commit of an entity that was followed up, as far as that is known."""
        entry = self.entities.get(entity)
        return entry.settled if entry else None

    def scanned(self, entity: str) -> datetime | None:
        """Return when an entity was last read whole, as far as that is known."""
        entry = self.entities.get(entity)
        return entry.scanned if entry else None

    def _entity(self, name: str, settled: int | None) -> EntityJournal:
        return self.entities.get(name, EntityJournal()).model_copy(update={"settled": settled})

    def outdates(self, before: Journal, age: timedelta) -> bool:
        """Whether it tells more than another time of the last sync, or ``before`` is older than ``age``."""
        if before.at is None or self.at is None or self.written != before.written:
            return True
        if self._without_times() != before._without_times():
            return True
        return not timedelta(0) <= self.at - before.at < age

    def _without_times(self) -> dict[str, tuple[object, ...]]:
        return {
            name: (entry.reason, entry.settled, entry.scanned, entry.synced is None)
            for name, entry in self.entities.items()
        }


class StatusFile:
    """The journal as a session knows it, and as the status file has it, which may be older in times alone."""

    def __init__(self, lake: Lake, age: timedelta) -> None:
        self._lake, self._age = lake, age
        self.journal = self._told = read_journal(lake)

    def keep(self, journal: Journal) -> None:
        """Know a journal, and write it where the file says less or is too old.

        Passes over single entities come one by one: the times of those that are not written yet must not be lost.
        """
        self.journal = journal
        if journal.outdates(self._told, self._age):
            write_journal(self._lake, journal)
            self._told = journal

    def redact(self, words: str) -> None:
        """Take words out of the reasons of failures."""
        if (without := self.journal.without(words)) != self.journal:
            self.keep(without)


def reason_of(error: Finding) -> str:
    """Return why a pass failed, in one line."""
    return f"{error.code} {error.what}"


def state_of(entry: EntityJournal | None, *, begun: bool, completed: bool) -> EntityState:
    """Return how far an entity is; ``begun`` when it has state in the lake."""
    if entry is not None and entry.reason:
        return EntityState.FAILED
    if not begun:
        return EntityState.NOT_STARTED
    return EntityState.COMPLETED if completed else EntityState.IN_PROGRESS


def read_journal(lake: Lake) -> Journal:
    """Return the status file; an empty one where there is none, or none that can be read."""
    if lake.stat(STATUS_PATH) is None:
        return Journal()
    try:
        return Journal.model_validate_json(lake.read(STATUS_PATH))
    except ValidationError:
        return Journal()


def redact(lake: Lake, words: str) -> None:
    """Take words out of the reasons of failures in the status file."""
    journal = read_journal(lake)
    if (without := journal.without(words)) != journal:
        write_journal(lake, without)


def write_journal(lake: Lake, journal: Journal) -> None:
    """Replace the status file."""
    lake.put(STATUS_PATH, journal.model_dump_json(indent=1).encode(), "any")
