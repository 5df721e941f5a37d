"""An import of a solution as a job: recorded when it begins, when its package could be read, and when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum

from toolkit.errors import Refused, ToolkitError
from toolkit.organization import incoming, installation, jobs
from toolkit.organization.database import Connection, Database
from toolkit.organization.incoming import Incoming
from toolkit.organization.jobs import ImportJob

DUPLICATE = "0x80040237"
"""Dataverse's code for an id that is there already."""


class Manner(StrEnum):
    """What an import does to the version that is installed."""

    UPDATE = "update"
    HOLD = "hold"
    UPGRADE = "upgrade"


def begin(connection: Connection, job: ImportJob) -> None:
    """Record a job before it begins. Raises Refused where its id is another one's."""
    if jobs.find(connection, job.id) is not None:
        raise Refused(
            DUPLICATE,
            f"there is an import job {job.id} already",
            where=job.id,
            why="the id of a job is its identity",
            fix="choose another id",
        )
    jobs.put(connection, job)


def run(
    database: Database,
    job: ImportJob,
    archive: bytes,
    manner: Manner,
    clock: Callable[[], datetime],
    *,
    overwrite: bool = True,
) -> Iterator[ImportJob]:
    """Import a package in one write, and yield the job once the package could be read, and at its good end.

    Raises Invalid for what is no solution zip, or Refused with every reason; the job says so too.
    """
    try:
        package = incoming.read(archive)
        solution = package.bundle.solution
        job = job.of(solution.unique_name, str(solution.version))
        _record(database, job)
        yield job
        ended = job.succeeded(clock())
        with database.write() as connection:
            _install(connection, package, manner, overwrite=overwrite)
            jobs.put(connection, ended)
    except ToolkitError as error:
        _record(database, job.failed(clock(), error))
        raise
    yield ended


def _install(connection: Connection, package: Incoming, manner: Manner, *, overwrite: bool) -> None:
    if manner is Manner.HOLD:
        installation.hold(connection, package, overwrite=overwrite)
    else:
        installation.install(connection, package, upgrade=manner is Manner.UPGRADE, overwrite=overwrite)


def _record(database: Database, job: ImportJob) -> None:
    with database.write() as connection:
        jobs.put(connection, job)
