"""``$expand``: rows behind navigation properties, as objects within the rows that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import pyarrow as pa

from toolkit.engine.arrays import compute
from toolkit.model.entity import Entity
from toolkit.organization.database import Connection
from toolkit.organization.storage import Column
from toolkit.server.call import bad_request
from toolkit.server.query import navigation
from toolkit.server.query.fragments import Fragment
from toolkit.server.query.navigation import Navigation
from toolkit.server.query.options import Expand, Options, parse
from toolkit.server.query.properties import no_property, property_name
from toolkit.server.query.relations import Pairs, relation
from toolkit.server.query.tables import Table, table_of
from toolkit.server.rows import rendering
from toolkit.server.rows.annotating import NO_ANNOTATIONS, Annotator, Wanted
from toolkit.server.rows.reading import query, with_ids
from toolkit.server.rows.rendering import Piece

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
        return rendering.objects(self._pieces(entity, rows, options))

    def array(self, entity: Entity, rows: pa.RecordBatch, options: Options) -> bytes | memoryview:
        """Return these objects as the JSON array of a page holds them. Raises ODataError (400)."""
        return rendering.array(self._pieces(entity, rows, options))

    def columns(self, entity: Entity, options: Options) -> set[str]:
        """Return the names of the attributes that ``objects`` needs."""
        followed = [leads for each in options.expand for leads in navigation.find(self.connection, entity, each.name)]
        return {attribute.name for attribute in options.select} | {leads.attribute.name for leads in followed}

    def _pieces(self, entity: Entity, rows: pa.RecordBatch, options: Options) -> Iterator[Piece]:
        members = chain(self._members(entity, rows, options), self._expanded(entity, rows, options))
        return chain.from_iterable(members)

    def _members(self, entity: Entity, rows: pa.RecordBatch, options: Options) -> Iterator[Iterable[Piece]]:
        if "versionnumber" in rows.schema.names:
            version = rows.column("versionnumber").cast(pa.string())
            yield rendering.optional("@odata.etag", rendering.text_of('W/\\"', version, '\\"'))
        annotator = Annotator.of(self.connection, entity, self.wanted)
        for attribute in options.select:
            yield from annotator.members(rows, attribute)
            yield rendering.member(property_name(attribute), rendering.value(attribute, rows.column(attribute.name)))

    def _expanded(self, entity: Entity, rows: pa.RecordBatch, options: Options) -> Iterator[Iterable[Piece]]:
        for each in options.expand:
            if self.depth == DEEPEST:
                raise bad_request(f"more than {DEEPEST} levels of $expand")
            found = [self._behind(leads, rows, each) for leads in navigation.find(self.connection, entity, each.name)]
            objects = compute.coalesce(*found) if found else self._related(entity, rows, each)
            yield rendering.member(each.name, objects)

    def _behind(self, leads: Navigation, rows: pa.RecordBatch, expand: Expand) -> Column:
        """Return the objects that a navigation property leads to; null where it leads to none of its target."""
        ids = rows.column(leads.attribute.name)
        if leads.type_column is not None:
            of_target = compute.equal(rows.column(leads.type_column), leads.target)
            ids = compute.if_else(of_target, ids, pa.scalar(None, pa.string()))
        table = table_of(self.connection, leads.target)
        options = parse(table.definition, expand.options)
        found = self._rows(table, options, with_ids(table, compute.unique(ids.drop_null()).to_pylist()))
        objects = self._inner.objects(table.definition, found, options)
        return objects.take(compute.index_in(ids, found.column(table.definition.primary_id)))

    def _related(self, entity: Entity, rows: pa.RecordBatch, expand: Expand) -> Column:
        """Return the objects that are related to each row, as an array in JSON."""
        there = relation(self.connection, entity, expand.name)
        if there is None:
            raise no_property(entity, expand.name)
        ids = [str(each) for each in rows.column(entity.primary_id).to_pylist()]
        definition = there.table.definition
        options = parse(definition, expand.options)
        found = self._rows(there.table, options, there.within(ids))
        objects = self._inner.objects(definition, found, options).to_pylist()
        keys = map(str, found.column(definition.primary_id).to_pylist())
        texts = dict(zip(keys, map(str, objects), strict=True))
        return _arrays(ids, there.pairs(self.connection, ids), texts, options.top)

    @property
    def _inner(self) -> Records:
        return Records(self.connection, self.now, self.wanted, self.depth + 1)

    def _rows(self, table: Table, options: Options, within: Fragment) -> pa.RecordBatch:
        asked = query(self.connection, table, options, self.now, within)
        return asked.all(self.connection, self.columns(table.definition, options))


def _arrays(ids: Sequence[str], pairs: Pairs, texts: Mapping[str, str], most: int | None) -> Column:
    """Return for each id an array of the texts that are paired with it, in the order of the texts."""
    order = {other: place for place, other in enumerate(texts)}
    related: dict[str, list[str]] = {row_id: [] for row_id in ids}
    for row_id, other in sorted((pair for pair in pairs if pair[1] in order), key=lambda pair: order[pair[1]]):
        related[row_id].append(texts[other])
    return pa.array([f"[{','.join(related[row_id][:most])}]" for row_id in ids], pa.string())
