"""Progress of long work on stderr: a bar on a terminal, a plain line now and then where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from toolkit.environment.protocol import Progress

Report = Callable[["Progress"], None]


@contextmanager
def shown(*, quiet: bool, bar: bool, lines: bool) -> Iterator[Report]:
    """Give the function that shows a progress; what it does follows from the terminal and the options."""
    if quiet or not (bar or lines):
        yield _nothing
    elif bar:
        with _bars() as report:
            yield report
    else:
        yield _Lines()


def _nothing(progress: Progress) -> None:
    """Show nothing."""


class _Lines:
    """A line when the work changes, and at each tenth of a total."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        tenth = progress.done * 10 // progress.total if progress.total else 0
        if (progress.what, tenth) != self._last:
            self._last = (progress.what, tenth)
            click.echo(f"{progress.what}{_amount(progress)}", err=True)


def _amount(progress: Progress) -> str:
    if progress.total:
        return f": {progress.done:,} of {progress.total:,}"
    return f": {progress.done:,}" if progress.done else ""


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
        yield _Bar(bars)


class _Bar:
    """One bar; it starts over when the work changes."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._what = ""

    def __call__(self, progress: Progress) -> None:
        if self._task is None or progress.what != self._what:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(progress.what, total=progress.total)
            self._what = progress.what
        self._bars.update(self._task, completed=progress.done, total=progress.total)
