"""Entities that cannot be tracked: they are read whole from time to time, and their keys are compared."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.engine.test_run import Runs
from tests.engine.world import START, TEAM, Clock, World, link, linked_entity, source_of
from toolkit.engine import status
from toolkit.errors import Forbidden
from toolkit.lake.memory import Crashed, MemoryLake

TEAM_OF = "00000000-0000-0000-0000-0000000000ff"
UNTRACKED = TEAM.model_copy(update={"change_tracking": False, "can_track": False})


def new_world(**how: int) -> World:
    clock = Clock()
    source = source_of(clock, UNTRACKED)
    return World(source, MemoryLake(clock=clock), clock, link(linked_entity("teammembership", **how)))


def appended(world: World) -> list[tuple[str, str]]:
    """Every record of the live files: the end of its id, and whether it is a delete row."""
    return [(row["Id"][-1], row["IsDelete"]) for row in world.live("teammembership")]


def test_it_is_read_whole_when_its_time_has_come_and_not_at_every_pass() -> None:
    world = new_world(scan_minutes=30)
    world.sync()
    world.source.insert("teammembership", teamid=TEAM_OF)
    world.clock.forward(minutes=29)
    assert world.sync().entities == ()
    world.clock.forward(minutes=1)
    assert world.sync().by_entity["teammembership"].written == 1
    assert status(world.linked).entities[0].scanned == START + timedelta(minutes=30)


def test_it_is_read_once_a_day_where_nothing_else_is_said() -> None:
    world = new_world()
    world.sync()
    world.clock.forward(minutes=1439)
    assert world.sync().entities == ()
    world.clock.forward(minutes=1)
    assert list(world.sync().by_entity) == ["teammembership"]


def test_it_is_read_at_once_when_it_is_named() -> None:
    world = new_world()
    world.sync()
    world.source.insert("teammembership", teamid=TEAM_OF)
    assert world.sync(entities=["teammembership"]).by_entity["teammembership"].written == 1


def test_one_that_failed_is_read_again_at_the_next_pass() -> None:
    world = new_world()
    world.sync()
    world.clock.forward(days=1)
    world.source.fail("teammembership", Forbidden("SRC010", "no"))
    assert len(world.sync().failed) == 1
    assert world.sync().failed == ()
    assert list(world.sync().by_entity) == []


def test_keys_are_compared_and_every_change_is_appended_once() -> None:
    world = new_world(scan_minutes=10)
    kept, goes = (world.source.insert("teammembership", teamid=TEAM_OF) for _ in range(2))
    world.sync()
    world.source.delete("teammembership", goes)
    world.source.update("teammembership", kept, teamid=TEAM_OF)
    world.source.insert("teammembership", teamid=TEAM_OF)
    for _ in range(3):
        world.clock.forward(minutes=10)
        world.sync()
    assert Counter(appended(world)) == {("1", ""): 2, ("2", ""): 1, ("2", "True"): 1, ("3", ""): 1}


def calls_of_a_scan() -> int:
    return len(scanned(after=None).calls)


def scanned(after: int | None) -> MemoryLake:
    """Scan after a change, in an engine that dies after so many calls of the lake; then scan again twice."""
    world = new_world(scan_minutes=10)
    _, goes = (world.source.insert("teammembership", teamid=TEAM_OF) for _ in range(2))
    world.sync()
    world.source.delete("teammembership", goes)
    world.source.insert("teammembership", teamid=TEAM_OF)
    world.clock.forward(minutes=10)
    lake = world.reopen()
    if after is None:
        world.sync()
        return lake
    lake.fail(after, "after")
    with pytest.raises(Crashed):
        world.sync()
    world.reopen()
    for _ in range(2):
        world.sync()
        world.clock.forward(minutes=10)
    assert Counter(appended(world)) == {("1", ""): 1, ("2", ""): 1, ("2", "True"): 1, ("3", ""): 1}
    return lake


def test_a_change_is_appended_once_wherever_the_engine_dies() -> None:
    for operation in range(1, calls_of_a_scan() + 1):
        scanned(after=operation)


def test_a_change_is_in_a_snapshot_in_time_though_the_next_scan_is_far() -> None:
    world = new_world(scan_minutes=10_000)
    world.sync()
    world.source.insert("teammembership", teamid=TEAM_OF)
    world.clock.forward(minutes=59)
    assert world.sync(entities=["teammembership"]).by_entity["teammembership"].snapshots == ()
    world.clock.forward(minutes=1)
    assert world.sync().by_entity["teammembership"].snapshots == ("teammembership/Snapshot/2026_1772370000.csv",)
    assert world.sync().entities == ()


def test_a_run_reads_it_when_its_time_has_come() -> None:
    world = new_world(scan_minutes=2)
    runs = Runs(world, 400, {30.0: lambda: world.source.insert("teammembership", teamid=TEAM_OF)})
    runs.go()
    assert runs.times("teammembership") == [0, 120, 240, 360]
    assert runs.wrote() == [120]
