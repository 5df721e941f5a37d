"""Reading every file finds what was lost or damaged since it was written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine.checkpoint import Checkpoint, read_checkpoint
from toolkit.engine.inspection import Fault, Role, faults
from toolkit.lake.memory import Crashed, MemoryLake

JANUARY, FEBRUARY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))


@pytest.fixture
def world() -> World:
    """Two accounts of two months, one of which has an older snapshot."""
    clock = Clock()
    made = World(source_of(clock), MemoryLake("contosolake"), clock, link(linked_entity("account")))
    first = insert_account(made.source, "one", JANUARY)
    insert_account(made.source, "two", FEBRUARY)
    made.sync()
    made.source.update("account", first, name="changed")
    clock.forward(hours=2)
    made.sync()
    return made


def checkpoint(world: World) -> Checkpoint:
    found, _ = read_checkpoint(world.lake, "account")
    assert found is not None
    return found


def found(world: World) -> list[Fault]:
    return list(faults(world.lake, checkpoint(world)))


def spoil(world: World, path: str) -> None:
    """Change one byte of a file: its size stays."""
    world.lake.put(path, b"x" + world.lake.read(path)[1:], "any")


def commit_of(world: World) -> int:
    """The place, among the calls of a pass over February, of the one that commits it, found in a twin of the world."""
    clock = Clock()
    twin = World(source_of(clock), MemoryLake("contosolake"), clock, world.link)
    first = insert_account(twin.source, "one", JANUARY)
    insert_account(twin.source, "two", FEBRUARY)
    twin.sync()
    twin.source.update("account", first, name="changed")
    clock.forward(hours=2)
    twin.sync()
    insert_account(twin.source, "three", FEBRUARY)
    clock.forward(hours=2)
    lake = twin.reopen()
    twin.sync()
    return [(call.operation, call.path) for call in lake.calls].index(("put", "_toolkit/account/checkpoint.json"))


def test_a_lake_as_it_was_written_has_no_fault(world: World) -> None:
    assert found(world) == []


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("account/2026-01.csv", Role.LIVE),
        ("account/Snapshot/2026-01_1772373600.csv", Role.NAMED),
        ("account/Snapshot/2026-01_1772366400.csv", Role.KEPT),
    ],
)
def test_a_file_that_is_gone_or_changed_is_found(world: World, path: str, role: Role) -> None:
    spoil(world, path)
    assert found(world) == [Fault(path, role, missing=False)]
    world.lake.delete(path)
    assert found(world) == [Fault(path, role, missing=True)]


def test_an_index_that_is_gone_or_changed_is_found(world: World) -> None:
    index = checkpoint(world).parts[0].index
    world.lake.put(index, world.lake.read(index)[:-1] + b"x", "any")
    assert found(world) == [Fault(index, Role.INDEX, missing=False)]
    world.lake.delete(index)
    assert found(world) == [Fault(index, Role.INDEX, missing=True)]


def test_a_file_that_was_cut_is_found(world: World) -> None:
    path = "account/2026-01.csv"
    world.lake.put(path, world.lake.read(path)[:-9], "any")
    assert found(world) == [Fault(path, Role.LIVE, missing=False)]


def test_what_waits_to_be_published_is_looked_at_where_it_is(world: World) -> None:
    insert_account(world.source, "three", FEBRUARY)
    world.clock.forward(hours=2)
    lake = world.lake
    assert isinstance(lake, MemoryLake)
    twin = lake.reopen()
    world.lake = twin
    twin.fail(1 + commit_of(world), "after")
    with pytest.raises(Crashed):
        world.sync()
    world.lake = lake.reopen()
    assert checkpoint(world).pending != ()
    assert found(world) == []
