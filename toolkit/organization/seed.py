"""Filling an organization with synthetic rows: many and varied enough to measure and to break careless readers with."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from toolkit.model.entity import Entity
from toolkit.organization import metadata
from toolkit.organization.database import Connection, Database
from toolkit.organization.rows import count, insert_stored
from toolkit.organization.storage import Column, quoted, to_storage
from toolkit.organization.synthetic import POOL, Generator, creation_times
from toolkit.organization.synthetic_values import Integers, ids

BATCH = 20_000
"""Rows that one transaction inserts."""
REFERENCES = 10_000
"""Ids of an entity that lookups lead to."""

Progress = Callable[[str, int, int], None]
"""Told the entity, the rows done and the rows to do, after each batch."""


def seed(
    database: Database,
    rows: Mapping[str, int],
    *,
    seed: int,
    clock: Callable[[], datetime],
    progress: Progress = lambda *_: None,
) -> None:
    """Add that many rows to each entity. Lookups lead to rows that are there, or are among those added.

    The same seed and clock give an organization of the same content the same rows. Raises NotFound (ORG008) before
    anything is written.
    """
    now = clock()
    planned = [_planned(database, name, number, seed, now) for name, number in rows.items()]
    known = references(database, planned)
    for plan in planned:
        generator = Generator(plan.entity, known, now, plan.random, min(POOL, len(plan.ids)))
        done = 0
        for stored in _ahead(_batches(plan, generator)):
            with database.write() as connection:
                insert_stored(connection, plan.entity, stored)
            done += stored.num_rows
            progress(plan.entity.name, done, len(plan.ids))


@dataclass(frozen=True, slots=True)
class _Planned:
    """The rows to come of one entity: their ids and creation times are drawn first, so that lookups can lead there."""

    entity: Entity
    random: np.random.Generator
    ids: Column
    created: Integers


def _planned(database: Database, name: str, number: int, seed: int, now: datetime) -> _Planned:
    with database.read() as connection:
        entity = metadata.definition(connection, name)
    # Rows that are there count: seeding again adds other rows.
    random = np.random.default_rng([seed, zlib.crc32(name.encode()), count(database, name)])
    return _Planned(entity, random, ids(random, number), creation_times(random, number, now))


def references(database: Database, planned: Sequence[_Planned]) -> dict[str, Column]:
    """Return ids that lookups may lead to, of rows that are there and of those that are planned, by entity."""
    with database.read() as connection:
        found = {name: _ids(connection, entity) for name, entity in metadata.entities(connection).items()}
    for plan in planned:
        both = pa.concat_arrays([found[plan.entity.name], plan.ids])
        found[plan.entity.name] = both[:REFERENCES]
    return found


def _ids(connection: Connection, entity: Entity) -> Column:
    table, key = metadata.table(entity.name), quoted([entity.primary_id])
    rows = connection.arrow(f"SELECT {key} AS id FROM {table} ORDER BY row_number_ LIMIT {REFERENCES}")  # noqa: S608 - names of the metadata
    return pa.array(rows.column("id").to_pylist(), pa.string())


def _batches(plan: _Planned, generator: Generator) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(plan.ids), BATCH):
        batch = slice(start, start + BATCH)
        yield to_storage(generator.rows(plan.ids[batch], plan.created[batch]), plan.entity)


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches, the next one being made in another thread while the caller stores this one."""
    with ThreadPoolExecutor(1) as worker:
        upcoming = worker.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = worker.submit(next, batches, None)
            yield batch
