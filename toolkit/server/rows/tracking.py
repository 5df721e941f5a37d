"""Change tracking over the Web API: delta links, tombstones, expiry.

Source: Microsoft's page "Use change tracking to synchronize data with external systems". What a pass reads, and when
its token is of no more use, are the rules of ``toolkit.source.feed``; here they get Dataverse's form.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

import pyarrow as pa

from toolkit.errors import CursorExpired
from toolkit.model.entity import Entity
from toolkit.organization import catalog, metadata
from toolkit.organization.database import Connection
from toolkit.server import exact_json
from toolkit.server.call import Answer, Call, ODataError, bad_request
from toolkit.server.query.keys import SET
from toolkit.server.query.options import Options, parse
from toolkit.server.query.tables import table
from toolkit.server.route import Route
from toolkit.server.rows.annotating import Wanted
from toolkit.server.rows.delta_tokens import DeltaToken, SkipToken, encoded
from toolkit.server.rows.expanding import Records
from toolkit.server.rows.reading import PAGE
from toolkit.server.rows.records import envelope
from toolkit.server.world import World
from toolkit.source.embedded import EmbeddedFeed
from toolkit.source.feed import EXPIRED, Position, next_rows, next_tombstones, start
from toolkit.source.protocol import Deleted

TRACK = "odata.track-changes"
PAGE_SIZE = "odata.maxpagesize"
NOT_TRACKED = "0x80040203"
"""Dataverse's code for an argument that is not valid. Inferred: what it says of an entity without change tracking."""
_REFUSED = ("$filter", "$orderby", "$expand", "$top")


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a pass: where it begins, its number, and the token with which the pass will end."""

    at: Position
    number: int
    token: DeltaToken

    def skip(self, after: Position) -> SkipToken:
        """Return the token of the next page, which begins where this one ended."""
        return SkipToken(self.number + 1, after.full, after.row, after.tombstone, self.token)


def changes(world: World, call: Call, entity_set: str) -> Answer | None:
    """Return rows with a delta link, or what has changed since one; None for a call that asks for neither."""
    if not _asks(call):
        return None
    _refuse_options(call)
    feed, limit = _feed(world, call, entity_set), _limit(call)
    with _expiry():
        page = _page(world, call, feed)
        rows, deleted, after = _read(feed, page.at, limit)
    head = {"@odata.context": _context(call, entity_set, full=page.at.full)}
    objects, link = _objects(world, call, feed.definition, rows), _link(call, entity_set, page, after)
    tombstones = (_tombstone(call, entity_set, each) for each in deleted)
    return Answer.text(envelope(head, objects, link, tombstones), headers=_applied(call))


def changed(world: World, call: Call, entity_set: str) -> Answer | None:
    """Return how many rows were changed or deleted since a delta token; None for a call without one."""
    if "$deltatoken" not in call.query:
        return None
    feed = _feed(world, call, entity_set)
    with _expiry():
        at = _page(world, call, feed).at
    with world.read() as connection:
        number = _count(connection, feed.definition.name, at)
    return Answer(200, {"Content-Type": "text/plain", "OData-Version": "4.0"}, str(number).encode())


def _objects(world: World, call: Call, definition: Entity, rows: pa.RecordBatch) -> bytes | memoryview:
    """Return rows as JSON objects."""
    with world.read() as connection:
        records = Records(connection, world.clock(), Wanted.of(call.prefer))
        return records.array(definition, rows, _asked(call, definition))


def _asked(call: Call, definition: Entity) -> Options:
    return parse(definition, {name: value for name, value in call.query.items() if name == "$select"})


def _asks(call: Call) -> bool:
    return TRACK in call.prefer or "$deltatoken" in call.query or _skip(call) is not None


def _skip(call: Call) -> SkipToken | None:
    return SkipToken.parse(call.query.get("$skiptoken", ""))


def _refuse_options(call: Call) -> None:
    for option in _REFUSED:
        if option in call.query:
            what = f'The "{option}" query parameter isn\'t supported when Change Tracking is enabled.'
            raise bad_request(what)


def _feed(world: World, call: Call, entity_set: str) -> EmbeddedFeed:
    """Return the feed of an entity set. Raises ODataError (400) for an entity without change tracking."""
    with world.read() as connection:
        found = table(connection, entity_set)
    definition = found.definition
    if found.system is not None or not definition.change_tracking:
        raise bad_request(f"Change tracking is not enabled for the entity '{definition.name}'.", NOT_TRACKED)
    return EmbeddedFeed(
        world.database, definition.name, [each.name for each in _asked(call, definition).select], _limit(call)
    )


def _limit(call: Call) -> int:
    return min(call.prefer.number(PAGE_SIZE) or PAGE, PAGE)


# --- where a page begins ----------------------------------------------------------------------------------------------


def _page(world: World, call: Call, feed: EmbeddedFeed) -> _Page:
    """Return the page that a call asks for. Raises CursorExpired, or ODataError (400) for what is no token."""
    if (skip := _skip(call)) is not None:
        _check(world, feed, skip.token)
        at = _position(feed, skip.token, full=skip.full, row=skip.row, tombstone=skip.tombstone)
        return _Page(start(feed, at.cursor()), skip.page, skip.token)
    if (text := call.query.get("$deltatoken")) is not None:
        if (token := DeltaToken.parse(text)) is None:
            raise bad_request("The delta token of the request is not valid.")
        _check(world, feed, token)
        at = _position(feed, token, full=False, row=token.version, tombstone=token.version)
        return _first(world, start(feed, at.cursor()))
    return _first(world, start(feed, None))


def _first(world: World, at: Position) -> _Page:
    return _Page(at, 1, DeltaToken(at.high, world.clock()))


def _position(feed: EmbeddedFeed, token: DeltaToken, *, full: bool, row: int, tombstone: int) -> Position:
    return Position(
        organization=feed.organization,
        entity=feed.definition.name,
        schema_version=feed.schema_version,
        full=full,
        row=row,
        tombstone=tombstone,
        high=token.version,
    )


def _check(world: World, feed: EmbeddedFeed, token: DeltaToken) -> None:
    """Raise CursorExpired for a token that is too old: in days, or because the attributes have changed since."""
    with world.read() as connection:
        days = catalog.settings(connection).change_tracking_expiry_days
    if token.version < feed.schema_version or world.clock() - token.began > timedelta(days=days):
        raise _too_old()


def _too_old() -> CursorExpired:
    return CursorExpired(EXPIRED, "Version stamp associated with the client has expired. Please perform a full sync.")


@contextmanager
def _expiry() -> Iterator[None]:
    """Turn an expired cursor into Dataverse's answer."""
    try:
        yield
    except CursorExpired as error:
        raise ODataError(400, EXPIRED, _too_old().what) from error


# --- what a page holds ------------------------------------------------------------------------------------------------


def _read(feed: EmbeddedFeed, at: Position, limit: int) -> tuple[pa.RecordBatch, tuple[Deleted, ...], Position]:
    """Return the rows of a page, then tombstones as far as there is room, and where the page ends."""
    rows, after = next_rows(feed, at)
    deleted, end = next_tombstones(feed, after)
    room = limit - rows.num_rows
    if len(deleted) <= room:
        return rows, deleted, end
    return rows, deleted[:room], after.moved(tombstone=deleted[room - 1].version or 0) if room else after


def _count(connection: Connection, entity: str, at: Position) -> int:
    found = connection.one(
        f"SELECT (SELECT count(*) FROM {metadata.table(entity)} WHERE versionnumber > ?1 AND versionnumber <= ?2)"  # noqa: S608 - a name of the metadata
        " + (SELECT count(*) FROM tombstone WHERE entity = ?3 AND version > ?1 AND version <= ?2) AS number",
        [at.row, at.high, entity],
    )
    return int(found["number"]) if found else 0


def _context(call: Call, entity_set: str, *, full: bool) -> str:
    columns = f"({call.query['$select']})" if "$select" in call.query else ""
    return f"{call.base}$metadata#{entity_set}{columns}{'' if full else '/$delta'}"


def _link(call: Call, entity_set: str, page: _Page, after: Position) -> dict[str, str]:
    select = f"$select={quote(call.query['$select'], safe=',')}&" if "$select" in call.query else ""
    at = f"{call.base}{entity_set}?{select}"
    if after.complete:
        return {"@odata.deltaLink": f"{at}$deltatoken={encoded(str(page.token))}"}
    return {"@odata.nextLink": f"{at}$skiptoken={encoded(str(page.skip(after)))}"}


def _tombstone(call: Call, entity_set: str, deleted: Deleted) -> bytes:
    context = f"{call.base}$metadata#{entity_set}/$deletedEntity"
    return exact_json.dumps({"@odata.context": context, "id": deleted.id, "reason": "deleted"})


def _applied(call: Call) -> dict[str, str]:
    """Return the preferences that the answer follows, as they were asked for."""
    told = [TRACK] if TRACK in call.prefer else []
    told += [f"{PAGE_SIZE}={_limit(call)}"] if PAGE_SIZE in call.prefer else []
    annotations = call.prefer.get("odata.include-annotations")
    told += [f'odata.include-annotations="{annotations}"'] if annotations is not None else []
    return {"Preference-Applied": ",".join(told)} if told else {}


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        SET,
        changes,
        "Change tracking",
        "rows with `Prefer: odata.track-changes`, and what a delta link leads to",
    ),
    Route("GET", SET + r"/\$count", changed, "Change tracking", "`$count?$deltatoken=`: how many changes there are"),
)
