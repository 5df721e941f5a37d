"""Rows over the Web API: creating, changing and deleting them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from toolkit.organization import rows
from toolkit.organization.database import Connection, Violated
from toolkit.server.call import Answer, Call, ODataError, not_supported
from toolkit.server.query.keys import SET, Key, missing
from toolkit.server.query.options import parse
from toolkit.server.query.references import id_of
from toolkit.server.query.tables import Table, table
from toolkit.server.route import KEY, Route
from toolkit.server.rows import payloads
from toolkit.server.rows.payloads import Payloads, Row
from toolkit.server.rows.records import Reader, tag
from toolkit.server.world import World

CHANGED_SINCE = "0x80060882"
"""Dataverse's code for an etag that is no longer the row's."""
DUPLICATE = rows.DUPLICATE
REPRESENTATION = "return=representation"
_PROPERTY = r"/(?P<name>_?[a-zA-Z]\w*)"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes rows of a table within one transaction."""

    world: World
    connection: Connection
    table: Table
    base: str

    @classmethod
    def of(cls, world: World, connection: Connection, call: Call, entity_set: str) -> Writer:
        """Return the writer of an entity set. Raises ODataError: 404, or 501 for a table that the platform keeps."""
        found = table(connection, entity_set)
        if found.system is not None:
            raise not_supported(f"{call.method} of {entity_set}")
        return cls(world, connection, found, call.base)

    @property
    def entity(self) -> str:
        """The logical name of the entity."""
        return self.table.definition.name

    def row(self, body: Mapping[str, Any]) -> Row:
        """Return the columns that a body gives. Raises ODataError (400, 404, 501)."""
        return Payloads(self.connection, self.table.definition, self.base).row(body)

    def create(self, *new: Row) -> list[str]:
        """Create rows and return their ids. Raises Invalid, with 0x80040237 for an id that is there already."""
        key = self.table.definition.primary_id
        complete = [payloads.completed(self.connection, self.table.definition, row) for row in new]
        named = [row if row.get(key) else {**row, key: self.world.new_id()} for row in complete]
        with _no_duplicates():
            rows.insert(self.world.database, self.entity, named, self.world.clock)
        return [row[key] for row in named]

    def update(self, row_id: str, change: Row) -> None:
        """Change a row. Raises Invalid, with 0x80040217 for a row that is not there."""
        self.update_all([(row_id, change)])

    def update_all(self, changes: Sequence[tuple[str, Row]]) -> None:
        """Change rows; those that follow each other with the same columns at once."""
        definition = self.table.definition
        complete = (
            {**payloads.changed(self.connection, definition, change), definition.primary_id: row_id}
            for row_id, change in changes
        )
        for _, alike in groupby(complete, sorted):
            with _no_duplicates():
                rows.update(self.world.database, self.entity, list(alike), self.world.clock)

    def existing(self, key: Key) -> str:
        """Return the id of the row that has a key. Raises ODataError (400, 404)."""
        found = id_of(self.connection, self.table, key)
        if found is None:
            raise missing(self.table.definition, key)
        return found

    def delete(self, row_id: str) -> None:
        """Delete a row. Raises Invalid (0x80040217)."""
        rows.delete(self.world.database, self.entity, [row_id], self.world.clock)

    def upsert(self, key: Key, body: Mapping[str, Any]) -> tuple[str, bool]:
        """Change the row that has a key, or create it; return its id, and whether it is new."""
        found = id_of(self.connection, self.table, key)
        if found is not None:
            self.update(found, self.row(body))
            return found, False
        (made,) = self.create({**self.row(body), **payloads.of_key(key)})
        return made, True


@contextmanager
def _no_duplicates() -> Iterator[None]:
    """Turn a violation of an alternate key into Dataverse's answer."""
    try:
        yield
    except Violated as error:
        raise ODataError(412, DUPLICATE, "A record with matching key values already exists.") from error


# --- routes ---------------------------------------------------------------------------------------------------------


def create(world: World, call: Call, entity_set: str) -> Answer:
    """Create a row."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        (made,) = writer.create(writer.row(call.object()))
        return _written(writer, call, made, new=True)


def change(world: World, call: Call, entity_set: str, key: str) -> Answer:
    """Change a row, or create it; with ``If-Match: *`` it is only changed, with ``If-None-Match: *`` only created."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        wanted = Key.parse(writer.table.definition, key)
        _check(writer, call, wanted)
        row_id, new = writer.upsert(wanted, call.object())
        return _written(writer, call, row_id, new=new)


def delete(world: World, call: Call, entity_set: str, key: str) -> Answer:
    """Delete a row, with If-Match only as the client knows it."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        wanted = Key.parse(writer.table.definition, key)
        _check(writer, call, wanted)
        writer.delete(writer.existing(wanted))
    return Answer.none()


def put_property(world: World, call: Call, entity_set: str, key: str, name: str) -> Answer:
    """Change one property of a row that is there: ``{"value": ...}``."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        return _set(writer, call, key, {name: call.object().get("value")})


def delete_property(world: World, call: Call, entity_set: str, key: str, name: str) -> Answer:
    """Take the value of one property away, that of a lookup too."""
    with world.write() as connection:
        return _set(Writer.of(world, connection, call, entity_set), call, key, {name: None})


def _set(writer: Writer, call: Call, key: str, body: Mapping[str, object]) -> Answer:
    wanted = Key.parse(writer.table.definition, key)
    row_id = writer.existing(wanted)
    _check(writer, call, wanted)
    writer.update(row_id, writer.row(body))
    return Answer.none()


def _written(writer: Writer, call: Call, row_id: str, *, new: bool) -> Answer:
    """Return the address of a row, or the row when the client would rather have that."""
    definition = writer.table.definition
    address = f"{call.base}{definition.set_name}({row_id})"
    if call.prefer.get("return") != "representation":
        return Answer.none({"OData-EntityId": address, **({"Location": address} if new else {})})
    reader = Reader(writer.world, writer.connection, replace(call, headers=_without_conditions(call)), writer.table)
    answer = reader.record(Key.of_id(definition, row_id), 201 if new else 200)
    told = ",".join(filter(None, [REPRESENTATION, answer.headers.get("Preference-Applied")]))
    return replace(answer, headers={**answer.headers, "OData-EntityId": address, "Preference-Applied": told})


def _without_conditions(call: Call) -> dict[str, str]:
    return {name: value for name, value in call.headers.items() if name not in {"if-match", "if-none-match"}}


def _check(writer: Writer, call: Call, key: Key) -> None:
    """Refuse a write whose conditions do not hold. Raises ODataError (404, 412)."""
    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    if wanted is None and unwanted is None:
        return
    row_id = id_of(writer.connection, writer.table, key)
    if unwanted == "*" and row_id is not None:
        raise ODataError(412, DUPLICATE, "A record with matching key values already exists.")
    if wanted is not None and row_id is None:
        raise missing(writer.table.definition, key)
    if wanted not in {None, "*"}:
        _check_tag(writer, key, str(wanted))


def _check_tag(writer: Writer, key: Key, wanted: str) -> None:
    reader = Reader(writer.world, writer.connection, Call("GET", "", {}, {}, b"", writer.base), writer.table)
    if tag(reader.row(key, parse(writer.table.definition, {}))) != wanted:
        what = "The version of the existing record doesn't match the RowVersion property provided."
        raise ODataError(412, CHANGED_SINCE, what)


ROUTES: tuple[Route, ...] = (
    Route("POST", SET, create, "Rows", "create a row"),
    Route("PATCH", SET + KEY, change, "Rows", "change a row, or create it under that key"),
    Route("DELETE", SET + KEY, delete, "Rows", "delete a row"),
    Route("PUT", SET + KEY + _PROPERTY, put_property, "Rows", "change one property"),
    Route("DELETE", SET + KEY + _PROPERTY, delete_property, "Rows", "empty one property"),
)
