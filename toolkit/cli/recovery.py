"""``rollback``: what was applied earlier is brought back, under a higher version."""

from __future__ import annotations

import click

from toolkit import bundle as bundles
from toolkit.apply.kept import configs_of, package_of, repacked, version_above
from toolkit.cli import doing, options
from toolkit.cli.frame import Command
from toolkit.cli.promotion import Desired, finish_import
from toolkit.cli.session import Session
from toolkit.errors import NotFound, Refused, nearest
from toolkit.model.link import Applied, EnvironmentRecord
from toolkit.plan import Profile
from toolkit.plan.drift import back
from toolkit.plan.safety import Danger
from toolkit.plan.world import same_name
from toolkit.site import Site


@click.command(cls=Command)
@click.option("--to", "version", required=True, metavar="VERSION", help="A version of: toolkit history.")
@click.option("--solution", metavar="NAME", help="May be left out where only one solution had that version.")
@options.profile
@options.allow
@options.yes
@options.data
@options.environment
@click.pass_obj
def rollback(
    session: Session,
    *,
    version: str,
    solution: str | None,
    profile: Profile,
    allowed: tuple[Danger | int, ...],
    yes: bool,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Bring back what was applied earlier, as the next free version.

    Nothing lower is ever imported. The content is that of then, with the values after overlay of then. It is planned,
    named and applied as any import.
    """
    site = session.site(environment)
    record, _ = site.record()
    chosen = choose(record, version, solution, site.name)
    wanted = restored(site, record, chosen, session.variables)
    how = doing.How(not yes, not no_sync, wait, options.allowed_by(allowed), limited=True)
    plan = wanted.plan(site, profile)
    report = doing.do(session, site, plan, how, archive=wanted.archive, restores=chosen.version)
    return finish_import(session, site, wanted, report, profile)


def choose(record: EnvironmentRecord | None, version: str, solution: str | None, where: str) -> Applied:
    """Return the apply that a version names, the last one of it.

    Raises NotFound (CLI091), or Refused where several solutions had it (CLI092), or where it is what is there (CLI093).
    """
    imports = [entry for entry in (record.applied if record else ()) if not entry.removed]
    mine = [entry for entry in imports if solution is None or same_name(entry.solution, solution)]
    found = {entry.solution: entry for entry in mine if str(entry.version) == version}
    if not found:
        known = {str(entry.version) for entry in mine}
        what = f"no version {version!r} of {solution or 'any solution'} was applied"
        raise NotFound("CLI091", what, where=where, fix=nearest(version, known) or "see: toolkit history")
    if len(found) > 1:
        what = f"several solutions had the version {version}"
        raise Refused("CLI092", what, where=where, fix=f"add --solution NAME ({', '.join(sorted(found))})")
    (chosen,) = found.values()
    last = record.last_applied(chosen.solution) if record else None
    if last is not None and last.version == chosen.version:
        raise Refused(
            "CLI093",
            f"{chosen.solution} {version} is what was applied last",
            where=where,
            why="what was changed by hand since is brought back by what was done last",
            fix=f"see: toolkit drift --env {where}; back: {back(last, where)}",
        )
    return chosen


def restored(site: Site, record: EnvironmentRecord | None, chosen: Applied, variables: bundles.Variables) -> Desired:
    """Return the content of an earlier apply under the next free version; under its own where it was restored last."""
    inventory = site.environment.inventory()
    version = version_above(record, inventory, chosen.solution, chosen.version)
    package = package_of(site.state, chosen)
    where = f"{chosen.solution} {version} (restores {chosen.version})"
    found = bundles.load_bytes(repacked(package, version, where), where)
    configs = configs_of(site.state, chosen)
    return Desired(found, bundles.effective(found, site.name, (), variables) if configs is None else configs)
