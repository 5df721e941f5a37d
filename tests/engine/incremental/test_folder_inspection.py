"""What an inspection finds, and what becomes of a lake that was copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.engine.incremental.folders import FolderWorld, new_world
from tests.engine.world import ORGANIZATION, insert_account, linked_entity
from toolkit.engine.incremental.inspection import folder_faults, key_faults
from toolkit.errors import Damaged
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import MemoryLake
from toolkit.source.protocol import Batch, Cursor
from toolkit.source.scripted import ScriptedSource

FIRST = "2026-03-01T12.00.00Z"


@pytest.fixture
def world() -> FolderWorld:
    made = new_world()
    insert_account(made.source, "row")
    made.sync()
    return made


def found(world: FolderWorld) -> list[tuple[str, str]]:
    return [(fault.path, fault.flaw.name) for fault in folder_faults(world.lake)]


def test_a_sound_lake_has_no_fault(world: FolderWorld) -> None:
    assert (found(world), list(key_faults(world.lake))) == ([], [])
    assert (list(folder_faults(MemoryLake())), list(key_faults(MemoryLake()))) == ([], [])


def test_every_fault_is_found(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.lake.delete("Changelog/Synapse.log")
    world.lake.put("Changelog/changelog.info", b"", "any")
    world.lake.put(f"{FIRST}/model.json", b"{", "any")
    world.lake.delete("2026-03-01T12.00.01Z/account/2026.csv")
    world.lake.put("2020-01-01T00.00.00Z/account/2026.csv", b"", "any")
    assert found(world) == [
        ("Changelog/Synapse.log", "HEAD"),
        ("Changelog/changelog.info", "HEAD"),
        (f"{FIRST}/model.json", "MODEL"),
        ("2026-03-01T12.00.01Z/account/2026.csv", "FILE"),
        ("2020-01-01T00.00.00Z", "STRANGER"),
    ]


@pytest.mark.parametrize("damage", [b"", b"{}".ljust(300), b"x" * 300])
def test_damaged_keys_are_found(world: FolderWorld, damage: bytes) -> None:
    world.lake.put("_toolkit/account/keys/1.keys", damage, "any")
    assert [error.code for error in key_faults(world.lake)] == ["ENG093"]


def crashed_after_the_commit(world: FolderWorld) -> MemoryLake:
    """The lake right after the record of a folder was written."""
    insert_account(world.source, "row")
    assert isinstance(world.lake, MemoryLake)
    calls = world.lake.fork()
    trial = FolderWorld(world.source, calls, world.clock, world.link)
    trial.sync()
    commit = [call.operation == "put" and call.path == "_toolkit/incremental.json" for call in calls.calls].index(True)
    lake = world.lake.fork()
    lake.fail(commit + 1, "after")
    with pytest.raises(BaseException, match="put"):
        FolderWorld(world.source, lake, world.clock, world.link).sync()
    return lake.fork()


def test_a_copy_of_a_lake_whose_files_have_other_etags_is_gone_on_with(world: FolderWorld) -> None:
    crashed, copy = crashed_after_the_commit(world), MemoryLake()
    for stat in list(crashed.list("")):
        copy.put(stat.path, crashed.read(stat.path), "any")
    moved = FolderWorld(world.source, copy, world.clock, world.link)
    assert moved.sync().folder is None
    assert len(moved.reader.rows("account")) == 2


def test_a_committed_file_that_is_gone_is_told(world: FolderWorld) -> None:
    lake = crashed_after_the_commit(world)
    for stat in list(lake.list("_toolkit/staging")):
        lake.delete(stat.path)
    with pytest.raises(Damaged) as error:
        FolderWorld(world.source, lake, world.clock, world.link).sync()
    assert error.value.code == "ENG097"


def test_a_removed_folder_leaves_no_empty_one_on_a_disk(world: FolderWorld, tmp_path: Path) -> None:
    world.lake, world.keep_days = FolderLake(tmp_path / "lake"), 1
    world.relink(linked_entity("account"))
    for _ in range(3):
        insert_account(world.source, "row")
        world.sync()
        world.clock.forward(days=2)
    tops = sorted(path.name for path in (tmp_path / "lake").iterdir())
    assert tops == ["2026-03-03T12.00.00Z", "2026-03-05T12.00.00Z", "Changelog", "_toolkit", "model.json"]


class Cut(ScriptedSource):
    """A source that ends before its last batch."""

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        return (batch for batch in super().changes(entity, columns, after) if not batch.final)


def test_rows_that_end_before_their_last_batch_are_no_pass(world: FolderWorld) -> None:
    cut = Cut(world.source.entities().values(), clock=world.clock, organization=ORGANIZATION)
    report = world.sync(cut)
    assert [each.error.code for each in report.failed if each.error] == ["ENG053", "ENG053"]
    assert report.folder is None
