"""A pass that brings another form may die in any call of the lake: readers have the old form or the new one, whole."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.engine.test_shape import HOT, live, relink, world_of
from tests.engine.world import World
from toolkit.lake.memory import Crashed, MemoryLake
from toolkit.model.config import Output

FORMS: list[tuple[dict[str, Any], dict[str, Any], Output]] = [
    ({}, {**HOT, "mask": {"subject": "hash"}, "columns": ["subject"]}, Output(labels=1033)),
    ({"append_only": True}, {"append_only": True, **HOT}, Output()),
]


def forked(world: World) -> World:
    assert isinstance(world.lake, MemoryLake)
    return replace(world, lake=world.lake.fork())


def seen(world: World) -> tuple[list[str], list[list[str]]]:
    """What readers find: the columns, and the rows but for the times of passes."""
    columns = [name for name in world.columns("lead") if not name.startswith("Sink")]
    return columns, sorted([row[name] for name in columns] for row in world.named("lead"))


@pytest.mark.parametrize(("before", "after", "output"), FORMS, ids=["in place", "append-only"])
def test_whatever_call_it_dies_in_a_restart_brings_the_form(
    before: dict[str, Any], after: dict[str, Any], output: Output
) -> None:
    world = world_of(before)
    for subject, rating in [("a", 0), ("b", 1), ("c", 0)]:
        world.source.insert("lead", subject=subject, rating=rating)
    world.sync()
    old = seen(world)
    relink(world, after, output)
    undisturbed = forked(world)
    undisturbed.sync()
    new = seen(undisturbed)
    assert new != old
    assert isinstance(undisturbed.lake, MemoryLake)
    calls = len(undisturbed.lake.calls)
    assert calls > 30
    for call in range(1, calls + 1):
        again = forked(world)
        again.reopen().fail(call, "before")
        with suppress(Crashed):
            again.sync()
        again.reopen()
        assert seen(again) in (old, new)
        assert again.sync().failed == ()
        assert seen(again) == new
        assert live(again, "Id", "IsDelete") == live(undisturbed, "Id", "IsDelete")
        assert again.paths("_toolkit/staging") == []
