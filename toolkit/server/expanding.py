"""``$expand``: rows behind navigation properties, as objects within the rows that lead to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from toolkit.engine.arrays import compute
from toolkit.model.entity import Entity
from toolkit.organization.database import Connection
from toolkit.organization.storage import Column
from toolkit.server import annotating, rendering
from toolkit.server.annotating import NO_ANNOTATIONS, Wanted
from toolkit.server.call import bad_request
from toolkit.server.navigation import Navigation, navigation
from toolkit.server.options import Expand, Options, parse
from toolkit.server.properties import property_name
from toolkit.server.reading import query, with_ids
from toolkit.server.tables import Table, table_of

DEEPEST = 10
"""Levels of ``$expand`` in ``$expand``."""


@dataclass(frozen=True, slots=True)
class Records:
    """Writes rows as the objects that a call asks for."""

    connection: Connection
    now: datetime
    wanted: Wanted = NO_ANNOTATIONS
    depth: int = 0

    def objects(self, entity: Entity, rows: pa.RecordBatch, options: Options) -> Column:
        """Return a JSON object for each row. Raises ODataError (400)."""
        members = [*self._members(rows, options), *self._expanded(entity, rows, options)]
        return rendering.objects(members, rows.num_rows)

    def columns(self, entity: Entity, options: Options) -> set[str]:
        """Return the names of the attributes that ``objects`` needs."""
        lookups = {leads.attribute.name for each in options.expand for leads in navigation(entity, each.name)}
        return {attribute.name for attribute in options.select} | lookups

    def _members(self, rows: pa.RecordBatch, options: Options) -> Iterator[Column]:
        if "versionnumber" in rows.schema.names:
            version = rows.column("versionnumber").cast(pa.string())
            yield rendering.text_of('"@odata.etag":"W/\\"', version, '\\""')
        for attribute in options.select:
            yield from annotating.members(self.connection, rows, attribute, self.wanted)
            yield rendering.member(property_name(attribute), rendering.value(attribute, rows.column(attribute.name)))

    def _expanded(self, entity: Entity, rows: pa.RecordBatch, options: Options) -> Iterator[Column]:
        for each in options.expand:
            if self.depth == DEEPEST:
                raise bad_request(f"more than {DEEPEST} levels of $expand")
            found = [self._behind(leads, rows, each) for leads in navigation(entity, each.name)]
            yield rendering.member(each.name, compute.coalesce(*found))

    def _behind(self, leads: Navigation, rows: pa.RecordBatch, expand: Expand) -> Column:
        """Return the objects that a navigation property leads to; null where it leads to none of its target."""
        ids = rows.column(leads.attribute.name)
        if leads.type_column is not None:
            of_target = compute.equal(rows.column(leads.type_column), leads.target)
            ids = compute.if_else(of_target, ids, pa.scalar(None, pa.string()))
        table = table_of(self.connection, leads.target)
        options = parse(table.definition, expand.options)
        found = self._rows(table, options, compute.unique(ids.drop_null()).to_pylist())
        inner = Records(self.connection, self.now, self.wanted, self.depth + 1)
        objects = inner.objects(table.definition, found, options)
        return objects.take(compute.index_in(ids, found.column(table.definition.primary_id)))

    def _rows(self, table: Table, options: Options, ids: list[str]) -> pa.RecordBatch:
        asked = query(self.connection, table, options, self.now, with_ids(table, ids))
        return asked.all(self.connection, self.columns(table.definition, options))
