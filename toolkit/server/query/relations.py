"""Collection-valued navigation properties: the rows whose lookups lead to a row, and those that it is joined with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.model.entity import Attribute, Entity
from toolkit.organization import metadata
from toolkit.organization.database import Connection
from toolkit.organization.storage import quoted
from toolkit.server.metadata.paths import read
from toolkit.server.metadata.view import Joining
from toolkit.server.query.fragments import Fragment
from toolkit.server.query.navigation import type_column
from toolkit.server.query.tables import Table, table_of
from toolkit.server.query.terms import ROW

Pairs = Sequence[tuple[str, str]]
"""The id of a row, and the id of one that is related to it."""


@dataclass(frozen=True, slots=True)
class OneToMany:
    """The rows of ``table`` whose lookup ``attribute`` leads to rows of ``entity``."""

    entity: str
    table: Table
    attribute: Attribute

    def within(self, ids: Sequence[str]) -> Fragment:
        """Return the condition that a row is related to one of these."""
        sql = f'{ROW}."{self.attribute.name}" IN (SELECT value FROM json_each(?))'  # noqa: S608 - names of the metadata
        kind = type_column(self.attribute)
        return Fragment(sql + (f" AND {ROW}.\"{kind}\" = '{self.entity}'" if kind else ""), (json.dumps(list(ids)),))

    def pairs(self, connection: Connection, ids: Sequence[str]) -> Pairs:
        """Return which rows are related to which of these."""
        key, lookup = quoted([self.table.definition.primary_id]), quoted([self.attribute.name])
        within = self.within(ids)
        found = connection.execute(
            f"SELECT {lookup} AS one, {key} AS other FROM {self.table.source} AS {ROW} WHERE {within.text}",  # noqa: S608 - names of the metadata
            [*self.table.parameters, *within.parameters],
        )
        return [(row["one"], row["other"]) for row in found]


@dataclass(frozen=True, slots=True)
class ManyToMany:
    """The rows of ``table`` that ``intersect`` joins: it holds this side's id in ``own``, the other's in ``other``."""

    table: Table
    intersect: Entity
    own: str
    other: str

    def within(self, ids: Sequence[str]) -> Fragment:
        """Return the condition that a row is related to one of these."""
        sql = (
            f'{ROW}."{self.table.definition.primary_id}" IN (SELECT "{self.other}" FROM '  # noqa: S608 - names of the metadata
            f'{metadata.table(self.intersect.name)} WHERE "{self.own}" IN (SELECT value FROM json_each(?)))'
        )
        return Fragment(sql, (json.dumps(list(ids)),))

    def pairs(self, connection: Connection, ids: Sequence[str]) -> Pairs:
        """Return which rows are related to which of these."""
        return [(row["one"], row["other"]) for row in self._rows(connection, json.dumps(list(ids)))]

    def joining(self, connection: Connection, one: str, other: str) -> list[str]:
        """Return the ids of the rows that join two rows."""
        found = self._rows(connection, json.dumps([one]))
        return [row["id"] for row in found if row["other"] == other]

    def _rows(self, connection: Connection, ids: str) -> list[dict[str, str]]:
        return connection.execute(
            f'SELECT "{self.own}" AS one, "{self.other}" AS other, "{self.intersect.primary_id}" AS id '  # noqa: S608 - names of the metadata
            f'FROM {metadata.table(self.intersect.name)} WHERE "{self.own}" IN (SELECT value FROM json_each(?))',
            [ids],
        )


Relation = OneToMany | ManyToMany


def relation(connection: Connection, entity: Entity, name: str) -> Relation | None:
    """Return what a collection-valued navigation property leads to, or None where there is no such property."""
    known = read(connection).tables[entity.name]
    for leads in known.leading_here:
        attribute = leads.column.attribute
        if leads.schema_name == name and attribute is not None:
            return OneToMany(entity.name, table_of(connection, leads.column.table.name), attribute)
    for joining in known.joined:
        if joining.both.schema_name == name:
            return _many(connection, entity, joining)
    return None


def _many(connection: Connection, entity: Entity, joining: Joining) -> ManyToMany:
    both = joining.both
    if both.entity1 == entity.name:
        return ManyToMany(table_of(connection, both.entity2), joining.table.entity, both.attribute1, both.attribute2)
    return ManyToMany(table_of(connection, both.entity1), joining.table.entity, both.attribute2, both.attribute1)
