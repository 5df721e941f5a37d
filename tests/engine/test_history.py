"""Append-only goes on and off on a live link: aside, swapped with a snapshot, and history is deleted only when told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.engine.world import ACCOUNT, Clock, World, copied, crashes, insert_account, link, linked_entity, source_of
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import LinkedEntity

IN_PLACE = linked_entity("account")
HISTORY = linked_entity("account", append_only=True)


def world_with(entity: LinkedEntity) -> World:
    clock = Clock()
    world = World(source_of(clock, ACCOUNT), MemoryLake(clock=clock), clock, link(entity))
    insert_account(world.source, "a")
    first = insert_account(world.source, "b")
    gone = insert_account(world.source, "c")
    world.sync()
    world.source.update("account", first, name="b2")
    world.source.delete("account", gone)
    world.clock.forward(minutes=90)
    world.sync()
    world.clock.forward(minutes=10)
    return world


def begin_history(world: World) -> None:
    world.relink(HISTORY)


def end_history(world: World) -> None:
    world.relink(IN_PLACE)
    world.link = world.link.model_copy(update={"history_ended": ("account",)})


def told(world: World) -> list[tuple[str, str]]:
    """What readers find: the name of each row, and whether it is a delete row."""
    return sorted((row["name"], row["IsDelete"]) for row in world.named("account"))


def live(world: World) -> list[tuple[str, str]]:
    return sorted((row["name"], row["IsDelete"]) for row in world.live("account"))


def log(world: World) -> list[str]:
    paths = [path for path in world.paths() if path.startswith("_deleted/account/")]
    return [line for path in paths for line in world.text(path).splitlines()]


def test_append_only_begins_with_the_rows_that_are_there_and_readers_see_it_with_a_snapshot() -> None:
    world = world_with(IN_PLACE)
    begin_history(world)
    world.sync()
    assert world.paths("account")[0] == "account/2026.csv"
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2026-03"]
    world.clock.forward(minutes=60)
    insert_account(world.source, "d")
    world.sync()
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2026"]
    assert told(world) == [("a", ""), ("b2", ""), ("d", "")]


def test_history_goes_when_the_link_says_so_and_not_before() -> None:
    world = world_with(HISTORY)
    assert live(world) == [("", "True"), ("a", ""), ("b", ""), ("b2", ""), ("c", "")]
    world.relink(IN_PLACE)
    error = world.sync().by_entity["account"].error
    assert (error.code if error else "") == "ENG002"
    assert len(live(world)) == 5
    end_history(world)
    assert world.sync().failed == ()
    assert live(world) == [("a", ""), ("b2", "")]
    assert len(told(world)) == 5
    world.clock.forward(minutes=60)
    world.sync()
    assert told(world) == [("a", ""), ("b2", "")]


def test_the_end_of_history_logs_no_row_as_deleted_that_was_logged_already() -> None:
    world = world_with(HISTORY)
    before = log(world)
    assert len(before) == 1
    world.source.delete("account", next(row["Id"] for row in world.live("account") if row["name"] == "a"))
    end_history(world)
    world.sync()
    assert len(log(world)) == 2
    assert log(world)[:1] == before


def test_history_that_begins_again_is_kept_again() -> None:
    world = world_with(HISTORY)
    end_history(world)
    world.sync()
    begin_history(world)
    world.sync()
    world.relink(IN_PLACE)
    error = world.sync().by_entity["account"].error
    assert (error.code if error else "") == "ENG002"


@pytest.mark.parametrize(("before", "change"), [(IN_PLACE, begin_history), (HISTORY, end_history)], ids=["on", "off"])
def test_whatever_it_dies_in_a_restart_ends_where_an_undisturbed_pass_does(
    before: LinkedEntity, change: Callable[[World], None]
) -> None:
    world = world_with(before)
    old = told(world)
    change(world)
    assert isinstance(world.lake, MemoryLake)
    undisturbed = replace(world, lake=copied(world.lake))
    undisturbed.sync()
    cases = [cut for _, cut in crashes(world, World.sync)]
    for cut in cases:
        assert told(cut) == old
        assert cut.sync().failed == ()
        assert cut.files() == undisturbed.files()
    assert len(cases) > 15
