"""``backup`` and ``restore``: the export configuration of an environment, as a file."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.apply import Report
from toolkit.apply.backup import Part, later, parts, require_same_organization, take
from toolkit.apply.backup_file import read, written
from toolkit.cli import doing, options
from toolkit.cli.frame import Command
from toolkit.cli.output import plural
from toolkit.cli.session import Session
from toolkit.cli.verification import exit_status, verification
from toolkit.files import write_whole
from toolkit.plan.safety import Danger
from toolkit.site import Site
from toolkit.verify import verify


@click.command(cls=Command)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write."
)
@options.environment
@click.pass_obj
def backup(session: Session, *, output: Path, environment: str | None) -> None:
    """Write the export configuration of an environment to a file, for restore.

    It holds solutions, config rows, links, tracking flags and what was applied last; no rows and no secrets.
    """
    site = session.site(environment)
    kept = take(site, session.clock(), str(output))
    write_whole(output, written(kept))
    solutions, links = plural(len(kept.backup.solutions), "solution"), plural(len(kept.backup.links), "link")
    session.say(f"backed up {site.name} to {output}: {solutions}, {links}", kept.backup.model_dump(mode="json"))


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--take-over", is_flag=True, help="Restore here what is the backup of another organization.")
@options.allow
@options.yes
@options.data
@options.environment
@click.pass_obj
def restore(
    session: Session,
    *,
    file: Path,
    take_over: bool,
    allowed: tuple[Danger | int, ...],
    yes: bool,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Bring the export configuration of an environment back to a backup.

    Everything is checked and shown before anything is changed. What came after the backup stays, and is told.
    """
    site = session.site(environment)
    kept = read(file.read_bytes(), str(file))
    if not take_over:
        require_same_organization(kept, site)
    how = doing.How(sync=not no_sync, wait=wait, allowed=options.allowed_by(allowed), limited=True)
    session.warn(later(kept, site))
    _agree(session, list(parts(kept, site)), how, ask=not yes)
    # A plan holds for the environment as it is, so that each is made again once the one before is done.
    reports = [_do(session, site, part, how) for part in parts(kept, site)]
    checked = verify(site, clock=session.clock)
    verified = verification(checked)
    texts = [text for report in reports if (text := doing.report_text(report))]
    data = {"parts": [doing.report_data(report) for report in reports], "verify": verified.data}
    session.say("\n".join([*texts, verified.text]), data)
    synced = [synced for report in reports for synced in report.synced.values()]
    return doing.failed(session, synced) or exit_status(checked)


def _agree(session: Session, planned: list[Part], how: doing.How, *, ask: bool) -> None:
    """Show every plan of a restore, refuse what is not safe, and ask where that is wanted."""
    for part in planned:
        session.preview(doing.plan_result(part.plan).text)
    for part in planned:
        doing.require_safe(session, part.plan, how)
    changes = sum(len(part.plan.changes) for part in planned)
    if ask and changes:
        session.confirm(f"{plural(changes, 'change')} to {planned[0].plan.environment}: go on?", "--yes")


def _do(session: Session, site: Site, part: Part, how: doing.How) -> Report:
    doing.require_safe(session, part.plan, how)
    return doing.carry_out(session, site, part.plan, how, archive=part.archive, restores=part.restores)
