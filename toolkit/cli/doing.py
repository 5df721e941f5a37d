"""Show a plan, ask, do it, and say what was done: what every command that changes a link has in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from toolkit.apply import Report, apply
from toolkit.cli.output import Result, colour, finding_data, plural
from toolkit.cli.reports import cases_of, renderings
from toolkit.cli.session import Session
from toolkit.engine import EntityReport, Patience, Retry, SyncReport
from toolkit.errors import Severity
from toolkit.model.version import Version
from toolkit.plan import Plan
from toolkit.plan.document import document
from toolkit.plan.page import plan_html
from toolkit.plan.render import plan_markdown, plan_text, size_text
from toolkit.plan.safety import NOTHING, Allowed, require_allowed, unallowed
from toolkit.site import Site


@dataclass(frozen=True, slots=True)
class How:
    """How a plan is done: whether to ask first, and how long to wait for the data (None: to the end)."""

    ask: bool = False
    sync: bool = True
    wait: float | None = None
    allowed: Allowed = NOTHING
    """What the person named, or the command itself."""
    limited: bool = False
    """Whether the limits of the environment hold: for bundles, and not for what is done entity by entity."""


def plan_result(plan: Plan) -> Result:
    """Return a plan as it is printed."""
    own = {"markdown": lambda: plan_markdown(plan), "html": lambda: plan_html(plan)}
    others = {**renderings("toolkit plan", cases_of(plan)), **own}
    return Result(document(plan).model_dump(mode="json"), plan_text(plan, colour=colour()), others)


def do(
    session: Session,
    site: Site,
    plan: Plan,
    how: How,
    *,
    archive: bytes | None = None,
    commit: str | None = None,
    restores: Version | None = None,
) -> Report:
    """Show a plan, ask where that is wanted, and do it; ``commit`` and ``restores`` are for the history."""
    session.preview(plan_result(plan).text)
    require_safe(session, plan, how)
    if how.ask and not plan.empty:
        session.confirm(f"{plural(len(plan.changes), 'change')} to {plan.environment}: go on?", "--yes")
    return carry_out(session, site, plan, how, archive=archive, commit=commit, restores=restores)


def carry_out(
    session: Session,
    site: Site,
    plan: Plan,
    how: How,
    *,
    archive: bytes | None = None,
    commit: str | None = None,
    restores: Version | None = None,
) -> Report:
    """Do a plan that was shown and agreed to."""
    with session.progress() as progress:
        return apply(
            plan,
            site,
            archive,
            clock=session.clock,
            holder=session.holder(),
            commit=commit,
            restores=restores,
            sync=how.sync,
            wait=how.wait,
            progress=progress,
            patience=patience(session),
        )


def require_safe(session: Session, plan: Plan, how: How) -> None:
    """Refuse what destroys data, cannot be undone or changes too much, unless it was named. Raises Unsafe."""
    _, entry = session.project.entry(plan.environment)
    require_allowed(plan, how.allowed, session.command, entry.limits if how.limited else None)


def warn_of_refusals(session: Session, plan: Plan, command: str) -> None:
    """Tell on stderr what ``command`` would be refused for as it stands."""
    _, entry = session.project.entry(plan.environment)
    found = unallowed(plan, NOTHING, command, entry.limits)
    session.warn([replace(finding, severity=Severity.WARNING) for finding in found])


def import_command(bundle: str, overlays: Iterable[Path], environment: str, *, delete_data: bool) -> str:
    """Return the command that does what ``plan`` was asked about."""
    options = [*(f"--overlay {quote(str(path))}" for path in overlays), *(["--delete-data"] if delete_data else [])]
    return " ".join(["toolkit import", quote(bundle), f"--env {environment}", *options])


def patience(session: Session) -> Patience:
    """Return how a command waits for failures to pass: it sleeps, and tells of each wait."""
    return Patience(session.pause, lambda retry: _tell_retry(session, retry))


def _tell_retry(session: Session, retry: Retry) -> None:
    for each in retry.failed:
        why = f"{each.error.code} {each.error.what}" if each.error else ""
        session.note(
            f"{each.entity}: tried again in {round(retry.seconds, 1):g} s ({retry.number} of {retry.most}): {why}"
        )


def finish(session: Session, report: Report) -> int:
    """Print what was done, and return the exit status: 1 when an entity failed."""
    session.say(report_text(report), report_data(report))
    return failed(session, report.synced.values())


def failed(session: Session, reports: Iterable[SyncReport]) -> int:
    """Print what is to be known of the entities, and why some failed; return the exit status."""
    told = list(reports)
    session.warn([notice for report in told for notice in report.notices])
    errors = [entity.error for report in told for entity in report.failed if entity.error is not None]
    session.complain(errors)
    return 1 if errors else 0


def report_data(report: Report) -> dict[str, Any]:
    """Return what was done as JSON."""
    return {
        "plan": plan_result(report.plan).data,
        "synced": {name: sync_data(synced) for name, synced in report.synced.items()},
        "running": dict(report.running),
    }


def report_text(report: Report) -> str:
    """Return what was done as lines, one for each link."""
    lines = [f"{name}: {sync_text(synced)}" for name, synced in report.synced.items()]
    lines += [f"{name}: the engine that runs picks it up ({held})" for name, held in report.running.items()]
    return "\n".join(lines)


def sync_data(report: SyncReport) -> dict[str, Any]:
    """Return a pass over a link as JSON."""
    return {
        "entities": [_entity_data(entity) for entity in report.entities],
        "retired": list(report.retired),
        "stopped": report.stopped,
        "manifest": report.manifest,
        "mended": list(report.mended),
        "failing": list(report.failing),
        "recovered": list(report.recovered),
        "folder": report.folder,
    }


def _entity_data(entity: EntityReport) -> dict[str, Any]:
    return {
        "entity": entity.entity,
        "state": entity.state.value,
        "written": entity.written,
        "deleted": entity.deleted,
        "bytes": entity.bytes,
        "partitions": list(entity.partitions),
        "snapshots": list(entity.snapshots),
        "notices": [finding_data(notice) for notice in entity.notices],
        "error": None if entity.error is None else finding_data(entity.error),
    }


def sync_text(report: SyncReport) -> str:
    """Return a pass over a link in one line."""
    written = sum(entity.written for entity in report.entities)
    deleted = sum(entity.deleted for entity in report.entities)
    remade = sum(len(entity.partitions) for entity in report.entities if not (entity.written or entity.deleted))
    snapshots = sum(len(entity.snapshots) for entity in report.entities)
    size = size_text(sum(entity.bytes for entity in report.entities))
    did = [
        *([f"{plural(written, 'row')} written"] if written else []),
        *([f"{deleted:,} deleted"] if deleted else []),
        # A new column leaves the rows as they were, and makes their files anew.
        *([f"{plural(remade, 'partition')} made anew"] if remade else []),
        *([size] if written or deleted or remade else []),
        *([plural(snapshots, "snapshot")] if snapshots else []),
        *([f"{plural(len(report.mended), 'lost snapshot')} made again"] if report.mended else []),
        *([f"folder {report.folder}"] if report.folder else []),
        *([f"retired: {', '.join(report.retired)}"] if report.retired else []),
        *([f"{len(report.failed)} FAILED"] if report.failed else []),
        *(["stopped before the end"] if report.stopped else []),
    ]
    if not did:
        if report.restored:
            return "model.json written anew"
        did += ["model.json brought up to date"] if report.manifest and report.entities else []
        if not did:
            return "nothing new"
    return ", ".join([plural(len(report.entities), "entity", "entities"), *did])
