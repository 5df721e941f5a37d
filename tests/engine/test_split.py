"""A part that updates make too large becomes several, and no update writes more than one part of about the limit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.engine.world import ACCOUNT, Clock, World, attribute, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings
from toolkit.engine.checkpoint import Part, read_checkpoint
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.entity import AttributeType

MAY = datetime(2025, 5, 1, tzinfo=UTC)
LIMIT = 2_000


def new_world() -> World:
    clock = Clock()
    settings = Settings(workers=1, part_limit=LIMIT)
    return World(source_of(clock), MemoryLake(clock=clock), clock, link(linked_entity("account")), settings)


@pytest.fixture
def full() -> World:
    """A world with one part that is nearly full: eleven rows of 172 bytes."""
    world = new_world()
    for number in range(11):
        insert_account(world.source, f"row {number:02}", MAY)
    world.sync()
    return world


def ids(*numbers: int) -> list[str]:
    return [f"00000000-0000-0000-0000-{number:012x}" for number in numbers]


def grow(world: World, *numbers: int, by: int = 300) -> None:
    world.clock.forward(minutes=90)
    for number in numbers:
        world.source.update("account", *ids(number), name="x" * by)


def parts(world: World) -> list[Part]:
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    return list(checkpoint.parts)


def test_updates_may_grow_a_part_a_quarter_beyond_the_limit(full: World) -> None:
    grow(full, 1)
    full.sync()
    assert [part.number for part in parts(full)] == [0]
    assert LIMIT < parts(full)[0].size < LIMIT * 1.25


def test_a_part_that_grows_further_becomes_two_of_about_one_size(full: World) -> None:
    grow(full, 1, 3, 5)
    report = full.sync().by_entity["account"]
    assert full.paths("account")[:2] == ["account/2025-05.csv", "account/2025-05_001.csv"]
    first, second = (part.size for part in parts(full))
    assert abs(first - second) < 600
    assert max(first, second) < LIMIT
    assert (report.written, report.deleted) == (3, 0)


def test_a_split_keeps_every_row_once_and_its_sink_time(full: World) -> None:
    before = {row["Id"]: row["SinkCreatedOn"] for row in full.live("account")}
    grow(full, 1, 3, 5, 11)
    full.sync()
    after = full.live("account")
    assert sorted(row["Id"] for row in after) == ids(*range(1, 12))
    assert {row["Id"]: row["SinkCreatedOn"] for row in after} == before
    assert {row["Id"] for row in after if row["SinkModifiedOn"] != row["SinkCreatedOn"]} == set(ids(1, 3, 5, 11))


def test_snapshots_and_the_manifest_name_the_parts_of_a_split(full: World) -> None:
    grow(full, 1, 3, 5)
    full.sync()
    assert [partition["name"] for partition in full.entity("account")["partitions"]] == ["2025-05", "2025-05-001"]
    assert full.named("account") == full.live("account")


def test_an_update_after_a_split_writes_one_part(full: World) -> None:
    grow(full, 1, 3, 5)
    full.sync()
    before = {part.path: part.etag for part in parts(full)}
    grow(full, 2, by=5)
    full.sync()
    changed = [part.path for part in parts(full) if before[part.path] != part.etag]
    assert len(changed) == 1


def test_a_new_row_goes_to_the_last_part_of_a_split(full: World) -> None:
    grow(full, 1, 3, 5)
    full.sync()
    insert_account(full.source, "new", MAY)
    full.sync()
    assert ["new" in {row[4] for row in full.rows(part.path)} for part in parts(full)] == [False, True]


def test_rows_that_come_with_a_split_have_a_part_before_those_of_the_split(full: World) -> None:
    grow(full, 1, 3, 5)
    insert_account(full.source, "new", MAY)
    full.sync()
    assert ["new" in {row[4] for row in full.rows(part.path)} for part in parts(full)] == [False, True, False]


def test_a_part_far_beyond_a_limit_that_was_lowered_becomes_as_many_as_it_needs(full: World) -> None:
    full.settings = Settings(workers=1, part_limit=600)
    grow(full, 4, by=5)
    full.sync()
    sizes = [part.size for part in parts(full)]
    assert (len(sizes), max(sizes) <= 600 + 172) == (4, True)
    assert sorted(row["Id"] for row in full.live("account")) == ids(*range(1, 12))


def test_one_row_that_is_larger_than_a_part_may_be_stays_alone_in_one() -> None:
    world = new_world()
    insert_account(world.source, "only", MAY)
    world.sync()
    grow(world, 1, by=9_000)
    world.sync()
    assert [part.number for part in parts(world)] == [0]


def test_a_part_that_is_padded_is_split_at_its_next_change(full: World) -> None:
    grow(full, 1, 3, 5)
    fax = attribute("fax", AttributeType.STRING)
    full.source.define(ACCOUNT.model_copy(update={"attributes": (*ACCOUNT.attributes, fax)}))
    full.sync()
    assert [part.number for part in parts(full)] == [0]
    grow(full, 1)
    full.sync()
    assert [part.number for part in parts(full)] == [0, 1]
    assert sorted(row["Id"] for row in full.live("account")) == ids(*range(1, 12))


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_a_crash_in_any_call_of_a_split_leaves_no_trace(kind: Kind) -> None:
    expected = ended(None, kind)
    assert expected is not None
    call = 0
    while (files := ended(call := call + 1, kind)) is not None:
        assert files == expected, call
    assert call > 20


def ended(call: int | None, kind: Kind) -> dict[str, bytes] | None:
    """The files after a split that a crash stopped in one of its calls; None when it makes fewer calls."""
    world = new_world()
    for number in range(11):
        insert_account(world.source, f"row {number:02}", MAY)
    world.sync()
    grow(world, 1, 3, 5)
    lake = world.reopen()
    if call is not None:
        lake.fail(call, kind)
        try:
            world.sync()
        except Crashed:
            world.reopen()
        else:
            return None
    world.sync()
    return {path: world.lake.read(path) for path in world.paths()}
