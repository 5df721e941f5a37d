"""Any sequence of changes, syncs and snapshots leaves rows that equal those of a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.index import digest_of, scan
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import Output, Times

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

FEEDS = st.fixed_dictionaries({"batch_size": st.integers(1, 5), "repeat": st.booleans()})

OUTPUTS = st.sampled_from([Output(), Output(header=True, times=Times.ISO)])

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
    require_style(world)


def require_style(world: World) -> None:
    """Every live file begins as the config says, and a scan finds what its index has."""
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    for part in checkpoint.parts:
        assert world.lake.read(part.path).startswith(b"Id,SinkCreatedOn,") is world.link.config.output.header
        assert digest_of(scan(world.lake, part.path, checkpoint.columns)) == part.digest


@pytest.mark.parametrize("append_only", [False, True])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, feed=FEEDS, limits=LIMITS, output=OUTPUTS)
def test_files_hold_what_the_source_holds(
    append_only: bool, steps: list[tuple[str, object]], feed: dict[str, Any], limits: Settings, output: Output
) -> None:
    clock = Clock()
    source = source_of(clock, **feed)
    linked = link(linked_entity("account", append_only=append_only), output=output)
    world = World(source, MemoryLake(clock=clock), clock, linked)
    world.settings = limits
    model = Model(append_only)
    for step, value in [*steps, ("sync", 0)]:
        play(world, model, step, value)
    world.snapshot()
    assert rows_of(world.named("account")) == rows_of(world.live("account"))
    assert world.paths("_toolkit/staging") == []
