"""``run``: the engine at work, until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import click

from toolkit import engine
from toolkit.apply import forget_ended, switch
from toolkit.budget import Allowance
from toolkit.cli import options
from toolkit.cli.crew import Crew
from toolkit.cli.frame import Command
from toolkit.cli.rows import links_to_sync, own, tell_broken
from toolkit.cli.session import Session
from toolkit.cli.watching import Outputs, Watching, watching
from toolkit.engine import SyncReport
from toolkit.errors import Damaged, ToolkitError
from toolkit.site import Linked, Site, read_link
from toolkit.watch.status_file import Runner

LOOK_SECONDS = 15.0
"""How often a run looks for new links, for links that somebody held, and writes its files, at least."""
PARTIAL = 7
"""Exit status when the first sync of an entity is not complete."""


@click.command(cls=Command)
@click.option(
    "--every",
    type=options.Duration(least=0.1, most=options.DAY),
    default=10.0,
    metavar="TIME",
    help="Shortest time between two passes over an entity; 10 s when left out.",
)
@click.option("--standby", is_flag=True, help="Wait for links that somebody else exports, and take over when it ends.")
@click.option(
    "--requests-per-minute",
    "requests",
    type=click.IntRange(1, 1_000_000),
    metavar="NUMBER",
    help="Requests to the environment at most; else as toolkit.yaml says.",
)
@click.option(
    "--status-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Keep the status of the run in a JSON file.",
)
@click.option(
    "--metrics",
    type=options.Address(),
    metavar="[HOST:]PORT",
    help="Serve OpenMetrics at /metrics; HOST is the loopback.",
)
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Keep the OpenMetrics in a file.",
)
@options.take_over
@options.config
@options.environment
@click.pass_obj
def run(
    session: Session,
    *,
    every: float,
    standby: bool,
    requests: int | None,
    status_file: Path | None,
    metrics: tuple[str, int] | None,
    metrics_file: Path | None,
    take_over: bool,
    config: str | None,
    environment: str | None,
) -> int:
    """Export continuously until stopped.

    SIGTERM and Ctrl-C stop it within 5 seconds, at a consistent point. Changes of a link are picked up at the next
    look, and so are new links, unless --config limits it to one. Snapshots are made at the link's interval. Each pass
    that did something is printed; with --format json every event is a line of JSON.
    """
    site = session.site(environment)
    if take_over:
        own(session, site)
    links = links_to_sync(site, config)
    failed = tell_broken(session, site, config)
    holder, stop = session.holder(), Event()
    runner, outputs = (
        Runner(site.name, holder.host, holder.pid, holder.since),
        Outputs(status_file, metrics_file, metrics),
    )
    with _stopped_by_signals(stop), watching(session, runner, outputs) as watch:
        export = _Export(session, site, every, stop, watch, session.opened(environment).allowance(requests))
        with Crew(export, stop, standby, watch.failed, watch.held) as crew:
            if not standby:
                watch.announced = {linked.link.config.name for linked in links}
                session.note(f"exporting {', '.join(sorted(watch.announced))}; Ctrl-C stops")
            crew.begin(links)
            only = {linked.link.config.id for linked in links} if config else None
            while not stop.wait(min(every, LOOK_SECONDS)):
                crew.join(lambda: _there(session, site, only))
                watch.publish()
    session.note("stopped")
    if failed or crew.failing:
        return 1
    return PARTIAL if crew.incomplete else 0


def _there(session: Session, site: Site, only: set[str] | None) -> list[Linked]:
    """Return the links that can be read; none while the record cannot, which leaves what is exported as it is.

    A link that has moved, and is complete where it is now, ends in its old lake; who exports that one finds it.
    """
    try:
        links = site.links()
    except Damaged:
        return []
    # What cannot be read now is looked at again the next time.
    with suppress(ToolkitError):
        switch(links, session.clock)
    return [linked for linked in links if only is None or linked.link.config.id in only]


@dataclass(frozen=True, slots=True)
class _Export:
    """Exports a link, pass by pass."""

    session: Session
    site: Site
    every: float
    stop: Event
    watch: Watching
    budget: Allowance

    def __call__(self, linked: Linked) -> tuple[str, ...]:
        latest, ended = linked, False

        def read() -> Linked:
            nonlocal latest
            latest = read_again(linked)
            return latest

        def passed(report: SyncReport) -> None:
            nonlocal ended
            self.watch.passed(latest, report)
            ended = forget_ended(self.site, latest, report)

        incomplete = engine.run(
            read,
            self.site.source,
            clock=self.session.clock,
            wait=lambda seconds: ended or self.stop.wait(seconds),
            holder=self.session.holder(),
            trickle_seconds=self.every,
            budget=self.budget,
            began=lambda: self.watch.began(latest),
            passed=passed,
        )
        self.watch.stopped(latest, incomplete)
        return incomplete


def read_again(linked: Linked) -> Linked:
    """Return a link as it is now. Raises Damaged when its document is gone."""
    if (now := read_link(linked.lake)) is None:
        raise Damaged(
            "CLI030", "the link document is gone", where=linked.lake.location(""), fix="restore it, or link anew"
        )
    return replace(linked, link=now.link, etag=now.etag)


@contextmanager
def _stopped_by_signals(stop: Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set ``stop``, and put the handlers back afterwards."""

    def handler(*_: object) -> None:
        stop.set()

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
