"""``hook``: what pre-commit runs, over the files that are to be committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from toolkit import bundle as bundles
from toolkit.bundle.source import SOLUTION_FILE, is_read
from toolkit.cli.frame import Group
from toolkit.cli.output import Result, finding_data, findings_text
from toolkit.cli.session import Session
from toolkit.documents.secrets import in_lines
from toolkit.errors import Finding, Severity

_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


@click.group(cls=Group)
def hook() -> None:
    """Checks of files for pre-commit: validate, secrets."""


@hook.command()
@_FILES
@click.pass_obj
def validate(session: Session, *, files: tuple[Path, ...]) -> int:
    """Validate every bundle that one of the files belongs to. The exit status is 1 when there are errors."""
    folders = dict.fromkeys(folder for file in files for folder in _bundle_of(file))
    return _told(session, [finding for folder in folders for finding in bundles.validate(folder)])


def _bundle_of(file: Path) -> Iterator[Path]:
    """Yield the folder whose bundle a file belongs to; a file that was deleted belonged to one too."""
    for folder in file.parents:
        if (folder / SOLUTION_FILE).is_file() and is_read(file.relative_to(folder).as_posix()):
            yield folder
            return


@hook.command()
@_FILES
@click.pass_obj
def secrets(session: Session, *, files: tuple[Path, ...]) -> int:
    """Find account keys, SAS tokens, connection strings and private keys. The exit status is 1 when there is one."""
    return _told(session, list(_secrets(files)))


def _secrets(files: Iterable[Path]) -> Iterator[Finding]:
    for file in files:
        if file.is_file():
            for place in in_lines(file.read_text(encoding="utf-8", errors="replace"), str(file)):
                fix = "take it out, and revoke it if it was pushed"
                yield Finding("CLI111", Severity.ERROR, f"a secret stands in {place}", place, fix=fix)


def _told(session: Session, findings: Sequence[Finding]) -> int:
    data = {"findings": [finding_data(finding) for finding in findings]}
    session.show(Result(data, findings_text(findings) if findings else ""))
    return int(any(finding.severity is Severity.ERROR for finding in findings))
