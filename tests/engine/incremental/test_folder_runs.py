"""A run closes a folder at the end of the interval, however the source tells of changes."""

from __future__ import annotations

import pytest

from tests.engine.incremental.folders import FolderWorld, incremental
from tests.engine.test_run import Runs
from tests.engine.world import Clock, insert_account, link, linked_entity, source_of
from toolkit.lake.memory import MemoryLake


@pytest.fixture(params=[True, False], ids=["told", "polled"])
def world(request: pytest.FixtureRequest, clock: Clock) -> FolderWorld:
    """A world whose source tells of changes, and one whose source does not."""
    linked = incremental(link(linked_entity("account"), linked_entity("teammembership")))
    return FolderWorld(source_of(clock, tells=request.param), MemoryLake(clock=clock), clock, linked)


def closed(runs: Runs) -> list[float]:
    """When a folder was closed, in seconds since the begin."""
    return [round(time) for time, report in runs.reports if report.folder]


def test_a_folder_is_closed_at_the_end_of_the_interval_with_what_every_entity_has(world: FolderWorld) -> None:
    insert_account(world.source, "first")
    runs = Runs(
        world,
        4000,
        {
            100: lambda: insert_account(world.source, "second"),
            200: lambda: world.source.insert("teammembership"),
            300: lambda: insert_account(world.source, "third"),
        },
    )
    assert runs.go() == ()
    assert closed(runs) == [0, 3600]
    _, second = world.reader.folders
    assert {name: len(rows) for name, rows in world.reader.files(second, "account").items()} == {"2026": 2}
    assert {name: len(rows) for name, rows in world.reader.files(second, "teammembership").items()} == {"1900": 1}


def test_a_change_after_the_interval_closes_a_folder_soon(world: FolderWorld) -> None:
    insert_account(world.source, "first")
    runs = Runs(world, 5000, {4000: lambda: insert_account(world.source, "second")})
    runs.go()
    first, second = closed(runs)
    assert first == 0
    assert 4000 <= second <= 4310


def test_before_the_interval_is_over_nothing_is_read(world: FolderWorld) -> None:
    insert_account(world.source, "first")
    runs = Runs(world, 3000)
    runs.go()
    assert runs.times() == [0.0]
