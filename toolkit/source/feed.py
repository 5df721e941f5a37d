"""A pass over one entity of a versioned store, page by page: what the embedded and the scripted source share.

A pass reads up to ``high``, the highest row version when it began, so that it ends however fast rows change:

    full   every row in the order of row numbers, whatever its version. A row that changes meanwhile is read once, in
           its old form or its new one, and comes again in the next pass; none is missed, which a comparison of keys
           needs.
    delta  rows by version above the last pass and up to ``high``, then tombstones likewise. A row that changes
           meanwhile moves beyond ``high``, into the next pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa
from pydantic import ValidationError

from toolkit.errors import CursorExpired, EntityGone, SourceError
from toolkit.model.base import Frozen
from toolkit.model.entity import Entity
from toolkit.source.protocol import Batch, Cursor, Deleted

CURSOR_FORMAT = 1
EXPIRED = "0x80044352"
"""Dataverse's code for a change tracking token that it no longer accepts, after 7 days or a change of schema."""


class Position(Frozen):
    """How far a pass is. ``row`` is a row number in a full pass, a version in a delta; ``tombstone`` a version."""

    format: int = CURSOR_FORMAT
    organization: str
    entity: str
    schema_version: int
    full: bool
    row: int
    tombstone: int
    high: int

    @property
    def complete(self) -> bool:
        """Whether the pass is over; then this is where the next one starts."""
        return not self.full and self.row == self.tombstone == self.high

    def cursor(self) -> Cursor:
        """Return the position as a cursor."""
        return Cursor(self.model_dump_json())

    def moved(self, **places: int | bool) -> Position:
        """Return the position with other places."""
        return self.model_copy(update=places)


class Feed(Protocol):
    """One entity of a store, in one state, read a page at a time. Each read is short and sees what is there then."""

    organization: str
    definition: Entity
    schema_version: int
    current_version: int

    def purged_version(self) -> int:
        """Return the highest version of a tombstone that is no longer there now."""
        ...

    def rows(self, at: Position) -> tuple[pa.RecordBatch, int | None]:
        """Return the rows after ``at.row`` and the place of the last one, or None when there are no more."""
        ...

    def tombstones(self, at: Position) -> tuple[tuple[Deleted, ...], int | None]:
        """Return the tombstones after ``at.tombstone`` and up to ``at.high``, and where they end, or None."""
        ...


def batches(feed: Feed, after: Cursor | None) -> Iterator[Batch]:
    """Yield the batches of a pass: rows, then tombstones. Raises CursorExpired, or SourceError (SRC002)."""
    at = start(feed, after)
    while True:
        rows, at = next_rows(feed, at)
        deleted, at = next_tombstones(feed, at)
        yield Batch(rows, deleted, at.cursor(), at.complete)
        if at.complete:
            return


def start(feed: Feed, after: Cursor | None) -> Position:
    """Return where a pass begins: anew, after the last pass, or in the middle of one that was stopped."""
    if after is None:
        return Position(
            organization=feed.organization,
            entity=feed.definition.name,
            schema_version=feed.schema_version,
            full=True,
            row=0,
            tombstone=feed.current_version,
            high=feed.current_version,
        )
    at = _position(after, feed.definition.name)
    _check(feed, at)
    return at.moved(high=feed.current_version) if at.complete else at


def expired(entity: str, why: str) -> CursorExpired:
    """Return the error that a cursor of ``entity`` is of no more use."""
    return CursorExpired(EXPIRED, f"the cursor of {entity} has expired", where=entity, why=why, fix="read it anew")


def gone(entity: str) -> EntityGone:
    """Return the error that there is no such entity."""
    return EntityGone(
        "SRC001", f"there is no entity {entity}", where=entity, fix="unlink it, or define it in the environment again"
    )


def untracked(entity: str) -> SourceError:
    """Return the error that nobody can tell what changed in ``entity``."""
    return SourceError(
        "SRC002",
        f"{entity} has no change tracking, so that only all of it can be read",
        where=entity,
        fix=f"enable it with: toolkit entity track {entity}",
    )


def next_rows(feed: Feed, at: Position) -> tuple[pa.RecordBatch, Position]:
    """Return the rows of the next page, and where it ends. Raises CursorExpired."""
    rows, last = feed.rows(at)
    if last is not None:
        return rows, at.moved(row=last)
    return rows, at.moved(full=False, row=at.high)


def next_tombstones(feed: Feed, at: Position) -> tuple[tuple[Deleted, ...], Position]:
    """Return the tombstones of the next page, none before the last row, and where it ends. Raises CursorExpired."""
    if at.full or at.row < at.high or at.tombstone == at.high:
        return (), at
    deleted, last = feed.tombstones(at)
    _check_purged(feed, at)  # after reading, since a purge may come between the two
    return deleted, at.moved(tombstone=at.high if last is None else last)


def _position(cursor: Cursor, entity: str) -> Position:
    try:
        return Position.model_validate_json(cursor)
    except ValidationError as error:
        raise expired(entity, "it was not made by this version of the source") from error


def _check(feed: Feed, at: Position) -> None:
    entity = feed.definition.name
    if at.format != CURSOR_FORMAT:
        raise expired(entity, f"its format is {at.format}, and this version reads {CURSOR_FORMAT}")
    if (at.organization, at.entity) != (feed.organization, entity):
        raise expired(entity, f"it belongs to {at.entity} of the organization {at.organization}")
    if at.schema_version != feed.schema_version:
        raise expired(entity, "attributes of the entity have changed since")
    if at.high > feed.current_version:
        raise expired(entity, "it is ahead of the organization, which was restored to an earlier state")
    if at.full:
        return
    if not feed.definition.change_tracking:
        raise untracked(entity)
    _check_purged(feed, at)


def _check_purged(feed: Feed, at: Position) -> None:
    if at.tombstone < feed.purged_version():
        raise expired(feed.definition.name, "deletions that it has not seen were purged from the change log")
