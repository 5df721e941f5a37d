"""Jobs of the platform: system jobs, and the import jobs whose ids we choose."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.dataverse.client import Client
from toolkit.dataverse.tables import row_if_any, selected

_COMPLETED = 3
"""The state of a system job that has ended."""
_SUCCEEDED = 30
"""The status of one that went well; 31 failed, 32 canceled."""


@dataclass(frozen=True, slots=True)
class SystemJob:
    """How far a system job is (``asyncoperation``)."""

    ended: bool
    succeeded: bool
    message: str
    """What the platform says about it, empty where it says nothing."""
    error_code: int | None


def system_job(client: Client, job: str) -> SystemJob:
    """Return how far a system job is."""
    columns = "statecode,statuscode,message,friendlymessage,errorcode"
    found = client.get(selected(f"asyncoperations({job})", columns)).json()
    message = found.get("friendlymessage") or found.get("message") or ""
    ended = found["statecode"] == _COMPLETED
    return SystemJob(ended, ended and found["statuscode"] == _SUCCEEDED, message, found.get("errorcode"))


@dataclass(frozen=True, slots=True)
class ImportJob:
    """An import job: how far it is in percent, whether it has ended, and its report (XML) once it has."""

    progress: float
    ended: bool
    report: str


def import_job(client: Client, job: str, *, report: bool = False) -> ImportJob | None:
    """Return an import job, with its report where that is asked for; None where there is none."""
    columns = "progress,completedon" + (",data" if report else "")
    found = row_if_any(client, selected(f"importjobs({job})", columns))
    if found is None:
        return None
    return ImportJob(float(found["progress"] or 0), found["completedon"] is not None, found.get("data") or "")
