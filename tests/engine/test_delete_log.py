"""The delete log: one line for each row that was deleted, whatever dies, and whoever touches the file."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest

from tests.engine.test_schema_history import INEXACT, account
from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.link import Dropped

MARCH = "_deleted/account/2026-03.csv"


def key(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


def new_world(**how: object) -> World:
    """Five accounts, the first of which will go; synced."""
    clock = Clock()
    linked = link(linked_entity("account", **how))
    world = World(source_of(clock), MemoryLake(clock=clock), clock, linked, Settings(workers=1))
    for name in "abcde":
        insert_account(world.source, name, revenue=Decimal(1))
    world.sync()
    world.clock.forward(minutes=10)
    return world


@pytest.fixture
def five() -> World:
    return new_world()


def delete(world: World, *numbers: int) -> None:
    for number in numbers:
        world.source.delete("account", key(number))


def test_a_deleted_row_is_logged_with_its_last_version_and_the_time_of_the_pass(five: World) -> None:
    delete(five, 4, 2)
    five.sync()
    assert five.text(MARCH) == (f'{key(2)},2,"3/1/2026 12:10:00 PM"\n{key(4)},4,"3/1/2026 12:10:00 PM"\n')


def test_the_log_of_a_month_grows_and_a_new_month_begins_a_new_file(five: World) -> None:
    for number in (1, 2):
        delete(five, number)
        five.sync()
    five.clock.forward(days=31)
    delete(five, 3)
    five.sync()
    assert [row[0] for row in five.rows(MARCH)] == [key(1), key(2)]
    assert five.text("_deleted/account/2026-04.csv") == f'{key(3)},3,"4/1/2026 12:10:00 PM"\n'


def test_rows_that_change_or_move_are_not_logged(five: World) -> None:
    five.source.update("account", key(1), name="changed")
    five.source.update("account", key(2), createdon=datetime(2025, 5, 1, tzinfo=UTC))
    five.sync()
    assert five.paths("_deleted") == []


def test_delete_rows_of_append_only_are_logged_too() -> None:
    world = new_world(append_only=True)
    delete(world, 1)
    world.sync()
    assert world.text(MARCH) == f'{key(1)},1,"3/1/2026 12:10:00 PM"\n'


def test_rows_that_are_missing_in_a_full_pass_are_logged(five: World) -> None:
    delete(five, 1)
    five.source.expire("account")
    five.sync()
    assert [row[0] for row in five.rows(MARCH)] == [key(1)]


def test_rows_that_a_rebuild_leaves_out_are_logged(five: World) -> None:
    five.source = source_of(five.clock, account(revenue=INEXACT))
    for name in "abcd":
        insert_account(five.source, name, revenue=1.0)
    five.sync()
    assert [row[0] for row in five.rows(MARCH)] == [key(5)]


def test_a_rebuild_goes_on_where_the_old_files_cannot_be_read(five: World) -> None:
    five.source = source_of(five.clock, account(revenue=INEXACT))
    for stat in list(five.lake.list("_toolkit/account/index")):
        five.lake.delete(stat.path)
    five.lake.put("account/2026-03.csv", b"no record", "any")
    assert five.sync().failed == ()
    assert five.paths("_deleted") == []


def test_nothing_is_logged_where_the_config_says_so(five: World) -> None:
    silent = five.link.config.model_copy(update={"write_delete_log": False})
    five.link = five.link.model_copy(update={"config": silent})
    delete(five, 1)
    five.sync()
    assert five.paths("_deleted") == []


def test_the_log_goes_on_in_a_further_part_above_the_limit() -> None:
    world = new_world()
    world.settings = Settings(workers=1, part_limit=100)
    for number in (1, 2, 3):
        delete(world, number)
        world.sync()
    assert [len(world.rows(path)) for path in world.paths("_deleted")] == [2, 1]
    assert world.paths("_deleted") == [MARCH, "_deleted/account/2026-03_001.csv"]


@pytest.mark.parametrize("data", [None, b"changed\n"])
def test_a_log_that_another_program_touched_is_left_and_goes_on_in_a_further_part(
    five: World, data: bytes | None
) -> None:
    delete(five, 1)
    five.sync()
    five.lake.delete(MARCH)
    if data:
        five.lake.put(MARCH, data, "any")
    delete(five, 2)
    (notice,) = five.sync().notices
    assert (notice.code, notice.where.path) == ("ENG067", MARCH)
    assert five.rows("_deleted/account/2026-03_001.csv")[0][0] == key(2)


def test_a_log_of_another_time_is_left_as_it_is(five: World) -> None:
    five.lake.put(MARCH, b"old\n", "any")
    delete(five, 1)
    five.sync()
    assert five.text(MARCH) == "old\n"
    assert five.rows("_deleted/account/2026-03_001.csv")[0][0] == key(1)


def test_a_log_of_a_copied_lake_goes_on(five: World) -> None:
    delete(five, 1)
    five.sync()
    five.lake.put(MARCH, five.lake.read(MARCH), "any")
    delete(five, 2)
    assert five.sync().notices == ()
    assert [row[0] for row in five.rows(MARCH)] == [key(1), key(2)]


@pytest.mark.parametrize(
    ("keep", "there"), [(True, ["_kept/account/20260301T121000Z/_deleted/2026-03.csv"]), (False, [])]
)
def test_an_entity_that_leaves_takes_its_log_along(five: World, keep: bool, there: list[str]) -> None:
    delete(five, 1)
    five.sync()
    five.relink(dropped=(Dropped(entity="account", keep=keep),))
    five.sync()
    assert [path for path in five.paths() if "_deleted" in path] == there


def disturbed(call: int, kind: Kind, *, copied: bool) -> World | None:
    """The world after a crash in a call of the pass that deletes; None when it makes fewer calls."""
    world = new_world()
    delete(world, 1)
    world.sync()
    delete(world, 2, 3)
    lake = world.reopen()
    lake.fail(call, kind)
    with suppress(Crashed):
        world.sync()
        return None
    world.reopen()
    if copied:
        for path in [*world.paths(), *world.paths("_toolkit")]:
            world.lake.put(path, world.lake.read(path), "any")
    delete(world, 4)
    world.sync()
    return world


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_each_deletion_is_logged_once_whatever_call_the_engine_dies_in(kind: Kind, copied: bool) -> None:
    for call in count(1):
        world = disturbed(call, kind, copied=copied)
        if world is None:
            break
        assert [row[0] for row in world.rows(MARCH)] == [key(1), key(2), key(3), key(4)], call
        assert world.paths("_deleted") == [MARCH]
    assert call > 10
