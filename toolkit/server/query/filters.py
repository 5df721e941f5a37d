"""``$filter`` as SQL with bound values.

Conditions are true or false, never unknown: as in Dataverse, ``ne`` and ``not`` hold for rows without a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from odata_query import ast

from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.organization.database import Connection
from toolkit.server.call import bad_request, not_supported
from toolkit.server.query import literals
from toolkit.server.query.expressions import Literal, Node, parse
from toolkit.server.query.fragments import ALWAYS, NEVER, Fragment, joined
from toolkit.server.query.terms import Term, term

MOST_CONDITIONS = 500
"""Conditions of one query. Source: Dataverse's limit."""
_DEEPEST = 100
"""Levels of parentheses; more would be no query that somebody wrote."""
_CRM = ("Microsoft", "Dynamics", "CRM")

_OPERATORS: Mapping[type[Node], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compiled(connection: Connection, entity: Entity, text: str, now: datetime) -> Fragment:
    """Return a ``$filter`` as a condition on the rows of an entity. Raises ODataError (400, 501)."""
    return _Compiler(connection, entity, now).condition(parse(text))


@dataclass
class _Compiler:
    connection: Connection
    entity: Entity
    now: datetime
    conditions: int = 0

    def condition(self, node: Node, depth: int = 0) -> Fragment:
        if depth > _DEEPEST:
            raise bad_request("the filter is nested too deeply")
        match node:
            case ast.BoolOp(op=op):
                word = " AND " if isinstance(op, ast.And) else " OR "
                return joined(word, [self.condition(each, depth + 1) for each in _flat(node)])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return negated(self.condition(operand, depth + 1))
            case ast.Compare() | ast.Call():
                self._count()
                return self._compare(node) if isinstance(node, ast.Compare) else self._call(node)
            case ast.CollectionLambda():
                raise not_supported("any or all over related rows")
            case _:
                raise bad_request("the filter is no condition")

    def _count(self) -> None:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise bad_request(f"the filter has more than {MOST_CONDITIONS} conditions")

    def _compare(self, node: ast.Compare) -> Fragment:
        if isinstance(node.comparator, ast.In):
            return among(self._term(node.left), [_value(each) for each in _list(node.right)])
        operator = _OPERATORS[type(node.comparator)]
        if isinstance(node.left, Literal):
            return comparison(self._term(node.right), _MIRRORED.get(operator, operator), _value(node.left))
        if isinstance(node.left, ast.Call):
            return self._of_function(node.left, operator, _value(node.right))
        return comparison(self._term(node.left), operator, _value(node.right))

    def _of_function(self, node: ast.Call, operator: str, value: str | None) -> Fragment:
        """Return ``contains(...) eq true``."""
        found = self._call(node)
        if operator not in {"=", "<>"} or value not in {"true", "false"}:
            raise not_supported("a comparison with the result of a function")
        wanted = (operator == "=") is (value == "true")
        return found if wanted else negated(found)

    def _call(self, node: ast.Call) -> Fragment:
        name = node.func.name
        if node.func.namespace == _CRM:
            return self._crm(name, _named(node.args))
        if name not in _MATCHES or len(node.args) != 2:
            full = ".".join((*node.func.namespace, name))
            raise not_supported(f"the function {full} in $filter")
        found, text = self._term(node.args[0]), _value(node.args[1])
        return matching(found, _MATCHES[name](text or ""))

    def _crm(self, name: str, given: Mapping[str, list[str]]) -> Fragment:
        if name not in _FUNCTIONS:
            raise not_supported(f"the function Microsoft.Dynamics.CRM.{name}")
        path = tuple(given.get("PropertyName", [""])[0].split("/"))
        values = [value for key, values in given.items() if key != "PropertyName" for value in values]
        return function(name, self._named_term(path), values, self.now)

    def _named_term(self, path: tuple[str, ...]) -> Term:
        """Return the term of a property that a function names; these take a lookup by its own name too."""
        attribute = self.entity.attribute(path[0]) if len(path) == 1 else None
        if attribute is not None:
            return Term(attribute, f'r."{attribute.name}"')
        return term(self.connection, self.entity, path)

    def _term(self, node: Node) -> Term:
        return term(self.connection, self.entity, _path(node))


def negated(inner: Fragment) -> Fragment:
    """Return that a condition does not hold; one that is unknown does not."""
    return Fragment(f"NOT coalesce({inner.text}, 0)", inner.parameters)


# --- conditions -----------------------------------------------------------------------------------------------------


def comparison(found: Term, operator: str, value: str | None) -> Fragment:
    """Return a comparison of an attribute with a value in the text of a query; None is null."""
    if value is None:
        if operator not in {"=", "<>"}:
            return NEVER
        return Fragment(f"{found.column} IS {'NOT ' if operator == '<>' else ''}NULL")
    if found.attribute.type in literals.DECIMALS:
        return _decimal(found, operator, value)
    (key,) = found.keys
    sign = "IS NOT" if operator == "<>" else operator
    return Fragment(f"{key}{found.collation} {sign} ?", (literals.stored(found.attribute, value),))


def among(found: Term, values: list[str | None]) -> Fragment:
    """Return that an attribute has one of some values."""
    nulls = [comparison(found, "=", None)] if None in values else []
    texts = [value for value in values if value is not None]
    if found.attribute.type in literals.DECIMALS:
        return joined(" OR ", [NEVER, *nulls, *(comparison(found, "=", text) for text in texts)])
    (key,) = found.keys
    stored = json.dumps([literals.stored(found.attribute, text) for text in texts])
    one_of = Fragment(f"{key}{found.collation} IN (SELECT value FROM json_each(?))", (stored,))  # noqa: S608 - names of the metadata
    return joined(" OR ", [one_of, *nulls])


def matching(found: Term, pattern: str) -> Fragment:
    """Return that a text is like a pattern of SQL, upper and lower case alike. Raises ODataError (400)."""
    if found.attribute.type not in literals.TEXTS:
        raise literals.wrong_type(found.attribute)
    return Fragment(f"{found.column} LIKE ? ESCAPE '\\'", (pattern,))


def escaped(text: str) -> str:
    """Return a text whose wildcards stand for themselves in a pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_MATCHES: Mapping[str, Callable[[str], str]] = {
    "contains": lambda text: f"%{escaped(text)}%",
    "startswith": lambda text: f"{escaped(text)}%",
    "endswith": lambda text: f"%{escaped(text)}",
}


def _decimal(found: Term, operator: str, value: str) -> Fragment:
    """Compare exactly: a number that no value can be equal to lies between two that values can be."""
    bound, exact = literals.decimal_keys(found.attribute, value)
    if not exact:
        if operator in {"=", "<>"}:
            return NEVER if operator == "=" else ALWAYS
        operator = {"<": "<=", ">=": ">"}.get(operator, operator)
    sides = ", ".join(found.keys)
    places = ", ".join("?" for _ in found.keys)
    parameters = bound[: len(found.keys)]
    return Fragment(f"({sides}) {'IS NOT' if operator == '<>' else operator} ({places})", parameters)


def function(name: str, found: Term, values: list[str], now: datetime) -> Fragment:
    """Return what one of FUNCTIONS asks of an attribute. Raises ODataError (400)."""
    try:
        return _FUNCTIONS[name](found, values, now)
    except (IndexError, ValueError) as error:
        raise bad_request(f"the values of the function {name} are wrong") from error


# --- Dataverse's query functions ------------------------------------------------------------------------------------

_Function = Callable[[Term, list[str], datetime], Fragment]


def _between(found: Term, values: list[str], _now: datetime) -> Fragment:
    low, high = values
    return joined(" AND ", [comparison(found, ">=", low), comparison(found, "<=", high)])


def _negated(function: _Function) -> _Function:
    def negation(found: Term, values: list[str], now: datetime) -> Fragment:
        return negated(function(found, values, now))

    return negation


def _contain(found: Term, values: list[str], _now: datetime) -> Fragment:
    """Return that a multi-select has one of some values."""
    if found.attribute.type is not AttributeType.MULTISELECT:
        raise literals.wrong_type(found.attribute)
    like = f"';' || {found.column} || ';' LIKE ?"
    return joined(" OR ", [NEVER, *(Fragment(like, (f"%;{int(value)};%",)) for value in values)])


def _days(first: int, past: int) -> _Function:
    """Return a function that asks for the days from ``first`` until before ``past``, counted from today in UTC."""

    def within(found: Term, _values: list[str], now: datetime) -> Fragment:
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return _span(found, today + timedelta(days=first), today + timedelta(days=past))

    return within


def _counted(unit: timedelta, *, whole_days: bool) -> _Function:
    """Return a function that asks for a number of units: those before now when the unit is negative, else after."""

    def within(found: Term, values: list[str], now: datetime) -> Fragment:
        edge = now.replace(hour=0, minute=0, second=0, microsecond=0) if whole_days else now
        if unit > timedelta():
            return _span(found, now, edge + unit * (int(values[0]) + whole_days))
        return _span(found, edge + unit * int(values[0]), now)

    return within


def _span(found: Term, start: datetime, end: datetime) -> Fragment:
    _refuse_other_than_time(found.attribute)
    return joined(" AND ", [comparison(found, ">=", start.isoformat()), comparison(found, "<", end.isoformat())])


def _on(operator: str) -> _Function:
    """Return a function that compares the day of a time with a day."""

    def compared(found: Term, values: list[str], _now: datetime) -> Fragment:
        _refuse_other_than_time(found.attribute)
        day = datetime.fromisoformat(values[0]).replace(hour=0, minute=0, second=0, microsecond=0)
        after = day + timedelta(days=1)
        bounds = {
            "on": ((">=", day), ("<", after)),
            "onorafter": ((">=", day),),
            "onorbefore": (("<", after),),
        }[operator]
        return joined(" AND ", [comparison(found, sign, edge.isoformat()) for sign, edge in bounds])

    return compared


def _refuse_other_than_time(attribute: Attribute) -> None:
    if attribute.type is not AttributeType.DATETIME:
        raise literals.wrong_type(attribute)


def _in(found: Term, values: list[str], _now: datetime) -> Fragment:
    return among(found, list(values))


_FUNCTIONS: Mapping[str, _Function] = {
    "In": _in,
    "NotIn": _negated(_in),
    "Between": _between,
    "NotBetween": _negated(_between),
    "ContainValues": _contain,
    "DoesNotContainValues": _negated(_contain),
    "Yesterday": _days(-1, 0),
    "Today": _days(0, 1),
    "Tomorrow": _days(1, 2),
    "LastXHours": _counted(timedelta(hours=-1), whole_days=False),
    "NextXHours": _counted(timedelta(hours=1), whole_days=False),
    "LastXDays": _counted(timedelta(days=-1), whole_days=True),
    "NextXDays": _counted(timedelta(days=1), whole_days=True),
    "On": _on("on"),
    "OnOrAfter": _on("onorafter"),
    "OnOrBefore": _on("onorbefore"),
}
FUNCTIONS = tuple(_FUNCTIONS)
"""The query functions of Dataverse that a filter may use, below ``Microsoft.Dynamics.CRM``."""


# --- the tree -------------------------------------------------------------------------------------------------------


def _flat(node: ast.BoolOp) -> Iterator[Node]:
    """Yield what a chain of one operator joins; thousands of them nest no deeper than one."""
    chain: list[Node] = []
    rest: Node = node
    while isinstance(rest, ast.BoolOp) and type(rest.op) is type(node.op):
        chain.append(rest.right)
        rest = rest.left
    yield rest
    yield from reversed(chain)


def _path(node: Node) -> tuple[str, ...]:
    match node:
        case ast.Identifier(name=name):
            return (name,)
        case ast.Attribute(owner=owner, attr=attr):
            return (*_path(owner), attr)
        case _:
            raise not_supported("arithmetic, or a function of a property, in $filter")


def _value(node: Node) -> str | None:
    match node:
        case ast.Null():
            return None
        case ast.Boolean(val=val):
            return str(val).lower()
        case Literal():
            return str(vars(node)["val"])
        case _:
            raise not_supported("a comparison of two properties")


def _list(node: Node) -> list[Node]:
    if not isinstance(node, ast.List):
        raise bad_request("in needs a list of values")
    return list(node.val)


def _named(args: list[Node]) -> dict[str, list[str]]:
    """Return the parameters of a function by name, each as its values."""
    found: dict[str, list[str]] = {}
    for arg in args:
        if not isinstance(arg, ast.NamedParam):
            raise bad_request("a query function takes its parameters by name")
        nodes = _list(arg.param) if isinstance(arg.param, ast.List) else [arg.param]
        found[arg.name.name] = [_value(node) or "" for node in nodes]
    return found
