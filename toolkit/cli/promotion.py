"""``export``, ``plan``, ``import``, ``verify``, ``uninstall`` and ``history``: configuration between environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from toolkit import bundle as bundles
from toolkit.apply import Report, read_world
from toolkit.bundle import Loaded
from toolkit.cli import doing, options, reports
from toolkit.cli.bundle import zip_name
from toolkit.cli.frame import FORMATS, Command
from toolkit.cli.inventory import checked_offline
from toolkit.cli.output import Result, table
from toolkit.cli.references import loaded, without_errors
from toolkit.cli.session import Session
from toolkit.cli.trust import require_trusted, trust_checks
from toolkit.cli.verification import exit_status, verification
from toolkit.files import write_whole
from toolkit.model.config import ExportConfig
from toolkit.model.link import Applied
from toolkit.plan import Plan, Profile, plan_import, plan_uninstall
from toolkit.plan.safety import Danger
from toolkit.plan.saved import read_saved, require_current, require_same_bundle, saved, was_applied
from toolkit.release import commit_of
from toolkit.site import Site
from toolkit.verify import Checked
from toolkit.verify import verify as run_checks


@click.command(cls=Command)
@click.argument("solution")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Else NAME_VERSION.zip here.")
@click.option("--source", type=click.Path(path_type=Path, file_okay=False), help="Write a source folder instead.")
@click.option("--managed", is_flag=True, help="As managed: for import into test and prod.")
@options.environment
@click.pass_obj
def export(
    session: Session, *, solution: str, output: Path | None, source: Path | None, managed: bool, environment: str | None
) -> None:
    """Export a solution from an environment, as a zip or a source folder.

    An installed managed solution cannot be exported: promote the zip that was imported.
    """
    if source is not None and (managed or output is not None):
        raise click.UsageError("--source goes neither with --managed nor with --output")
    site = session.site(environment)
    data = site.environment.export_solution(solution, managed=managed)
    found = bundles.load_bytes(data, site.name)
    target = source or output or Path(zip_name(found.bundle))
    if source is not None:
        bundles.unpack(found.archive, source)
    else:
        write_whole(target, data)
    version = found.bundle.solution.version
    session.say(
        f"exported {solution} {version} from {site.name} to {target}",
        {"path": str(target), "digest": found.bundle.digest},
    )


@dataclass(frozen=True, slots=True)
class Desired:
    """A bundle that was read, checked and overlaid for an environment."""

    found: Loaded
    configs: tuple[ExportConfig, ...]

    @property
    def archive(self) -> bytes:
        """The solution zip."""
        return self.found.archive.to_bytes()

    def plan(self, site: Site, profile: Profile, *, delete_data: bool = False) -> Plan:
        """Plan the import into an environment as it is now."""
        world = read_world(site, self.configs)
        return plan_import(
            self.found.bundle, self.configs, world, profile=profile, where=self.found.path, delete_data=delete_data
        )

    def planned(self, path: Path, site: Site, profile: Profile) -> Plan:
        """Return a saved plan, once it is sure that it is of this bundle, and of the environment as it is now.

        A plan that has been done leaves nothing to do but the data. Raises Damaged, Refused, or Conflict (APL001).
        """
        read = read_saved(path.read_bytes(), str(path))
        require_same_bundle(read, self.found.bundle, self.configs, site.name, str(path))
        world = read_world(site, self.configs)
        if was_applied(read, world) and (now := self.plan(site, profile)).empty:
            return now
        require_current(read, world)
        return read


def desired(session: Session, text: str, site: Site, overlays: tuple[Path, ...]) -> Desired:
    """Read, validate and overlay a bundle for an environment; its warnings go to stderr."""
    found = loaded(text)
    warnings = without_errors(found)
    missing = () if overlays else bundles.overlay_findings(found.bundle, site.name, found.path)
    session.warn((*warnings, *missing, *bundles.settings_notes(overlays)))
    return Desired(found, bundles.effective(found, site.name, overlays, session.variables))


@click.command(cls=Command, formats=(*FORMATS, *reports.FORMATS, "html"))
@click.argument("bundle")
@options.overlays
@options.profile
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Save it, for import --plan.")
@options.delete_data
@options.exit_code
@options.environment
@options.step_summary
@click.pass_obj
def plan(
    session: Session,
    *,
    bundle: str,
    overlays: tuple[Path, ...],
    profile: Profile,
    output: Path | None,
    delete_data: bool,
    exit_code: bool,
    environment: str | None,
    step_summary: bool,
) -> int:
    """Show what an import would change, and what that means for the data.

    BUNDLE is a source folder, a solution zip, REF:PATH in git, or core. Nothing is changed. What the import would
    refuse until it is named with --allow is told as warnings.
    """
    site = session.site(environment)
    planned = desired(session, bundle, site, overlays).plan(site, profile, delete_data=delete_data)
    doing.warn_of_refusals(session, planned, doing.import_command(bundle, overlays, site.name, delete_data=delete_data))
    if output is not None:
        write_whole(output, saved(planned))
    result = doing.plan_result(planned)
    if step_summary:
        reports.summarise(result)
    session.show(result)
    return 3 if exit_code and not planned.empty else 0


@click.command("import", cls=Command)
@click.argument("bundle")
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path, dir_okay=False), help="Do this saved plan, or nothing."
)
@options.overlays
@options.profile
@options.delete_data
@options.allow
@options.require_clean
@options.require_tag
@options.yes
@options.data
@options.environment
@click.pass_obj
def import_(
    session: Session,
    *,
    bundle: str,
    plan_file: Path | None,
    overlays: tuple[Path, ...],
    profile: Profile,
    delete_data: bool,
    allowed: tuple[Danger | int, ...],
    require_clean: bool,
    require_tag: bool,
    yes: bool,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Import a bundle: check, show, apply, sync, verify.

    BUNDLE is a source folder, a solution zip, REF:PATH in git, or core (the Core solution that every environment
    needs before it exports). Everything is checked before anything is changed.
    """
    site = session.site(environment)
    wanted = desired(session, bundle, site, overlays)
    require_trusted(bundle, wanted.found, signers(session, site), clean=require_clean, tag=require_tag)
    if plan_file is None:
        planned = wanted.plan(site, profile, delete_data=delete_data)
    else:
        planned = wanted.planned(plan_file, site, profile)
    how = doing.How(not yes, not no_sync, wait, options.allowed_by(allowed), limited=True)
    commit = commit_of(bundle, Path.cwd())
    report = doing.do(session, site, planned, how, archive=wanted.archive, commit=commit)
    return finish_import(session, site, wanted, report, profile)


def finish_import(session: Session, site: Site, wanted: Desired, report: Report, profile: Profile) -> int:
    """Verify what was imported, print both as one result, and return the exit status."""
    checked = check(session, site, wanted, profile)
    verified = verification(checked)
    text = "\n".join(part for part in (doing.report_text(report), verified.text) if part)
    status = exit_status(checked)
    if session.quiet and session.format == "text" and status:
        session.show(verified)
    else:
        session.say(text, {**doing.report_data(report), "verify": verified.data})
    return doing.failed(session, report.synced.values()) or status


@click.command(cls=Command, formats=(*FORMATS, *reports.FORMATS))
@click.argument("bundle", required=False)
@click.option("--deep", is_flag=True, help="Read every file of the lakes, and find what is missing or damaged.")
@click.option(
    "--inventory",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check the entities of BUNDLE against this file, without a sign-in.",
)
@click.option(
    "--max-age",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Warn of an inventory that is older.",
)
@options.overlays
@options.profile
@options.environment
@options.step_summary
@click.pass_obj
def verify(
    session: Session,
    *,
    bundle: str | None,
    deep: bool,
    inventory: Path | None,
    max_age: int,
    overlays: tuple[Path, ...],
    profile: Profile,
    environment: str | None,
    step_summary: bool,
) -> int:
    """Check that an environment and its lakes are as configured.

    With BUNDLE the links must also be those of the bundle. The exit status is 5 when there are errors.
    """
    if inventory is not None:
        if bundle is None or deep or environment is not None:
            raise click.UsageError("--inventory goes with BUNDLE, and neither with --env nor with --deep")
        most = timedelta(days=max_age)
        offline = checked_offline(session, bundle, inventory, overlays=overlays, profile=profile, most=most)
        return _told(session, offline, step_summary=step_summary)
    site = session.site(environment)
    wanted = desired(session, bundle, site, overlays) if bundle else None
    trust = trust_checks(bundle, wanted.found, signers(session, site)) if bundle and wanted else ()
    checked = (*trust, *check(session, site, wanted, profile, deep=deep))
    return _told(session, checked, step_summary=step_summary)


def _told(session: Session, checked: Sequence[Checked], *, step_summary: bool) -> int:
    result = verification(checked)
    if step_summary:
        reports.summarise(result)
    session.show(result)
    return exit_status(checked)


def signers(session: Session, site: Site) -> tuple[str, ...]:
    """Return who may sign what is imported into an environment; nobody: no signature is asked for."""
    return session.project.entry(site.name)[1].signers


def check(
    session: Session, site: Site, wanted: Desired | None, profile: Profile, *, deep: bool = False
) -> tuple[Checked, ...]:
    """Run every check of an environment, with the bundle that it should be like, if there is one."""
    return run_checks(
        site,
        clock=session.clock,
        bundle=wanted.found.bundle if wanted else None,
        expected=wanted.configs if wanted else None,
        profile=profile,
        deep=deep,
    )


@click.command(cls=Command)
@click.argument("solution")
@click.option("--prune", is_flag=True, help="Remove configs and links of an unmanaged solution too.")
@options.delete_data
@options.allow
@options.yes
@options.data
@options.environment
@click.pass_obj
def uninstall(
    session: Session,
    *,
    solution: str,
    prune: bool,
    delete_data: bool,
    allowed: tuple[Danger | int, ...],
    yes: bool,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Remove a solution from an environment.

    A managed one takes its configs and links along; an unmanaged one leaves them as orphans, unless --prune is given.
    The exported data is kept aside, unless --delete-data is given and each entity is named.
    """
    site = session.site(environment)
    planned = plan_uninstall(solution, read_world(site), prune=prune, delete_data=delete_data)
    how = doing.How(not yes, not no_sync, wait, options.allowed_by(allowed))
    return doing.finish(session, doing.do(session, site, planned, how))


@click.command(cls=Command)
@options.environment
@click.pass_obj
def history(session: Session, environment: str | None) -> None:
    """List what was imported and uninstalled, when and by whom."""
    site = session.site(environment)
    known, _ = site.record()
    rows = [_applied(entry) for entry in (known.applied if known else ())]
    columns = ("at", "by", "what", "solution", "version", "package", "bundle")
    shown = [{**row, "at": f"{row['at'][:19]}Z", "bundle": row["bundle"][:19]} for row in rows]
    session.show(Result(rows, table(shown, columns, empty=f"nothing was applied to {site.name}").text))


def _applied(entry: Applied) -> dict[str, Any]:
    data = entry.model_dump(mode="json")
    what = "uninstall" if entry.removed else "import" if entry.restores is None else f"restores {entry.restores}"
    return {**data, "what": what, "package": "managed" if entry.managed else "unmanaged"}
