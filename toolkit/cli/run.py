"""``run``: the engine at work, until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from json import dumps
from threading import Event

import click

from toolkit import engine
from toolkit.cli import doing, options
from toolkit.cli.crew import Crew
from toolkit.cli.frame import Command
from toolkit.cli.linked import address_of, forget_ended
from toolkit.cli.output import printable
from toolkit.cli.rows import links_to_sync, tell_broken
from toolkit.cli.session import Session
from toolkit.engine import SyncReport
from toolkit.errors import Damaged
from toolkit.site import Linked, Site, read_link


@click.command(cls=Command)
@click.option(
    "--every",
    type=options.Duration(least=0.1, most=options.DAY),
    default=10.0,
    metavar="TIME",
    help="Shortest time between two passes over an entity; 10 s when left out.",
)
@options.config
@options.environment
@click.pass_obj
def run(session: Session, *, every: float, config: str | None, environment: str | None) -> int:
    """Export continuously until stopped.

    SIGTERM and Ctrl-C stop it at a consistent point. Changes of a link are picked up at the next pass, and so are new
    links, unless --config limits it to one. Snapshots are made at the link's interval, and each pass that did
    something is printed (with --format json as a line of JSON).
    """
    site = session.site(environment)
    links = links_to_sync(site, config)
    failed = tell_broken(session, site, config)
    stop = Event()
    with _stopped_by_signals(stop), Crew(_Export(session, site, every, stop), stop) as crew:
        session.note(f"exporting {', '.join(linked.link.config.name for linked in links)}; Ctrl-C stops")
        crew.begin(links)
        only = {address_of(linked) for linked in links} if config else None

        def there() -> list[Linked]:
            return [linked for linked in site.links() if only is None or address_of(linked) in only]

        while not stop.wait(every):
            for name in crew.join(there):
                session.note(f"exporting {name}")
    session.note("stopped")
    return failed


@dataclass(frozen=True, slots=True)
class _Export:
    """Exports a link, pass by pass."""

    session: Session
    site: Site
    every: float
    stop: Event

    def __call__(self, linked: Linked) -> None:
        latest, ended = linked, False

        def read() -> Linked:
            nonlocal latest
            latest = read_again(linked)
            return latest

        def passed(report: SyncReport) -> None:
            nonlocal ended
            _print_pass(self.session, latest.link.config.name, report)
            ended = forget_ended(self.site, latest, report)

        engine.run(
            read,
            self.site.source,
            clock=self.session.clock,
            wait=lambda seconds: ended or self.stop.wait(seconds),
            holder=self.session.holder(),
            trickle_seconds=self.every,
            passed=passed,
        )


def read_again(linked: Linked) -> Linked:
    """Return a link as it is now. Raises Damaged when its document is gone."""
    if (now := read_link(linked.lake)) is None:
        raise Damaged(
            "CLI030", "the link document is gone", where=linked.lake.location(""), fix="restore it, or link anew"
        )
    return replace(linked, link=now.link, etag=now.etag)


def _print_pass(session: Session, name: str, report: SyncReport) -> None:
    if session.format == "json":
        click.echo(dumps({"config": name, "at": session.clock().isoformat(), **doing.sync_data(report)}))
    elif report.eventful or session.verbose:
        click.echo(printable(f"{session.clock():%H:%M:%S} {name}: {doing.sync_text(report)}"))
        doing.failed(session, [report])


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
