import os
import shutil
import signal
from collections.abc import Callable
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.cli import root
from toolkit.cli.session import Session

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

ROOT = Path(__file__).parents[2]
CONTOSO_ACCOUNTS = "--account contososalesprod --account contososerviceprod"

Run = Callable[..., Result]


class Ticking:
    """A clock that goes on by one second with each look at it."""

    def __init__(self) -> None:
        self._ticks = count()

    def __call__(self) -> datetime:
        return START + timedelta(seconds=next(self._ticks))


class Ids:
    """Guids that count."""

    def __init__(self, first: int = 1) -> None:
        self._numbers = count(first)

    def __call__(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, with a fixed person, clock and ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return running(Ids())


def running(ids: Ids) -> Run:
    """Return what runs commands in the folder that the process is in."""
    clock = Ticking()

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        session = Session(
            clock=clock, who=lambda: "ada@lab", new_id=ids, on_terminal=lambda: answer is not None, sleep=lambda _: None
        )
        return CliRunner().invoke(root, arguments, input=answer, obj=session)

    return invoke


def copied(prepared: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs commands in a copy of a prepared folder; its ids are none that came up there."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    return running(Ids(first=1000))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def prepare(folder: Path, *lines: str, first: int = 1) -> Path:
    """Run commands in a folder, with ids from ``first`` on, and return it."""
    clock, ids = Ticking(), Ids(first)
    with chdir(folder):
        for line in lines:
            result = CliRunner().invoke(root, line.split(), obj=Session(clock, lambda: "ada@lab", ids, lambda: False))
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def contoso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod into which ContosoLake 1.0.0.0 was imported, and 1.1.0.0 with lead gone and task new."""
    folder = tmp_path_factory.mktemp("contoso")
    shutil.copytree(ROOT / "solutions" / "ContosoLake", folder / "ContosoLake")
    prepare(
        folder,
        "init",
        f"env create prod {CONTOSO_ACCOUNTS}",
        "import core --yes",
        "env seed prod --rows account=3",
        "pack ContosoLake --managed -o Lake.zip",
        "import Lake.zip --yes --no-sync",
    )
    edit(folder / "ContosoLake" / "solution.yaml", 'version: "1.0.0.0"', 'version: "1.1.0.0"')
    edit(folder / "ContosoLake" / "configs" / "contososales.yaml", "{name: lead, ", "{name: task, ")
    return prepare(folder, "pack ContosoLake --managed -o Next.zip", first=300)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment dev with the Core solution and some rows."""
    return prepare(
        tmp_path_factory.mktemp("prepared"),
        "init",
        "env create dev --account contosodev --account contosotwo",
        "import core --yes",
        "env seed dev --rows account=30 --rows contact=20 --rows task=10",
    )


@pytest.fixture
def dev(prepared: Path, run: Run, tmp_path: Path) -> Run:
    """A copy of that environment."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return run


@pytest.fixture
def linked(dev: Run) -> Run:
    """The environment with a link of accounts."""
    assert dev("lake", "link", "--account", "contosodev", "--entity", "account").exit_code == 0
    return dev


def lake_of(folder: Path) -> Path:
    (lake,) = (folder / "lakes" / "contosodev").iterdir()
    return lake


class Stopping(Ticking):
    """A clock that stops the program, as a supervisor does, once a file is there."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._sent = False

    def __call__(self) -> datetime:
        if self._path.exists() and not self._sent:
            self._sent = True
            os.kill(os.getpid(), signal.SIGTERM)
        return super().__call__()
