"""``repair``: what of a lake is not as it was written is made good, before anything else is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, finding_data, grouped, plural
from toolkit.cli.progress import Report
from toolkit.cli.rows import Names, chosen, entities_option, tell_broken
from toolkit.cli.session import Session
from toolkit.engine.repair import Inspection, Repaired, inspect
from toolkit.engine.repair import repair as repair_lake
from toolkit.errors import Finding, Severity
from toolkit.plan import Profile
from toolkit.site import Linked, Site
from toolkit.verify.facts import LinkFacts, read_facts
from toolkit.verify.lake import fault_finding, folder_finding


@click.command(cls=Command)
@entities_option
@click.option("--dry-run", is_flag=True, help="Tell what is wrong, and change nothing.")
@options.config
@options.environment
@click.pass_obj
def repair(
    session: Session, *, entities: tuple[str, ...], dry_run: bool, config: str | None, environment: str | None
) -> int:
    """Find what of the lakes is gone or damaged, and make it good.

    Every file is read. What is missing comes from a file of the same content, else from the environment; readers keep
    what they have until the new is whole. With --entity only those entities are looked at, and not what is common to
    all.
    """
    site = session.site(environment)
    facts = read_facts(site, session.clock, None, None, Profile.ENGINE)
    repaired: list[tuple[LinkFacts, Repaired]] = []
    with session.progress() as progress:
        for linked, names in chosen(site, config, entities):
            done = Repaired(inspect(linked, names)) if dry_run else _repaired(session, site, linked, names, progress)
            repaired.append((LinkFacts(facts, linked), done))
    rows = [_data(link, done, dry_run=dry_run) for link, done in repaired]
    session.show(Result(rows, "\n".join(_text(link, done, dry_run=dry_run) for link, done in repaired)))
    for _, done in repaired:
        session.warn(done.notices)
    failed = tell_broken(session, site, config)
    return 0 if dry_run and not failed else int(failed or not all(done.whole for _, done in repaired))


def _repaired(session: Session, site: Site, linked: Linked, names: Names, progress: Report) -> Repaired:
    return repair_lake(
        linked, site.source, clock=session.clock, holder=session.holder(), entities=names, progress=progress
    )


def _findings(link: LinkFacts, found: Inspection, *, repaired: bool = False) -> Iterator[Finding]:
    """Yield what is wrong; ``repaired`` when a repair did not help."""
    yield from found.errors
    for entity, faults in sorted(found.entities.items()):
        yield from (fault_finding(fault, link, entity, repaired=repaired) for fault in faults)
    yield from (fault_finding(fault, link, repaired=repaired) for fault in found.common)
    yield from (folder_finding(fault, link) for fault in found.folders)
    yield from (_incomplete(entity, link) for entity in found.incomplete)


def _incomplete(entity: str, link: LinkFacts) -> Finding:
    what, why = f"rows of {entity!r} are still to be read anew", "a repair or a pass was stopped before its end"
    return Finding("CLI081", Severity.WARNING, what, link.entity_place(entity), why, link.command("sync"))


def _left(link: LinkFacts, done: Repaired) -> list[Finding]:
    """Return what could not be made good, each with another way out than a repair."""
    lost = (fault_finding(fault, link, repaired=True) for fault in done.lost)
    failed = (report.error for report in done.reports if report.error is not None)
    return [*_findings(link, done.left, repaired=True), *lost, *failed]


def _data(link: LinkFacts, done: Repaired, *, dry_run: bool) -> dict[str, Any]:
    return {
        "config": link.config.name,
        "dry_run": dry_run,
        "found": [finding_data(each) for each in _findings(link, done.found)],
        "notices": [finding_data(each) for each in done.notices],
        "left": [] if dry_run else [finding_data(each) for each in _left(link, done)],
    }


def _text(link: LinkFacts, done: Repaired, *, dry_run: bool) -> str:
    found = list(_findings(link, done.found))
    name = link.config.name
    if not found:
        return f"{name}: nothing is wrong"
    head = [*grouped(found), f"{name}: found {plural(len(found), 'fault')}"]
    if dry_run:
        return "\n".join(head)
    left = _left(link, done)
    end = f"{name}: {'all' if done.whole else 'not all'} was made good"
    return "\n".join([*head, *grouped(left), end])
