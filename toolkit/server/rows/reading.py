"""Queries of rows: one page at a time, each beginning where the one before it ended."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from toolkit.model.columns import arrow_schema
from toolkit.model.entity import Entity
from toolkit.organization.database import Connection, Scalar
from toolkit.organization.storage import from_storage
from toolkit.server.call import bad_request
from toolkit.server.query import literals
from toolkit.server.query.cookies import Cookie
from toolkit.server.query.filters import compiled
from toolkit.server.query.fragments import ALWAYS, Fragment, joined
from toolkit.server.query.options import Options, Order
from toolkit.server.query.tables import Table
from toolkit.server.query.terms import ROW, Term, term

PAGE = 5000
"""Rows of a page: at most, and by default."""
MOST_COUNTED = 5000
"""Rows that a query counts. Source: Dataverse's limit of ``$count``."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the types of ``arrow_schema``, and where the next page begins: None for the last one."""

    rows: pa.RecordBatch
    next: Cookie | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    """An expression to sort by; it is never null."""

    sql: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a table, as SQL."""

    table: Table
    condition: Fragment
    keys: tuple[_Key, ...]

    def page(self, connection: Connection, columns: Collection[str], start: Cookie | None, limit: int) -> Page:
        """Return the columns of at most ``limit`` rows that follow ``start``. Raises ODataError (400)."""
        schema = arrow_schema(self.table.definition, list(columns))
        found = self._rows(connection, schema.names, start, limit + 1)
        rows = from_storage(found.slice(0, limit), schema)
        if found.num_rows <= limit or limit == 0:
            return Page(rows)
        last = found.slice(limit - 1, 1).to_pylist()[0]
        values = tuple(last[f"key_{place}"] for place in range(len(self.keys)))
        return Page(rows, Cookie(start.page + 1 if start else 2, values))

    def all(self, connection: Connection, columns: Collection[str]) -> pa.RecordBatch:
        """Return the columns of all rows."""
        return self.page(connection, columns, None, _ALL).rows

    def count(self, connection: Connection, most: int = MOST_COUNTED) -> int:
        """Return how many rows there are, or ``most`` when they are more."""
        found = connection.one(
            f"SELECT count(*) AS n FROM (SELECT 1 FROM {self._source} WHERE {self.condition.text} LIMIT {most})",  # noqa: S608 - names of the metadata
            [*self.table.parameters, *self.condition.parameters],
        )
        return int(found["n"]) if found else 0

    @property
    def _source(self) -> str:
        return f"{self.table.source} AS {ROW}"

    def _rows(self, connection: Connection, names: Sequence[str], start: Cookie | None, limit: int) -> pa.Table:
        columns = [f'{ROW}."{name}" AS "{name}"' for name in names]
        columns += [f"{key.sql} AS key_{place}" for place, key in enumerate(self.keys)]
        order = ", ".join(f"{key.sql} {'DESC' if key.descending else 'ASC'}" for key in self.keys)
        where = self.condition if start is None else joined(" AND ", [self.condition, self._after(start.values)])
        sql = f"SELECT {', '.join(columns)} FROM {self._source} WHERE {where.text} ORDER BY {order} LIMIT {limit}"  # noqa: S608 - names of the metadata; values are bound
        return connection.arrow(sql, [*self.table.parameters, *where.parameters], limit)

    def _after(self, values: tuple[Scalar, ...]) -> Fragment:
        """Return that a row comes after the one that has these keys."""
        if len(values) != len(self.keys):
            raise bad_request("the paging cookie belongs to another query")
        return joined(" OR ", self._later(values))

    def _later(self, values: tuple[Scalar, ...]) -> Iterator[Fragment]:
        for place, key in enumerate(self.keys):
            equal = [Fragment(f"{each.sql} = ?", (values[at],)) for at, each in enumerate(self.keys[:place])]
            later = Fragment(f"{key.sql} {'<' if key.descending else '>'} ?", (values[place],))
            yield joined(" AND ", [*equal, later])


_ALL = 1_000_000
"""Rows that are expanded at once: far more than a page leads to."""


def query(connection: Connection, table: Table, options: Options, now: datetime, within: Fragment = ALWAYS) -> Query:
    """Return what the options of a call ask of a table, of the rows ``within`` alone. Raises ODataError (400, 501)."""
    condition = within
    if options.filter is not None:
        condition = joined(" AND ", [within, compiled(connection, table.definition, options.filter, now)])
    keys = [key for order in options.order for key in _keys(connection, table.definition, order)]
    return Query(table, condition, (*keys, _Key(f'{ROW}."{table.key}"')))


def matching(table: Table, condition: Fragment) -> Query:
    """Return the query of the rows of a table for which a condition holds."""
    return Query(table, condition, (_Key(f'{ROW}."{table.key}"'),))


def with_ids(table: Table, ids: Sequence[str], column: str | None = None) -> Fragment:
    """Return the condition that rows have one of some ids, in their primary id or in another column."""
    sql = f'{ROW}."{column or table.definition.primary_id}" IN (SELECT value FROM json_each(?))'  # noqa: S608 - names of the metadata
    return Fragment(sql, (json.dumps(list(ids)),))


def _keys(connection: Connection, entity: Entity, order: Order) -> Iterator[_Key]:
    """Yield the keys of an order; rows without a value come first, as in Dataverse's database."""
    found = term(connection, entity, order.path)
    yield _Key(f"({found.column} IS NOT NULL)", order.descending)
    for key in found.keys:
        yield _Key(f"coalesce({key}, {_lowest(found)}){found.collation}", order.descending)


def _lowest(found: Term) -> str:
    number = found.attribute.type in literals.DECIMALS or found.attribute.type in literals.NUMBERS
    return "0" if number else "''"
