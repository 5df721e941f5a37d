"""``sync``, ``snapshot``, ``run`` and ``status``: the engine at work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from datetime import datetime
from json import dumps
from threading import Event
from typing import Any

import click

from toolkit import engine
from toolkit.cli import doing, options
from toolkit.cli.frame import Command
from toolkit.cli.linked import chosen_entities, chosen_links
from toolkit.cli.output import Result, table
from toolkit.cli.progress import Report
from toolkit.cli.session import Session
from toolkit.engine import EntityStatus, SyncReport
from toolkit.errors import Damaged, NotFound
from toolkit.site import Linked, Site, read_link

Names = Sequence[str] | None
"""The entities that a pass is limited to; None where it is not."""

entities_option = click.option(
    "--entity", "entities", multiple=True, metavar="NAME", help="Only this one; may be given several times."
)


@click.command(cls=Command)
@entities_option
@options.config
@options.environment
@click.pass_obj
def sync(session: Session, *, entities: tuple[str, ...], config: str | None, environment: str | None) -> int:
    """Bring the lakes up to the environment, once.

    Snapshots are made of what has none yet, and of what is due.
    """
    site = session.site(environment)

    def one(linked: Linked, names: Names, progress: Report) -> SyncReport:
        holder = session.holder()
        return engine.sync(linked, site.source, clock=session.clock, holder=holder, entities=names, progress=progress)

    return _each(session, _chosen(site, config, entities), one)


@click.command(cls=Command)
@entities_option
@options.config
@options.environment
@click.pass_obj
def snapshot(session: Session, *, entities: tuple[str, ...], config: str | None, environment: str | None) -> int:
    """Snapshot now what changed since the last snapshot."""
    site = session.site(environment)

    def one(linked: Linked, names: Names, progress: Report) -> SyncReport:
        holder = session.holder()
        return engine.snapshot(linked, clock=session.clock, holder=holder, entities=names, progress=progress)

    return _each(session, _chosen(site, config, entities), one)


def _chosen(site: Site, config: str | None, entities: tuple[str, ...]) -> Sequence[tuple[Linked, Names]]:
    """Return the links to work on, each with the entities to work on; None stands for all of them."""
    links = _links(site, config)
    if not entities:
        return [(linked, None) for linked in links]
    names = chosen_entities(links, entities)
    return [(linked, names[linked.link.config.id]) for linked in links if linked.link.config.id in names]


def _each(
    session: Session, chosen: Sequence[tuple[Linked, Names]], one: Callable[[Linked, Names, Report], SyncReport]
) -> int:
    """Do one pass over each link, print what it did, and return the exit status."""
    reports: dict[str, SyncReport] = {}
    with session.progress() as progress:
        for linked, names in chosen:
            reports[linked.link.config.name] = one(linked, names, progress)
    text = "\n".join(f"{name}: {doing.sync_text(report)}" for name, report in reports.items())
    session.say(text, {name: doing.sync_data(report) for name, report in reports.items()})
    return doing.failed(session, reports.values())


def _links(site: Site, config: str | None) -> list[Linked]:
    links = chosen_links(site, config)
    if not links:
        raise NotFound(
            "CLI029",
            "there is no link",
            where=site.name,
            fix="make one: toolkit lake link --account NAME, or import a bundle",
        )
    return links


@click.command(cls=Command)
@click.option(
    "--every",
    type=options.Duration(least=0.1, most=options.DAY),
    default=10.0,
    metavar="TIME",
    help="Time between passes; 10 s when left out.",
)
@options.config
@options.environment
@click.pass_obj
def run(session: Session, *, every: float, config: str | None, environment: str | None) -> int:
    """Export continuously until stopped.

    SIGTERM and Ctrl-C stop it at a consistent point. Changes of a link are picked up at the next pass, snapshots are
    made at the link's interval, and each pass that did something is printed (with --format json as a line of JSON).
    """
    site = session.site(environment)
    links = _links(site, config)
    stop = Event()
    with _stopped_by_signals(stop), ThreadPoolExecutor(len(links)) as pool:
        session.note(f"exporting {', '.join(linked.link.config.name for linked in links)}; Ctrl-C stops")
        futures = [pool.submit(_run_one, session, site, linked, every, stop) for linked in links]
        ended, _ = wait_for(futures, return_when=FIRST_EXCEPTION)
        stop.set()
        for future in ended:
            future.result()
    session.note("stopped")
    return 0


def _run_one(session: Session, site: Site, linked: Linked, every: float, stop: Event) -> None:
    def read() -> Linked:
        return read_again(linked)

    def passed(report: SyncReport) -> None:
        _print_pass(session, linked.link.config.name, report)

    holder = session.holder()
    engine.run(
        read, site.source, clock=session.clock, wait=stop.wait, holder=holder, trickle_seconds=every, passed=passed
    )


def read_again(linked: Linked) -> Linked:
    """Return a link as it is now. Raises Damaged when its document is gone."""
    if (now := read_link(linked.lake)) is None:
        raise Damaged(
            "CLI030", "the link document is gone", where=linked.lake.location(""), fix="restore it, or link anew"
        )
    return now


def _print_pass(session: Session, name: str, report: SyncReport) -> None:
    did = any(entity.written or entity.deleted or entity.snapshots or entity.error for entity in report.entities)
    if session.format == "json":
        click.echo(dumps({"config": name, "at": session.clock().isoformat(), **doing.sync_data(report)}))
    elif did or report.retired or session.verbose:
        click.echo(f"{session.clock():%H:%M:%S} {name}: {doing.sync_text(report)}")
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


@click.command(cls=Command)
@options.config
@options.environment
@click.pass_obj
def status(session: Session, *, config: str | None, environment: str | None) -> None:
    """Show how far each linked entity is."""
    site = session.site(environment)
    links = chosen_links(site, config)
    rows = [_row(linked, each) for linked in links for each in engine.status(linked).entities]
    session.show(Result(rows, _status_text(rows, session.clock()) or f"{site.name} exports nothing"))


def _row(linked: Linked, each: EntityStatus) -> dict[str, Any]:
    return {
        "config": linked.link.config.name,
        "entity": each.entity,
        "state": each.state.value,
        "mode": "append-only" if each.append_only else "in place",
        "strategy": each.strategy.value,
        "rows": each.rows,
        "last_synced": _iso(each.last_synced),
        "last_snapshot": _iso(each.last_snapshot),
        "snapshots": each.snapshots,
        "changed_since_snapshot": _iso(each.changed_since_snapshot),
        "reason": each.reason,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _status_text(rows: list[dict[str, Any]], now: datetime) -> str:
    """Return a table for each config, at most 80 columns wide, and why entities failed."""
    parts = []
    for config in dict.fromkeys(row["config"] for row in rows):
        shown = [_shown(row, now) for row in rows if row["config"] == config]
        columns = ("entity", "state", "how", "rows", "synced", "snapshot")
        parts += [f"{config} (times are UTC)", table(shown, columns, empty="").text, ""]
    reasons = [f"{row['entity']}: {row['reason']}" for row in rows if row["reason"]]
    return "\n".join([*parts, *reasons]).rstrip()


def _shown(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    times = {"synced": _short(row["last_synced"], now), "snapshot": _short(row["last_snapshot"], now)}
    return {**row, "how": f"{row['strategy']}, {row['mode']}", **times}


def _short(time: str | None, now: datetime) -> str | None:
    """Return the time of a day that is today, else the day."""
    if time is None:
        return None
    day, _, clock = time.removesuffix("Z").partition("T")
    return clock if day == f"{now:%Y-%m-%d}" else day
