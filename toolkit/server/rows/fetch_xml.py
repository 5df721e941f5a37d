"""``?fetchXml=``: Microsoft's query language in XML, as far as it asks one table for rows.

Joins (``link-entity``), aggregates and ``distinct`` are answered with 501.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from toolkit.model.entity import Attribute, Entity
from toolkit.server.call import Answer, Call, ODataError, bad_request, not_supported
from toolkit.server.query import cookies, filters
from toolkit.server.query.cookies import Cookie
from toolkit.server.query.fragments import ALWAYS, Fragment, joined
from toolkit.server.query.keys import SET
from toolkit.server.query.options import Options, Order
from toolkit.server.query.properties import property_name
from toolkit.server.query.tables import table
from toolkit.server.query.terms import ROW, Term
from toolkit.server.route import Route
from toolkit.server.rows import annotating
from toolkit.server.rows.reading import PAGE
from toolkit.server.rows.records import Reader
from toolkit.server.world import World

INVALID = "0x8004111c"
"""Dataverse's code for FetchXML that it cannot read."""
_KNOWN: Mapping[str, frozenset[str]] = {
    "fetch": frozenset({"version", "output-format", "mapping", "no-lock", "top", "count", "page", "paging-cookie"})
    | {"returntotalrecordcount", "distinct", "aggregate", "latematerialize", "options"},
    "entity": frozenset({"name"}),
    "attribute": frozenset({"name"}),
    "order": frozenset({"attribute", "descending"}),
    "filter": frozenset({"type"}),
    "condition": frozenset({"attribute", "operator", "value"}),
}
"""The XML attributes of each element that are read; any other one would change the answer."""
_SIGNS: Mapping[str, str] = {"eq": "=", "ne": "<>", "neq": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_FUNCTIONS: Mapping[str, str] = {
    "in": "In",
    "not-in": "NotIn",
    "between": "Between",
    "not-between": "NotBetween",
    "contain-values": "ContainValues",
    "not-contain-values": "DoesNotContainValues",
    "yesterday": "Yesterday",
    "today": "Today",
    "tomorrow": "Tomorrow",
    "last-x-hours": "LastXHours",
    "next-x-hours": "NextXHours",
    "last-x-days": "LastXDays",
    "next-x-days": "NextXDays",
    "on": "On",
    "on-or-after": "OnOrAfter",
    "on-or-before": "OnOrBefore",
}
_PATTERNS: Mapping[str, Callable[[str], str]] = {
    "like": lambda text: text.replace("\\", "\\\\"),
    "begins-with": lambda text: f"{filters.escaped(text)}%",
    "ends-with": lambda text: f"%{filters.escaped(text)}",
}
OPERATORS = (*_SIGNS, *_FUNCTIONS, *_PATTERNS, "not-like", "not-begin-with", "not-end-with", "null", "not-null")
"""The operators of conditions."""


def rows(world: World, call: Call, entity_set: str) -> Answer | None:
    """Return the rows that a query finds; None for a call without one."""
    if "fetchXml" not in call.query:
        return None
    fetch = _read(call.query["fetchXml"])
    with world.read() as connection:
        reader = Reader(world, connection, call, table(connection, entity_set))
        return _answer(reader, fetch)


def _answer(reader: Reader, fetch: ET.Element) -> Answer:
    entity, definition = fetch.find("entity"), reader.table.definition
    if entity is None or entity.get("name") != definition.name:
        raise _invalid(f"the entity of the query is not that of the entity set {definition.set_name}")
    _check(fetch)
    asked = Options(
        select=_attributes(entity, definition),
        selected=entity.find("all-attributes") is None,
        order=tuple(_order(each, definition) for each in entity.findall("order")),
        count=fetch.get("returntotalrecordcount") == "true",
    )
    found = replace(reader, within=_filters(entity, definition, reader.world.clock()))
    read = found.read(asked, _start(fetch), _limit(fetch))
    return found.answer(asked, read.rows, _told(reader, None if fetch.get("top") else read.next), {})


def _told(reader: Reader, more: Cookie | None) -> dict[str, object]:
    """Return what clients page by, where they ask for it."""
    wanted = annotating.Wanted.of(reader.call.prefer)
    told: dict[str, object] = {}
    if annotating.COOKIE in wanted and more is not None:
        told[f"@{annotating.COOKIE}"] = str(more)
    if annotating.MORE in wanted:
        told[f"@{annotating.MORE}"] = more is not None
    return told


def _read(text: str) -> ET.Element:
    if "<!" in text:
        raise _invalid("a document type or a comment has no place in a query")
    try:
        found = ET.fromstring(text)  # noqa: S314 - there is no document type
    except ET.ParseError as error:
        raise _invalid("the query is no XML") from error
    if found.tag != "fetch":
        raise _invalid("the query has no element fetch")
    return found


def _check(fetch: ET.Element) -> None:
    """Refuse what would change the answer and is not done."""
    for name in ("distinct", "aggregate"):
        if fetch.get(name) == "true":
            raise not_supported(f"{name} in FetchXML")
    for element in fetch.iter():
        if element.tag in {"all-attributes", "value"}:
            continue
        if element.tag not in _KNOWN:
            raise not_supported(f"the element {element.tag} in FetchXML")
        for name in set(element.keys()) - _KNOWN[element.tag]:
            raise not_supported(f"{name} of the element {element.tag} in FetchXML")


def _attributes(entity: ET.Element, definition: Entity) -> tuple[Attribute, ...]:
    if entity.find("all-attributes") is not None:
        return definition.attributes
    names = {_attribute(definition, each.get("name", "")).name for each in entity.findall("attribute")}
    return tuple(each for each in definition.attributes if each.name in names or each.name == definition.primary_id)


def _order(element: ET.Element, definition: Entity) -> Order:
    attribute = _attribute(definition, element.get("attribute", ""))
    return Order((property_name(attribute),), element.get("descending") == "true")


def _filters(element: ET.Element, definition: Entity, now: datetime) -> Fragment:
    parts = [_conditions(each, definition, now) for each in element.findall("filter")]
    return joined(" AND ", parts) if parts else ALWAYS


def _conditions(element: ET.Element, definition: Entity, now: datetime) -> Fragment:
    parts = [_condition(each, definition, now) for each in element.findall("condition")]
    parts += [_conditions(each, definition, now) for each in element.findall("filter")]
    return joined(" OR " if element.get("type") == "or" else " AND ", parts) if parts else ALWAYS


def _condition(element: ET.Element, definition: Entity, now: datetime) -> Fragment:
    attribute = _attribute(definition, element.get("attribute", ""))
    values = [each.text or "" for each in element.findall("value")]
    given = element.get("value")
    texts = values if given is None else [given]
    return _compared(Term(attribute, f'{ROW}."{attribute.name}"'), element.get("operator", ""), texts, now)


def _compared(term: Term, operator: str, values: list[str], now: datetime) -> Fragment:
    if operator in {"null", "not-null"}:
        return filters.comparison(term, "=" if operator == "null" else "<>", None)
    if operator in _SIGNS and len(values) == 1:
        return filters.comparison(term, _SIGNS[operator], values[0])
    if operator in _FUNCTIONS:
        return filters.function(_FUNCTIONS[operator], term, values, now)
    plain = {"not-like": "like", "not-begin-with": "begins-with", "not-end-with": "ends-with"}.get(operator, operator)
    if plain not in _PATTERNS or len(values) != 1:
        raise not_supported(f"the operator {operator} with {len(values)} values in FetchXML")
    found = filters.matching(term, _PATTERNS[plain](values[0]))
    return found if plain == operator else filters.negated(found)


def _attribute(definition: Entity, name: str) -> Attribute:
    if (found := definition.attribute(name)) is None:
        raise bad_request(f"'{definition.name}' entity doesn't contain attribute with Name = '{name}'.", NO_ATTRIBUTE)
    return found


NO_ATTRIBUTE = "0x80041103"
"""Dataverse's code for an attribute that an entity does not have."""


def _start(fetch: ET.Element) -> Cookie | None:
    """Return where the page begins. A page beyond the first needs the cookie of the one before."""
    page, cookie = fetch.get("page", "1"), fetch.get("paging-cookie")
    if cookie is None or page == "1":
        if page != "1":
            raise not_supported("a page of FetchXML without the paging cookie of the page before it")
        return None
    return Cookie(int(page) if page.isdecimal() else 1, cookies.values(cookie))


def _limit(fetch: ET.Element) -> int:
    text = fetch.get("top") or fetch.get("count") or str(PAGE)
    if not text.isdecimal():
        raise _invalid("top and count are whole numbers")
    return min(int(text), PAGE)


def _invalid(what: str) -> ODataError:
    return bad_request(f"Invalid XML: {what}.", INVALID)


ROUTES: tuple[Route, ...] = (
    Route("GET", SET, rows, "Other languages", "`?fetchXml=`: rows of one table that a query in FetchXML finds"),
)
