"""Queries of metadata: ``$select``, ``$filter`` and ``$expand`` over things of the metadata.

Dataverse does not page, sort or count metadata, and its filters compare properties; so does this.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from odata_query import ast

from toolkit.server.call import bad_request, not_supported
from toolkit.server.metadata.forms import JSON, NAMESPACE, TYPES, Item, Type
from toolkit.server.query.expressions import Node, parse
from toolkit.server.query.options import expands

_OPTIONS = {"$select", "$filter", "$expand"}
_ENUM_LITERAL = re.compile(r"'(?:[^']|'')*'|\b[A-Za-z]\w*(?:\.\w+)+(?=')")
"""A text, or the type before a value as in ``Microsoft.Dynamics.CRM.RelationshipType'OneToManyRelationship'``."""
_DECLARED = {
    "Attributes": "AttributeMetadata",
    "ManyToOneRelationships": "OneToManyRelationshipMetadata",
    "OneToManyRelationships": "OneToManyRelationshipMetadata",
    "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
    "Keys": "EntityKeyMetadata",
    "OptionSet": "OptionSetMetadata",
    "GlobalOptionSet": "OptionSetMetadata",
}
"""The types that navigation properties lead to."""


def led_to(declared: Type, name: str) -> Type:
    """Return the type that a navigation property is declared with."""
    if declared.name.startswith("Boolean"):
        return TYPES["BooleanOptionSetMetadata"]
    return TYPES[_DECLARED[name]]


@dataclass(frozen=True, slots=True)
class Query:
    """What of things is wanted: ``select`` None is everything; ``expand`` by navigation property."""

    select: Sequence[str] | None = None
    expand: Mapping[str, Query] = field(default_factory=dict)
    where: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """Return the query of the options of a call. Raises ODataError (400) for one that metadata does not have."""
        for name in options:
            if name.startswith("$") and name not in _OPTIONS:
                raise bad_request(f"The query parameter {name} is not supported for metadata.")
        return cls._parsed(options)

    @classmethod
    def _parsed(cls, options: Mapping[str, str]) -> Self:
        selected = options.get("$select")
        expanded = expands(options.get("$expand", ""))
        return cls(
            None if selected is None else [name.strip() for name in selected.split(",") if name.strip()],
            {each.name: cls.of(each.options) for each in expanded},
            options.get("$filter"),
        )


def answered(items: Iterable[Item], query: Query, declared: Type) -> list[JSON]:
    """Return the things that a query wants as JSON; ``declared`` is the type that the client was promised."""
    check(query, declared)
    return [document(item, query, declared) for item in _filtered(items, query, declared)]


def document(item: Item, query: Query, declared: Type) -> JSON:
    """Return a thing as JSON, with its type where that is not the promised one."""
    names = item.type.properties if query.select is None else [*query.select, "MetadataId"]
    typed = {} if item.type.name == declared.name else {"@odata.type": f"#{NAMESPACE}.{item.type.name}"}
    values = {name: item.value(name) for name in dict.fromkeys(names)}
    return {**typed, **values, **{name: _led(item, name, inner) for name, inner in query.expand.items()}}


def _led(item: Item, name: str, query: Query) -> JSON:
    found = item.led_to(name)
    declared = led_to(item.type, name)
    if isinstance(found, Item):
        return document(found, query, declared)
    return None if found is None else answered(found, query, declared)


def check(query: Query, declared: Type) -> None:
    """Raise ODataError (400) where a query names what its type does not have."""
    for name in query.select or ():
        if name not in declared.properties:
            raise _unknown(name, declared)
    for name, inner in query.expand.items():
        if name not in declared.leads_to:
            raise _unknown(name, declared)
        check(inner, led_to(declared, name))


def _unknown(name: str, declared: Type) -> Exception:
    return bad_request(f"Could not find a property named '{name}' on type '{NAMESPACE}.{declared.name}'.")


# --- filters ----------------------------------------------------------------------------------------------------------

_COMPARE: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _filtered(items: Iterable[Item], query: Query, declared: Type) -> Iterable[Item]:
    if query.where is None:
        return items
    condition = parsed(query.where)
    return [item for item in items if _holds(condition, item, declared)]


def parsed(text: str) -> Node:
    """Return a filter as a tree. Raises ODataError (400)."""
    return parse(_ENUM_LITERAL.sub(lambda found: found[0] if found[0].startswith("'") else "", text))


def _holds(node: Node, item: Item, declared: Type) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), left=left, right=right):
            return _holds(left, item, declared) and _holds(right, item, declared)
        case ast.BoolOp(op=ast.Or(), left=left, right=right):
            return _holds(left, item, declared) or _holds(right, item, declared)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand, item, declared)
        case ast.Compare(comparator=comparator, left=left, right=right):
            return _compared(comparator, _value(left, item, declared), _value(right, item, declared))
        case _:
            return _value(node, item, declared) is True


def _compared(comparator: object, left: Any, right: Any) -> bool:  # noqa: ANN401 - JSON values
    if isinstance(comparator, ast.In):
        return left in right
    if not isinstance(comparator, ast.Eq | ast.NotEq) and (left is None or right is None):
        return False
    try:
        return _COMPARE[type(comparator)](left, right)
    except TypeError as error:
        raise bad_request("the filter compares values of different types") from error


def _value(node: Node, item: Item, declared: Type) -> Any:  # noqa: ANN401 - JSON
    match node:
        case ast.Identifier():
            if node.name not in declared.properties:
                raise _unknown(node.name, declared)
            return item.value(node.name)
        case ast.Attribute(owner=owner, attr=name):
            found = _value(owner, item, declared)
            return found.get(name) if isinstance(found, dict) else None
        case ast.List(val=values):
            return [_value(each, item, declared) for each in values]
        case ast.GUID(val=text):
            return text.lower()
        case ast.String() | ast.Integer() | ast.Float() | ast.Boolean() | ast.Null():
            return node.py_val
        case _:
            raise not_supported(f"{type(node).__name__} in a filter of metadata")
