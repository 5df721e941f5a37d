"""A pass that was stopped or killed goes on from where its progress was kept, and ends with the bytes it would have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from tests.engine.test_spool import month
from tests.engine.world import ACCOUNT, START, TEAM, Clock, World, attribute, insert_account, link, linked_entity
from toolkit.engine import Settings
from toolkit.engine.progress import progress_path, read_progress
from toolkit.engine.report import EntityProgress
from toolkit.engine.spool_log import TOMBSTONES, Block, blocks_from
from toolkit.errors import Retriable
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.entity import AttributeType
from toolkit.source.protocol import Batch, Cursor
from toolkit.source.scripted import ScriptedSource

PROGRESS = progress_path("account")
ALWAYS = Settings(workers=1, progress_age=timedelta(0))
"""Progress is kept after every batch."""
SMALL = Settings(workers=1, progress_age=timedelta(0), part_limit=300)
"""And a file is sealed when it holds two records."""


@dataclass
class Watched(ScriptedSource):
    """A source that notes from which cursors it was read."""

    def __init__(self, clock: Clock) -> None:
        super().__init__((ACCOUNT, TEAM), clock=clock, batch_size=1)
        self.read_from: list[Cursor | None] = []

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        self.read_from.append(after)
        return super().changes(entity, columns, after)


@dataclass
class Told:
    """Stops a pass after some batches, and remembers what was told of it."""

    batches: int = 0
    rows: list[int] = field(default_factory=list)

    def __call__(self, progress: EntityProgress) -> None:
        if progress.phase == "reading":
            self.rows.append(progress.rows)

    def stop(self) -> bool:
        return len(self.rows) >= self.batches


def fill(world: World, rows: int = 5) -> None:
    for number in range(rows):
        insert_account(world.source, f"row {number}", month(number % 2 + 1512))


def new_world(settings: Settings = ALWAYS) -> World:
    clock = Clock()
    return World(Watched(clock), MemoryLake(clock=clock), clock, link(linked_entity("account")), settings)


def stopped(world: World, batches: int) -> None:
    told = Told(batches)
    assert world.sync(progress=told, stop=told.stop).stopped


def read_from(world: World) -> list[Cursor | None]:
    assert isinstance(world.source, Watched)
    return world.source.read_from


@pytest.fixture
def half() -> World:
    """Three of five rows were read when the first sync was stopped."""
    world = new_world(Settings(workers=1))
    fill(world)
    stopped(world, 3)
    return world


def test_a_first_sync_that_was_stopped_goes_on_from_there(half: World) -> None:
    told = Told()
    assert half.sync(progress=told).by_entity["account"].written == 5
    # And then reads what came since, which is nothing.
    assert told.rows == [4, 5, 0]
    assert [cursor is None for cursor in read_from(half)] == [True, False, False]
    assert sorted(row["name"] for row in half.named("account")) == [f"row {number}" for number in range(5)]
    assert half.paths("_toolkit/staging") == []
    assert half.lake.stat(PROGRESS) is None


def test_the_files_are_those_of_the_time_at_which_it_began(half: World) -> None:
    half.clock.forward(hours=3)
    half.sync()
    assert {row["SinkCreatedOn"] for row in half.named("account")} == {"3/1/2026 12:00:00 PM"}


def test_a_source_that_fails_for_a_while_is_read_on_from_there() -> None:
    world = new_world(Settings(workers=1))
    fill(world)
    world.source.fail("account", Retriable("SRC009", "busy", after=1), at=3)
    assert [each.entity for each in world.sync().failed] == ["account"]
    told = Told()
    world.sync(progress=told)
    assert told.rows == [4, 5, 0]


def test_what_changed_since_a_stopped_read_began_is_read_behind_it(half: World) -> None:
    half.source.delete("account", "00000000-0000-0000-0000-000000000001")
    half.source.update("account", "00000000-0000-0000-0000-000000000005", name="changed")
    report = half.sync().by_entity["account"]
    assert sorted(row["name"] for row in half.live("account")) == ["changed", "row 1", "row 2", "row 3"]
    assert (report.written, report.deleted) == (5, 1)


def test_a_stop_before_the_first_batch_keeps_nothing() -> None:
    world = new_world()
    fill(world)
    stopped(world, 0)
    assert world.lake.stat(PROGRESS) is None


def test_progress_is_kept_after_so_many_bytes() -> None:
    world = new_world(Settings(workers=1, progress_bytes=300))
    fill(world)
    lake = world.reopen()
    world.sync()
    assert [call.operation for call in lake.calls if call.path == PROGRESS] == ["put", "put", "delete"]


def test_a_short_pass_writes_no_progress() -> None:
    world = new_world(Settings(workers=1))
    fill(world)
    lake = world.reopen()
    world.sync()
    assert [call for call in lake.calls if call.path == PROGRESS] == []


# what does not fit is thrown away


def anew(world: World) -> bool:
    """Whether the next sync reads from the beginning, and ends as it should."""
    before = len(read_from(world))
    assert world.sync().failed == ()
    assert sorted(row["name"] for row in world.named("account")) == [f"row {number}" for number in range(5)]
    assert (world.paths("_toolkit/staging"), world.lake.stat(PROGRESS)) == ([], None)
    return None in read_from(world)[before:]


def test_an_entity_that_is_linked_otherwise_is_read_anew(half: World) -> None:
    half.relink(linked_entity("account", append_only=True))
    assert anew(half)


def test_an_entity_with_other_columns_is_read_anew(half: World) -> None:
    more = (*ACCOUNT.attributes, attribute("fax", AttributeType.STRING, max_length=10))
    half.source.define(ACCOUNT.model_copy(update={"attributes": more}))
    assert anew(half)


def test_a_cursor_that_expired_is_read_anew(half: World) -> None:
    half.source.define(ACCOUNT)
    half.clock.forward(days=1)
    assert anew(half)
    assert {row["SinkCreatedOn"] for row in half.named("account")} == {"3/2/2026 12:00:00 PM"}


def test_an_entity_that_was_taken_off_and_linked_anew_is_read_anew(half: World) -> None:
    half.relink()
    half.sync()
    assert half.paths("_toolkit/staging") == []
    half.relink(linked_entity("account"))
    assert anew(half)


def staged(world: World) -> list[str]:
    return world.paths("_toolkit/staging")


def test_progress_that_cannot_be_read_stops_nothing(half: World) -> None:
    half.lake.put(PROGRESS, b'{"format": 9}', "any")
    assert anew(half)


@pytest.mark.parametrize("file", range(3))
@pytest.mark.parametrize("left", [None, 0, -1])
def test_a_kept_file_that_is_gone_or_shorter_stops_nothing(half: World, file: int, left: int | None) -> None:
    path = staged(half)[file]
    data = half.lake.read(path)
    half.lake.delete(path)
    if left is not None:
        half.lake.put(path, data[:left], "any")
    assert anew(half)


def test_a_kept_file_that_was_sealed_and_is_another_now_stops_nothing() -> None:
    world = new_world(SMALL)
    fill(world)
    stopped(world, 4)
    progress, _ = read_progress(world.lake, "account")
    assert progress is not None
    sealed = [file.path for file in progress.kept.files if file.etag]
    assert len(sealed) == 2
    world.lake.put(sealed[0], b"of a zombie", "any")
    assert anew(world)


@pytest.mark.parametrize("at", [0, 8, 16])
def test_a_log_that_is_damaged_stops_nothing(half: World, at: int) -> None:
    log = next(path for path in staged(half) if path.endswith(".log"))
    data = bytearray(half.lake.read(log))
    data[at : at + 8] = b"\xf0" * 8
    half.lake.put(log, bytes(data), "any")
    assert anew(half)


# other passes


def test_a_long_pass_of_changes_goes_on_with_its_tombstones() -> None:
    world = new_world(Settings(workers=1))
    fill(world)
    world.sync()
    ids = [f"00000000-0000-0000-0000-{number:012x}" for number in (1, 2, 3)]
    for row in ids:
        world.source.delete("account", row)
    insert_account(world.source, "late")
    stopped(world, 2)
    report = world.sync().by_entity["account"]
    assert (report.written, report.deleted) == (1, 3)
    assert sorted(row["name"] for row in world.live("account")) == ["late", "row 3", "row 4"]


def test_a_resync_goes_on_and_compares_with_all_that_was_read() -> None:
    world = new_world(Settings(workers=1))
    fill(world)
    world.sync()
    world.source.delete("account", "00000000-0000-0000-0000-000000000002")
    world.source.expire("account")
    stopped(world, 3)
    before = len(read_from(world))
    report = world.sync().by_entity["account"]
    assert (report.written, report.deleted) == (0, 1)
    assert all(read_from(world)[before:])
    assert sorted(row["name"] for row in world.live("account")) == ["row 0", "row 2", "row 3", "row 4"]


def test_append_only_rows_are_there_once_each() -> None:
    world = new_world(Settings(workers=1))
    world.relink(linked_entity("account", append_only=True))
    fill(world)
    for batches in (1, 1, 1):
        stopped(world, batches)
    world.sync()
    assert sorted(row["name"] for row in world.live("account")) == [f"row {number}" for number in range(5)]


def test_progress_that_another_engine_wrote_meanwhile_is_not_written_over() -> None:
    world = new_world()
    fill(world)

    def zombie(progress: EntityProgress) -> None:
        if progress.rows == 3:
            world.lake.put(PROGRESS, b"of the new one", "any")

    assert [each.error.code for each in world.sync(progress=zombie).failed if each.error] == ["LAK002"]
    assert world.lake.read(PROGRESS) == b"of the new one"


# crashes


@pytest.mark.parametrize("settings", [ALWAYS, SMALL], ids=["open files", "sealed files"])
@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_a_crash_in_any_call_leaves_no_trace_in_a_sync_that_is_kept(kind: Kind, settings: Settings) -> None:
    expected = new_world(settings)
    fill(expected)
    expected.sync()
    different = []
    for call in count(1):
        world = new_world(settings)
        fill(world)
        world.reopen().fail(call, kind)
        with suppress(Crashed):
            world.sync()
            break
        world.reopen()
        world.clock.now = START
        world.sync()
        if world.files() != expected.files() or staged(world) or world.lake.stat(PROGRESS):
            different.append(call)
    assert call > 50
    assert different == []


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_a_crash_in_any_call_leaves_no_trace_in_a_sync_that_goes_on(kind: Kind) -> None:
    different = []
    expected = new_world(SMALL)
    fill(expected)
    expected.sync()
    for call in count(1):
        world = new_world(SMALL)
        fill(world)
        stopped(world, 3)
        world.reopen().fail(call, kind)
        with suppress(Crashed):
            world.sync()
            break
        world.reopen()
        world.sync()
        if world.files() != expected.files() or staged(world) or world.lake.stat(PROGRESS):
            different.append(call)
    assert call > 30
    assert different == []


# the log


def test_a_log_gives_back_its_blocks_however_it_is_read() -> None:
    blocks = [Block(3, "2026-03", bytes(72)), Block(TOMBSTONES, "", bytes(36)), Block(4, "2026", b"")]
    data = b"".join(block.to_bytes() for block in blocks)
    for chunk in (1, 30, 1000):
        assert list(blocks_from(data[at : at + chunk] for at in range(0, len(data), chunk))) == blocks


@pytest.mark.parametrize("cut", [1, 24, 30])
def test_a_log_that_ends_within_a_block_is_none(cut: int) -> None:
    data = Block(3, "2026-03", bytes(36)).to_bytes()
    with pytest.raises(ValueError, match="within a block"):
        list(blocks_from([data[:cut]]))
