"""``sync``, ``snapshot`` and ``status``: the engine at work, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from shlex import quote
from typing import Any

import click

from toolkit import apply, engine
from toolkit.cli import doing, options
from toolkit.cli.frame import Command
from toolkit.cli.linked import broken_links, chosen_entities, chosen_links, raise_broken
from toolkit.cli.output import Result, finding_data, table
from toolkit.cli.progress import Report
from toolkit.cli.session import Session
from toolkit.cli.watching import Tell, telling
from toolkit.engine import EntityStatus, SyncReport
from toolkit.engine.settings import scan_interval
from toolkit.errors import Finding, NotFound, Place, Severity
from toolkit.model.config import Layout
from toolkit.model.link import LakeAddress, Link
from toolkit.site import Linked, Site

LATE = 5
"""Exit status when an entity is late: a claim about the lake does not hold, as when a verification fails."""
RECENT = timedelta(days=7)
"""How long the status tells of a change of columns; as JSON it tells of all of them."""

Names = Sequence[str] | None
"""The entities that a pass is limited to; None where it is not."""

entities_option = click.option(
    "--entity", "entities", multiple=True, metavar="NAME", help="Only this one; may be given several times."
)


@click.command(cls=Command)
@entities_option
@click.option(
    "--compare", is_flag=True, help="Read all rows, compare them by id and version, and write only what differs."
)
@options.take_over
@options.config
@options.environment
@click.pass_obj
def sync(
    session: Session,
    *,
    entities: tuple[str, ...],
    compare: bool,
    take_over: bool,
    config: str | None,
    environment: str | None,
) -> int:
    """Bring the lakes up to the environment, once.

    Snapshots are made of what has none yet, and of what is due. What fails in passing is tried again as the config's
    retry policy says, for two minutes at most.
    """
    site = session.site(environment)
    if take_over:
        own(session, site)
    with telling(session, site.name) as tell:
        return _synced(session, site, tell, chosen(site, config, entities), compare=compare) | tell_broken(
            session, site, config
        )


def own(session: Session, site: Site) -> None:
    """Let the links of an environment go on with the organization that it has now."""
    for name, entities in apply.take_over(site, clock=session.clock, holder=session.holder()).items():
        session.note(f"{name}: {', '.join(entities) or 'nothing'} taken over; all rows are compared")


def _synced(session: Session, site: Site, tell: Tell, links: Sequence[tuple[Linked, Names]], *, compare: bool) -> int:
    def one(linked: Linked, names: Names, progress: Report) -> SyncReport:
        report = engine.sync(
            linked,
            site.source,
            clock=session.clock,
            holder=session.holder(),
            entities=names,
            compare=compare,
            progress=progress,
            patience=doing.patience(session),
        )
        apply.forget_ended(site, linked, report)
        tell(linked.link.config.name, report)
        return report

    return _each(session, _and_switched(session, site, links), one)


def _and_switched(
    session: Session, site: Site, links: Sequence[tuple[Linked, Names]]
) -> Iterator[tuple[Linked, Names]]:
    """Yield links to sync, and then the old ones of moves that are complete now, to be retired."""
    yield from links
    yield from ((linked, None) for linked in apply.switch(site.links(), session.clock))


@click.command(cls=Command)
@entities_option
@options.config
@options.environment
@click.pass_obj
def snapshot(session: Session, *, entities: tuple[str, ...], config: str | None, environment: str | None) -> int:
    """Snapshot now what changed since the last snapshot.

    A link with incremental folders has none; without --config it is passed over.
    """
    site = session.site(environment)

    def one(linked: Linked, names: Names, progress: Report) -> SyncReport:
        holder = session.holder()
        return engine.snapshot(linked, clock=session.clock, holder=holder, entities=names, progress=progress)

    links = chosen(site, config, entities)
    if config is None:
        links = live_alone(session, links, "there are no snapshots of incremental folders")
    return _each(session, links, one) | tell_broken(session, site, config)


def chosen(site: Site, config: str | None, entities: Sequence[str]) -> Sequence[tuple[Linked, Names]]:
    """Return the links to work on, each with the entities to work on; None stands for all of them."""
    links = links_to_sync(site, config)
    if not entities:
        return [(linked, None) for linked in links]
    names = chosen_entities(links, entities)
    return [(linked, names[linked.link.config.id]) for linked in links if linked.link.config.id in names]


def chosen_active(site: Site, config: str | None, entities: Sequence[str]) -> Sequence[tuple[Linked, Names]]:
    """Return the same without links that have ended, as that of a lake before its move: their data is set aside."""
    return [(linked, names) for linked, names in chosen(site, config, entities) if linked.link.active]


def live_alone(session: Session, links: Sequence[tuple[Linked, Names]], why: str) -> Sequence[tuple[Linked, Names]]:
    """Return the links without incremental folders, and note ``why`` the others are passed over.

    Where there are no others, all are returned: they are refused then, since nothing at all would be done.
    """
    live = [(linked, names) for linked, names in links if linked.link.config.output.layout is Layout.LIVE]
    if not live:
        return links
    for linked, _ in links:
        if linked.link.config.output.layout is not Layout.LIVE:
            session.note(f"{linked.link.config.name} is passed over: {why}")
    return live


def _each(
    session: Session, chosen: Iterable[tuple[Linked, Names]], one: Callable[[Linked, Names, Report], SyncReport]
) -> int:
    """Do one pass over each link, print what it did, and return the exit status."""
    done: dict[LakeAddress, tuple[str, SyncReport]] = {}
    with session.progress() as progress:
        for linked, names in chosen:
            done[linked.link.address] = linked.link.config.name, one(linked, names, progress)
    several = Counter(name for name, _ in done.values())
    # A config that moves has two lakes.
    reports = {
        f"{name} in {at.account}/{at.file_system}" if several[name] > 1 else name: report
        for at, (name, report) in done.items()
    }
    text = "\n".join(f"{name}: {doing.sync_text(report)}" for name, report in reports.items())
    session.say(text, {name: doing.sync_data(report) for name, report in reports.items()})
    return doing.failed(session, reports.values())


def links_to_sync(site: Site, config: str | None) -> list[Linked]:
    """Return the link that ``config`` names, or all of them. Raises where there is none: Damaged, NotFound (CLI029)."""
    links = chosen_links(site, config)
    if not links:
        raise_broken(site.broken())
        raise NotFound(
            "CLI029",
            "there is no link",
            where=site.name,
            fix="make one: toolkit lake link --account NAME, or import a bundle",
        )
    return links


def tell_broken(session: Session, site: Site, config: str | None) -> int:
    """Print what is wrong with links that cannot be read, and return the exit status; the others go on."""
    broken = broken_links(site, config)
    session.complain(broken)
    return 1 if broken else 0


@click.command(cls=Command)
@click.option(
    "--max-lag",
    type=options.Duration(),
    metavar="TIME",
    help="Exit with 5 when an entity was last synced longer ago, or never.",
)
@options.config
@options.environment
@click.pass_obj
def status(session: Session, *, max_lag: float | None, config: str | None, environment: str | None) -> int:
    """Show how far each linked entity is."""
    site = session.site(environment)
    links = chosen_links(site, config)
    found = [(linked, each) for linked in links for each in engine.status(linked).entities]
    now = session.clock()
    rows = [_row(linked, each, now) for linked, each in found]
    live = [each.link.config for each in links if each.link.active]
    bare = [f"{config.name} has no entities" for config in live if not config.entities]
    moves = [_move_line(new.link, old.link) for new, old in apply.moves(links)]
    changes = _schema_lines((each for _, each in found), now)
    healed = [f"{each.entity}: {damage.code} {damage.what}" for _, each in found for damage in each.healed]
    text = "\n".join([_status_text(rows, now), *moves, *healed, *changes, *bare]).strip()
    failed = tell_broken(session, site, config)
    session.show(Result(rows, text or f"{site.name} exports nothing{' that can be read' if failed else ''}"))
    late = [] if max_lag is None else list(_late(found, timedelta(seconds=max_lag), now))
    session.complain(late)
    return LATE if late else failed


def _late(found: Iterable[tuple[Linked, EntityStatus]], most: timedelta, now: datetime) -> Iterator[Finding]:
    """Yield the entities that were synced longer ago than ``most``; one that is scanned may rest that long besides."""
    for linked, each in found:
        config = linked.link.config
        entity = config.entity(each.entity)
        rest = scan_interval(entity) if entity and each.scanned else timedelta(0)
        if each.last_synced is None or now - each.last_synced > most + rest:
            since = f"last synced {_iso(each.last_synced)}" if each.last_synced else "never synced"
            what = f"{each.entity} of {config.name} is late: {since}"
            fix = f"toolkit run, or toolkit sync --config {quote(config.name)}"
            place = Place(linked.lake.location(""), key=each.entity)
            yield Finding("CLI053", Severity.ERROR, what, place, each.reason, fix)


def _row(linked: Linked, each: EntityStatus, now: datetime) -> dict[str, Any]:
    return {
        "config": linked.link.config.name,
        "lake": f"{linked.link.account}/{linked.link.file_system}",
        "entity": each.entity,
        "state": each.state.value,
        "mode": "append-only" if each.append_only else "in place",
        "strategy": each.strategy.value,
        "rows": each.rows,
        "last_synced": _iso(each.last_synced),
        "lag_seconds": None if each.last_synced is None else max(0, int((now - each.last_synced).total_seconds())),
        "last_snapshot": _iso(each.last_snapshot),
        "scanned": _iso(each.scanned),
        "snapshots": each.snapshots,
        "changed_since_snapshot": _iso(each.changed_since_snapshot),
        "reason": each.reason,
        "healed": [finding_data(damage) for damage in each.healed],
        "form_due": list(each.form_due),
        "calculated": list(each.calculated),
        "schema_changes": [change.model_dump(mode="json") for change in each.schema_changes],
    }


def _move_line(new: Link, old: Link) -> str:
    places = f"from {old.account}/{old.file_system} to {new.account}/{new.file_system}"
    return f"{new.config.name} moves {places}: both go on until all entities are complete there"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _status_text(rows: list[dict[str, Any]], now: datetime) -> str:
    """Return a table for each lake, at most 80 columns wide, and why entities failed."""
    parts = []
    lakes = dict.fromkeys((row["config"], row["lake"]) for row in rows)
    for config, lake in lakes:
        shown = [_shown(row, now) for row in rows if (row["config"], row["lake"]) == (config, lake)]
        columns = ("entity", "state", "how", "rows", "synced", "snapshot")
        moving = sum(config == other for other, _ in lakes) > 1
        title = f"{config} in {lake}" if moving else config
        parts += [f"{title} (times are UTC)", table(shown, columns, empty="").text, ""]
    reasons = [f"{row['entity']}: {row['reason']}" for row in rows if row["reason"]]
    due = [
        f"{row['entity']}: the next pass brings other {', '.join(row['form_due'])}" for row in rows if row["form_due"]
    ]
    computed = [
        f"{row['entity']}: calculated, and exported when their row changes: {', '.join(row['calculated'])}"
        for row in rows
        if row["calculated"]
    ]
    return "\n".join([*parts, *reasons, *due, *computed]).rstrip()


def _schema_lines(found: Iterable[EntityStatus], now: datetime) -> Iterator[str]:
    """Yield how columns changed of late, a line for each change."""
    for each in found:
        recent = [change for change in each.schema_changes if now - change.at < RECENT]
        yield from (f"{each.entity}: {change}, {_short(_iso(change.at), now)}" for change in recent)


def _shown(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    times = {"synced": _short(row["last_synced"], now), "snapshot": _short(row["last_snapshot"], now)}
    how = [row["strategy"], row["mode"], *(["scan"] if row["scanned"] else [])]
    return {**row, "how": ", ".join(how), **times}


def _short(time: str | None, now: datetime) -> str | None:
    """Return the time of a day that is today, else the day."""
    if time is None:
        return None
    day, _, clock = time.removesuffix("Z").partition("T")
    return clock if day == f"{now:%Y-%m-%d}" else day
