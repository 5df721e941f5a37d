"""A row is erased from incremental folders: readers find whole folders at every instant, and the row in none."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.engine.incremental.folders import FolderWorld, new_world
from tests.engine.world import HOLDER, crashes, insert_account, linked_entity
from toolkit.engine.erase import Erased, erase
from toolkit.errors import Damaged
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Lake
from toolkit.model.config import Output

GONE = "5f0c2b1a-9d3e-4c77-8a10-00000000e0f0"
OTHER = "00000000-0000-0000-0000-000000000001"


def filled(output: Output | None = None, lake: Lake | None = None) -> FolderWorld:
    """Folders in which a row came, changed and went, beside another one; and one in which it came alone, and again."""
    world = new_world(linked_entity("account"))
    world.lake = lake or world.lake
    if output is not None:
        world.configure(output=output.model_copy(update={"layout": world.link.config.output.layout}))
    insert_account(world.source, "gone", accountid=GONE)
    insert_account(world.source, "other")
    world.sync()
    for name in ("changed", "alone"):
        world.clock.forward(hours=1)
        world.source.update("account", GONE, name=name)
        if name == "changed":
            world.source.update("account", OTHER, name="other still")
        world.sync()
    world.clock.forward(hours=1)
    world.source.delete("account", GONE)
    world.sync()
    world.clock.forward(hours=1)
    insert_account(world.source, "again", accountid=GONE)
    world.sync()
    return world


def do(world: FolderWorld) -> Erased:
    return erase(world.linked, world.source, "account", GONE, clock=world.clock, holder=HOLDER)


def holding(world: FolderWorld) -> list[str]:
    files = {stat.path: world.lake.read(stat.path) for stat in world.lake.list("")}
    return [path for path, data in files.items() if GONE.encode() in data or UUID(GONE).bytes in data]


@pytest.mark.parametrize("output", [None, Output(header=True)], ids=["plain", "header"])
def test_an_erased_row_is_in_no_folder_and_in_no_key(output: Output | None) -> None:
    world = filled(output)
    assert {path.rpartition(".")[2] for path in holding(world)} == {"csv", "keys"}
    erased = do(world)
    assert (holding(world), erased.after.occurrences, len(erased.before.own) >= 6) == ([], 0, True)
    if output is None:
        assert {key: row["name"] for key, row in world.reader.rows("account").items()} == {OTHER: "other still"}


def test_a_folder_whose_files_held_nothing_else_lists_the_entity_without_any() -> None:
    world = filled()
    alone = world.reader.folders[2]
    do(world)
    assert world.reader.model(alone)["account"]["partitions"] == []
    assert [name for folder in world.reader.folders for name in world.reader.files(folder, "account")] == [
        "2026_001",
        "2026_001",
    ]


def test_the_next_folders_go_on_as_if_the_row_had_never_been() -> None:
    world = filled()
    do(world)
    world.clock.forward(hours=1)
    world.source.delete("account", GONE)
    world.source.update("account", OTHER, name="later")
    assert world.sync().failed == ()
    world.source.expire("account")
    world.clock.forward(hours=1)
    assert world.sync().failed == ()
    assert holding(world) == []
    assert world.reader.rows("account")[OTHER]["name"] == "later"


def test_folders_of_a_lake_that_was_moved_keep_their_other_rows(tmp_path: Path) -> None:
    world = filled(lake=FolderLake(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    world.lake = FolderLake(tmp_path / "new")
    do(world)
    assert holding(world) == []
    assert world.reader.rows("account").keys() == {OTHER}


def test_a_row_that_is_in_every_run_leaves_the_keys_that_it_was_not_in_alone() -> None:
    world = new_world(linked_entity("account"))
    for number in range(9):
        insert_account(world.source, f"row {number}")
    world.sync()
    world.clock.forward(hours=1)
    insert_account(world.source, "gone", accountid=GONE)
    world.sync()
    first, second = world.paths("_toolkit/account/keys")
    before = world.lake.read(first)
    do(world)
    assert (world.paths("_toolkit/account/keys"), world.lake.read(first)) == ([first], before)
    assert second not in holding(world)


def test_a_folder_that_cannot_name_clean_files_is_an_error() -> None:
    world = filled()
    world.lake.put(f"{world.reader.folders[0]}/model.json", b"{", "any")
    with pytest.raises(Damaged) as caught:
        do(world)
    assert caught.value.code == "ENG088"


def test_an_erasure_that_was_cut_off_is_ended_by_the_next() -> None:
    number = 0
    for number, world in crashes(filled(), do):
        named = [
            world.lake.stat(f"{folder}/account/{partition['name']}.csv")
            for folder in world.reader.folders
            for partition in world.reader.model(folder)["account"]["partitions"]
        ]
        assert None not in named, number
        if number % 5 == 0:
            assert world.sync().failed == (), number
        do(world)
        assert holding(world) == [], number
        assert world.reader.rows("account").keys() == {OTHER}, number
    assert number > 60
