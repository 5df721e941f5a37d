"""All rows are read and compared because somebody asked for it: what a lake lost comes back, and nothing else moves."""

from __future__ import annotations

import pytest

from tests.engine.incremental import folders
from tests.engine.world import HOLDER, Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine.erase import erase
from toolkit.errors import SourceError
from toolkit.lake.memory import MemoryLake

A, B = (f"00000000-0000-0000-0000-{number:012x}" for number in (1, 2))
INDEX = "_toolkit/account/index"


def filled(*, append_only: bool = False) -> World:
    clock = Clock()
    entity = linked_entity("account", append_only=append_only)
    world = World(source_of(clock), MemoryLake(clock=clock), clock, link(entity))
    for name in "abc":
        insert_account(world.source, name)
    world.sync()
    return world


def erased(world: World) -> None:
    """Take a row out of the lake that the source still has."""
    erase(world.linked, world.source, "account", A, clock=world.clock, holder=HOLDER)


def names(world: World) -> list[str]:
    return [row["name"] for row in world.live("account")]


@pytest.mark.parametrize("append_only", [False, True])
def test_a_row_that_the_source_still_has_comes_back_when_all_rows_are_compared(*, append_only: bool) -> None:
    world = filled(append_only=append_only)
    erased(world)
    assert world.sync().by_entity["account"].written == 0
    report = world.sync(compare=True).by_entity["account"]
    assert (report.written, report.deleted, report.notices) == (1, 0, ())
    assert sorted(names(world)) == ["a", "b", "c"]


@pytest.mark.parametrize("append_only", [False, True])
def test_where_nothing_differs_a_comparison_writes_nothing(*, append_only: bool) -> None:
    world = filled(append_only=append_only)
    before = world.files()
    report = world.sync(compare=True)
    assert (report.by_entity["account"].changed, report.eventful, world.files()) == (False, False, before)


def test_a_history_gets_what_is_missing_and_keeps_the_rest() -> None:
    world = filled(append_only=True)
    erased(world)
    world.source.update("account", B, name="b again")
    world.sync(compare=True)
    assert sorted(names(world)) == ["a", "b", "b again", "c"]


def test_readers_keep_the_old_snapshot_until_the_next_is_due() -> None:
    world = filled()
    erased(world)
    before = world.manifest()
    world.sync(compare=True)
    assert world.manifest() == before
    world.clock.forward(hours=2)
    world.sync()
    assert sorted(row["name"] for row in world.named("account")) == ["a", "b", "c"]


def test_a_comparison_that_meets_damage_mends_it_and_still_compares() -> None:
    world = filled()
    erased(world)
    (index,) = world.paths(INDEX)
    world.lake.put(index, b"spoiled", "any")
    assert world.sync(compare=True).failed == ()
    assert sorted(names(world)) == ["a", "b", "c"]


def test_a_comparison_that_failed_is_done_when_it_is_asked_for_again() -> None:
    world = filled()
    erased(world)
    world.source.fail("account", SourceError("SRC010", "no"))
    assert world.sync(compare=True).failed != ()
    assert world.sync(compare=True).by_entity["account"].written == 1
    assert sorted(names(world)) == ["a", "b", "c"]


def test_only_the_entities_that_are_named_are_compared() -> None:
    world = filled()
    erased(world)
    world.sync(compare=True, entities=["teammembership"])
    assert sorted(names(world)) == ["b", "c"]


def test_folders_send_a_row_again_that_their_keys_do_not_know() -> None:
    world = folders.new_world(linked_entity("account"))
    for name in "ab":
        insert_account(world.source, name)
    world.sync()
    erased(world)
    world.clock.forward(hours=1)
    assert world.sync().folder is None
    report = world.sync(compare=True)
    assert (report.by_entity["account"].written, report.folder is None) == (1, False)
    assert world.sync(compare=True).folder is None
