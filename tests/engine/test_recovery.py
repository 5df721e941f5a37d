"""What is missing or damaged is made good where it can be, and said where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.world import START, Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings, SyncReport, status
from toolkit.engine.checkpoint import checkpoint_path, read_checkpoint
from toolkit.lake.memory import Call, Crashed, MemoryLake
from toolkit.model.config import Retention

PART = "account/2026-03.csv"
INDEX = "_toolkit/account/index/2026-03.1.idx"


@pytest.fixture
def synced(world: World) -> World:
    insert_account(world.source, "a")
    insert_account(world.source, "b")
    world.sync()
    return world


@pytest.fixture
def settled(synced: World) -> World:
    """A later commit, of the cursor alone, no longer asks for the files of the first one."""
    synced.clock.forward(days=2)
    synced.sync()
    return synced


@pytest.mark.parametrize("damage", [lambda _: None, lambda data: data[:-1], lambda data: b"{}" + data[2:]])
def test_an_index_that_is_missing_or_damaged_is_made_anew_by_a_scan(synced: World, damage: object) -> None:
    data = damage(synced.lake.read(INDEX))  # type: ignore[operator]  # lambda of the table
    synced.lake.delete(INDEX)
    if data is not None:
        synced.lake.put(INDEX, data, "any")
    synced.source.update("account", "00000000-0000-0000-0000-000000000001", name="c")
    assert synced.sync().failed == ()
    assert [row[4] for row in synced.rows(PART)] == ["b", "c"]


def test_one_damaged_offset_in_an_index_neither_drops_a_row_nor_repeats_one(synced: World) -> None:
    data = bytearray(synced.lake.read(INDEX))
    second = 512 + 2 * 16 + 8
    data[second : second + 8] = bytes(8)
    synced.lake.put(INDEX, bytes(data), "any")
    insert_account(synced.source, "c")
    assert synced.sync().failed == ()
    assert [row[4] for row in synced.rows(PART)] == ["a", "b", "c"]


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda data: data[:-1] + b",\n",
    lambda data: data.splitlines(keepends=True)[0],
    lambda data: data.replace(b"00000000-0000-0000-0000-00000000000", b"x" * 35),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=["another program's", "other rows", "no ids"])
@pytest.mark.parametrize("index", [True, False])
def test_a_part_that_is_not_what_was_written_is_not_spliced(
    settled: World, damage: Callable[[bytes], bytes], *, index: bool
) -> None:
    if not index:
        settled.lake.delete(INDEX)
    settled.lake.put(PART, damage(settled.lake.read(PART)), "any")
    settled.source.update("account", "00000000-0000-0000-0000-000000000001", name="c")
    assert [notice.code for notice in settled.sync().notices] == ["ENG006"]
    assert [row[4] for row in settled.rows(PART)] == ["b", "c"]


NEWER = b'{"format": 2}'


def test_a_checkpoint_of_a_newer_format_fails_its_entity_alone_and_is_left_as_it_is(synced: World) -> None:
    before = synced.entity("account")
    synced.lake.put(checkpoint_path("account"), NEWER, "any")
    synced.relink(linked_entity("account"), linked_entity("teammembership"))
    reports = synced.sync().by_entity
    assert [each.error.code if each.error else each.state.value for each in reports.values()] == ["ENG032", "Completed"]
    assert synced.entity("account") == before
    assert synced.lake.read(checkpoint_path("account")) == NEWER
    states = {each.entity: (each.state.value, each.reason[:6]) for each in status(synced.linked).entities}
    assert states == {"account": ("Failed", "ENG032"), "teammembership": ("Completed", "")}
    assert status(synced.linked).manifest_current is True


@pytest.mark.parametrize("data", [b"{", b'{"format": 1}'])
def test_the_status_says_of_a_checkpoint_that_it_cannot_be_read(synced: World, data: bytes) -> None:
    synced.lake.put(checkpoint_path("account"), data, "any")
    assert [(each.state.value, each.reason[:6]) for each in status(synced.linked).entities] == [("Failed", "ENG031")]


def test_no_staged_file_is_removed_while_a_checkpoint_cannot_be_read(synced: World) -> None:
    committed_but_not_published(synced)
    checkpoint, _ = read_checkpoint(synced.lake, "account")
    synced.lake.put(checkpoint_path("account"), b'{"format": 2}', "any")
    synced.sync()
    assert checkpoint is not None
    synced.lake.put(checkpoint_path("account"), checkpoint.model_dump_json().encode(), "any")
    assert synced.sync().failed == ()
    assert len(synced.rows(PART)) == 3


def begin_anew(world: World) -> SyncReport:
    """Take the account off the link and link it again."""
    world.relink()
    assert world.sync().retired == ("account",)
    assert world.manifest()["entities"] == []
    world.relink(linked_entity("account"))
    return world.sync()


def test_an_entity_whose_checkpoint_cannot_be_read_begins_anew_once_it_was_taken_off(synced: World) -> None:
    synced.lake.put(checkpoint_path("account"), b"{", "any")
    synced.sync()
    assert begin_anew(synced).by_entity["account"].written == 2
    assert len(synced.named("account")) == 2
    assert synced.paths("_kept")[0] == "_kept/account/20260301T120000Z/2026-03.csv"


def test_an_entity_of_a_newer_format_is_not_retired(synced: World) -> None:
    before = synced.manifest()
    synced.lake.put(checkpoint_path("account"), b'{"format": 2}', "any")
    synced.relink()
    assert synced.sync().retired == ()
    assert (synced.manifest(), len(synced.rows(PART))) == (before, 2)


def committed_but_not_published(world: World) -> None:
    """Let the engine die right after its commit."""
    insert_account(world.source, "c")
    lake = world.reopen()
    lake.fail(first_put(), "after")
    with pytest.raises(Crashed, match="put memory"):
        world.sync()
    world.reopen()


def first_put() -> int:
    """The number of the call that commits the pass, found in a twin of the world."""
    twin = new_world()
    insert_account(twin.source, "a")
    insert_account(twin.source, "b")
    twin.sync()
    insert_account(twin.source, "c")
    lake = twin.reopen()
    twin.sync()
    return [call.operation for call in lake.calls].index("put") + 1


def test_what_was_committed_is_published_by_the_next_engine(synced: World) -> None:
    committed_but_not_published(synced)
    assert len(synced.rows(PART)) == 2
    assert synced.sync().by_entity["account"].written == 0
    assert len(synced.rows(PART)) == 3


def test_a_snapshot_after_a_crash_removes_what_the_last_commit_left_behind() -> None:
    world = new_world()
    emptied(world)
    lake = world.reopen()
    world.sync()
    tidying = lake.calls.index(Call("delete", PART)) + 1

    world = new_world()
    emptied(world)
    world.reopen().fail(tidying, "before")
    with pytest.raises(Crashed):
        world.sync()
    world.reopen()
    world.snapshot()
    assert [path for path in world.paths("account") if path.count("/") == 1] == ["account/2025-05.csv"]


def new_world() -> World:
    clock = Clock()
    return World(source_of(clock), MemoryLake(clock=clock), clock, link(linked_entity("account")))


def emptied(world: World) -> None:
    """Leave a part without rows to the next pass."""
    key = insert_account(world.source, "new")
    insert_account(world.source, "old", datetime(2025, 5, 1, tzinfo=UTC))
    world.sync()
    world.source.delete("account", key)


def test_a_stray_file_in_the_place_of_a_committed_one_is_replaced(synced: World) -> None:
    committed_but_not_published(synced)
    synced.lake.put(PART, b"of a zombie", "any")
    synced.sync()
    assert [row[4] for row in synced.rows(PART)] == ["a", "b", "c"]


def test_a_manifest_that_cannot_be_read_is_written_anew(synced: World) -> None:
    before = synced.manifest()
    synced.lake.put("model.json", b"{", "any")
    assert status(synced.linked).manifest_current is False
    synced.sync()
    assert synced.manifest() == before


def test_a_status_file_that_cannot_be_read_is_written_anew(synced: World) -> None:
    synced.lake.put("_toolkit/status.json", b"{", "any")
    assert status(synced.linked).entities[0].last_synced == START
    synced.sync()
    assert b'"synced"' in synced.lake.read("_toolkit/status.json")


# snapshots


def test_a_snapshot_holds_only_parts_that_changed_and_its_second_never_goes_back(synced: World) -> None:
    synced.source.update("account", "00000000-0000-0000-0000-000000000001", name="c")
    synced.sync()
    assert synced.snapshot().by_entity["account"].snapshots == ("account/Snapshot/2026-03_1772366401.csv",)
    assert synced.snapshot().entities == ()


def test_a_snapshot_that_is_gone_is_made_again_of_its_part(synced: World) -> None:
    insert_account(synced.source, "old", datetime(2025, 5, 1, tzinfo=UTC))
    synced.sync()
    synced.snapshot()
    synced.lake.delete("account/Snapshot/2026-03_1772366400.csv")
    report = synced.snapshot().by_entity["account"]
    assert report.snapshots == ("account/Snapshot/2026-03_1772366402.csv",)
    assert [row["name"] for row in synced.named("account")] == ["old", "a", "b"]
    assert synced.snapshot().entities == ()
    assert status(synced.linked).entities[0].snapshots == len(synced.paths("account/Snapshot")) == 2


def change_without_snapshot(world: World) -> None:
    """Commit a change, and then a cursor alone, so that nothing is pending; no snapshot holds the change yet."""
    world.settings = Settings(workers=1, cursor_age=timedelta(minutes=1))
    insert_account(world.source, "c")
    world.sync()
    world.clock.forward(minutes=2)
    world.sync()


def test_a_snapshot_that_fails_leaves_readers_what_they_have_and_stops_no_other(synced: World) -> None:
    synced.relink(linked_entity("account"), linked_entity("teammembership"))
    synced.sync()
    synced.source.insert("teammembership", teamid="00000000-0000-0000-0000-0000000000ff")
    change_without_snapshot(synced)
    before = synced.entity("account")
    synced.lake.put(PART, b"spoiled", "any")
    report = synced.snapshot()
    assert [(each.entity, each.error and each.error.code) for each in report.entities] == [
        ("account", "ENG041"),
        ("teammembership", None),
    ]
    assert synced.entity("account") == before


def test_five_snapshots_are_kept_and_none_that_a_reader_may_be_at(synced: World) -> None:
    for hours in range(1, 8):
        synced.clock.forward(hours=1)
        synced.source.update("account", "00000000-0000-0000-0000-000000000001", name=f"at {hours}")
        synced.sync()
    synced.clock.forward(minutes=5)
    assert len(synced.paths("account/Snapshot")) == 5
    assert synced.named("account")[1]["name"] == "at 7"


def test_a_snapshot_beyond_the_number_stays_for_an_hour(synced: World) -> None:
    synced.configure(snapshots=Retention(keep=1))
    for minutes in (0, 59, 2):
        synced.clock.forward(minutes=minutes)
        synced.source.update("account", "00000000-0000-0000-0000-000000000001", name=f"at {minutes}")
        synced.sync()
        synced.snapshot()
    assert synced.paths("account/Snapshot") == [
        "account/Snapshot/2026-03_1772366401.csv",
        "account/Snapshot/2026-03_1772369940.csv",
        "account/Snapshot/2026-03_1772370060.csv",
    ]


def test_with_days_every_younger_snapshot_stays_too(synced: World) -> None:
    synced.configure(snapshots=Retention(keep=1, keep_days=1))
    for hour in range(30):
        synced.clock.forward(hours=1)
        synced.source.update("account", "00000000-0000-0000-0000-000000000001", name=f"at {hour}")
        synced.sync()
    times = sorted(int(path[-14:-4]) for path in synced.paths("account/Snapshot"))
    now = int(synced.clock.now.timestamp())
    assert times == [now - 3600 * hours for hours in reversed(range(24))]


# the lock


def test_the_fence_is_above_that_of_every_checkpoint_though_the_lock_was_deleted(synced: World) -> None:
    for _ in range(3):
        synced.sync()
    insert_account(synced.source, "c")
    synced.sync()
    checkpoint, _ = read_checkpoint(synced.lake, "account")
    assert checkpoint is not None
    assert checkpoint.fence == 5
    lake = MemoryLake("without its locks", clock=synced.clock)
    for stat in synced.lake.list(""):
        lake.put(stat.path, synced.lake.read(stat.path), "any")
    synced.lake = lake
    insert_account(synced.source, "d")
    assert synced.sync().failed == ()
    checkpoint, _ = read_checkpoint(synced.lake, "account")
    assert checkpoint is not None
    assert checkpoint.fence == 6
