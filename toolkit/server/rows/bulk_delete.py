"""``BulkDelete``: deletes the rows that queries find. Dataverse does it later, this server at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.organization import rows
from toolkit.organization.database import Connection
from toolkit.server.call import BAD_PAYLOAD, Answer, Call, bad_request, not_supported
from toolkit.server.query import filters
from toolkit.server.query.fragments import ALWAYS, Fragment, joined
from toolkit.server.query.properties import find
from toolkit.server.query.tables import Table, table_of
from toolkit.server.query.terms import ROW, Term
from toolkit.server.route import Route
from toolkit.server.rows.reading import matching
from toolkit.server.world import World

_COMPARISONS: Mapping[str, str] = {
    "Equal": "=",
    "NotEqual": "<>",
    "GreaterThan": ">",
    "GreaterEqual": ">=",
    "LessThan": "<",
    "LessEqual": "<=",
}


def bulk_delete(world: World, call: Call) -> Answer:
    """Delete the rows of each query, and answer with the id of the job. Raises ODataError (400, 404, 501)."""
    queries = call.object().get("QuerySet")
    if not isinstance(queries, list) or not queries:
        raise bad_request("QuerySet is a list of queries, and has at least one", BAD_PAYLOAD)
    with world.write() as connection:
        for query in queries:
            _delete(world, connection, query)
    context = f"{call.base}$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse"
    return Answer.json({"@odata.context": context, "JobId": world.new_id()})


def _delete(world: World, connection: Connection, query: Mapping[str, Any]) -> None:
    found = table_of(connection, str(query.get("EntityName")))
    if found.system is not None:
        raise not_supported(f"BulkDelete of {found.definition.name}")
    key = found.definition.primary_id
    doomed = matching(found, _criteria(found, query.get("Criteria") or {})).all(connection, [key])
    if doomed.num_rows:
        rows.delete(
            world.database, found.definition.name, [str(each) for each in doomed.column(key).to_pylist()], world.clock
        )


def _criteria(found: Table, criteria: Mapping[str, Any]) -> Fragment:
    """Return a FilterExpression as a condition."""
    parts = [_condition(found, each) for each in criteria.get("Conditions") or []]
    parts += [_criteria(found, each) for each in criteria.get("Filters") or []]
    word = " OR " if criteria.get("FilterOperator") == "Or" else " AND "
    return joined(word, parts) if parts else ALWAYS


def _condition(found: Table, condition: Mapping[str, Any]) -> Fragment:
    name, operator = str(condition.get("AttributeName")), str(condition.get("Operator"))
    attribute = found.definition.attribute(name) or find(found.definition, name)
    if attribute is None:
        raise bad_request(f"'{found.definition.name}' entity doesn't contain attribute with Name = '{name}'.")
    term = Term(attribute, f'{ROW}."{attribute.name}"')
    values = [str(each.get("Value")) for each in condition.get("Values") or []]
    match operator:
        case "In":
            return filters.among(term, list(values))
        case "Null" | "NotNull":
            return filters.comparison(term, "=" if operator == "Null" else "<>", None)
        case _ if operator in _COMPARISONS and len(values) == 1:
            return filters.comparison(term, _COMPARISONS[operator], values[0])
        case _:
            raise not_supported(f"the operator {operator} with {len(values)} values in BulkDelete")


ROUTES: tuple[Route, ...] = (
    Route("POST", "BulkDelete", bulk_delete, "Many rows at once", "delete the rows that queries find, at once"),
)
