from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.cli import root
from toolkit.cli.session import Session

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Run = Callable[..., Result]


class Ticking:
    """A clock that goes on by one second with each look at it."""

    def __init__(self) -> None:
        self._ticks = count()

    def __call__(self) -> datetime:
        return START + timedelta(seconds=next(self._ticks))


class Ids:
    """Guids that count."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, with a fixed person, clock and ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    clock, ids = Ticking(), Ids()

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        session = Session(
            clock=clock, who=lambda: "ada@lab", new_id=ids, on_terminal=lambda: answer is not None, sleep=lambda _: None
        )
        return CliRunner().invoke(root, arguments, input=answer, obj=session)

    return invoke
