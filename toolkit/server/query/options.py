"""The query options of a call, read against the entity that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from toolkit.model.entity import Attribute, Entity
from toolkit.server.call import bad_request, not_supported
from toolkit.server.query.properties import attribute_of, property_name

OPTIONS: Mapping[str, str] = {
    "$select": "properties to return",
    "$filter": "conditions on rows",
    "$orderby": "properties to sort by, each with `asc` or `desc`",
    "$top": "how many rows at most; ignored beside `odata.maxpagesize`",
    "$count": "`true` adds the number of rows, at most 5,000",
    "$expand": "rows that lookups lead to, and rows that lead here",
    "$skiptoken": "of a next link: where the page begins",
}
"""The options of a query of rows."""
REFUSED = frozenset({"$apply", "$search", "$compute", "savedQuery", "userQuery"})
"""What Dataverse has beside them, and this server has not."""


@dataclass(frozen=True, slots=True)
class Order:
    """A property to sort by, as a path."""

    path: tuple[str, ...]
    descending: bool


@dataclass(frozen=True, slots=True)
class Expand:
    """A navigation property to follow, and what is asked of the rows behind it."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """What a call asks of the rows of an entity."""

    select: tuple[Attribute, ...]
    """All attributes, where nothing is selected."""
    selected: bool = False
    """Whether something was."""
    filter: str | None = None
    order: tuple[Order, ...] = ()
    top: int | None = None
    count: bool = False
    expand: tuple[Expand, ...] = ()
    token: str | None = None


def parse(entity: Entity, query: Mapping[str, str]) -> Options:
    """Read the options of a query. Raises ODataError: 400 for what nobody could answer, 501 for what is not done."""
    for name in query:
        _refuse_unknown(name)
    select = query.get("$select", "*")
    return Options(
        select=_selected(entity, select),
        selected=select.strip() not in {"", "*"},
        filter=query.get("$filter") or None,
        order=tuple(_order(each) for each in _parts(query.get("$orderby", ""))),
        top=None if "$top" not in query else _number("$top", query["$top"]),
        count=_truth("$count", query.get("$count", "false")),
        expand=expands(query.get("$expand", "")),
        token=query.get("$skiptoken"),
    )


def expands(text: str) -> tuple[Expand, ...]:
    """Read ``a,b($select=c;$expand=d)``."""
    return tuple(_expand(each) for each in _parts(text))


def context(entity: Entity, options: Options) -> str:
    """Return what a context URL says of the properties: ``(name,accountid)``, or nothing when all are returned."""
    names = [property_name(attribute) for attribute in options.select] if options.selected else []
    names += [f"{each.name}({each.options.get('$select', '')})" for each in options.expand]
    return f"({','.join(dict.fromkeys([*names, *([entity.primary_id] if options.selected else [])]))})" if names else ""


def _refuse_unknown(name: str) -> None:
    if name in REFUSED:
        raise not_supported(f"the query option {name}")
    if name == "$skip":
        raise bad_request("Skip Clause is not supported in CRM")
    if name.startswith("$") and name not in OPTIONS:
        raise bad_request(f"The query parameter {name} is not supported.")


def _selected(entity: Entity, text: str) -> tuple[Attribute, ...]:
    names = [part for part in _parts(text) if part != "*"]
    if not names or "*" in _parts(text):
        return entity.attributes
    wanted = {attribute_of(entity, name).name for name in names}
    return tuple(each for each in entity.attributes if each.name in wanted or each.name == entity.primary_id)


def _order(text: str) -> Order:
    path, _, direction = text.partition(" ")
    if direction.strip().lower() not in {"", "asc", "desc"}:
        raise bad_request(f"{text} is no order: a property, then asc or desc")
    return Order(tuple(path.split("/")), direction.strip().lower() == "desc")


def _expand(text: str) -> Expand:
    name, opened, rest = text.partition("(")
    if not opened:
        return Expand(name.strip())
    if not rest.endswith(")"):
        raise bad_request(f"the parentheses of {name} in $expand do not close")
    pairs = (part.partition("=") for part in _parts(rest[:-1], ";"))
    return Expand(name.strip(), {option.strip(): value for option, _, value in pairs})


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 10:
        raise bad_request(f"{name} needs a whole number of at most 10 digits")
    return int(text)


def _truth(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise bad_request(f"{name} is true or false")
    return text == "true"


def _parts(text: str, separator: str = ",") -> list[str]:
    """Split at separators outside of parentheses and of single quotes."""
    return [part for part in map(str.strip, _split(text, separator)) if part]


def _split(text: str, separator: str) -> Iterator[str]:
    start = depth = 0
    quoted = False
    for at, char in enumerate(text):
        quoted ^= char == "'"
        depth += 0 if quoted else (char == "(") - (char == ")")
        if char == separator and depth == 0 and not quoted:
            yield text[start:at]
            start = at + 1
    yield text[start:]
