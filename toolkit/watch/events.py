"""What happens in a run, as events: flat JSON objects, one a line. None holds a value of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.engine import EntityReport, SyncReport
from toolkit.engine.schema_history import SCHEMA_CODES
from toolkit.watch.ledger import Tally


def events(report: SyncReport, before: Mapping[str, Tally]) -> Iterator[dict[str, Any]]:
    """Yield what a pass gives to tell of single entities; ``before`` are their tallies from before it."""
    for each in report.entities:
        yield from _of_entity(each, before.get(each.entity, Tally(each.entity)).failing)
    for name in report.recovered:
        yield {"event": "recovery", "entity": name}
    for path in report.mended:
        yield {"event": "healing", "entity": path.partition("/")[0], "what": f"the snapshot {path} was made again"}


def _of_entity(report: EntityReport, failures: int) -> Iterator[dict[str, Any]]:
    name = report.entity
    if failures:
        yield {"event": "retry", "entity": name, "failures": failures}
    for notice in report.notices:
        kind = "schema" if notice.code in SCHEMA_CODES else "healing"
        yield {"event": kind, "entity": name, "code": notice.code, "what": notice.what}
    if report.snapshots:
        yield {"event": "snapshot", "entity": name, "files": list(report.snapshots)}
    if report.error is not None:
        error = report.error
        yield {"event": "failure", "entity": name, "code": error.code, "what": error.what, "failures": failures + 1}
