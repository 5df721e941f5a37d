"""Progress of long work on stderr: bars on a terminal, a plain line now and then where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from toolkit.engine import EntityProgress, Phase
from toolkit.environment.protocol import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

Step = Progress | EntityProgress
Report = Callable[[Step], None]

_ENDED = frozenset({Phase.DONE, Phase.FAILED})


@contextmanager
def shown(*, quiet: bool, bars: bool, lines: bool) -> Iterator[Report]:
    """Give the function that shows a step of the work; what it does follows from the terminal and the options."""
    if quiet or not (bars or lines):
        yield _nothing
    elif bars:
        with _bars() as report:
            yield report
    else:
        yield _Lines()


def _nothing(step: Step) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A step as it is shown: steps of one ``track`` follow each other, tracks go on side by side."""

    track: str
    what: str
    done: int
    total: int | None
    ended: bool = False


def _shown(step: Step) -> _Shown:
    match step:
        case EntityProgress():
            what = f"{step.phase} {step.entity}"
            return _Shown(step.entity, what, step.rows, step.total, step.phase in _ENDED)
        case Progress():
            return _Shown("", step.what, step.done, step.total, step.done == step.total)


class _Lines:
    """A line when the work changes, and at each tenth of a total."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, int]] = {}

    def __call__(self, step: Step) -> None:
        now = _shown(step)
        tenth = now.done * 10 // now.total if now.total else 0
        if (now.what, tenth) != self._last.get(now.track):
            self._last[now.track] = (now.what, tenth)
            click.echo(f"{now.what}{_amount(now)}", err=True)


def _amount(now: _Shown) -> str:
    if now.total:
        return f": {now.done:,} of {now.total:,}"
    return f": {now.done:,}" if now.done else ""


@contextmanager
def _bars() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


class _Bars:
    """A bar for each track, gone when its work is done."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: Step) -> None:
        now = _shown(step)
        if now.track not in self._tasks:
            self._tasks[now.track] = self._bars.add_task(now.what)
        task = self._tasks[now.track]
        self._bars.update(task, description=now.what, completed=now.done, total=now.total)
        if now.ended:
            self._bars.remove_task(self._tasks.pop(now.track))
