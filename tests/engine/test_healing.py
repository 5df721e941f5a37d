"""Damage is found, made good and told; readers keep what they have until all rows are there again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import pytest

from tests.engine.test_recovery import PART, change_without_snapshot
from tests.engine.world import ACCOUNT, Clock, World, attribute, insert_account, link, linked_entity, source_of
from toolkit.engine import SyncReport, status
from toolkit.errors import Forbidden
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.config import LinkedEntity, Output
from toolkit.model.entity import AttributeType
from toolkit.model.link import EntityState

A, B = (f"00000000-0000-0000-0000-{number:012x}" for number in (1, 2))
OLD = datetime(2025, 5, 1, tzinfo=UTC)
SNAPSHOT = "account/Snapshot/2026-03_1772366400.csv"


def new_world(entity: LinkedEntity | None = None) -> World:
    clock = Clock()
    return World(source_of(clock), MemoryLake(clock=clock), clock, link(entity or linked_entity("account")))


def filled(entity: LinkedEntity | None = None) -> World:
    world = new_world(entity)
    for name in "ab":
        insert_account(world.source, name)
    insert_account(world.source, "old", OLD)
    world.sync()
    # A later commit, of the cursor alone, no longer asks for the files of the first one.
    world.clock.forward(days=2)
    world.sync()
    return world


@pytest.fixture
def world() -> World:
    return filled()


@pytest.fixture
def appended() -> World:
    """History: the second version of a, a delete row for b; then a commit without files."""
    world = filled(linked_entity("account", append_only=True))
    world.source.update("account", A, name="a again")
    world.source.delete("account", B)
    world.clock.forward(days=2)
    world.sync()
    world.clock.forward(days=2)
    world.sync()
    return world


def told(report: SyncReport) -> list[str]:
    return [notice.code for notice in report.notices]


def live(world: World) -> list[str]:
    return sorted(row["name"] for row in world.live("account"))


def spoil(world: World, path: str = PART, data: bytes = b"spoiled") -> None:
    world.lake.put(path, data, "any")


def touch(world: World) -> None:
    """Change a row, so that the next pass has to do with its part."""
    world.source.update("account", A, name="c")


def unsnapshotted(world: World) -> None:
    """Leave a change that no snapshot holds, and a commit after it that asks for no file."""
    touch(world)
    world.sync()
    change_without_snapshot(world)


def without_snapshot(world: World) -> World:
    world.lake.delete(SNAPSHOT)
    return world


def commit_of() -> int:
    """The number of the call that commits the next pass, found in a twin."""
    twin = filled()
    insert_account(twin.source, "c")
    lake = twin.reopen()
    twin.sync()
    return [call.operation for call in lake.calls].index("put") + 1


# a live file


def test_a_damaged_live_file_is_made_again_of_its_snapshot(world: World) -> None:
    spoil(world)
    touch(world)
    report = world.sync()
    assert (report.failed, told(report)) == ((), ["ENG006"])
    assert report.notices[0].what == f"{PART} was damaged or gone, and was made again of {SNAPSHOT}"
    assert report.by_entity["account"].written == 1
    assert live(world) == ["b", "c", "old"]


def test_one_that_is_gone_is_made_again_as_well(world: World) -> None:
    world.lake.delete(PART)
    touch(world)
    assert told(world.sync()) == ["ENG006"]
    assert live(world) == ["b", "c", "old"]


@pytest.mark.parametrize("data", [b"spoiled", b"", None])
def test_one_without_a_snapshot_is_read_anew_and_nothing_else_is_written(world: World, data: bytes | None) -> None:
    without_snapshot(world)
    touch(world)
    world.lake.delete(PART)
    if data is not None:
        spoil(world, data=data)
    report = world.sync()
    assert (report.failed, told(report)) == ((), ["ENG007"])
    assert report.by_entity["account"].partitions == ("2026-03",)
    assert report.by_entity["account"].written == 2
    assert live(world) == ["b", "c", "old"]
    assert sorted(row["name"] for row in world.named("account")) == ["b", "c", "old"]


def test_its_rows_are_gone_for_good_when_the_source_has_none_of_them(world: World) -> None:
    without_snapshot(world)
    spoil(world)
    for row in (A, B):
        world.source.delete("account", row)
    assert told(world.sync()) == ["ENG007"]
    assert [path for path in world.paths("account") if path.count("/") == 1] == ["account/2025-05.csv"]
    assert [row["name"] for row in world.named("account")] == ["old"]


def test_readers_keep_what_they_have_until_all_rows_are_there_again(world: World) -> None:
    unsnapshotted(world)
    before = world.entity("account")
    spoil(world)
    touch(world)
    world.source.batch_size = 1
    for at in (2, 0):
        world.source.fail("account", Forbidden("SRC010", "no"), at=at)
        assert [each.error.code for each in world.sync().failed if each.error] == ["SRC010"]
    assert world.entity("account") == before
    assert world.snapshot().entities == ()
    assert status(world.linked).manifest_current
    assert world.entity("account") == before
    report = world.sync()
    assert told(report) == ["ENG007"]
    assert sorted(row["name"] for row in world.named("account")) == ["b", "c", "c", "old"]


def test_a_healing_does_not_tell_of_an_earlier_one_again(world: World) -> None:
    spoil(world)
    touch(world)
    world.sync()
    world.clock.forward(hours=1)
    world.lake.put("_toolkit/account/checkpoint.json", b"{", "any")
    world.sync()
    world.clock.forward(hours=1)
    spoil(world)
    touch(world)
    assert told(world.sync()) == ["ENG006"]
    assert len(status(world.linked).entities[0].healed) == 2


def test_the_status_tells_of_it_for_a_day(world: World) -> None:
    spoil(world)
    touch(world)
    world.sync()
    assert [each.code for each in status(world.linked).entities[0].healed] == ["ENG006"]
    world.clock.forward(days=2)
    assert told(world.sync()) == []
    assert status(world.linked).entities[0].healed == ()


def test_a_snapshot_that_meets_damage_fails_and_the_next_pass_heals_it(world: World) -> None:
    unsnapshotted(world)
    before = world.entity("account")
    spoil(world)
    assert [each.error.code for each in world.snapshot().failed if each.error] == ["ENG041"]
    assert world.entity("account") == before
    report = world.sync()
    assert (report.failed, told(report)) == ((), ["ENG007"])
    assert sorted(row["name"] for row in world.named("account")) == ["b", "c", "c", "old"]
    world.require_readable()


@pytest.mark.parametrize("stray", [None, b"of a zombie"])
def test_a_commit_whose_files_are_lost_is_read_anew(world: World, stray: bytes | None) -> None:
    insert_account(world.source, "c")
    world.reopen().fail(commit_of(), "after")
    with pytest.raises(Crashed):
        world.sync()
    world.reopen()
    before = world.manifest()
    for stat in world.lake.list("_toolkit/staging"):
        world.lake.delete(stat.path)
    if stray is not None:
        spoil(world, data=stray)
    assert [each.error.code for each in world.snapshot().failed if each.error] == ["ENG042"]
    assert world.manifest() == before
    report = world.sync()
    assert (report.failed, told(report)) == ((), ["ENG007"])
    assert live(world) == ["a", "b", "c", "old"]


# history


def test_history_whose_file_is_damaged_is_made_again_of_its_snapshot(appended: World) -> None:
    before = appended.rows("account/2026.csv")
    spoil(appended, "account/2026.csv")
    touch(appended)
    assert told(appended.sync()) == ["ENG006"]
    assert appended.rows("account/2026.csv")[: len(before)] == before


def test_every_record_that_can_be_read_is_kept(appended: World) -> None:
    """Without its last snapshot and its index: what is behind the damage comes from the file, the first from an older
    snapshot."""
    appended.lake.delete(newest(appended))
    appended.lake.delete(next(path for path in appended.paths("_toolkit/account/index") if "/2026." in path))
    data = appended.lake.read("account/2026.csv")
    spoil(appended, "account/2026.csv", data[40:].replace(b"True", b"Tru"))
    touch(appended)
    report = appended.sync()
    assert told(report) == ["ENG008"]
    assert "1 of 4 rows of partition 2026 are lost" in report.notices[0].what
    rows = [(row["Id"], row["name"], row["IsDelete"]) for row in appended.live("account") if row["name"] != "old"]
    assert sorted(rows) == [(A, "a", ""), (A, "a again", ""), (A, "c", ""), (B, "", "True"), (B, "b", "")]


def newest(world: World) -> str:
    return max(world.paths("account/Snapshot"), key=lambda path: path.rpartition("_")[2])


def without_snapshots(world: World) -> None:
    for path in world.paths("account/Snapshot"):
        world.lake.delete(path)
    touch(world)


def test_an_intact_index_finds_records_behind_a_line_feed_that_is_gone(appended: World) -> None:
    without_snapshots(appended)
    data = appended.lake.read("account/2026.csv")
    spoil(appended, "account/2026.csv", data.replace(b"\n", b" ", 1))
    report = appended.sync()
    assert "1 of 4 rows" in report.notices[0].what
    assert [row["name"] for row in appended.live("account") if row["Id"] == B] == ["b", ""]


def test_history_of_which_nothing_is_left_begins_anew(appended: World) -> None:
    without_snapshots(appended)
    appended.lake.delete("account/2026.csv")
    report = appended.sync()
    assert "4 of 4 rows of partition 2026 are lost" in report.notices[0].what
    assert [row["name"] for row in appended.live("account")] == ["old", "c"]


def test_a_file_that_is_written_anew_keeps_its_header() -> None:
    world = new_world(linked_entity("account", append_only=True))
    world.configure(output=Output(header=True))
    for name in "ab":
        insert_account(world.source, name)
    world.sync()
    head = world.text("account/2026.csv").splitlines()[0]
    without_snapshots(world)
    spoil(world, "account/2026.csv", world.lake.read("account/2026.csv")[:-5])
    assert told(world.sync()) == ["ENG008"]
    lines = world.text("account/2026.csv").splitlines()
    assert (lines[0], lines.count(head), len(lines)) == (head, 1, 4)


# crashes


def damage_without_snapshot(world: World) -> None:
    without_snapshot(world)
    spoil(world)
    touch(world)


def damage(world: World) -> None:
    spoil(world)
    touch(world)


def damage_history(world: World) -> None:
    world.lake.delete("account/Snapshot/2026_1772366400.csv")
    data = world.lake.read("account/2026.csv")
    spoil(world, "account/2026.csv", data[: data.index(b"\n") + 20])
    touch(world)


IN_PLACE, APPEND_ONLY = linked_entity("account"), linked_entity("account", append_only=True)
DAMAGES: list[tuple[LinkedEntity, Callable[[World], None]]] = [
    (IN_PLACE, damage),
    (IN_PLACE, damage_without_snapshot),
    (APPEND_ONLY, damage_history),
]


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
@pytest.mark.parametrize(("entity", "harm"), DAMAGES)
def test_a_crash_in_any_call_of_a_healing_leaves_no_trace(
    entity: LinkedEntity, harm: Callable[[World], None], kind: Kind
) -> None:
    expected = filled(entity)
    harm(expected)
    expected.sync()
    different = []
    for call in count(1):
        world = filled(entity)
        harm(world)
        world.reopen().fail(call, kind)
        with suppress(Crashed):
            world.sync()
            break
        world.reopen()
        require_listed(world)
        world.sync()
        if world.files() != expected.files() or world.paths("_toolkit/staging"):
            different.append(call)
    assert call > 20
    assert different == []


def require_listed(world: World) -> None:
    """What the manifest names is there, but for the snapshot that the test took away."""
    paths = [each["location"].removeprefix("memory://lake/") for each in world.entity("account")["partitions"]]
    gone = [path for path in paths if world.lake.stat(path) is None]
    assert set(gone) <= {SNAPSHOT, "account/Snapshot/2026_1772366400.csv"}


# a checkpoint

CHECKPOINT = "_toolkit/account/checkpoint.json"


def lose(world: World, data: bytes | None = None) -> None:
    world.lake.delete(CHECKPOINT)
    if data is not None:
        spoil(world, CHECKPOINT, data)


LOSSES = [(None, "gone"), (b"{", "damaged"), (b'{"format": 1}', "damaged")]


@pytest.mark.parametrize(("data", "how"), LOSSES)
def test_a_checkpoint_is_made_anew_of_the_files_and_only_what_changed_is_written(
    world: World, data: bytes | None, how: str
) -> None:
    lose(world, data)
    touch(world)
    before = world.lake.stat("account/2025-05.csv")
    report = world.sync()
    assert (report.failed, told(report)) == ((), ["ENG033"])
    assert report.notices[0].what == f"the checkpoint of account was {how}, and was made anew of its files, with 3 rows"
    assert (report.by_entity["account"].written, report.by_entity["account"].partitions) == (1, ("2026-03",))
    assert world.lake.stat("account/2025-05.csv") == before
    assert sorted(row["name"] for row in world.named("account")) == ["b", "c", "old"]
    assert world.sync().by_entity["account"].written == 0


def test_the_rows_of_a_checkpoint_that_is_made_anew_are_counted_in_thousands(world: World) -> None:
    for number in range(997):
        world.source.insert("account", name=str(number))
    world.sync()
    lose(world)
    assert world.sync().notices[0].what.endswith("was made anew of its files, with 1,000 rows")


def test_the_status_says_that_a_checkpoint_is_gone_and_what_makes_it_anew(world: World) -> None:
    lose(world)
    (found,) = [each for each in status(world.linked).entities if each.entity == "account"]
    assert found.state is EntityState.FAILED
    assert found.reason == "ENG035 the checkpoint of account is gone; the next sync makes it anew"
    world.sync()
    assert [each.reason for each in status(world.linked).entities if each.entity == "account"] == [""]


@pytest.mark.parametrize("data", [None, b"{"])
def test_readers_keep_what_they_have_while_a_checkpoint_is_made_anew(world: World, data: bytes | None) -> None:
    before = world.entity("account")
    lose(world, data)
    world.source.fail("account", Forbidden("SRC010", "no"))
    assert [each.error.code for each in world.sync().failed if each.error] == ["SRC010"]
    assert world.entity("account") == before
    world.require_readable()
    assert told(world.sync()) == ["ENG033"]
    world.require_readable()


def test_a_snapshot_alone_makes_no_checkpoint_anew_and_leaves_readers_what_they_have(world: World) -> None:
    before = world.manifest()
    lose(world)
    assert [each.error.code for each in world.snapshot().failed if each.error] == ["ENG035"]
    assert world.manifest() == before


def test_live_files_that_are_damaged_too_are_read_anew(world: World) -> None:
    lose(world)
    spoil(world)
    report = world.sync()
    assert told(report) == ["ENG033", "ENG007"]
    assert report.by_entity["account"].written == 2
    assert live(world) == ["a", "b", "old"]


def test_without_model_json_readers_get_the_entity_once_it_is_whole(world: World) -> None:
    lose(world)
    world.lake.delete("model.json")
    assert told(world.sync()) == ["ENG033"]
    assert sorted(row["name"] for row in world.named("account")) == ["a", "b", "old"]


def test_history_is_kept_when_its_checkpoint_is_gone(appended: World) -> None:
    before = appended.rows("account/2026.csv")
    lose(appended)
    touch(appended)
    report = appended.sync()
    assert told(report) == ["ENG033"]
    assert appended.rows("account/2026.csv")[:-1] == before
    assert report.by_entity["account"].written == 1


def test_history_whose_file_is_damaged_too_is_kept_as_far_as_it_can_be_read(appended: World) -> None:
    lose(appended)
    data = appended.lake.read("account/2026.csv")
    spoil(appended, "account/2026.csv", data[20:])
    report = appended.sync()
    assert told(report) == ["ENG033", "ENG008"]
    assert "an unknown number of rows of partition 2026" in report.notices[1].what
    assert sorted(row["name"] for row in appended.live("account")) == ["", "a", "a again", "b", "old"]


def test_history_is_never_taken_for_rows_in_place(appended: World) -> None:
    lose(appended)
    appended.relink(linked_entity("account"))
    before = appended.rows("account/2026.csv")
    assert [each.error.code for each in appended.sync().failed if each.error] == ["ENG034"]
    assert appended.rows("account/2026.csv") == before
    appended.require_readable()


def test_an_id_in_two_parts_is_there_once_afterwards(world: World) -> None:
    record = world.lake.read(PART).splitlines(keepends=True)[0]
    spoil(world, "account/2025-05.csv", world.lake.read("account/2025-05.csv") + record)
    lose(world)
    assert told(world.sync()) == ["ENG033", "ENG007"]
    assert live(world) == ["a", "b", "old"]


def test_columns_that_readers_do_not_know_yet_are_found_in_the_files(world: World) -> None:
    more = (*ACCOUNT.attributes, attribute("fax", AttributeType.STRING, max_length=10))
    touch(world)
    world.sync()
    world.source.define(ACCOUNT.model_copy(update={"attributes": more}))
    world.sync()
    assert "fax" not in world.columns("account")
    lose(world)
    report = world.sync()
    assert (told(report)[0], report.by_entity["account"].written) == ("ENG033", 0)
    assert world.columns("account")[-1] == "fax"
    world.require_readable()


@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_crash_in_any_call_leaves_no_trace_while_a_checkpoint_is_made_anew(kind: Kind) -> None:
    expected = filled()
    lose(expected)
    touch(expected)
    expected.sync()
    different = []
    for call in count(1):
        world = filled()
        lose(world)
        touch(world)
        world.reopen().fail(call, kind)
        with suppress(Crashed):
            world.sync()
            break
        world.reopen()
        world.require_readable()
        world.sync()
        if world.files() != expected.files() or world.paths("_toolkit/staging"):
            different.append(call)
    assert call > 20
    assert different == []
