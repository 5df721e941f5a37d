"""``?sql=``: the subset of SQL that Dataverse's endpoint reads: one SELECT with joins, conditions, groups and an order.

Every table and column is looked up in the metadata and every value is bound: nothing of the text reaches the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any

import pyarrow as pa

from toolkit.model.columns import arrow_type
from toolkit.model.entity import AttributeType, Entity
from toolkit.organization.database import Connection
from toolkit.organization.storage import from_storage, precision
from toolkit.server.call import Answer, Call, ODataError, bad_request, not_supported
from toolkit.server.query import cookies, filters, literals
from toolkit.server.query.cookies import Cookie
from toolkit.server.query.fragments import ALWAYS, Fragment, joined
from toolkit.server.query.keys import SET
from toolkit.server.query.tables import Table, table, table_of
from toolkit.server.query.terms import Term
from toolkit.server.route import Route
from toolkit.server.rows import rendering
from toolkit.server.rows.reading import PAGE
from toolkit.server.rows.records import envelope, next_link
from toolkit.server.rows.rendering import Piece
from toolkit.server.world import World

_TOKEN = re.compile(
    r"\s+|N?'(?:[^']|'')*'|\d+(?:\.\d+)?|\[\w+\]|[A-Za-z_]\w*|<=|>=|<>|!=|(?P<comment>--)|[-=<>(),.*]|(?P<other>.)",
    re.DOTALL,
)
_NUMBERS = frozenset({AttributeType.INTEGER, AttributeType.BIGINT, AttributeType.DOUBLE}) | literals.DECIMALS
_AGGREGATES = frozenset({"COUNT", "SUM", "AVG", "MIN", "MAX"})
_SIGNS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CLAUSES = frozenset("FROM WHERE GROUP ORDER INNER LEFT JOIN ON AND OR AS ASC DESC HAVING UNION OFFSET".split())  # noqa: SIM905 - words read best in a row


@dataclass(frozen=True, slots=True)
class _Column:
    """A result: its name, its SQL, and how its values are shown."""

    name: str
    sql: str
    term: Term | None = None
    """The attribute that it is; None for a number that is counted or added up."""
    digits: int = 0
    """Digits after the point of a number that is made of whole ones."""


@dataclass(frozen=True, slots=True)
class Select:
    """A statement, ready to run."""

    columns: tuple[_Column, ...]
    source: Fragment
    condition: Fragment
    groups: tuple[str, ...]
    order: tuple[str, ...]
    distinct: bool
    top: int | None

    def rows(self, connection: Connection, offset: int, limit: int) -> pa.Table:
        """Return some of the rows."""
        names = ", ".join(f"{column.sql} AS c{place}" for place, column in enumerate(self.columns))
        words = [
            "SELECT DISTINCT" if self.distinct else "SELECT",
            names,
            f"FROM {self.source.text} WHERE {self.condition.text}",
            f"GROUP BY {', '.join(self.groups)}" if self.groups else "",
            f"ORDER BY {', '.join(self.order)}" if self.order else "",
            f"LIMIT {limit} OFFSET {offset}",
        ]
        return connection.arrow(" ".join(words), [*self.source.parameters, *self.condition.parameters], limit)


def rows(world: World, call: Call, entity_set: str) -> Answer | None:
    """Return the rows that a statement selects; None for a call without one."""
    if "sql" not in call.query:
        return None
    token = call.query.get("$skiptoken")
    offset = 0 if token is None else _offset(cookies.parse(token))
    with world.read() as connection:
        entity = table(connection, entity_set).definition
        select = _Parser(connection, call.query["sql"]).select(entity)
        limit = min(PAGE if select.top is None else select.top, PAGE)
        found = select.rows(connection, offset, limit + 1)
    page = found.slice(0, limit)
    more = select.top is None and found.num_rows > limit
    head = {"@odata.context": f"{call.base}$metadata#{entity_set}"}
    number = offset // PAGE + 2
    link = {"@odata.nextLink": next_link(call, str(Cookie(number, (offset + limit,))))} if more else {}
    return Answer.text(envelope(head, _objects(select.columns, page), link))


def _offset(cookie: Cookie) -> int:
    if len(cookie.values) != 1 or not isinstance(cookie.values[0], int) or cookie.values[0] < 0:
        raise bad_request("the paging cookie belongs to another query")
    return cookie.values[0]


def _objects(columns: Sequence[_Column], found: pa.Table) -> bytes | memoryview:
    members = (_member(column, found.column(place)) for place, column in enumerate(columns))
    return rendering.array(chain.from_iterable(members))


def _member(column: _Column, values: pa.ChunkedArray[Any]) -> Iterable[Piece]:
    if column.term is not None:
        schema = pa.schema([pa.field("value", arrow_type(column.term.attribute))])
        typed = from_storage(pa.table({"value": values}), schema).column("value")
        return rendering.member(column.name, rendering.value(column.term.attribute, typed))
    texts = [None if each is None else _number(each, column.digits) for each in values.to_pylist()]
    return rendering.member(column.name, pa.array(texts, pa.string()))


def _number(value: float, digits: int) -> str:
    return format(round(Decimal(value).scaleb(-digits), digits), "f") if digits else str(value)


# --- parsing --------------------------------------------------------------------------------------------------------


def _tokens(text: str) -> list[str]:
    found = list(_TOKEN.finditer(text))
    if any(each["other"] or each["comment"] for each in found):
        raise not_supported("a character, a comment or a second statement in SQL")
    return [each[0] for each in found if not each[0].isspace()]


@dataclass
class _Parser:
    """Reads a statement from left to right."""

    connection: Connection
    text: str
    at: int = 0
    conditions: int = 0
    tables: dict[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens = _tokens(self.text)

    # the tokens

    @property
    def word(self) -> str:
        """The next token in upper case; empty at the end."""
        return self.tokens[self.at].upper() if self.at < len(self.tokens) else ""

    def take(self) -> str:
        """Return the next token and go on. Raises ODataError (400) at the end."""
        if self.at == len(self.tokens):
            raise _wrong("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def skip(self, *words: str) -> bool:
        """Go past words when they come next, and say whether they did."""
        coming = [each.upper() for each in self.tokens[self.at : self.at + len(words)]]
        if coming != list(words):
            return False
        self.at += len(words)
        return True

    def need(self, *words: str) -> None:
        """Go past words that have to come next. Raises ODataError (400)."""
        if not self.skip(*words):
            raise _wrong(f"{' '.join(words)} is missing")

    def name(self) -> str:
        """Return a name, its brackets taken off."""
        name = self.take().strip("[]")
        if re.fullmatch(r"\w+", name) is None or name.upper() in _CLAUSES:
            raise _wrong("a name is missing")
        return name.lower()

    # the statement

    def select(self, entity: Entity) -> Select:
        """Return the statement. Raises ODataError (400, 501)."""
        self.need("SELECT")
        distinct, top, start = self.skip("DISTINCT"), self._top(), self.at
        # The tables come after the columns that are theirs.
        self.at = self._from()
        source = self._source(entity)
        condition = self._or() if self.skip("WHERE") else ALWAYS
        groups = tuple(self._list(self._grouped)) if self.skip("GROUP", "BY") else ()
        after = self.at
        self.at = start
        columns = tuple(self._list(self._result))
        self.at = after
        order = tuple(self._list(lambda: self._sorted(columns))) if self.skip("ORDER", "BY") else ()
        if self.word:
            raise not_supported(f"{self.word} in SQL")
        counted = bool(groups) or distinct or any(column.term is None for column in columns)
        tie = () if counted else tuple(f'"{alias}"."{found.key}"' for alias, found in self.tables.items())
        return Select(columns, source, condition, groups, (*order, *tie), distinct, top)

    def _top(self) -> int | None:
        if not self.skip("TOP"):
            return None
        bracketed = self.skip("(")
        text = self.take()
        if not text.isdecimal() or len(text) > 9:
            raise _wrong("TOP needs a whole number")
        if bracketed:
            self.need(")")
        if self.word == "PERCENT":
            raise not_supported("PERCENT in SQL")
        return int(text)

    def _from(self) -> int:
        words = [each.upper() for each in self.tokens]
        if "FROM" not in words[self.at :]:
            raise _wrong("FROM is missing")
        return words.index("FROM", self.at) + 1

    def _source(self, entity: Entity) -> Fragment:
        first = self._table()
        if first.definition.name != entity.name:
            raise _wrong(f"its table is not that of the entity set {entity.set_name}")
        parts = [self._aliased()]
        while self.word in {"INNER", "LEFT", "JOIN"}:
            parts.append(self._join())
        if self.word == ",":
            raise not_supported("several tables without JOIN in SQL")
        parameters = tuple(value for part in parts for value in part.parameters)
        return Fragment(" ".join(part.text for part in parts), parameters)

    def _table(self) -> Table:
        found = table_of(self.connection, self.name())
        self.skip("AS")
        alias = found.definition.name
        if self.word and self.word not in _CLAUSES and self.word != ",":
            alias = self.name()
        if alias in self.tables:
            raise _wrong(f"two tables are called {alias}")
        self.tables[alias] = found
        return found

    def _aliased(self) -> Fragment:
        alias, found = next(reversed(self.tables.items()))
        return Fragment(f'{found.source} AS "{alias}"', found.parameters)

    def _join(self) -> Fragment:
        kind = "LEFT JOIN" if self.skip("LEFT") else "JOIN"
        self.skip("OUTER" if kind == "LEFT JOIN" else "INNER")
        self.need("JOIN")
        self._table()
        joins = self._aliased()
        self.need("ON")
        condition = self._or()
        return Fragment(f"{kind} {joins.text} ON {condition.text}", (*joins.parameters, *condition.parameters))

    def _list(self, read: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever is read
        yield read()
        while self.skip(","):
            yield read()

    def _result(self) -> _Column:
        if self.word == "*":
            raise not_supported("SELECT * in SQL")
        name = self.word.lower()
        column = self._aggregate() if self.word in _AGGREGATES and self._calls() else self._plain()
        alias = self.name() if self.skip("AS") or self.word not in {"", ",", "FROM"} else column.name
        return _Column(alias or name, column.sql, column.term, column.digits)

    def _calls(self) -> bool:
        return self.tokens[self.at + 1 : self.at + 2] == ["("]

    def _plain(self) -> _Column:
        found = self._term()
        return _Column(found.attribute.name, found.column, found)

    def _aggregate(self) -> _Column:
        function = self.take().upper()
        self.need("(")
        distinct = "DISTINCT " if self.skip("DISTINCT") else ""
        if function == "COUNT" and self.skip("*", ")"):
            return _Column("count", "count(*)")
        found = self._term()
        self.need(")")
        if function == "COUNT":
            return _Column("count", f"count({distinct}{found.column})")
        if function in {"MIN", "MAX"} and found.attribute.type not in literals.DECIMALS:
            return _Column(function.lower(), f"{function}({found.column})", found)
        if found.attribute.type not in _NUMBERS:
            raise _wrong(f"{function} needs a number")
        if found.attribute.type not in literals.DECIMALS:
            return _Column(function.lower(), f"{function}({distinct}{found.column})")
        digits = precision(found.attribute)
        return _Column(function.lower(), f"{function}({distinct}{_whole(found, digits)})", None, digits)

    def _grouped(self) -> str:
        found = self._term()
        return f"{found.column}{found.collation}"

    def _sorted(self, columns: Sequence[_Column]) -> str:
        keys = self._keys(columns)
        direction = "DESC" if self.skip("DESC") else "ASC"
        self.skip("ASC")
        return ", ".join(f"{key} {direction}" for key in keys)

    def _keys(self, columns: Sequence[_Column]) -> list[str]:
        """Return the expressions that a result or a column sorts by."""
        named = next((column for column in columns if column.name.upper() == self.word), None)
        if named is None or self.tokens[self.at + 1 : self.at + 2] == ["."]:
            found = self._term()
            return [f"{key}{found.collation}" for key in found.keys]
        self.take()
        if named.term is None:
            return [named.sql]
        return [f"{key}{named.term.collation}" for key in named.term.keys]

    # conditions

    def _or(self) -> Fragment:
        parts = [self._and()]
        while self.skip("OR"):
            parts.append(self._and())
        return joined(" OR ", parts)

    def _and(self) -> Fragment:
        parts = [self._not()]
        while self.skip("AND"):
            parts.append(self._not())
        return joined(" AND ", parts)

    def _not(self) -> Fragment:
        self.conditions += 1
        if self.conditions > filters.MOST_CONDITIONS:
            raise _wrong(f"it has more than {filters.MOST_CONDITIONS} conditions")
        if self.skip("NOT"):
            inner = self._not()
            return Fragment(f"NOT {inner.text}", inner.parameters)
        if self.skip("("):
            if self.word == "SELECT":
                raise not_supported("a subquery in SQL")
            inner = self._or()
            self.need(")")
            return inner
        return self._predicate()

    def _predicate(self) -> Fragment:
        found = self._term()
        if self.skip("IS"):
            sign = "<>" if self.skip("NOT") else "="
            self.need("NULL")
            return filters.comparison(found, sign, None)
        if self.word in _SIGNS:
            return self._compared(found, _SIGNS[self.take()])
        unwanted = self.skip("NOT")
        matched = self._matched(found)
        return Fragment(f"NOT {matched.text}", matched.parameters) if unwanted else matched

    def _matched(self, found: Term) -> Fragment:
        if self.skip("LIKE"):
            return joined("", [filters.matching(found, self._value().replace("\\", "\\\\"))])
        if self.skip("BETWEEN"):
            low = filters.comparison(found, ">=", self._value())
            self.need("AND")
            return joined(" AND ", [low, filters.comparison(found, "<=", self._value())])
        self.need("IN")
        self.need("(")
        if self.word == "SELECT":
            raise not_supported("a subquery in SQL")
        values = list(self._list(self._value))
        self.need(")")
        return filters.among(found, values)

    def _compared(self, found: Term, sign: str) -> Fragment:
        if re.match(r"[A-Za-z_\[]", self.word) and not self.word.startswith("N'"):
            other = self._term()
            return Fragment(f"{found.column}{found.collation} {sign} {other.column}")
        compared = filters.comparison(found, sign, self._value())
        # SQL knows no value that is unequal to none.
        known = Fragment(f"{found.column} IS NOT NULL")
        return joined(" AND ", [known, compared]) if sign == "<>" else compared

    def _value(self) -> str:
        sign = "-" if self.skip("-") else ""
        token = self.take()
        if not sign and token.endswith("'"):
            return token.removeprefix("N")[1:-1].replace("''", "'")
        if not token[:1].isdigit():
            raise _wrong("a value is missing")
        return sign + token

    def _term(self) -> Term:
        """Return a column, with or without its table before it. Raises ODataError (400)."""
        name = self.name()
        aliases = list(self.tables)
        if self.skip("."):
            aliases, name = [name], self.name()
        for alias in aliases:
            found = self.tables.get(alias)
            attribute = None if found is None else found.definition.attribute(name)
            if attribute is not None:
                return Term(attribute, f'"{alias}"."{name}"')
        raise bad_request(f"Invalid column name '{name}'.", INVALID)


def _whole(found: Term, digits: int) -> str:
    """Return a decimal as the whole number of its last digits, which adds up exactly."""
    if digits == 0:
        return found.keys[0]
    whole, rest = found.keys
    return f"(({whole}) * {10**digits} + ({rest}))"


INVALID = "0x80040203"
"""Dataverse's code for an argument that is not valid."""


def _wrong(what: str) -> ODataError:
    return bad_request(f"The SQL statement cannot be read: {what}.", INVALID)


ROUTES: tuple[Route, ...] = (
    Route("GET", SET, rows, "Other languages", "`?sql=`: rows that a SELECT with joins, groups and an order finds"),
)
