"""``release``: the next version of a source folder, as a zip, a commit and a tag."""

from __future__ import annotations

import json
from pathlib import Path

import click

from toolkit.cli.bundle import zip_name
from toolkit.cli.frame import Command
from toolkit.cli.session import Session
from toolkit.model.version import PARTS, Part
from toolkit.plan.render import differences_json, differences_text
from toolkit.release import provenance_path
from toolkit.release import release as released


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--part", type=click.Choice(PARTS), default="build", show_default=True, help="Which part goes up.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Else NAME_VERSION.zip here.")
@click.option("--managed/--unmanaged", default=None, help="Else as the source says.")
@click.pass_obj
def release(session: Session, *, folder: Path, part: Part, output: Path | None, managed: bool | None) -> None:
    """Release a source folder of a git work tree: version, changelog, commit, tag, zip and provenance.

    Everything has to be committed. A failure leaves files, index, branch and tags as they were.
    """
    done = released(folder, part, lambda bundle: output or Path(zip_name(bundle)), managed=managed, clock=session.clock)
    solution = done.bundle.solution
    lines = [f"released {solution.unique_name} {solution.version} as {done.tag} ({done.commit[:12]}): {done.path}"]
    if done.since:
        lines += [f"since {done.since}:", differences_text(done.changes)]
    data = {
        "solution": solution.unique_name,
        "version": str(solution.version),
        "tag": done.tag,
        "commit": done.commit,
        "path": str(done.path),
        "provenance": str(provenance_path(done.path)),
        "digest": done.bundle.digest,
        "since": done.since,
        "changes": json.loads(differences_json(done.changes)),
    }
    session.say("\n".join(lines), data)
