"""``version``: the version of a bundle, shown and raised."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from toolkit import bundle as bundles
from toolkit.bundle.source import SOLUTION_FILE
from toolkit.cli.frame import Group
from toolkit.cli.output import Result
from toolkit.cli.references import loaded, without_errors
from toolkit.cli.session import Session
from toolkit.files import write_whole
from toolkit.model.version import Part


@click.group(cls=Group)
def version() -> None:
    """Versions of bundles: show, bump."""


@version.command()
@click.argument("bundle")
@click.pass_obj
def show(session: Session, *, bundle: str) -> None:
    """Print the version of a bundle.

    BUNDLE is a source folder, a solution zip, REF:PATH in git, or core.
    """
    solution = loaded(bundle).bundle.solution
    data = {"solution": solution.unique_name, "version": str(solution.version)}
    session.show(Result(data, data["version"]))


@version.command()
@click.argument("part", type=click.Choice(get_args(Part)))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.pass_obj
def bump(session: Session, *, part: Part, folder: Path) -> None:
    """Raise the version in a source folder: one part by one, those after it to zero.

    One line of solution.yaml changes. `release` does this too, with the commit, the tag and the zip.
    """
    found = bundles.load(folder)
    session.warn(without_errors(found))
    before = found.bundle.solution.version
    after = before.bump(part)
    write_whole(folder / SOLUTION_FILE, bundles.renumbered(folder, after))
    name = found.bundle.solution.unique_name
    session.say(f"{name} {before} -> {after}", {"solution": name, "before": str(before), "version": str(after)})
