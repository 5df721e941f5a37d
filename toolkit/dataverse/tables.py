"""Rows of the platform's own tables, read whole: there are few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from toolkit.dataverse.address import query
from toolkit.dataverse.answer import Answer
from toolkit.dataverse.client import Client
from toolkit.errors import ToolkitError

Row = Mapping[str, Any]
"""A row as JSON: numbers with a point are Decimal."""

UNKNOWN = "0x80060888"
"""Dataverse's code for a set or an action that the organization does not know: a table comes with its solution."""
_NOT_THERE = frozenset({UNKNOWN, "0x80040217"})
"""The same, and that for a row that does not exist."""


def selected(table: str, columns: str, *, where: str = "", order: str = "") -> str:
    """Return the path of a query: columns and, where they are given, a filter and an order."""
    options = {"$select": columns, "$filter": where, "$orderby": order}
    return query(table, {name: value for name, value in options.items() if value})


def rows(client: Client, path: str) -> list[Row]:
    """Return all rows of a query, over all of its pages."""
    return [row for answer in client.pages(path) for row in answer.json()["value"]]


def rows_if_any(client: Client, path: str) -> list[Row] | None:
    """Return all rows of a query; None where the environment has no such table."""
    try:
        return rows(client, path)
    except ToolkitError as error:
        if error.code == UNKNOWN:
            return None
        raise


def row_if_any(client: Client, path: str) -> Row | None:
    """Return the row at an address; None where there is none."""
    try:
        found: Row = client.get(path).json()
    except ToolkitError as error:
        if error.code in _NOT_THERE:
            return None
        raise
    return found


def quoted(text: str) -> str:
    """Return a text as a literal of OData."""
    return "'" + text.replace("'", "''") + "'"


def once(client: Client, path: str) -> Callable[[], Answer | None]:
    """Return how to find out whether a row was created when the answer to that was lost: a query that finds it."""
    return lambda: Answer(204, {}, b"") if rows(client, path) else None
