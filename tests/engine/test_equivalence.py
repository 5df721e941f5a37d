"""Any sequence of changes, syncs and snapshots leaves rows that equal those of a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings
from toolkit.lake.memory import MemoryLake

MONTHS = [datetime(2024, 12, 31, 23, 59, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), None]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.sampled_from(MONTHS)),
        st.tuples(st.just("update"), st.integers(0, 30)),
        st.tuples(st.just("move"), st.integers(0, 30)),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.sampled_from(["sync", "sync", "snapshot", "expire"]), st.just(0)),
    ),
    max_size=40,
)

LIMITS = st.builds(
    Settings,
    workers=st.just(1),
    part_limit=st.sampled_from([300, 1 << 20]),
    bucket=st.sampled_from([2, 5, 1 << 20]),
)

Row = tuple[str, str, int, bool]
"""Id, name, versionnumber, IsDelete."""


@dataclass
class Model:
    """What the files should hold. In append-only mode also what they held before."""

    append_only: bool
    rows: dict[str, Row] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    snapshot: list[Row] = field(default_factory=list)

    def synced(self) -> list[Row]:
        if not self.append_only:
            return sorted(self.rows.values())
        last = {row[0]: row for row in self.history}
        self.history += [row for row in self.rows.values() if row not in self.history]
        for key in sorted(last.keys() - self.rows.keys()):
            if not last[key][3]:
                self.history.append((key, "", last[key][2], True))
        return sorted(self.history)


def rows_of(found: list[dict[str, str]]) -> list[Row]:
    return sorted((r["Id"], r["name"], int(r["versionnumber"]), r["IsDelete"] == "True") for r in found)


def play(world: World, model: Model, step: str, value: object) -> None:
    source = world.source
    if step == "insert":
        key = insert_account(source, "new", value)  # type: ignore[arg-type]  # the step's value is a month
        model.rows[key] = (key, "new", source.version, False)
    elif step in {"update", "move", "delete"} and model.rows:
        key = sorted(model.rows)[int(str(value)) % len(model.rows)]
        if step == "delete":
            source.delete("account", key)
            del model.rows[key]
        else:
            name = f"{step} {source.version}"
            moved = {"createdon": MONTHS[source.version % 3]} if step == "move" else {}
            source.update("account", key, name=name, **moved)
            model.rows[key] = (key, name, source.version, False)
    elif step == "sync":
        world.clock.forward(minutes=7)
        check(world, model)
    elif step == "snapshot":
        world.snapshot()
    elif step == "expire":
        source.expire("account")


def check(world: World, model: Model) -> None:
    report = world.sync()
    assert report.failed == ()
    assert rows_of(world.live("account")) == model.synced()


@pytest.mark.parametrize("append_only", [False, True])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, batch_size=st.integers(1, 5), limits=LIMITS, repeat=st.booleans())
def test_files_hold_what_the_source_holds(
    append_only: bool, steps: list[tuple[str, object]], batch_size: int, limits: Settings, repeat: bool
) -> None:
    clock = Clock()
    source = source_of(clock, batch_size=batch_size, repeat=repeat)
    world = World(source, MemoryLake(clock=clock), clock, link(linked_entity("account", append_only=append_only)))
    world.settings = limits
    model = Model(append_only)
    for step, value in [*steps, ("sync", 0)]:
        play(world, model, step, value)
    world.snapshot()
    assert rows_of(world.named("account")) == rows_of(world.live("account"))
    assert world.paths("_toolkit/staging") == []
