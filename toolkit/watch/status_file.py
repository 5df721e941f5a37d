"""The status of a run as JSON, for supervisors: written to a file of their choice, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.files import write_whole
from toolkit.watch.ledger import LinkTally, Tally

STATUS_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Runner:
    """The process of a run."""

    environment: str
    host: str
    pid: int
    since: datetime


def run_status(runner: Runner, state: str, links: Iterable[LinkTally], now: datetime) -> dict[str, Any]:
    """Return the content of the file; ``state`` is that of the run: running or stopped."""
    return {
        "format": STATUS_FORMAT,
        "at": time_text(now),
        "state": state,
        "environment": runner.environment,
        "host": runner.host,
        "pid": runner.pid,
        "since": time_text(runner.since),
        "links": [_link(link, now) for link in links],
    }


def write_status(path: Path, status: dict[str, Any]) -> None:
    """Replace the file. Raises OSError."""
    write_whole(path, json.dumps(status, indent=1).encode() + b"\n")


def time_text(time: datetime | None) -> str | None:
    """Return a time in UTC as ISO 8601 has it, to the second."""
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _link(link: LinkTally, now: datetime) -> dict[str, Any]:
    entities = [_entity(tally, now) for _, tally in sorted(link.entities.items())]
    return {"config": link.config, "state": link.state.value, "reason": link.reason, "entities": entities}


def _entity(tally: Tally, now: datetime) -> dict[str, Any]:
    return {
        "entity": tally.entity,
        "state": tally.state.value,
        "last_synced": time_text(tally.synced),
        "lag_seconds": tally.lag(now),
        "failures": tally.failing,
        "reason": tally.reason,
    }
