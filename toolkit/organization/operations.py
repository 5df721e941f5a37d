"""System jobs in an organization's file (``asyncoperation``), and the packages that go through them.

A job is recorded before it begins and when it has ended. One that was in work when its process died stays without an
end, until somebody who knows that nobody works on it says so (``fail_open``).
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from toolkit.errors import ToolkitError
from toolkit.model.base import Frozen
from toolkit.model.names import Guid
from toolkit.organization.database import Connection

DDL = """
CREATE TABLE system_job (
    id TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE job_package (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

INTERRUPTED = "0x80040216"
"""Dataverse's code for a failure of its own."""


class Kind(IntEnum):
    """What a job does. Source: the values of ``asyncoperation.operationtype``."""

    EXPORT = 202
    IMPORT = 203


class State(IntEnum):
    """``asyncoperation.statecode``, as far as jobs here have it."""

    READY = 0
    LOCKED = 2
    COMPLETED = 3


class Status(IntEnum):
    """``asyncoperation.statuscode``, as far as jobs here have it."""

    WAITING = 0
    IN_PROGRESS = 20
    SUCCEEDED = 30
    FAILED = 31


_STATES = {Status.WAITING: State.READY, Status.IN_PROGRESS: State.LOCKED}


class SystemJob(Frozen):
    """A job that the server does after it has answered. ``error_code`` is 0 or Dataverse's code as a signed number."""

    id: Guid
    kind: Kind
    name: str
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    status: Status = Status.WAITING
    error_code: int = 0
    message: str = ""

    @property
    def state(self) -> State:
        """The state that belongs to the status."""
        return _STATES.get(self.status, State.COMPLETED)

    def begun(self, now: datetime) -> SystemJob:
        """Return the job in work."""
        return self.model_copy(update={"started": now, "status": Status.IN_PROGRESS})

    def succeeded(self, now: datetime) -> SystemJob:
        """Return the job at its good end."""
        return self.model_copy(update={"ended": now, "status": Status.SUCCEEDED})

    def failed(self, now: datetime, error: ToolkitError) -> SystemJob:
        """Return the job at its bad end."""
        end = {"ended": now, "status": Status.FAILED}
        return self.model_copy(update={**end, "error_code": number(error.code), "message": error.what})


def number(code: str) -> int:
    """Return a code as the signed number that Dataverse keeps; a code of ours is its general failure of an import."""
    value = int(code if code.startswith("0x") else "0x80048033", 16)
    return value - (1 << 32) if value >> 31 else value


def put(connection: Connection, job: SystemJob) -> None:
    """Record a job, or how far it is."""
    connection.execute(
        "INSERT OR REPLACE INTO system_job VALUES (?, ?, ?)", [job.id, job.created.isoformat(), job.model_dump_json()]
    )


def jobs(connection: Connection) -> tuple[SystemJob, ...]:
    """Return all jobs, oldest first."""
    rows = connection.execute("SELECT definition FROM system_job ORDER BY created, id")
    return tuple(SystemJob.model_validate_json(row["definition"]) for row in rows)


def open_jobs(connection: Connection) -> tuple[SystemJob, ...]:
    """Return the jobs that have not ended."""
    return tuple(job for job in jobs(connection) if job.ended is None)


def fail_open(connection: Connection, now: datetime) -> int:
    """End the jobs that were in work when their process died, and return how many there were."""
    why = ToolkitError(INTERRUPTED, "the server stopped before the job had ended; nothing of it was done")
    found = open_jobs(connection)
    for job in found:
        put(connection, job.failed(now, why))
    return len(found)


class PackageKind(IntEnum):
    """Why a package is kept."""

    UPLOAD = 0
    """It was staged, and waits to be imported."""
    EXPORT = 1
    """It was exported, and waits to be fetched."""


def put_package(connection: Connection, key: str, kind: PackageKind, data: bytes) -> None:
    """Keep a solution zip under an id."""
    connection.execute("INSERT INTO job_package VALUES (?, ?, ?)", [key, kind.name, data])


def package(connection: Connection, key: str, kind: PackageKind) -> bytes | None:
    """Return a solution zip, or None where there is none."""
    row = connection.one("SELECT data FROM job_package WHERE id = ? AND kind = ?", [key.lower(), kind.name])
    return None if row is None else row["data"]


def drop_package(connection: Connection, key: str) -> None:
    """Keep a solution zip no longer."""
    connection.execute("DELETE FROM job_package WHERE id = ?", [key.lower()])
