"""Keeping an organization changing: creates, updates and deletes in a mix, over the entities that have rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import pyarrow as pa

from toolkit.errors import Refused
from toolkit.model.columns import ENTITY_TYPE_SUFFIX
from toolkit.model.entity import AttributeType, Entity
from toolkit.organization import metadata, rows
from toolkit.organization.database import Database, current_version
from toolkit.organization.seed import references
from toolkit.organization.storage import microseconds, quoted
from toolkit.organization.synthetic import Generator
from toolkit.organization.synthetic_values import Random, ids

ATTRIBUTES_CHANGED = 3
"""Attributes that an update changes."""
_SUPPLY = 256
"""Synthetic rows that are made at once."""
_POOL = 64
"""Texts that they pick from; few, so that a short churn starts at once."""
_STAMPS = ("createdon", "modifiedon")


class Operation(StrEnum):
    """What happens to a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


MIX: Mapping[Operation, float] = {Operation.CREATE: 0.3, Operation.UPDATE: 0.6, Operation.DELETE: 0.1}
"""The share of each."""


@dataclass(frozen=True, slots=True)
class Churned:
    """How many rows were created, updated and deleted."""

    create: int = 0
    update: int = 0
    delete: int = 0

    @property
    def operations(self) -> int:
        """All of them."""
        return self.create + self.update + self.delete


Progress = Callable[[Churned], None]
Clock = Callable[[], datetime]


def churn(
    database: Database, operations: int, *, seed: int, clock: Clock, progress: Progress = lambda _: None
) -> Churned:
    """Do that many operations at once, the same for the same seed and the same organization.

    Raises Refused (ORG031) when no entity has rows.
    """
    churner = _Churner(database, seed, clock)
    done = Churned()
    while done.operations < operations:
        done = churner.step(done)
        progress(done)
    return done


def churn_for(
    database: Database,
    seconds: float,
    *,
    rate: float,
    seed: int,
    clock: Clock,
    sleep: Callable[[float], None],
    progress: Progress = lambda _: None,
) -> Churned:
    """Do ``rate`` operations a second, for so many seconds. Raises Refused (ORG031) when no entity has rows."""
    churner = _Churner(database, seed, clock)
    done = Churned()
    start = clock()
    while (passed := (clock() - start) / timedelta(seconds=1)) < seconds:
        if done.operations > passed * rate:
            sleep(min(done.operations / rate, seconds) - passed)
            continue
        done = churner.step(done)
        progress(done)
    return done


class _Churner:
    """Draws what happens next. Everything it draws comes from one generator of random numbers."""

    def __init__(self, database: Database, seed: int, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        with database.read() as connection:
            found = metadata.entities(connection)
            # What happened before counts: the same seed goes on with other changes and other ids.
            self._random = np.random.default_rng([seed, current_version(connection)])
        self._entities = [entity for entity in found.values() if rows.count(database, entity.name)]
        if not self._entities:
            raise Refused(
                "ORG031",
                "no entity has rows that could change",
                where=str(database.path),
                fix="seed the environment first, as in: toolkit env seed dev --rows account=1000",
            )
        known = references(database, [])
        self._supplies = {
            entity.name: _Supply(Generator(entity, known, clock(), self._random, _POOL), self._random, clock)
            for entity in self._entities
        }

    def step(self, done: Churned) -> Churned:
        """Do one operation, in a transaction of its own, and return the counts with it."""
        entity = self._entities[int(self._random.integers(len(self._entities)))]
        operation = _drawn(self._random)
        row_id = None if operation is Operation.CREATE else self._some_row(entity)
        # An entity that has run out of rows gets one; the rows of an N:N relationship are never updated.
        if row_id is None or (operation is Operation.UPDATE and entity.intersect):
            operation = Operation.CREATE
        self._do(operation, entity, row_id or "")
        return replace(done, **{operation.value: getattr(done, operation.value) + 1})

    def _do(self, operation: Operation, entity: Entity, row_id: str) -> None:
        match operation:
            case Operation.CREATE:
                rows.insert(self._database, entity.name, self._supplies[entity.name].take(), self._clock)
            case Operation.UPDATE:
                changed = self._changed(entity, row_id)
                rows.update(self._database, entity.name, changed, self._clock)
            case Operation.DELETE:
                rows.delete(self._database, entity.name, [row_id], self._clock)

    def _changed(self, entity: Entity, row_id: str) -> pa.RecordBatch:
        fresh = self._supplies[entity.name].take()
        there = set(fresh.schema.names)
        names = [name for name in self._drawn_columns(entity) if name in there]
        columns = [pa.array([row_id]), *(fresh.column(name) for name in names)]
        return pa.RecordBatch.from_arrays(columns, names=[entity.primary_id, *names])

    def _drawn_columns(self, entity: Entity) -> Sequence[str]:
        """Return some attributes to change; a state goes with its status, a polymorphic lookup with its entity."""
        fixed = {entity.primary_id, "versionnumber", *_STAMPS}
        free = [attribute for attribute in entity.attributes if attribute.name not in fixed]
        picks = self._random.permutation(len(free))[:ATTRIBUTES_CHANGED]
        drawn = [free[place] for place in sorted(picks)]
        names = {attribute.name for attribute in drawn}
        names |= {attribute.name + ENTITY_TYPE_SUFFIX for attribute in drawn}
        states = [attribute.name for attribute in free if attribute.type in _STATES]
        return [*sorted(names - set(states)), *(states if names & set(states) else ())]

    def _some_row(self, entity: Entity) -> str | None:
        table, key = metadata.table(entity.name), quoted([entity.primary_id])
        with self._database.read() as connection:
            last = connection.execute(f"SELECT max(row_number_) AS n FROM {table}")[0]["n"]  # noqa: S608 - names of the metadata
            if last is None:
                return None
            row = connection.one(
                f"SELECT {key} AS id FROM {table} WHERE row_number_ >= ? ORDER BY row_number_ LIMIT 1",  # noqa: S608 - the same
                [int(self._random.integers(1, last + 1))],
            )
        return None if row is None else str(row["id"])


_STATES = frozenset({AttributeType.STATE, AttributeType.STATUS})


class _Supply:
    """Synthetic rows of an entity, one at a time, without the stamps that a write gives them."""

    def __init__(self, generator: Generator, random: Random, clock: Clock) -> None:
        self._generator = generator
        self._random = random
        self._clock = clock
        self._rows: list[pa.RecordBatch] = []

    def take(self) -> pa.RecordBatch:
        """Return one row that was not taken before."""
        if not self._rows:
            made = self._make()
            self._rows = [made.slice(place, 1) for place in reversed(range(made.num_rows))]
        return self._rows.pop()

    def _make(self) -> pa.RecordBatch:
        created = np.full(_SUPPLY, microseconds(self._clock()))
        made = self._generator.rows(ids(self._random, _SUPPLY), created)
        kept = [name for name in made.schema.names if name not in _STAMPS]
        return made.select(kept)


def _drawn(random: Random) -> Operation:
    return list(MIX)[int(random.choice(len(MIX), p=list(MIX.values())))]
