"""``pack``, ``unpack``, ``validate`` and ``diff``: bundles as files, without an environment."""

from __future__ import annotations

import json
from pathlib import Path

import click

from toolkit import bundle as bundles
from toolkit.cli import options, reports
from toolkit.cli.frame import FORMATS, Command
from toolkit.cli.output import Result, colour, counted, finding_data, findings_text
from toolkit.cli.references import bundles_of, without_errors
from toolkit.cli.session import Session
from toolkit.errors import Severity
from toolkit.files import write_whole
from toolkit.model.bundle import Bundle
from toolkit.model.solution import Package
from toolkit.plan import differences
from toolkit.plan.render import differences_json, differences_markdown, differences_text
from toolkit.release import provenance_bytes, provenance_of, provenance_path, state_of


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Else NAME_VERSION.zip here.")
@click.option("--managed/--unmanaged", default=None, help="Else as the source says.")
@click.option("--no-overlays", is_flag=True, help="Leave the overlays out of the zip.")
@click.option("--provenance", is_flag=True, help="Write beside the zip of which commit it is, and what is in it.")
@click.pass_obj
def pack(
    session: Session, *, folder: Path, output: Path | None, managed: bool | None, no_overlays: bool, provenance: bool
) -> None:
    """Make a solution zip of a source folder.

    The same source gives the same bytes. A bundle with errors is not packed.
    """
    loaded = bundles.load(folder)
    session.warn(without_errors(loaded))
    archive = bundles.pack(folder, managed, overlays=not no_overlays)
    found = bundles.load_bytes(archive.to_bytes(), str(folder))
    packed = found.bundle
    path = output or Path(zip_name(packed))
    write_whole(path, archive.to_bytes())
    if provenance:
        state = state_of(str(folder), Path.cwd(), packed.solution)
        said = provenance_of(found, state, session.clock())
        write_whole(provenance_path(path), provenance_bytes(said))
    session.say(f"packed {folder} into {path}", {"path": str(path), "digest": packed.digest})


def zip_name(bundle: Bundle) -> str:
    """Return the name that Dataverse gives an exported zip: ``ContosoLake_1_0_0_0_managed.zip``."""
    solution = bundle.solution
    managed = "_managed" if solution.package is Package.MANAGED else ""
    return f"{solution.unique_name}_{str(solution.version).replace('.', '_')}{managed}.zip"


@click.command(cls=Command)
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Else solutions/NAME.")
@click.pass_obj
def unpack(session: Session, *, zip_file: Path, output: Path | None) -> None:
    """Make a source folder of a solution zip.

    In a folder that holds the solution already, comments and key order survive.
    """
    loaded = bundles.load(zip_file)
    folder = output or Path("solutions") / loaded.bundle.solution.unique_name
    bundles.unpack(loaded.archive, folder)
    session.warn(loaded.findings)
    session.say(f"unpacked {zip_file} into {folder}", {"path": str(folder), "digest": loaded.bundle.digest})


@click.command(cls=Command, formats=(*FORMATS, *reports.FORMATS))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.pass_obj
def validate(session: Session, *, path: Path, strict: bool) -> int:
    """Report everything that is wrong with a bundle, with file and line.

    PATH is a source folder or a solution zip. The exit status is 1 when there are errors.
    """
    findings = bundles.validate(path)
    data = {"path": str(path), "summary": counted(findings), "findings": [finding_data(each) for each in findings]}
    text = findings_text(findings) if findings else f"{path}: no findings"
    renderings = reports.renderings("toolkit validate", [reports.Case("validate", str(path), findings)])
    session.show(Result(data, text, renderings))
    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return int(any(finding.severity in bad for finding in findings))


@click.command(cls=Command, formats=(*FORMATS, "markdown"))
@click.argument("a")
@click.argument("b")
@options.exit_code
@click.pass_obj
def diff(session: Session, *, a: str, b: str, exit_code: bool) -> int:
    """Show what differs between two bundles.

    A and B are each a source folder, a solution zip, a folder or zip in git as REF:PATH (HEAD~1:solutions/X), or the
    solution of an environment as env:NAME/SOLUTION (env:NAME where the other side says which).
    """
    before, after = bundles_of(session, a, b)
    found = differences(before, after)
    text = differences_text(found, colour=colour())
    others = {"markdown": lambda: differences_markdown(found)}
    session.show(Result(json.loads(differences_json(found)), text, others))
    return 3 if found and exit_code else 0
