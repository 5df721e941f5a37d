"""A header in every file, and times in one form: whatever happens to a file, it begins as it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.world import ACCOUNT, Clock, World, attribute, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.errors import Retriable
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import Layout, Output, Times
from toolkit.model.entity import AttributeType

OLD = datetime(2025, 5, 1, tzinfo=UTC)
HEADER = "Id,SinkCreatedOn,SinkModifiedOn,accountid,name,revenue,versionnumber,createdon,modifiedon,IsDelete"
STYLED = Output(header=True, times=Times.ISO)
A, B = (f"00000000-0000-0000-0000-{number:012x}" for number in (1, 2))


def new_world(output: Output = STYLED, **how: bool) -> World:
    clock = Clock()
    return World(source_of(clock), MemoryLake(clock=clock), clock, link(linked_entity("account", **how), output=output))


@pytest.fixture
def styled() -> World:
    world = new_world()
    insert_account(world.source, "a", OLD)
    insert_account(world.source, "b")
    world.sync()
    return world


def heads(world: World) -> dict[str, str]:
    """The first line of every CSV file of the entity."""
    paths = [path for path in world.paths("account") if path.endswith(".csv")]
    return {path: world.text(path).splitlines()[0] for path in paths}


def again(world: World) -> None:
    """Go on with a copy of the lake, whose files have other etags, and without indexes."""
    lake = MemoryLake("copy", clock=world.clock)
    for stat in world.lake.list(""):
        if not stat.path.endswith(".idx"):
            lake.put(stat.path, world.lake.read(stat.path), "any")
    world.lake = lake


def test_every_file_begins_with_the_names_of_its_columns(styled: World) -> None:
    styled.clock.forward(hours=2)
    styled.source.update("account", A, name="changed")
    styled.source.update("account", B, createdon=OLD)
    insert_account(styled.source, "c", OLD + timedelta(days=40))
    styled.sync()
    assert len(heads(styled)) == 6
    assert set(heads(styled).values()) == {HEADER}
    assert sorted(row["name"] for row in styled.named("account")) == ["b", "c", "changed"]


def test_the_manifest_says_that_there_are_headers(styled: World) -> None:
    assert [each["fileFormatSettings"]["columnHeaders"] for each in styled.entity("account")["partitions"]] == [
        True
    ] * 2
    plain = new_world(Output())
    insert_account(plain.source, "a")
    plain.sync()
    assert [each["fileFormatSettings"]["columnHeaders"] for each in plain.entity("account")["partitions"]] == [False]


def test_an_update_keeps_the_time_at_which_a_row_came(styled: World) -> None:
    styled.clock.forward(hours=2)
    styled.source.update("account", B, name="changed")
    styled.sync()
    row = next(row for row in styled.live("account") if row["Id"] == B)
    assert (row["SinkCreatedOn"], row["SinkModifiedOn"]) == ("2026-03-01T12:00:00Z", "2026-03-01T14:00:00Z")
    assert (row["createdon"], row["modifiedon"]) == ("2026-03-01T12:00:00.0000000Z", "2026-03-01T14:00:00.0000000Z")


def test_a_new_column_is_in_the_header_of_every_file(styled: World) -> None:
    more = (*ACCOUNT.attributes, attribute("city", AttributeType.STRING, max_length=80))
    styled.source.define(ACCOUNT.model_copy(update={"attributes": more}))
    styled.sync()
    styled.snapshot()
    assert set(heads(styled).values()) == {HEADER, f"{HEADER},city"}
    assert {row["city"] for row in styled.named("account")} == {""}


def test_files_are_known_again_without_indexes_and_under_other_etags(styled: World) -> None:
    again(styled)
    styled.source.update("account", A, name="changed")
    assert styled.sync().failed == ()
    assert sorted(row["name"] for row in styled.live("account")) == ["b", "changed"]
    assert set(heads(styled).values()) == {HEADER}


def test_a_full_partition_goes_on_in_parts_with_headers() -> None:
    world = new_world()
    world.source.batch_size = 1
    world.settings = Settings(workers=1, part_limit=400)
    for number in range(7):
        insert_account(world.source, f"row {number}")
    world.sync()
    world.source.update("account", A, name="changed")
    insert_account(world.source, "more")
    world.sync()
    assert len([path for path in heads(world) if path.count("/") == 1]) > 2
    assert set(heads(world).values()) == {HEADER}
    assert len(world.live("account")) == 8


def test_the_last_row_of_a_file_takes_its_header_along(styled: World) -> None:
    styled.source.delete("account", A)
    styled.sync()
    assert [path for path in heads(styled) if path.count("/") == 1] == ["account/2026-03.csv"]


def test_delete_rows_have_the_style_as_well() -> None:
    world = new_world(append_only=True)
    insert_account(world.source, "a")
    world.sync()
    world.source.delete("account", A)
    world.sync()
    last = world.live("account")[-1]
    assert (last["IsDelete"], last["SinkCreatedOn"]) == ("True", "2026-03-01T12:00:00Z")
    assert last["createdon"] == "2026-03-01T12:00:00.0000000Z"


@pytest.mark.parametrize("limit", [1 << 20, 400])
def test_a_first_sync_that_goes_on_has_one_header_in_each_file(limit: int) -> None:
    world = new_world()
    world.source.batch_size = 1
    world.settings = Settings(workers=1, progress_age=timedelta(0), part_limit=limit)
    for number in range(5):
        insert_account(world.source, f"row {number}")
    world.source.fail("account", Retriable("SRC001", "busy", after=1), at=3)
    world.sync()
    assert "_toolkit/account/progress.json" in world.paths("_toolkit/account")
    world.reopen()
    assert world.sync().failed == ()
    assert sorted(row["name"] for row in world.live("account")) == [f"row {number}" for number in range(5)]
    assert sum(world.text(path).count("SinkCreatedOn") for path in heads(world)) == len(heads(world))


@pytest.mark.parametrize(("before", "after"), [(Output(), STYLED), (STYLED, Output())])
def test_another_style_is_built_aside_and_taken_with_a_snapshot(before: Output, after: Output) -> None:
    world = new_world(before)
    insert_account(world.source, "a")
    world.sync()
    named = world.entity("account")
    world.configure(output=after)
    world.clock.forward(minutes=1)
    world.sync()
    assert world.entity("account") == named
    assert world.text("account/2026-03.csv").startswith("Id,") is after.header
    world.snapshot()
    (partition,) = world.entity("account")["partitions"]
    assert partition["fileFormatSettings"]["columnHeaders"] is after.header
    assert [row["name"] for row in world.named("account")] == ["a"]


def test_history_keeps_its_style() -> None:
    world = new_world(Output(), append_only=True)
    insert_account(world.source, "a")
    world.sync()
    before = world.text("account/2026.csv")
    world.configure(output=STYLED)
    (failed,) = world.sync().failed
    assert failed.error is not None
    assert (failed.error.code, world.text("account/2026.csv")) == ("ENG072", before)


def test_the_style_of_the_live_files_is_that_of_the_checkpoint(styled: World) -> None:
    checkpoint, _ = read_checkpoint(styled.lake, "account")
    assert checkpoint is not None
    assert (checkpoint.style.header, checkpoint.style.times) == (True, Times.ISO)


def test_incremental_folders_have_the_style_from_the_next_folder_on() -> None:
    world = new_world(Output(layout=Layout.INCREMENTAL))
    insert_account(world.source, "a")
    world.sync()
    world.configure(output=replace_layout(STYLED))
    world.clock.forward(hours=1)
    insert_account(world.source, "b")
    world.source.delete("account", A)
    world.sync()
    files = {path: world.text(path) for path in world.paths() if "/account/" in path}
    assert [text.startswith(f"{HEADER}\n") for text in files.values()] == [False, True, True]
    assert sorted(path.rpartition("/")[2] for path in files) == ["1900.csv", "2026.csv", "2026.csv"]
    assert "2026-03-01T13:00:00Z" in files["2026-03-01T12.00.01Z/account/1900.csv"]


def replace_layout(output: Output) -> Output:
    return output.model_copy(update={"layout": Layout.INCREMENTAL})
