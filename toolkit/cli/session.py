"""One run of the command line: what its options say, and what is injected into the work: clock, person, ids."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from toolkit.cli.output import Result, printable, printer
from toolkit.errors import Finding, Refused

if TYPE_CHECKING:
    from toolkit.cli.progress import Report
    from toolkit.lake.protocol import Holder
    from toolkit.project import Lakes, Opened, Project
    from toolkit.site import Site


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def person() -> str:
    """Return ``user@host``: who an apply is recorded for, and who holds a lock."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may run a user id that has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def new_id() -> str:
    """Return a random GUID."""
    return str(uuid4())


def on_terminal() -> bool:
    """Whether a person can be asked: questions go to stderr and answers come from stdin."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@dataclass
class Session:
    """The options that all commands share, and the way to print results; lives as long as one command."""

    clock: Callable[[], datetime] = now
    who: Callable[[], str] = person
    new_id: Callable[[], str] = new_id
    on_terminal: Callable[[], bool] = on_terminal
    sleep: Callable[[float], None] = time.sleep
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    format: str = "text"
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    arguments: Sequence[str] = ()
    """What stands behind ``toolkit`` on the command line."""
    project_path: Path | None = None
    _project: Project | None = field(default=None, repr=False)
    _opened: dict[str, Opened] = field(default_factory=dict, repr=False)
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def project(self) -> Project:
        """The project around the working directory, or the one that ``--project`` names."""
        if self._project is None:
            from toolkit.project import Project, find

            self._project = Project.load(find(self.project_path or Path.cwd()))
        return self._project

    def opened(self, environment: str | None) -> Opened:
        """Open an environment by name, or the project's default one; it stays open until the command ends."""
        name, _ = self.project.entry(environment)
        if name not in self._opened:
            opening = self.project.opened(name, clock=self.clock, new_id=self.new_id, sleep=self.sleep)
            self._opened[name] = self._open.enter_context(opening)
        return self._opened[name]

    def site(self, environment: str | None) -> Site:
        """Return the site of an environment by name, or of the project's default one."""
        return self.opened(environment).site

    @property
    def command(self) -> str:
        """The command line, as it is typed again."""
        return shlex.join(["toolkit", *self.arguments])

    def lakes(self, environment: str | None) -> Lakes:
        """Return the lakes of the project's storage accounts, as an environment reaches them."""
        return self.project.lakes(environment, clock=self.clock, sleep=self.sleep)

    def close(self) -> None:
        """Close what was opened."""
        self._opened.clear()
        self._open.close()

    def show(self, result: Result) -> None:
        """Print what was asked for, in the format that was asked for."""
        printer(self.format).show(result)

    def say(self, sentence: str, data: Any) -> None:  # noqa: ANN401 - any JSON value
        """Print what was done: a sentence for people (not under ``--quiet``), ``data`` for programs."""
        if not (self.quiet and self.format == "text"):
            self.show(Result(data, sentence))

    def preview(self, text: str) -> None:
        """Print what is about to happen, for people; programs find it in the result."""
        if not (self.quiet or self.format == "json"):
            click.echo(printable(text))

    def warn(self, findings: Sequence[Finding]) -> None:
        """Print findings that do not stop the work, on stderr."""
        if not self.quiet:
            self.complain(findings)

    def complain(self, findings: Sequence[Finding]) -> None:
        """Print findings on stderr, whatever the options say."""
        if findings:
            printer(self.format).complain(findings)

    def note(self, line: str) -> None:
        """Print a line on stderr, for people who want to follow the work."""
        if not self.quiet:
            click.echo(printable(line), err=True)

    def confirm(self, question: str, flag: str) -> None:
        """Ask for a yes. Without a terminal nobody can be asked, so the flag that says yes is named instead."""
        if not self.on_terminal():
            raise Refused(
                "CLI003",
                "this needs a yes, and there is no terminal to ask on",
                why=question,
                fix=f"add {flag} when you are sure",
            )
        if not click.confirm(question, err=True):
            raise Refused("CLI004", "nothing was changed", why="the question was answered with no")

    def pause(self, seconds: float) -> bool:
        """Sleep, and say that the work is to go on."""
        self.sleep(seconds)
        return False

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """Give a function that shows progress on stderr: bars on a terminal, plain lines with ``--verbose``."""
        from toolkit.cli.progress import shown

        bars = sys.stderr.isatty() and self.format == "text"
        with shown(quiet=self.quiet, bars=bars, lines=self.verbose) as report:
            yield report

    def holder(self) -> Holder:
        """Return who asks for a lock: this person, this process, now."""
        from toolkit.lake.protocol import Holder

        return Holder(self.who(), socket.gethostname(), os.getpid(), self.clock(), self.command)
