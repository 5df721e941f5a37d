"""The status file: when each entity was last synced, and why it failed. One small file, written once per pass."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

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
