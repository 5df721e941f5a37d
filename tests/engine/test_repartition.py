"""Another partition strategy: the live files are cut anew from their own bytes, and readers see it with a snapshot."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import ACCOUNT, START, Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine import Settings, status
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.index import read_index
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import Output, PartitionStrategy, Retention, Times
from toolkit.source.protocol import Batch, Cursor, Source

YEAR = linked_entity("account", partition_strategy=PartitionStrategy.YEAR)
MONTH = linked_entity("account", partition_strategy=PartitionStrategy.MONTH)
MONTHS = [(2024, 1), (2024, 12), (2025, 6), (2025, 7), (2026, 3)]
DATES = [datetime(year, month, 3, tzinfo=UTC) for year, month in MONTHS]


@dataclass
class Counting:
    """A source that counts the first syncs it is asked for."""

    behind: Source
    whole: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        self.whole += [entity] * (after is None)
        return self.behind.changes(entity, columns, after)


def world_of(entity: Any = MONTH, limit: int = 1 << 20, **how: Any) -> World:
    clock = Clock()
    settings = Settings(workers=1, part_limit=limit)
    return World(source_of(clock, ACCOUNT), MemoryLake(clock=clock), clock, link(entity, **how), settings)


def live(world: World) -> dict[str, list[str]]:
    """The names of the rows of each live file, in their order."""
    paths = [path for path in world.paths("account") if path.count("/") == 1]
    return {path: [row[4] for row in world.rows(path)] for path in paths}


def filled(entity: Any = MONTH, **how: Any) -> World:
    world = world_of(entity, **how)
    for number, date in enumerate(DATES):
        insert_account(world.source, f"a{number}", date)
    world.sync()
    world.clock.forward(minutes=10)
    return world


def test_months_become_years_without_reading_a_row_again() -> None:
    world = filled()
    world.relink(YEAR)
    source = Counting(world.source)
    report = world.sync(source)
    assert live(world) == {
        "account/2024.csv": ["a0", "a1"],
        "account/2025.csv": ["a2", "a3"],
        "account/2026.csv": ["a4"],
    }
    assert source.whole == []
    assert [(notice.code, notice.what) for notice in report.notices] == [
        ("ENG130", "the files of account are cut by Year now, and were by Month"),
    ]
    assert report.by_entity["account"].partitions == ("2024", "2025", "2026")


def test_years_become_months() -> None:
    world = filled(YEAR)
    world.relink(MONTH)
    source = Counting(world.source)
    world.sync(source)
    assert live(world) == {
        "account/2024-01.csv": ["a0"],
        "account/2024-12.csv": ["a1"],
        "account/2025-06.csv": ["a2"],
        "account/2025-07.csv": ["a3"],
        "account/2026-03.csv": ["a4"],
    }
    assert source.whole == []


def test_records_keep_their_bytes() -> None:
    world = filled()
    before = b"".join(world.lake.read(path) for path in live(world))
    world.relink(YEAR)
    world.sync()
    assert b"".join(world.lake.read(path) for path in live(world)) == before


def test_readers_keep_the_old_snapshots_until_the_next_one_is_due() -> None:
    world = filled()
    world.relink(YEAR)
    world.sync()
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == [
        "2024-01",
        "2024-12",
        "2025-06",
        "2025-07",
        "2026-03",
    ]
    assert sorted(row["name"] for row in world.named("account")) == ["a0", "a1", "a2", "a3", "a4"]
    world.clock.forward(minutes=50)
    world.sync()
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2024", "2025", "2026"]
    assert sorted(row["name"] for row in world.named("account")) == ["a0", "a1", "a2", "a3", "a4"]


def test_what_changed_meanwhile_comes_with_the_same_pass() -> None:
    world = filled()
    world.source.update("account", world.live("account")[0]["Id"], name="changed")
    insert_account(world.source, "new", DATES[2])
    world.relink(YEAR)
    report = world.sync().by_entity["account"]
    assert report.written == 2
    assert live(world) == {
        "account/2024.csv": ["a1", "changed"],
        "account/2025.csv": ["a2", "a3", "new"],
        "account/2026.csv": ["a4"],
    }


def test_a_stop_in_the_middle_leaves_the_old_files_and_nothing_staged() -> None:
    world = filled()
    before = live(world)
    world.relink(YEAR)
    world.sync(stop=iter([False] * 3 + [True] * 99).__next__)
    assert live(world) == before
    assert world.paths("_toolkit/staging") == []
    world.sync()
    assert list(live(world)) == ["account/2024.csv", "account/2025.csv", "account/2026.csv"]


@pytest.mark.parametrize(
    ("output", "limit"),
    [(Output(), 500), (Output(header=True, times=Times.ISO), 600)],
    ids=["service", "header, iso"],
)
def test_parts_are_limited_and_each_has_a_header_if_one_is_asked_for(output: Output, limit: int) -> None:
    world = world_of(limit=limit, output=output)
    for number in range(8):
        insert_account(world.source, f"a{number}", datetime(2025, 1 + number, 1, tzinfo=UTC))
    world.sync()
    world.relink(YEAR, output=output)
    world.sync()
    assert live(world) == {
        "account/2025.csv": ["a0", "a1", "a2"],
        "account/2025_001.csv": ["a3", "a4", "a5"],
        "account/2025_002.csv": ["a6", "a7"],
    }
    assert [world.text(path).startswith("Id,") for path in live(world)] == [output.header] * 3


def test_the_indexes_of_the_new_parts_are_those_that_a_scan_would_give() -> None:
    world = filled()
    world.relink(YEAR)
    world.sync()
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    for part in checkpoint.parts:
        assert read_index(world.lake.read(part.index), part.digest) is not None
        assert len(world.rows(part.path)) == part.rows
    assert {path.rsplit("/", 1)[1].split(".")[0] for path in world.paths("_toolkit/account/index")} == {
        "2024",
        "2025",
        "2026",
    }


def test_a_row_without_createdon_goes_to_the_first_month_of_its_year() -> None:
    world = world_of(YEAR)
    world.source.insert("account", name="dateless", createdon=None)
    world.sync()
    world.relink(MONTH)
    world.sync()
    assert live(world) == {"account/2026-01.csv": ["dateless"]}


def test_a_file_that_was_changed_by_another_program_is_made_good_on_the_way() -> None:
    world = filled()
    world.lake.put("account/2024-12.csv", b"nonsense\n", "any")
    world.relink(YEAR)
    report = world.sync().by_entity["account"]
    assert report.error is None
    assert [notice.code for notice in report.notices if notice.code != "ENG130"] != []
    assert sorted(name for names in live(world).values() for name in names) == ["a0", "a1", "a2", "a3", "a4"]
    assert list(live(world)) == ["account/2024.csv", "account/2025.csv", "account/2026.csv"]


def test_the_status_says_that_the_strategy_is_due_until_the_pass() -> None:
    world = filled()
    world.relink(YEAR)
    assert status(world.linked).entities[0].form_due == ("strategy",)
    world.sync()
    assert status(world.linked).entities[0].form_due == ()
    world.relink(linked_entity("account", append_only=True))
    assert status(world.linked).entities[0].form_due == ("mode",)


def test_an_entity_that_is_read_whole_is_cut_at_once_and_not_when_its_time_has_come() -> None:
    clock = Clock()
    plain = ACCOUNT.model_copy(update={"change_tracking": False, "can_track": False})
    world = World(source_of(clock, plain), MemoryLake(clock=clock), clock, link(MONTH))
    insert_account(world.source, "a", DATES[0])
    world.sync()
    world.relink(YEAR)
    world.sync()
    assert live(world) == {"account/2024.csv": ["a"]}


def test_snapshots_of_months_go_once_five_newer_ones_were_made_of_the_years() -> None:
    world = filled()
    world.relink(YEAR)
    for number in range(6):
        insert_account(world.source, f"b{number}", START)
        world.clock.forward(minutes=90)
        world.sync()
    kept = [path for path in world.paths("account") if "/Snapshot/" in path]
    assert [path for path in kept if path.startswith("account/Snapshot/2024-")] == []
    assert [path for path in kept if path.startswith("account/Snapshot/2024_")] != []
    world.require_readable()


def test_with_keep_days_they_stay_that_long() -> None:
    world = filled()
    world.relink(YEAR)
    world.configure(snapshots=Retention(keep=1, keep_days=1))
    for _ in range(3):
        insert_account(world.source, "b", START)
        world.clock.forward(minutes=90)
        world.sync()
    assert [path for path in world.paths("account") if path.startswith("account/Snapshot/2024-")] != []


ROWS = st.lists(st.tuples(st.sampled_from(DATES), st.text('a",\n\u00e9', max_size=4)), max_size=12)


@given(ROWS, ROWS, st.sampled_from([300, 900, 1 << 20]), st.sampled_from([YEAR, MONTH]))
@settings(max_examples=40, deadline=None)
def test_whatever_rows_there_are_none_is_lost_and_none_is_there_twice(
    before: list[tuple[datetime, str]], after: list[tuple[datetime, str]], limit: int, first: Any
) -> None:
    world = world_of(first, limit)
    for date, name in before:
        insert_account(world.source, name, date)
    world.sync()
    world.relink(MONTH if first is YEAR else YEAR)
    for date, name in after:
        insert_account(world.source, name, date)
    world.clock.forward(minutes=61)
    assert world.sync().failed == ()
    length = 7 if first is YEAR else 4
    expected = sorted((date.strftime("%Y-%m")[:length], name) for date, name in (*before, *after))
    found = [(path.removeprefix("account/")[:length], row[4]) for path in live(world) for row in rows(world, path)]
    assert sorted(found) == expected
    assert sorted(row["name"] for row in world.named("account")) == sorted(name for _, name in expected)


def rows(world: World, path: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(world.text(path), newline="")))
