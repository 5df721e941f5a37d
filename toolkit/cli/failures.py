"""From an exception to what a person reads and a program sees: findings on stderr and an exit status."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence

import click

from toolkit.cli.output import printer
from toolkit.errors import Finding, Place, Severity, ToolkitError

ABORTED = 130
"""Exit status after Ctrl-C, as shells have it."""


_MENDS: Mapping[type[OSError], str] = {
    PermissionError: "choose another place, or allow yourself to read and write there",
    FileNotFoundError: "correct the path",
    IsADirectoryError: "give a file: a folder has that name",
    NotADirectoryError: "correct the path: a file stands where a folder should",
    FileExistsError: "choose another name, or move what is there",
}


def report(error: BaseException, form: str, *, debug: bool) -> int:
    """Print an exception as findings and return the exit status; the traceback only when debugging."""
    if debug:
        click.echo("".join(traceback.format_exception(error)).rstrip(), err=True)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort):
        click.echo("stopped", err=True)
        return ABORTED
    printer(form).complain(findings(error))
    return status(error)


def status(error: BaseException) -> int:
    """Return the exit status of an exception: its own where it has one, else 1."""
    if isinstance(error, ToolkitError):
        return error.exit_status
    return error.exit_code if isinstance(error, click.ClickException) else 1


def findings(error: BaseException) -> Sequence[Finding]:
    """Return an exception as findings."""
    match error:
        case ToolkitError():
            return error.findings
        case click.UsageError():
            return (_usage(error),)
        case click.ClickException():
            return (Finding("CLI001", Severity.ERROR, error.format_message()),)
        case OSError():
            return (_system(error),)
        case _:
            return (_unexpected(error),)


def _usage(error: click.UsageError) -> Finding:
    message = error.format_message().rstrip(".")
    path = error.ctx.command_path if error.ctx else "toolkit"
    return Finding("CLI001", Severity.ERROR, message[:1].lower() + message[1:], fix=f"see: {path} --help")


def _system(error: OSError) -> Finding:
    where = Place(str(error.filename)) if error.filename else Place()
    what = error.strerror or type(error).__name__
    why, fix = "the operating system said so", _MENDS.get(type(error), "mend what it says, then run the command again")
    return Finding("CLI005", Severity.ERROR, what[:1].lower() + what[1:], where, why, fix)


def _unexpected(error: BaseException) -> Finding:
    return Finding(
        "CLI006",
        Severity.ERROR,
        f"an error that this toolkit did not expect: {type(error).__name__}: {error}",
        why="this is a defect of the toolkit",
        fix="run the command again with --debug, and report what it prints",
    )
