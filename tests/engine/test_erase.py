"""An erased row is in no file of the lake, everything else is as it was, and whatever dies, doing it again ends it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import (
    ACCOUNT,
    HOLDER,
    TEAM,
    Clock,
    World,
    attribute,
    crashes,
    insert_account,
    link,
    linked_entity,
)
from toolkit.engine.checkpoint import checkpoint_path, read_checkpoint
from toolkit.engine.erase import Erased, erase
from toolkit.engine.index import CHUNK
from toolkit.engine.opening import WRITER_LOCK
from toolkit.engine.pins import pin
from toolkit.engine.search import search
from toolkit.errors import Damaged, Forbidden, Locked, Refused, ToolkitError
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import ABSENT, Lake
from toolkit.model.entity import AttributeType
from toolkit.source.scripted import ScriptedSource

OLD = datetime(2025, 5, 1, tzinfo=UTC)
GONE = "5f0c2b1a-9d3e-4c77-8a10-00000000e0f0"
"""The row that is erased."""
OTHER, LATE = (f"00000000-0000-0000-0000-{number:012x}" for number in (1, 2))
"""Another one of its month, and one of another month."""

TOLD = ACCOUNT.model_copy(
    update={"attributes": (*ACCOUNT.attributes, attribute("parentid", AttributeType.LOOKUP, targets=("account",)))}
)


def new_world(lake: Lake | None = None, **how: bool) -> World:
    """Accounts, with everything that a lake may hold of a row."""
    clock = Clock()
    source = ScriptedSource((TOLD, TEAM), clock=clock)
    return World(source, lake or MemoryLake(clock=clock), clock, link(linked_entity("account", **how)))


def fill(world: World) -> None:
    """Let a lake hold a row in kept data, older snapshots, two pins, the named snapshot, live files and history."""
    insert_account(world.source, "gone", OLD, accountid=GONE)
    insert_account(world.source, "other", OLD)
    insert_account(world.source, "late")
    world.sync()
    kept = world.link.config.entities
    world.relink()
    world.sync()
    world.relink(*kept)
    world.sync()
    pin(world.lake, "first", clock=world.clock, holder=HOLDER)
    for name in ("changed", "changed again"):
        world.clock.forward(hours=2)
        world.source.update("account", GONE, name=name)
        world.source.update("account", OTHER, name=f"beside {name}")
        world.sync()
    pin(world.lake, "second", clock=world.clock, holder=HOLDER)
    world.clock.forward(minutes=1)
    world.source.update("account", GONE, name="not in a snapshot yet")
    world.sync()


def do(world: World, row_id: str = GONE) -> Erased:
    return erase(world.linked, world.source, "account", row_id, clock=world.clock, holder=HOLDER)


@pytest.fixture(params=[False, True], ids=["in place", "append-only"])
def filled(request: pytest.FixtureRequest) -> World:
    world = new_world(append_only=request.param)
    fill(world)
    return world


def others(world: World) -> dict[str, list[list[str]]]:
    """The rows of every CSV file that are not the erased one, by path; a file without any is none."""
    paths = [path for path in world.paths() if path.endswith(".csv")]
    rows = {path: [row for row in world.rows(path) if row[0] != GONE] for path in paths}
    return {path: found for path, found in rows.items() if found}


def holding(world: World) -> list[str]:
    """Every file that has the id, in text or in bytes: looked for in another way than the erasure does."""
    needles = (GONE.encode(), UUID(GONE).bytes)
    files = {stat.path: world.lake.read(stat.path) for stat in world.lake.list("")}
    return [path for path, data in files.items() if any(needle in data for needle in needles)]


def read_pin(world: World, name: str) -> list[str]:
    """The names of the accounts that a reader of a pin finds."""
    (account,) = json.loads(world.lake.read(f"_pins/{name}/model.json"))["entities"]
    head = world.lake.location("x").removesuffix("x")
    paths = [each["location"].removeprefix(head) for each in account["partitions"]]
    return sorted(row[4] for path in paths for row in world.rows(path))


def test_the_world_of_these_tests_holds_the_row_everywhere(filled: World) -> None:
    kinds = {path.split("/")[0] for path in holding(filled)} | {path.rpartition(".")[2] for path in holding(filled)}
    assert kinds == {"account", "_kept", "_pins", "_toolkit", "csv", "idx"}
    assert len([path for path in holding(filled) if path.startswith("account/Snapshot/")]) >= 3


def test_an_erased_row_is_in_no_file_and_the_search_says_so(filled: World) -> None:
    erased = do(filled)
    assert holding(filled) == []
    assert (erased.after.occurrences, erased.after.references) == (0, 0)
    assert erased.after.files == len(list(filled.lake.list("")))
    assert erased.before.occurrences > 8


def test_every_other_row_stays_in_every_file(filled: World) -> None:
    before = others(filled)
    do(filled)
    after = others(filled)
    moved = {path for path in before if path.startswith("_pins/")}
    assert {path: rows for path, rows in after.items() if path in before.keys() - moved} == {
        path: rows for path, rows in before.items() if path not in moved
    }


def test_readers_of_the_manifest_and_of_pins_find_clean_files(filled: World) -> None:
    do(filled)
    assert GONE not in {row["Id"] for row in filled.named("account")}
    assert read_pin(filled, "first") == ["late", "other"]
    assert "beside changed again" in read_pin(filled, "second")
    assert "changed again" not in read_pin(filled, "second")


def test_the_engine_goes_on_and_the_row_stays_away(filled: World) -> None:
    do(filled)
    filled.source.delete("account", GONE)
    filled.source.update("account", OTHER, name="later")
    filled.clock.forward(hours=2)
    assert filled.sync().failed == ()
    filled.source.expire("account")
    assert filled.sync().failed == ()
    assert holding(filled) == []
    assert "later" in {row["name"] for row in filled.named("account")}


def test_the_index_of_a_clean_file_is_its_own(filled: World) -> None:
    do(filled)
    reads = [call for call in filled.reopen().calls if call.operation == "read"]
    filled.source.update("account", OTHER, name="later")
    assert filled.sync().failed == ()
    assert reads == []


def test_a_row_that_the_source_still_has_comes_back_with_its_next_change() -> None:
    world = new_world()
    fill(world)
    assert do(world).in_source is True
    world.source.update("account", GONE, name="back")
    world.sync()
    assert holding(world) != []


def test_the_source_says_that_the_row_is_gone_or_cannot_tell(filled: World) -> None:
    filled.source.delete("account", GONE)
    assert do(filled).in_source is False
    filled.source.drop("account")
    assert do(filled).in_source is None


def test_a_second_erasure_finds_nothing_and_changes_nothing(filled: World) -> None:
    do(filled)
    before = {stat.path: stat.etag for stat in filled.lake.list("")}
    again = do(filled)
    assert (again.before.own, again.after.occurrences) == ((), 0)
    assert {stat.path: stat.etag for stat in filled.lake.list("")} == before


def test_the_only_row_of_a_file_takes_the_file_along(filled: World) -> None:
    do(filled, LATE)
    assert [path for path in filled.paths() if "2026-03" in path] == []
    assert filled.sync().failed == ()


def test_a_deleted_row_leaves_the_delete_log() -> None:
    world = new_world()
    world.configure(write_delete_log=True)
    insert_account(world.source, "gone", accountid=GONE)
    insert_account(world.source, "other")
    world.sync()
    for row in (GONE, OTHER):
        world.source.delete("account", row)
    world.sync()
    assert "_deleted/account/2026-03.csv" in holding(world)
    do(world)
    assert holding(world) == []
    assert [row[0] for row in world.rows("_deleted/account/2026-03.csv")] == [OTHER]
    more = insert_account(world.source, "more")
    world.sync()
    world.source.delete("account", more)
    assert world.sync().failed == ()
    assert [row[0] for row in world.rows("_deleted/account/2026-03.csv")] == [OTHER, more]


def test_other_rows_that_refer_to_it_are_left_and_counted() -> None:
    world = new_world()
    insert_account(world.source, "gone", accountid=GONE)
    insert_account(world.source, "child", parentid=GONE)
    world.sync()
    erased = do(world)
    assert (erased.after.occurrences, erased.after.references) == (0, 3)
    assert [row["name"] for row in world.named("account")] == ["child"]


def test_a_row_of_another_entity_with_the_same_id_stays() -> None:
    world = new_world()
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    insert_account(world.source, "gone", accountid=GONE)
    world.source.insert("teammembership", teammembershipid=GONE)
    world.sync()
    erased = do(world)
    assert (erased.after.occurrences, len(world.live("teammembership"))) == (0, 1)
    assert erased.after.references > 0


def test_what_a_stopped_first_sync_has_read_is_read_again() -> None:
    world = new_world()
    insert_account(world.source, "gone", accountid=GONE)
    insert_account(world.source, "other")
    world.source.batch_size = 1
    world.settings = replace(world.settings, progress_bytes=1)
    world.source.fail("account", Forbidden("SRC002", "not now"), at=1)
    world.sync()
    assert "_toolkit/account/progress.json" in world.paths("_toolkit/account")
    assert len(holding(world)) > 1
    world.source.delete("account", GONE)
    do(world)
    assert holding(world) == []
    assert world.sync().failed == ()
    assert [row["name"] for row in world.named("account")] == ["other"]


def test_the_id_leaves_the_reason_of_a_failure() -> None:
    world = new_world()
    insert_account(world.source, "a")
    world.sync()
    world.source.fail("account", Forbidden("SRC002", f"the row {GONE} may not be read"))
    world.sync()
    assert "_toolkit/status.json" in holding(world)
    do(world)
    assert holding(world) == []


def test_what_cannot_be_erased_is_an_error(filled: World) -> None:
    filled.lake.put("notes.txt", f"{GONE.upper()} is a good customer".encode(), ABSENT)
    with pytest.raises(Damaged) as caught:
        do(filled)
    assert (caught.value.code, "notes.txt" in caught.value.what) == ("ENG087", True)
    assert holding(filled) == []


def test_a_file_that_somebody_changed_is_not_written_over(filled: World) -> None:
    (path,) = [path for path in filled.paths("account") if path.startswith("account/2025")]
    filled.lake.put(path, filled.lake.read(path) * 2, "any")
    with pytest.raises(ToolkitError) as caught:
        do(filled)
    assert caught.value.code == "ENG041"


def test_an_entity_whose_rows_are_read_anew_is_synced_first(filled: World) -> None:
    checkpoint, etag = read_checkpoint(filled.lake, "account")
    assert checkpoint is not None
    missing = checkpoint.model_copy(update={"cursor": None, "snapshot_at": None})
    filled.lake.put(checkpoint_path("account"), missing.model_dump_json().encode(), etag)
    with pytest.raises(Refused) as caught:
        do(filled)
    assert caught.value.code == "ENG089"
    assert filled.sync().failed == ()
    do(filled)
    assert holding(filled) == []


def test_a_writer_at_work_hinders_an_erasure(filled: World) -> None:
    filled.lake.lock(WRITER_LOCK, HOLDER)
    with pytest.raises(Locked):
        do(filled)
    assert len(holding(filled)) > 5


def test_an_entity_that_was_taken_off_is_erased_from_what_was_kept(filled: World) -> None:
    filled.relink()
    filled.sync()
    do(filled)
    assert holding(filled) == []
    assert filled.paths("_kept") != []


def test_on_a_folder_each_name_of_a_file_is_replaced(tmp_path: Path) -> None:
    world = new_world(FolderLake(tmp_path))
    fill(world)
    do(world)
    assert [
        path for path in tmp_path.rglob("*") if path.is_file() and GONE in path.read_bytes().decode("latin-1")
    ] == []
    assert read_pin(world, "first") == ["late", "other"]


def test_a_lake_that_was_moved_loses_no_pin(tmp_path: Path) -> None:
    world = new_world(FolderLake(tmp_path / "old"))
    fill(world)
    (tmp_path / "old").rename(tmp_path / "new")
    world.lake = FolderLake(tmp_path / "new")
    do(world)
    assert holding(world) == []
    assert read_pin(world, "first") == ["late", "other"]


def test_a_pin_whose_manifest_is_damaged_is_not_touched(filled: World) -> None:
    filled.lake.put("_pins/first/model.json", b"{", "any")
    with pytest.raises(Damaged) as caught:
        do(filled)
    assert caught.value.code == "ENG086"
    assert len(filled.paths("_pins/first/account")) == 2


# --- whatever dies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("append_only", [False, True], ids=["in place", "append-only"])
def test_an_erasure_that_was_cut_off_is_ended_by_the_next(append_only: bool) -> None:
    whole = new_world(append_only=append_only)
    fill(whole)
    number = 0
    for number, world in crashes(whole, do):
        # Readers of both manifests find every file that they name.
        names = {row["name"] for row in world.named("account")}
        assert "beside changed again" in names, number
        assert {"other", "late"} <= set(read_pin(world, "first")), number
        if number % 2:
            world.sync()
        do(world)
        assert holding(world) == [], number
        assert world.paths("_toolkit/staging") == [], number
    assert number > 100


# --- searching ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([GONE, GONE.upper(), OTHER, '"', ",", "\n", f"\n{GONE},", f'"{GONE},"']), max_size=12))
def test_a_search_counts_what_a_plain_search_counts(pieces: list[str]) -> None:
    text = "".join(pieces)
    lake = MemoryLake()
    lake.put("account/2026.csv", text.encode(), ABSENT)
    found = search(lake, "account", GONE)
    plain = text.count(GONE) + text.count(GONE.upper())
    assert (
        sum(each.others for each in found.own)
        + sum(
            text[begin:end].count(GONE) + text[begin:end].count(GONE.upper())
            for each in found.own
            for begin, end in each.records
        )
        == plain
    )
    assert all(text[begin:end].startswith(GONE) for each in found.own for begin, end in each.records)


def test_an_id_across_two_chunks_is_found() -> None:
    lake = MemoryLake()
    lake.put("notes.txt", b" " * (CHUNK - 10) + GONE.encode(), ABSENT)
    lake.put("raw.bin", b" " * (2 * CHUNK - 3) + UUID(GONE).bytes, ABSENT)
    assert [found.others for found in search(lake, "account", GONE).own] == [1, 1]
