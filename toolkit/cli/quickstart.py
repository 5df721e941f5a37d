"""``quickstart``: the whole story on this machine, told by the commands themselves.

Each step is a list of command lines. They are run as a person would type them, in a folder that holds nothing else,
so what is printed here is what happens when they are typed.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from json import loads
from pathlib import Path
from textwrap import indent
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, grouped, plural, styled
from toolkit.cli.session import Session
from toolkit.errors import Damaged, Finding, Refused
from toolkit.resources import bundle

FOLDER = ".quickstart"
MARKER = ".toolkit-quickstart"
"""The file that says that a folder is the quickstart's own, so that it may be deleted."""
BUNDLE = "solutions/ContosoLake"
ZIP = "ContosoLake_1_0_0_0_managed.zip"
SHARES: Mapping[str, float] = {
    "account": 1.0,
    "contact": 1.5,
    "lead": 0.5,
    "opportunity": 0.5,
    "product": 0.02,
    "quote": 0.2,
    "task": 0.5,
    "phonecall": 0.25,
    "email": 0.25,
    "incident": 0.25,
    "systemuser": 0.01,
    "team": 0.005,
}
"""Rows of the entities that ContosoLake links, for each account."""
MOST_ACCOUNTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the story: command lines, or a look at the lake that no command does."""

    title: str
    lines: tuple[str, ...] = ()
    look: Callable[[], str] | None = None


class Reader:
    """A reader who opened a lake once, and goes on with the files that its model.json named then."""

    def __init__(self, lakes: Path) -> None:
        self._lakes = lakes
        self._files: dict[Path, str] = {}

    def open(self) -> str:
        """Note every file that the manifests name now, with its content."""
        self._files = {path: _digest(path) for path in self._named()}
        return f"a reader opens the {plural(len(self._files), 'file')} that model.json names now"

    def check(self) -> str:
        """Read them again. Raises Damaged when one is gone or has changed."""
        for path, digest in self._files.items():
            if not path.is_file() or _digest(path) != digest:
                raise Damaged("CLI041", "a snapshot changed under a reader", where=str(path))
        fresh = len(set(self._named()) - set(self._files))
        same = f"the reader of T1 still reads its {plural(len(self._files), 'file')}, byte for byte"
        return f"{same}; model.json now names {fresh} new ones"

    def _named(self) -> Iterator[Path]:
        for manifest in sorted(self._lakes.glob("*/*/model.json")):
            for entity in loads(manifest.read_text(encoding="utf-8"))["entities"]:
                yield from (Path(partition["location"]) for partition in entity["partitions"])


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def steps(rows: int, seconds: float, lakes: Path) -> tuple[Step, ...]:
    """Return the story for ``rows`` accounts and ``seconds`` of changes; ``lakes`` is where the lakes will be."""
    reader = Reader(lakes)
    seeds = " ".join(f"--rows {entity}={max(1, round(rows * share))}" for entity, share in SHARES.items())
    few = " ".join(f"--rows {entity}={max(1, round(rows * share / 10))}" for entity, share in SHARES.items())
    return (
        Step(
            "Create two environments, each with storage accounts of its own",
            (
                "init",
                "env create dev --account contososalesdev --account contososervicedev",
                "env create prod --account contososalesprod --account contososerviceprod",
            ),
        ),
        Step(
            "Install the Core solution: the table that export configs are rows of",
            ("import core --env dev --yes", "import core --env prod --yes"),
        ),
        Step("Import ContosoLake into dev: two lakes, twelve entities", (f"import {BUNDLE} --env dev --yes",)),
        Step("Fill dev with rows", (f"env seed dev --seed 7 {seeds}",)),
        Step("Export them, and snapshot them (T1)", ("sync --env dev", "snapshot --env dev")),
        Step("Somebody reads the lake of T1", look=reader.open),
        Step(
            "Work goes on in dev: rows are created, updated, deleted",
            (f"env churn dev --seconds {seconds:g} --seed 8",),
        ),
        Step("Export the changes, and snapshot what changed (T2)", ("sync --env dev", "snapshot --env dev")),
        Step("Readers of T1 are not disturbed", look=reader.check),
        Step("Export the configuration from dev, as managed", ("export ContosoLake --env dev --managed",)),
        Step("See what prod does not have yet", (f"diff env:prod {ZIP}",)),
        Step(
            "Import it into prod, which has rows and storage accounts of its own",
            (f"env seed prod --seed 9 {few}", f"import {ZIP} --env prod --yes"),
        ),
        Step("Check prod against the zip", (f"verify {ZIP} --env prod",)),
        Step("See how far each entity is", ("status --env prod",)),
    )


NEXT = (
    ("see where the lakes of prod are", "lake show --env prod"),
    ("import again: nothing changes", f"import {ZIP} --env prod"),
    ("export one more entity, as by hand", "entity add businessunit --env dev --config contososalesdev"),
    ("see what that changed", f"diff {BUNDLE} env:dev"),
    ("keep exporting until Ctrl-C", "run --env dev"),
)
"""What to try afterwards: why, and the command that does it."""


class Told(Session):
    """The session of a command whose output is told as part of the story, notes and warnings too."""

    def note(self, line: str) -> None:
        """Print a note where the results go."""
        click.echo(line)

    def complain(self, findings: Sequence[Finding]) -> None:
        """Print findings where the results go."""
        click.echo("\n".join(grouped(findings)))


@click.command(cls=Command)
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=".", help="Where .quickstart/ goes.")
@click.option(
    "--rows",
    type=click.IntRange(1, MOST_ACCOUNTS),
    default=20_000,
    show_default=True,
    metavar="NUMBER",
    help="Accounts in dev; others follow.",
)
@click.option("--seconds", type=options.SECONDS, default=3.0, show_default=True, help="How long dev is kept changing.")
@click.pass_obj
def quickstart(session: Session, *, root: Path, rows: int, seconds: float) -> None:
    """Tell the whole story on this machine, in a folder of its own.

    It needs no cloud account, and can be run again: it starts over in .quickstart/, and touches nothing else.
    """
    folder = fresh_folder(root)
    began = session.clock()
    story = steps(rows, seconds, folder / "lakes")
    told = []
    with chdir(folder):
        for number, step in enumerate(story, 1):
            session.preview(styled(f"\n{number:2}/{len(story)}  {step.title}", bold=True))
            told.append({"title": step.title, "commands": list(_tell(session, step))})
    took = (session.clock() - began).total_seconds()
    session.show(Result({"folder": str(folder), "seconds": took, "steps": told}, _ending(folder, took)))


def fresh_folder(root: Path) -> Path:
    """Return the quickstart's own folder below ``root``, with nothing in it but ContosoLake's source.

    Refused (CLI040) when a folder of that name is not the quickstart's.
    """
    folder = root.resolve() / FOLDER
    if folder.exists() and not (folder / MARKER).is_file():
        raise Refused(
            "CLI040",
            f"{folder} is not the quickstart's",
            where=str(folder),
            why="it would be deleted to start over",
            fix="move it away, or give another --root",
        )
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).write_text("`toolkit quickstart` deletes this folder to start over.\n", encoding="utf-8")
    with bundle("ContosoLake") as source:
        shutil.copytree(source, folder / BUNDLE)
    return folder


def _tell(session: Session, step: Step) -> Iterator[dict[str, Any]]:
    """Do a step, and yield its command lines with what they printed."""
    for line in step.lines:
        session.preview(f"\n       $ toolkit {line}")
        output = run_line(session, line)
        session.preview(indent(output, " " * 7).rstrip())
        yield {"command": f"toolkit {line}", "output": output}
    if step.look is not None:
        session.preview(f"\n       {step.look()}")


def run_line(session: Session, line: str) -> str:
    """Run a command line as it would run by itself, and return what it printed; errors are raised."""
    from toolkit.cli import root

    inner = Told(
        session.clock, session.who, session.new_id, session.on_terminal, session.sleep, verbose=session.verbose
    )
    output = StringIO()
    try:
        with redirect_stdout(output), root.make_context("toolkit", shlex.split(line), obj=inner) as context:
            status = root.invoke(context)
    finally:
        inner.close()
    if status:
        raise Damaged("CLI042", f"toolkit {line} ended with exit status {status}", why=output.getvalue())
    return output.getvalue()


def program(folder: Path, python: Path, found: str | None) -> str:
    """Return how this toolkit is called in ``folder``: by its name where that is what PATH has, else by its path.

    ``python`` is the interpreter, beside which the command is installed, and ``found`` the command on PATH.
    """
    command = python.parent / "toolkit"
    if not command.is_file():
        return f"{shlex.quote(str(python))} -m toolkit"
    if found is not None and Path(found).samefile(command):
        return "toolkit"
    # The folder is what people change to first, so a path that starts beside it starts with "..".
    beside = _below(command, folder.parent)
    return shlex.quote(str(command if beside == command else Path("..", beside)))


def _below(path: Path, folder: Path) -> Path:
    """Return a path relative to a folder that it is below, else as it is."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _ending(folder: Path, took: float) -> str:
    toolkit = program(folder, Path(sys.executable), shutil.which("toolkit"))
    lakes = [f"  {path}" for path in sorted((folder / "lakes").glob("*/*"))]
    tries = [f"  # {why}\n  {toolkit} {command}" for why, command in NEXT]
    return "\n".join(
        [
            f"\nThat took {took:.0f} s. The lakes are:",
            *lakes,
            "\nTry next:",
            f"  cd {shlex.quote(str(_below(folder, Path.cwd())))}",
            *tries,
        ]
    )
