"""Rows over the Web API: reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pyarrow as pa

from toolkit.organization.database import Connection
from toolkit.server import exact_json
from toolkit.server.call import Answer, Call
from toolkit.server.query import cookies, options
from toolkit.server.query.cookies import Cookie
from toolkit.server.query.fragments import ALWAYS, Fragment
from toolkit.server.query.keys import SET, Key, missing
from toolkit.server.query.options import Options
from toolkit.server.query.tables import Table, table
from toolkit.server.route import KEY, Route
from toolkit.server.rows import annotating
from toolkit.server.rows.annotating import Wanted
from toolkit.server.rows.expanding import Records
from toolkit.server.rows.reading import MOST_COUNTED, PAGE, Page, Query, query
from toolkit.server.world import World


def many(world: World, call: Call, entity_set: str) -> Answer:
    """Return a page of the rows of an entity set."""
    with world.read() as connection:
        return Reader(world, connection, call, table(connection, entity_set)).page()


def count(world: World, call: Call, entity_set: str) -> Answer:
    """Return how many rows there are, at most 5,000, as plain text."""
    with world.read() as connection:
        return Reader(world, connection, call, table(connection, entity_set)).count()


def one(world: World, call: Call, entity_set: str, key: str) -> Answer:
    """Return a row by its key; with If-None-Match nothing, when it is still the one that the client has (304)."""
    with world.read() as connection:
        found = table(connection, entity_set)
        return Reader(world, connection, call, found).record(Key.parse(found.definition, key))


@dataclass(frozen=True, slots=True)
class Reader:
    """Answers a call with rows of a table."""

    world: World
    connection: Connection
    call: Call
    table: Table
    within: Fragment = ALWAYS
    """What the rows have in common."""

    def id(self, key: Key) -> str:
        """Return the id of the row that has a key. Raises ODataError (400, 404)."""
        definition = self.table.definition
        row = self.row(key, options.parse(definition, {"$select": definition.primary_id}))
        return str(row.column(definition.primary_id)[0])

    def count(self) -> Answer:
        """Return how many rows there are, at most 5,000, as plain text. Raises ODataError (400, 501)."""
        asked = options.parse(self.table.definition, self.call.query)
        number = self._query(asked).count(self.connection)
        return Answer(200, {"Content-Type": "text/plain", "OData-Version": "4.0"}, str(number).encode())

    def page(self) -> Answer:
        """Return the page that the call asks for. Raises ODataError (400, 501)."""
        asked = options.parse(self.table.definition, self.call.query)
        size, last = _limits(self.call, asked)
        read = self.read(asked, None if asked.token is None else cookies.parse(asked.token), size)
        link = {} if last or read.next is None else {"@odata.nextLink": next_link(self.call, str(read.next))}
        return self.answer(asked, read.rows, {}, link)

    def read(self, asked: Options, start: Cookie | None, size: int) -> Page:
        """Return the rows that follow ``start``. Raises ODataError (400, 501)."""
        columns = self._records().columns(self.table.definition, asked)
        return self._query(asked).page(self.connection, columns, start, size)

    def answer(
        self, asked: Options, rows: pa.RecordBatch, told: Mapping[str, object], link: Mapping[str, object]
    ) -> Answer:
        """Return rows as a page, with what else is told of it."""
        records = self._records()
        objects = records.array(self.table.definition, rows, asked)
        counted = _counted(self.connection, self._query(asked), asked, records.wanted)
        head = {"@odata.context": self._context(asked), **counted, **told}
        return Answer.text(envelope(head, objects, link), headers=applied(self.call))

    def record(self, key: Key, status: int = 200) -> Answer:
        """Return the row that has a key, as the call asks for it. Raises ODataError (400, 404)."""
        asked = options.parse(self.table.definition, self.call.query)
        row = self.row(key, asked)
        if (etag := tag(row)) and self.call.headers.get("if-none-match") == etag:
            return Answer(304, {"OData-Version": "4.0", "ETag": etag})
        (body,) = self._records().objects(self.table.definition, row, asked).to_pylist()
        head = exact_json.dumps({"@odata.context": f"{self._context(asked)}/$entity"}).decode()
        headers = {**({"ETag": etag} if etag else {}), **applied(self.call)}
        return Answer.text(f"{head[:-1]},{str(body)[1:]}".encode(), status, headers)

    def row(self, key: Key, asked: Options) -> pa.RecordBatch:
        """Return the one row that has a key. Raises ODataError (400, 404)."""
        definition = self.table.definition
        wanted = query(self.connection, self.table, asked, self.world.clock(), key.condition)
        rows = wanted.page(self.connection, self._records().columns(definition, asked), None, 2).rows
        if rows.num_rows == 0:
            raise missing(definition, key)
        if rows.num_rows > 1:
            raise key.ambiguous(definition)
        return rows

    def _query(self, asked: Options) -> Query:
        return query(self.connection, self.table, asked, self.world.clock(), self.within)

    def _records(self) -> Records:
        return Records(self.connection, self.world.clock(), Wanted.of(self.call.prefer))

    def _context(self, asked: Options) -> str:
        definition = self.table.definition
        return f"{self.call.base}$metadata#{definition.set_name}{options.context(definition, asked)}"


def envelope(
    head: Mapping[str, object],
    objects: bytes | memoryview,
    tail: Mapping[str, object],
    more: Iterable[bytes] = (),
) -> bytes:
    """Return the JSON of a page: what is told of it, its objects in JSON (a run of them, then others), its links."""
    before = exact_json.dumps(head)[:-1]
    after = exact_json.dumps(tail)[1:]
    others = b",".join(more)
    comma = b"," if objects and others else b""
    return b"".join((before, b',"value":[', objects, comma, others, b"]," if tail else b"]", after))


def next_link(call: Call, token: str) -> str:
    """Return the address of the next page: that of this one, with another token."""
    pairs = {**call.query, "$skiptoken": token}.items()
    return f"{call.base}{quote(call.path)}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


_HONOURED: Mapping[str, str] = {"odata.maxpagesize": "{}={}", "odata.include-annotations": '{}="{}"'}
"""Preferences of a query, with their spelling."""


def applied(call: Call) -> dict[str, str]:
    """Return the header that names the preferences which were honoured."""
    given = call.prefer.values
    said = [form.format(name, given[name]) for name, form in _HONOURED.items() if name in given]
    return {"Preference-Applied": ",".join(said)} if said else {}


def tag(rows: pa.RecordBatch) -> str | None:
    """Return the etag of the first row, or None for rows without versions."""
    return f'W/"{rows.column("versionnumber")[0]}"' if "versionnumber" in rows.schema.names else None


def _limits(call: Call, asked: Options) -> tuple[int, bool]:
    """Return how many rows a page has, and whether no other one follows it."""
    size = call.prefer.number("odata.maxpagesize")
    if size is None and asked.top is not None:
        return min(asked.top, PAGE), True
    return min(size or PAGE, PAGE), False


def _counted(connection: Connection, wanted: Query, asked: Options, shown: Wanted) -> dict[str, object]:
    number = wanted.count(connection, MOST_COUNTED + 1) if asked.count else -1
    told: dict[str, object] = {"@odata.count": min(number, MOST_COUNTED)} if asked.count else {}
    if annotating.COUNT in shown:
        told[f"@{annotating.COUNT}"] = min(number, MOST_COUNTED)
    if annotating.COUNT_EXCEEDED in shown:
        told[f"@{annotating.COUNT_EXCEEDED}"] = number > MOST_COUNTED
    return told


ROUTES: tuple[Route, ...] = (
    Route("GET", SET, many, "Rows", "rows of an entity set, a page at a time"),
    Route("GET", SET + "/[$]count", count, "Rows", "how many rows there are, at most 5,000"),
    Route("GET", SET + KEY, one, "Rows", "a row by its id, or by values that no other row has"),
)
