"""What a query compares and sorts by: an attribute of the row, or one of a row that its lookups lead to."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.model.entity import Attribute, Entity
from toolkit.organization.database import Connection
from toolkit.server.call import not_supported
from toolkit.server.query import literals
from toolkit.server.query.navigation import Navigation, navigation
from toolkit.server.query.properties import attribute_of
from toolkit.server.query.tables import Table, table_of

ROW = "r"
"""The alias of the queried rows in every statement."""


@dataclass(frozen=True, slots=True)
class Term:
    """An attribute, and the SQL that gives its stored value for a row."""

    attribute: Attribute
    column: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The expressions by which it compares and sorts."""
        return literals.keys(self.attribute, self.column)

    @property
    def collation(self) -> str:
        """How they do that, behind an expression."""
        return literals.collation(self.attribute)


def term(connection: Connection, entity: Entity, path: tuple[str, ...], alias: str = ROW) -> Term:
    """Return the term of a path such as ``name`` or ``primarycontactid/fullname``. Raises ODataError (400, 501)."""
    name, *rest = path
    if not rest:
        attribute = attribute_of(entity, name)
        return Term(attribute, f'{alias}."{attribute.name}"')
    several = navigation(connection, entity, name)
    if len(several) > 1:
        raise not_supported(f"a path through {name}, which leads to rows of several entities,")
    leads = several[0]
    target = table_of(connection, leads.target)
    inner = f"{alias}{len(rest)}"
    found = term(connection, target.definition, tuple(rest), inner)
    return Term(found.attribute, _looked_up(target, leads, found.column, alias, inner))


def _looked_up(target: Table, leads: Navigation, column: str, alias: str, inner: str) -> str:
    if target.parameters:
        raise not_supported(f"a path into the system table {target.definition.name}")
    of_type = f" AND {alias}.\"{leads.type_column}\" = '{leads.target}'" if leads.type_column else ""
    return (
        f"(SELECT {column} FROM {target.source} AS {inner} "  # noqa: S608 - names of the metadata
        f'WHERE {inner}."{target.definition.primary_id}" = {alias}."{leads.attribute.name}"{of_type})'
    )
