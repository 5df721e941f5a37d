"""Synthetic rows of an entity as Arrow, column by column: the same for the same seed, and never a row at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.model.columns import ENTITY_TYPE_SUFFIX, arrow_schema
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, Entity
from toolkit.organization import synthetic_values as make
from toolkit.organization.storage import Column, microseconds
from toolkit.organization.synthetic_values import DAY, Integers, Random

MONTHS = 36
"""Rows are created over about three years."""

POOL = 512
"""Texts of an attribute that rows pick from."""

_NULL_SHARES = (0.0, 0.1, 0.4, 0.7, 0.9, 0.97)
_ALWAYS_FILLED = {AttributeType.STATE, AttributeType.STATUS, AttributeType.OWNER}

Ids = Mapping[str, Column]
"""Ids that lookups may lead to, by entity."""


def creation_times(random: Random, number: int, now: datetime) -> Integers:
    """Return sorted instants (microseconds since 1970) of the last three years; months differ, later ones hold more."""
    end = microseconds(now)
    width = (end - microseconds(now - timedelta(days=30.4 * MONTHS))) // MONTHS
    # Counted backwards from now: the first month is the latest.
    weights = np.linspace(3, 1, MONTHS) * random.uniform(0.3, 1.7, MONTHS)
    months = random.choice(MONTHS, number, p=weights / weights.sum())
    # Whole milliseconds, as a service's clock writes them.
    within = random.integers(0, width // 1000, number) * 1000
    return np.sort(end - (months + 1) * width + within)


class Generator:
    """Makes batches of an entity's rows, all columns but the version. Its pools of texts serve all batches."""

    def __init__(self, entity: Entity, ids: Ids, now: datetime, random: Random, pool: int = POOL) -> None:
        self._entity = entity
        self._ids = ids
        self._now = microseconds(now)
        self._random = random
        self._null_shares = {attribute.name: self._null_share(attribute) for attribute in entity.attributes}
        pooled = (attribute for attribute in entity.attributes if attribute.type in make.POOLED)
        self._pools = {attribute.name: make.pool(random, attribute, pool) for attribute in pooled}

    def rows(self, ids: Column, created: Integers) -> pa.RecordBatch:
        """Return rows with those ids and creation times (microseconds since 1970)."""
        columns = {self._entity.primary_id: ids}
        for attribute in self._entity.attributes:
            if attribute.name not in {self._entity.primary_id, "versionnumber"}:
                columns |= self._columns(attribute, created)
        columns |= self._states(len(ids))
        names = [name for name in arrow_schema(self._entity).names if name in columns]
        return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)

    def _columns(self, attribute: Attribute, created: Integers) -> dict[str, Column]:
        """Return the column of an attribute, and the one of the entity's name beside it where there is one."""
        if attribute.name in {"createdon", "modifiedon"}:
            return {attribute.name: make.instants(self._stamp(attribute.name, created), attribute)}
        targets = self._targets(attribute)
        if targets is not None:
            return self._references(attribute, targets, len(created))
        return {attribute.name: self._with_nulls(attribute, self._values(attribute, created))}

    def _values(self, attribute: Attribute, created: Integers) -> Column:
        if attribute.type in make.POOLED:
            return make.picked(self._random, self._pools[attribute.name], len(created))
        return make.MAKERS[attribute.type](self._random, attribute, created)

    def _stamp(self, name: str, created: Integers) -> Integers:
        if name == "createdon":
            return created
        days = self._random.exponential(40 * DAY, len(created)).astype(np.int64) // 1000 * 1000
        later: Integers = np.minimum(created + days, np.maximum(created, self._now))
        return later

    def _states(self, size: int) -> dict[str, Column]:
        """Return states and statuses that belong together, the first status by far the most frequent."""
        kinds = {attribute.type: attribute for attribute in self._entity.attributes}
        status, state = kinds.get(AttributeType.STATUS), kinds.get(AttributeType.STATE)
        if status is None or state is None:
            return {}
        picks = make.skewed(self._random, len(status.options), size)
        owners = np.array([option.state or 0 for option in status.options], np.int64)
        values = np.array([option.value for option in status.options], np.int64)
        return {status.name: make.integers(values[picks]), state.name: make.integers(owners[picks])}

    def _targets(self, attribute: Attribute) -> Ids | None:
        """Return the ids that a reference may lead to, by entity; None where it is no reference or there are none."""
        if attribute.type in LOOKUPS:
            names: Sequence[str] = attribute.targets
        elif self._entity.intersect and attribute.type is AttributeType.UNIQUEIDENTIFIER:
            # The two sides of an N:N relationship are no lookups, but named by the ids that they hold.
            names = [attribute.name.removesuffix("id")]
        else:
            return None
        return {name: self._ids[name] for name in names if len(self._ids.get(name, ()))} or None

    def _references(self, attribute: Attribute, targets: Ids, size: int) -> dict[str, Column]:
        offsets = np.cumsum([0, *(len(ids) for ids in targets.values())])
        which = make.skewed(self._random, len(targets), size)
        places = offsets[which] + self._random.integers(np.diff(offsets)[which])
        ids = self._with_nulls(attribute, pc.take(pa.concat_arrays(list(targets.values())), make.integers(places)))
        if not attribute.polymorphic:
            return {attribute.name: ids}
        names = pc.take(pa.array(list(targets), pa.string()), make.integers(which))
        beside = pc.if_else(pc.is_valid(ids), names, pa.scalar(None, pa.string()))
        return {attribute.name: ids, attribute.name + ENTITY_TYPE_SUFFIX: beside}

    def _with_nulls(self, attribute: Attribute, values: Column) -> Column:
        share = self._null_shares[attribute.name]
        if share == 0.0:
            return values
        keep = pa.array(self._random.random(len(values)) >= share)
        thinned: Column = pc.if_else(keep, values, pa.scalar(None, values.type))
        return thinned

    def _null_share(self, attribute: Attribute) -> float:
        filled = attribute.required or attribute.type in _ALWAYS_FILLED or attribute.name == self._entity.primary_name
        return 0.0 if filled or self._entity.intersect else float(self._random.choice(_NULL_SHARES))
