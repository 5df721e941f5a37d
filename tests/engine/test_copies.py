"""A lake that was copied, restored or moved to another disk has other etags, and goes on by itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.test_recovery import change_without_snapshot, committed_but_not_published
from tests.engine.world import World, insert_account, linked_entity
from toolkit.engine import status
from toolkit.engine.checkpoint import checkpoint_path, read_checkpoint
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import Crashed, MemoryLake
from toolkit.lake.protocol import Lake

PART = "account/2026-03.csv"
A = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def synced(world: World) -> World:
    insert_account(world.source, "a")
    insert_account(world.source, "b")
    world.sync()
    return world


def copy(world: World, *without: str) -> MemoryLake:
    """Go on with a copy of the lake, and return it."""
    lake = MemoryLake("copy", clock=world.clock)
    for stat in world.lake.list(""):
        if stat.path not in without:
            lake.put(stat.path, world.lake.read(stat.path), "any")
    world.lake = lake
    return lake


def reads_of_parts(lake: MemoryLake) -> int:
    return sum(call.operation == "read" and call.path.endswith(".csv") for call in lake.calls)


def names(world: World) -> list[str]:
    return [row["name"] for row in world.named("account")]


STATUS = "_toolkit/status.json"
"""Without it the engine does not know which steps of a commit were done."""


@pytest.mark.parametrize(("without", "reads"), [("", 0), (STATUS, 4)], ids=["steps done", "steps in doubt"])
def test_a_copy_is_read_once_where_that_is_needed_and_then_known(synced: World, without: str, reads: int) -> None:
    lake = copy(synced, without)
    assert synced.sync().failed == ()
    assert reads_of_parts(lake) == reads
    lake = synced.reopen()
    assert synced.sync().failed == ()
    assert reads_of_parts(lake) == 0
    assert status(synced.linked).manifest_current is True
    assert synced.entity("account")["partitions"][0]["location"].startswith("memory://copy/")


@pytest.mark.parametrize("without", ["", STATUS], ids=["steps done", "steps in doubt"])
def test_changes_after_the_copy_are_spliced_into_it(synced: World, without: str) -> None:
    copy(synced, without)
    synced.source.update("account", A, name="c")
    assert synced.sync().by_entity["account"].written == 1
    synced.snapshot()
    assert names(synced) == ["b", "c"]


def test_what_was_not_published_when_the_copy_was_made_is_published(synced: World) -> None:
    committed_but_not_published(synced)
    copy(synced)
    assert synced.sync().failed == ()
    assert [row[4] for row in synced.rows(PART)] == ["a", "b", "c"]
    assert synced.paths("_toolkit/staging") == []


def test_a_copy_without_its_snapshots_makes_them_again(synced: World) -> None:
    lake = copy(synced, STATUS, *synced.paths("account/Snapshot"))
    assert synced.sync().failed == ()
    assert names(synced) == ["a", "b"]
    assert lake.stat("account/Snapshot/2026-03_1772366400.csv") is not None


def test_a_change_that_no_snapshot_holds_yet_is_snapshot_from_the_copy(synced: World) -> None:
    change_without_snapshot(synced)
    copy(synced)
    assert synced.snapshot().failed == ()
    assert names(synced) == ["a", "b", "c"]


def test_a_crash_in_any_call_while_a_copy_is_taken_over_leaves_no_trace(synced: World) -> None:
    committed_but_not_published(synced)
    original = synced.lake
    calls = copied_and_synced(synced, original)
    expected = {path: synced.lake.read(path) for path in synced.paths()}
    for call in range(1, calls + 1):
        copied_and_synced(synced, original, call)
        assert {path: synced.lake.read(path) for path in synced.paths()} == expected
        assert synced.paths("_toolkit/staging") == []


def copied_and_synced(world: World, original: Lake, dies: int | None = None) -> int:
    """Copy the lake and sync it, in a second try where the first one dies. Return the calls of the first one."""
    world.lake = original
    copy(world)
    lake = world.reopen()
    if dies is not None:
        lake.fail(dies, "before")
        with pytest.raises(Crashed):
            world.sync()
        world.reopen()
    world.sync()
    return len(lake.calls)


@pytest.mark.parametrize("size", [0, 1], ids=["same size", "other size"])
def test_a_part_of_a_copy_that_holds_something_else_is_said(synced: World, size: int) -> None:
    lake = copy(synced, STATUS)
    lake.put(PART, lake.read(PART).replace(A.encode(), b"x" * 36) + b"\n" * size, "any")
    assert [each.error.code for each in synced.snapshot().failed if each.error] == ["ENG042"]
    assert [notice.code for notice in synced.sync().notices] == ["ENG006"]
    assert names(synced) == ["a", "b"]


def test_an_entity_that_cannot_go_on_is_retired_and_begins_anew(synced: World) -> None:
    copy(synced, STATUS, PART)
    assert [each.error.code for each in synced.snapshot().failed if each.error] == ["ENG042"]
    synced.relink()
    assert synced.sync().retired == ("account",)
    synced.relink(linked_entity("account"))
    assert synced.sync().by_entity["account"].written == 2
    assert names(synced) == ["a", "b"]


@pytest.mark.parametrize("keeps_times", [True, False])
def test_a_folder_can_be_copied_with_or_without_its_times(world: World, tmp_path: Path, *, keeps_times: bool) -> None:
    first = replace(world, lake=FolderLake(tmp_path / "first"))
    insert_account(world.source, "a")
    first.sync()
    shutil.copytree(tmp_path / "first", tmp_path / "second", copy_function=shutil.copy2 if keeps_times else shutil.copy)
    second = replace(world, lake=FolderLake(tmp_path / "second"))
    world.source.update("account", A, name="b")
    assert second.sync().failed == ()
    second.snapshot()
    assert names(second) == ["b"]


def test_taking_a_copy_over_is_a_commit_like_any_other(synced: World) -> None:
    lake = copy(synced, STATUS)
    synced.sync()
    checkpoint, _ = read_checkpoint(lake, "account")
    assert checkpoint is not None
    assert (checkpoint.seq, checkpoint.pending) == (2, ())
    stat = lake.stat(PART)
    assert stat is not None
    assert checkpoint.parts[0].etag == stat.etag
    assert [call.path for call in lake.calls if call.operation == "put"].count(checkpoint_path("account")) == 2
