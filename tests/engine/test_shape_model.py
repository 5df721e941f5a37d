"""With a filter and a mask, any sequence of changes leaves what a dictionary says should be exported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.test_shape import HELD, LEAD, hashed, live
from tests.engine.world import Clock, World, link, source_of
from toolkit.engine import Settings
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import LinkedEntity, Mask

RATINGS = st.sampled_from([None, 0, 1])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), RATINGS),
        st.tuples(st.just("update"), RATINGS),
        st.tuples(st.just("delete"), st.just(None)),
        st.tuples(st.just("filter"), RATINGS),
        st.tuples(st.just("mask"), st.sampled_from([0, 1])),
        st.tuples(st.sampled_from(["sync", "sync", "expire"]), st.just(None)),
    ),
    max_size=30,
)

Row = tuple[str, str, str]
"""Id, subject as it is written, versionnumber."""


@dataclass
class Model:
    """The source's rows, and which of them are exported in which form; ``versions`` are all that there ever were."""

    append_only: bool
    wanted: int | None = 0
    masked: bool = True
    rows: dict[str, tuple[str, int | None, int]] = field(default_factory=dict)
    versions: set[Row] = field(default_factory=set)

    @property
    def linked(self) -> LinkedEntity:
        how = {"is_null": True} if self.wanted is None else {"equals": str(self.wanted)}
        return LinkedEntity.model_validate(
            {
                "name": "lead",
                "append_only": self.append_only,
                "filter": [{"column": "rating", **how}],
                "mask": {"subject": Mask.HASH} if self.masked else {},
            }
        )

    def put(self, key: str, subject: str, rating: int | None, version: int) -> None:
        self.rows[key] = subject, rating, version
        self.versions.add(self._row(key))

    def _row(self, key: str) -> Row:
        subject, _, version = self.rows[key]
        return key, hashed(subject) if self.masked else subject, str(version)

    def exported(self) -> list[Row]:
        return sorted(self._row(key) for key, (_, rating, _) in self.rows.items() if rating == self.wanted)


def standing(found: list[tuple[str, ...]]) -> list[Row]:
    """What a history says is there now: of the last version of an id, a record more than delete rows."""
    balance = Counter[tuple[str, int]]()
    records: dict[tuple[str, int], Row] = {}
    for key, subject, version, ended in found:
        balance[key, int(version)] += -1 if ended else 1
        if not ended:
            records[key, int(version)] = key, subject, version
    last = dict(sorted(balance))
    assert set(balance.values()) <= {0, 1}
    return sorted(records[each] for each in last.items() if balance[each])


def play(world: World, model: Model, step: str, value: int | None) -> None:
    source, keys = world.source, sorted(model.rows)
    key = keys[source.version % len(keys)] if keys else ""
    match step:
        case "insert":
            key = source.insert("lead", subject="new", rating=value)
            model.put(key, "new", value, source.version)
        case "update" if keys:
            subject = f"v{source.version}"
            source.update("lead", key, subject=subject, rating=value)
            model.put(key, subject, value, source.version)
        case "delete" if keys:
            source.delete("lead", key)
            del model.rows[key]
        case "filter":
            model.wanted = value
        case "mask" if not model.append_only:
            model.masked = bool(value)
        case "expire":
            source.expire("lead")
        case "sync":
            world.clock.forward(minutes=7)
            check(world, model)
        case _:
            pass


def check(world: World, model: Model) -> None:
    world.relink(model.linked)
    assert world.sync().failed == ()
    found = live(world, "Id", "subject", "versionnumber", "IsDelete")
    if model.append_only:
        assert {row[:3] for row in found if not row[3]} <= model.versions
        assert standing(found) == model.exported()
    else:
        assert sorted(row[:3] for row in found) == model.exported()


@pytest.mark.parametrize("append_only", [False, True])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, batch_size=st.integers(1, 5), part_limit=st.sampled_from([300, 1 << 20]), repeat=st.booleans())
def test_files_hold_what_of_the_source_is_exported(
    append_only: bool, steps: list[tuple[str, int | None]], batch_size: int, part_limit: int, repeat: bool
) -> None:
    clock = Clock()
    source = source_of(clock, LEAD, batch_size=batch_size, repeat=repeat)
    world = World(source, MemoryLake(clock=clock), clock, link(), mask_key=HELD)
    world.settings = Settings(workers=1, part_limit=part_limit)
    model = Model(append_only)
    for step, value in [*steps, ("sync", None)]:
        play(world, model, step, value)
    world.snapshot()
    assert len(world.named("lead")) == len(live(world, "Id"))
