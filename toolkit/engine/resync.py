"""What is told when a cursor was of no more use, so that all rows of an entity were read and compared."""

from __future__ import annotations

from dataclasses import replace

from toolkit.engine.report import EntityReport
from toolkit.errors import CursorExpired, Finding, Place, Severity


def resynced(report: EntityReport, expired: CursorExpired) -> EntityReport:
    """Return the report of a pass that compared all rows, since a cursor was of no more use (ENG121)."""
    (cause,) = expired.findings
    told = Finding(
        "ENG121",
        Severity.NOTE,
        f"the cursor of {report.entity} was of no more use: {cause.why or cause.what}",
        Place(report.entity),
        "all rows were read and compared by id and version; where they differed, the source won",
    )
    return replace(report, notices=(*report.notices, told))
