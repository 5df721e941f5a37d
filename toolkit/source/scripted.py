"""A source in memory that does what a script says: for tests of everything that reads a source, ours and others'."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from toolkit.errors import NotFound, SourceError, nearest
from toolkit.model.columns import arrow_schema
from toolkit.model.entity import Entity
from toolkit.source.feed import Position, batches, expired, gone
from toolkit.source.protocol import Batch, Cursor, Deleted

ORGANIZATION = "00000000-0000-0000-0000-0000000000aa"


@dataclass(slots=True)
class _Row:
    """A row; it keeps its number for life, as in a table."""

    number: int
    version: int
    values: dict[str, object]


@dataclass(slots=True)
class _Store:
    """What the source holds of one entity."""

    definition: Entity
    schema_version: int = 1
    purged_version: int = 0
    numbers: int = 0
    rows: dict[str, _Row] = field(default_factory=dict)
    deleted: list[Deleted] = field(default_factory=list)
    failures: list[tuple[int, SourceError]] = field(default_factory=list)
    dropped: bool = False

    def stamps(self, names: Iterable[str], now: datetime) -> dict[str, object]:
        """Return the stamps among ``names`` that the entity has."""
        return {name: now for name in names if self.definition.attribute(name)}

    def row(self, row_id: str) -> _Row:
        """Return a row that must be there."""
        if row_id not in self.rows:
            name = self.definition.name
            raise NotFound("SRC004", f"there is no {name} {row_id}", where=name, fix="insert it first")
        return self.rows[row_id]


class ScriptedSource:
    """Rows, deletions and failures on demand, with the semantics of the protocol and one version counter.

    ``insert``, ``update`` and ``delete`` take values as ``arrow_schema`` types them (Decimal, aware datetime, date).
    Ids that are not given count up from 00000000-0000-0000-0000-000000000001. With ``repeat`` every batch but the
    first of a pass begins with the last row of the one before, as a source does whose pages overlap. With ``tells``
    its mark says that something changed.
    """

    def __init__(
        self,
        entities: Iterable[Entity],
        *,
        clock: Callable[[], datetime],
        organization: str = ORGANIZATION,
        batch_size: int = 1000,
        repeat: bool = False,
        tells: bool = True,
    ) -> None:
        self.organization = organization
        self.batch_size = batch_size
        self.repeat = repeat
        self.tells = tells
        self.lock = threading.RLock()
        self._stores = {entity.name: _Store(entity) for entity in entities}
        self._clock = clock
        self._ids = 0
        self._version = 0

    @property
    def version(self) -> int:
        """The highest version that was given to a row or a deletion."""
        return self._version

    def insert(self, entity: str, **values: object) -> str:
        """Create a row and return its id; ``createdon`` and ``modifiedon`` are now unless they are given."""
        with self.lock:
            store = self._known(entity, values)
            key = store.definition.primary_id
            row_id = str(values.get(key) or self._next_id())
            stamps = store.stamps(("createdon", "modifiedon"), self._clock())
            store.numbers += 1
            store.rows[row_id] = _Row(store.numbers, self._next_version(), {**stamps, **values, key: row_id})
            return row_id

    def update(self, entity: str, row_id: str, **values: object) -> None:
        """Change a row; ``modifiedon`` is now unless it is given."""
        with self.lock:
            store = self._known(entity, values)
            row = store.row(row_id)
            row.values = {**row.values, **store.stamps(("modifiedon",), self._clock()), **values}
            row.version = self._next_version()

    def delete(self, entity: str, row_id: str) -> None:
        """Delete a row, which leaves a tombstone."""
        with self.lock:
            store = self._store(entity)
            store.row(row_id)
            del store.rows[row_id]
            store.deleted.append(Deleted(row_id, self._next_version()))

    def fail(self, entity: str, error: SourceError, at: int = 0) -> None:
        """Raise ``error`` once, in place of batch ``at`` (from 0) of the next pass that comes so far."""
        with self.lock:
            self._store(entity).failures.append((at, error))

    def expire(self, entity: str) -> None:
        """Purge the deletions so far, so that every cursor made before now expires."""
        with self.lock:
            store = self._store(entity)
            store.deleted.clear()
            store.purged_version = self._next_version()

    def define(self, definition: Entity) -> None:
        """Add an entity, or give one other attributes, which ends its cursors."""
        with self.lock:
            store = self._stores.setdefault(definition.name, _Store(definition, schema_version=0))
            store.definition = definition
            store.schema_version += 1

    def drop(self, entity: str) -> None:
        """Remove an entity with its rows."""
        with self.lock:
            self._store(entity).dropped = True
            del self._stores[entity]

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions by name."""
        with self.lock:
            return {name: store.definition for name, store in self._stores.items()}

    def count(self, entity: str) -> int:
        """Return how many rows the entity has now."""
        with self.lock:
            return len(self._store(entity).rows)

    def size(self, entity: str) -> int:
        """Return how many rows the entity has now."""
        return self.count(entity)

    def has(self, entity: str, row_id: str) -> bool:
        """Return whether the entity has a row of that id now."""
        with self.lock:
            return row_id in self._store(entity).rows

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        """Yield the batches of a pass, or raise the failure that was planned."""
        with self.lock:
            feed = _ScriptedFeed(self, self._store(entity), columns)
        yield from batches(feed, after)

    def mark(self) -> str | None:
        """Return the highest version and how often entities were defined; None from a source that does not tell."""
        with self.lock:
            changes = sum(store.schema_version for store in self._stores.values())
            return f"{self._version}.{changes}" if self.tells else None

    def _store(self, entity: str) -> _Store:
        if entity not in self._stores:
            raise gone(entity)
        return self._stores[entity]

    def _known(self, entity: str, values: Iterable[str]) -> _Store:
        store = self._store(entity)
        names = arrow_schema(store.definition).names
        for name in values:
            if name not in names:
                raise NotFound("SRC003", f"{entity} has no attribute {name}", where=entity, fix=nearest(name, names))
        return store

    def _next_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-0000-0000-{self._ids:012x}"

    def _next_version(self) -> int:
        self._version += 1
        return self._version


class _ScriptedFeed:
    """One pass over a store. It is asked for rows once in each batch, which is when a planned failure comes."""

    def __init__(self, source: ScriptedSource, store: _Store, columns: Sequence[str] | None) -> None:
        self.organization = source.organization
        self.definition = store.definition
        self.schema_version = store.schema_version
        self.current_version = source.version
        self._source = source
        self._store = store
        self._schema = arrow_schema(store.definition, columns)
        self._batch = 0
        self._previous: list[_Row] = []

    def purged_version(self) -> int:
        return self._store.purged_version

    def rows(self, at: Position) -> tuple[pa.RecordBatch, int | None]:
        with self._source.lock:
            self._raise_planned()
            found = self._after(at)
            page = found[: self._source.batch_size]
            batch = self._arrow(self._previous + page)
            more = len(found) > len(page)
        if self._source.repeat:
            self._previous = page[-1:]
        return batch, (self._place(at, page[-1]) if more else None)

    def tombstones(self, at: Position) -> tuple[tuple[Deleted, ...], int | None]:
        with self._source.lock:
            found = [row for row in self._store.deleted if at.tombstone < (row.version or 0) <= at.high]
        page = found[: self._source.batch_size]
        return tuple(page), (page[-1].version if len(found) > len(page) else None)

    def _raise_planned(self) -> None:
        if self._store.dropped:
            raise gone(self.definition.name)
        if self._store.schema_version != self.schema_version:
            raise expired(self.definition.name, "attributes of the entity have changed since")
        number, self._batch = self._batch, self._batch + 1
        for planned in self._store.failures:
            if planned[0] == number:
                self._store.failures.remove(planned)
                raise planned[1]

    def _after(self, at: Position) -> list[_Row]:
        if at.full:
            return sorted((row for row in self._store.rows.values() if row.number > at.row), key=lambda row: row.number)
        changed = (row for row in self._store.rows.values() if at.row < row.version <= at.high)
        return sorted(changed, key=lambda row: row.version)

    def _place(self, at: Position, row: _Row) -> int:
        return row.number if at.full else row.version

    def _arrow(self, rows: Sequence[_Row]) -> pa.RecordBatch:
        values = [{**row.values, "versionnumber": row.version} for row in rows]
        columns = [pa.array([row.get(field.name) for row in values], field.type) for field in self._schema]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)
