"""Import jobs in an organization's file, with the XML report that Dataverse keeps in ``importjob.data``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from toolkit.bundle.markup import escaped, quoted
from toolkit.errors import ToolkitError
from toolkit.model.base import Frozen
from toolkit.model.names import Guid
from toolkit.organization.database import Connection

DDL = """
CREATE TABLE import_job (
    id TEXT PRIMARY KEY,
    started TEXT NOT NULL,
    definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


class JobResult(StrEnum):
    """How an import ended, in the words of the job's XML."""

    SUCCESS = "success"
    FAILURE = "failure"


class ImportJob(Frozen):
    """One import of a solution. ``progress`` is a percentage; an import that was cut off stays without an end."""

    id: Guid
    started: datetime
    ended: datetime | None = None
    progress: float = 0.0
    solution: str | None = None
    """None until the package could be read."""
    version: str | None = None
    result: JobResult | None = None
    error_code: str = "0"
    error_text: str = ""

    @property
    def data(self) -> str:
        """The report in XML. Shape: as public clients read it (``//solutionManifest/result/@result``)."""
        values = {"result": self.result or "", "errorcode": self.error_code, "errortext": self.error_text}
        outcome = f"<result{_attributes(values)} />"
        manifest = "".join(
            f"<{name}>{escaped(text)}</{name}>"
            for name, text in {"UniqueName": self.solution, "Version": self.version}.items()
            if text is not None
        )
        processed = "false" if self.ended is None else "true"
        times = {"start": self.started.isoformat(), "stop": "" if self.ended is None else self.ended.isoformat()}
        head = _attributes({**times, "progress": f"{self.progress:.2f}", "processed": processed})
        return (
            f'<importexportxml{head}><solutionManifests><solutionManifest processed="{processed}">{manifest}{outcome}'
            "</solutionManifest></solutionManifests></importexportxml>"
        )

    def of(self, solution: str, version: str) -> ImportJob:
        """Return the job of a package that could be read, half way."""
        return self.model_copy(update={"solution": solution, "version": version, "progress": 50.0})

    def succeeded(self, ended: datetime) -> ImportJob:
        """Return the job at its good end."""
        return self.model_copy(update={"ended": ended, "progress": 100.0, "result": JobResult.SUCCESS})

    def failed(self, ended: datetime, error: ToolkitError) -> ImportJob:
        """Return the job at its bad end."""
        end = {"ended": ended, "progress": 0.0, "result": JobResult.FAILURE}
        return self.model_copy(update={**end, "error_code": error.code, "error_text": error.what})


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoted(value)}" for name, value in values.items())


def put(connection: Connection, job: ImportJob) -> None:
    """Record a job, or how far it is."""
    connection.execute(
        "INSERT OR REPLACE INTO import_job VALUES (?, ?, ?)", [job.id, job.started.isoformat(), job.model_dump_json()]
    )


def find(connection: Connection, key: str) -> ImportJob | None:
    """Return the job of an id, or None."""
    row = connection.one("SELECT definition FROM import_job WHERE id = ?", [key.lower()])
    return None if row is None else ImportJob.model_validate_json(row["definition"])


def jobs(connection: Connection) -> tuple[ImportJob, ...]:
    """Return all jobs, oldest first."""
    rows = connection.execute("SELECT definition FROM import_job ORDER BY started, id")
    return tuple(ImportJob.model_validate_json(row["definition"]) for row in rows)
