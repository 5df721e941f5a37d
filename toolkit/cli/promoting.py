"""``promote`` and ``affected``: from an environment to a pull request, and what a change touches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit import bundle as bundles
from toolkit.cli import doing
from toolkit.cli.frame import FORMATS, Command
from toolkit.cli.output import Result, table
from toolkit.cli.promotion import Desired, desired
from toolkit.cli.session import Session
from toolkit.model.solution import Package
from toolkit.model.version import PARTS, Part
from toolkit.plan import Plan, Profile
from toolkit.plan.render import differences_json, differences_markdown
from toolkit.release import affected as touched
from toolkit.release import promoting

if TYPE_CHECKING:
    from toolkit.site import Site


@click.command(cls=Command)
@click.argument("solution")
@click.option("--from", "source", required=True, metavar="NAME", help="The environment that has it.")
@click.option("--to", "target", required=True, metavar="NAME", help="The environment to plan for.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Else solutions/SOLUTION.")
@click.option("--part", type=click.Choice(PARTS), default="build", show_default=True, help="Raised where it has to be.")
@click.option("--branch", metavar="NAME", help="Else promote/SOLUTION-VERSION.")
@click.option("--dry-run", is_flag=True, help="Make no branch; print what would be in the pull request.")
@click.pass_obj
def promote(
    session: Session,
    *,
    solution: str,
    source: str,
    target: str,
    folder: Path | None,
    part: Part,
    branch: str | None,
    dry_run: bool,
) -> None:
    """Commit a solution as an environment has it on a branch, and print the text of the pull request.

    Your own branch, index and files are not touched. The text holds what changes, and the plan for the other
    environment. The version is raised where it is not above the committed one. No change, no branch.
    """
    site = session.site(source)
    exported = bundles.load_bytes(site.environment.export_solution(solution, managed=False), site.name)
    made = promoting.committed(exported.archive, folder or Path("solutions") / solution, f"Promote {solution}", part)
    if made is None:
        session.say(f"{solution} in {source} is as it is committed", {"branch": None, "commit": None})
        return
    planned = doing.plan_result(_for_target(session, f"{made.commit}:{made.folder}", target))
    title = f"Promote {solution} {made.version} from {source} to {target}"
    name = branch or f"promote/{solution}-{made.version}"
    if not dry_run:
        promoting.branch(made, name, Path.cwd())
        session.note(f"committed {made.commit[:12]} on the branch {name}")
    told = differences_markdown(made.changes) if made.changes else "The first commit of this folder."
    plan = (planned.others or {})["markdown"]()
    text = "\n\n".join([f"# {title}", "## What changes", told, f"## Plan for {target}", plan])
    data = {
        "branch": None if dry_run else name,
        "commit": made.commit,
        "title": title,
        "changes": json.loads(differences_json(made.changes)),
        "plan": planned.data,
        "text": text,
    }
    session.show(Result(data, text))


def _for_target(session: Session, spec: str, environment: str) -> Plan:
    site = session.site(environment)
    wanted = _as_installed(desired(session, spec, site, ()), site)
    return wanted.plan(site, Profile.ENGINE)


def _as_installed(wanted: Desired, site: Site) -> Desired:
    """Return a bundle as the kind of package that the environment has of it, since that is what it takes."""
    solution = wanted.found.bundle.solution
    installed = site.environment.inventory().solutions.get(solution.unique_name)
    package = installed.package if installed else Package.MANAGED
    bundle = wanted.found.bundle.model_copy(update={"solution": solution.model_copy(update={"package": package})})
    return replace(wanted, found=replace(wanted.found, bundle=bundle))


@click.command(cls=Command, formats=(*FORMATS, "github"))
@click.option("--since", required=True, metavar="REF", help="The revision to compare HEAD with.")
@click.pass_obj
def affected(session: Session, *, since: str) -> None:
    """List which bundles and environments the commits since a revision touch, for a CI matrix.

    An overlay touches its environment, everything else in a bundle touches all of toolkit.yaml. Exit status 0 also
    where nothing is touched.
    """
    found = touched.affected(since, session.project.file.environments, Path.cwd())
    rows = [{"bundle": one.bundle, "environment": one.environment} for one in found]
    shown = table(rows, ("bundle", "environment"), empty=f"nothing is touched since {since}")
    matrix = json.dumps({"include": rows}, separators=(",", ":"))
    github = f"any={str(bool(rows)).lower()}\nmatrix={matrix}"
    session.show(Result(rows, shown.text, {"github": lambda: github}))
