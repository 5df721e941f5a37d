"""Checks of the data: the initial sync is done, the counts agree, and no change waits longer than the interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from toolkit.engine import EntityStatus
from toolkit.errors import CursorExpired, Finding, Severity, SourceError
from toolkit.model.config import Layout
from toolkit.model.link import EntityState
from toolkit.plan.changes import counted
from toolkit.verify.facts import LinkFacts


def check_sync(link: LinkFacts) -> Iterator[Finding]:
    """The initial sync of every entity is complete, its last pass did not fail, and its files are as the link says."""
    for one in link.status.entities:
        where = link.entity_place(one.entity)
        match one.state:
            case EntityState.NOT_STARTED | EntityState.IN_PROGRESS:
                what = f"sync pending: the initial sync of {one.entity!r} is {one.state.value}"
                fix = f"{link.command('sync')}, or toolkit run"
                yield Finding("VFY050", Severity.WARNING, what, where, "readers do not see the entity yet", fix)
            case EntityState.FAILED:
                what = f"the last pass over {one.entity!r} failed"
                yield Finding("VFY051", Severity.ERROR, what, where, one.reason, "mend the cause and sync again")
            case EntityState.COMPLETED:
                yield from _old_form(link, one)


def _old_form(link: LinkFacts, one: EntityStatus) -> Iterator[Finding]:
    if one.form_due:
        what = f"the files of {one.entity!r} do not have the {' and the '.join(one.form_due)} of the link yet"
        why = "the link was changed, and no pass was made since; readers see the old files until a snapshot follows it"
        fix = f"{link.command('sync')}, or toolkit run"
        yield Finding("VFY052", Severity.WARNING, what, link.entity_place(one.entity), why, fix)


def check_counts(link: LinkFacts) -> Iterator[Finding]:
    """The lake holds as many rows as the source, unless the source has changes that the lake has not read yet.

    In append-only mode the lake holds every version of a row, so it has at least as many. With a filter it holds some
    of the rows, so in place it has at most as many.
    """
    for one in link.completed:
        try:
            yield from _count(link, one)
        except SourceError as error:
            yield _unreadable(link, one.entity, error)


def _count(link: LinkFacts, one: EntityStatus) -> Iterator[Finding]:
    count = link.facts.site.source.count(one.entity)
    linked = link.config.entity(one.entity)
    filtered = linked is not None and bool(linked.filter)
    history = one.append_only and link.config.output.layout is Layout.LIVE
    if one.rows == count or (history and (filtered or one.rows > count)) or (filtered and one.rows < count):
        return
    numbers = f"{one.entity!r} has {counted(one.rows, 'row')} in the lake and {count:,} in the source"
    where = link.entity_place(one.entity)
    if link.pending(one.entity).anything:
        yield Finding("VFY071", Severity.NOTE, numbers, where, "the source has changes that the next pass reads")
    else:
        yield Finding(
            "VFY070",
            Severity.ERROR,
            numbers,
            where,
            "the source has no change that the lake has not read, so rows were lost, or removed here, as erase does",
            f"{link.command(f'sync --compare --entity {one.entity}')} reads all rows and writes only what differs",
        )


def check_freshness(link: LinkFacts) -> Iterator[Finding]:
    """No change that was committed longer ago than the interval is missing from the newest snapshot."""
    since = link.facts.now - timedelta(minutes=link.config.interval_minutes)
    for one in link.completed:
        if one.changed_since_snapshot is not None and one.changed_since_snapshot < since:
            what = f"no snapshot of {one.entity!r} holds a change of {_time(one.changed_since_snapshot)}"
            yield _late(
                "VFY080", what, link, one.entity, f"{link.command('snapshot')} makes one; toolkit run does so in time"
            )
            continue
        try:
            yield from _unread(link, one, since)
        except SourceError:
            # Checking the counts says so.
            continue


def _unread(link: LinkFacts, one: EntityStatus, since: datetime) -> Iterator[Finding]:
    oldest = link.pending(one.entity).oldest
    if oldest is not None and oldest < since:
        what = f"the lake has not read a change of {one.entity!r} of {_time(oldest)}"
        yield _late("VFY081", what, link, one.entity, f"{link.command('sync')} reads it; toolkit run does so in time")


def _late(code: str, what: str, link: LinkFacts, entity: str, fix: str) -> Finding:
    why = f"the interval of the link is {link.config.interval_minutes} minutes"
    return Finding(code, Severity.ERROR, what, link.entity_place(entity), why, fix)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _unreadable(link: LinkFacts, entity: str, error: SourceError) -> Finding:
    if isinstance(error, CursorExpired):
        what = f"the cursor of {entity!r} expired"
        why = "its next pass reads the entity anew, and readers keep the last snapshot meanwhile"
        return Finding("VFY072", Severity.WARNING, what, link.entity_place(entity), why, link.command("sync"))
    what = f"the source of {entity!r} cannot be read: {error.what}"
    return Finding("VFY073", Severity.ERROR, what, link.entity_place(entity), error.why, error.fix)
