"""An index is read as little as it needs, and never trusted before its digest was checked."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tests.engine.test_index import ids
from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine.checkpoint import Checkpoint, Part, Remove, read_checkpoint
from toolkit.engine.index import HEADER_BYTES
from toolkit.engine.indexes import Indexes
from toolkit.engine.lookup import Lookup
from toolkit.lake.memory import MemoryLake

MAY = datetime(2025, 5, 1, tzinfo=UTC)


class Reads(MemoryLake):
    """A lake that counts the bytes that are read of indexes."""

    count = 0

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        data = super().read(path, start, length)
        self.count += len(data) if path.endswith(".idx") else 0
        return data


@pytest.fixture
def lake() -> Reads:
    clock = Clock()
    lake = Reads(clock=clock)
    world = World(source_of(clock), lake, clock, link(linked_entity("account")))
    for number in range(4):
        insert_account(world.source, f"row {number}", MAY)
    world.sync()
    return lake


def checkpoint(lake: Reads) -> Checkpoint:
    found, _ = read_checkpoint(lake, "account")
    assert found is not None
    return found


def part(lake: Reads) -> Part:
    return checkpoint(lake).parts[0]


def versions(indexes: Indexes, lake: Reads, *numbers: int) -> list[int]:
    wanted = Lookup(ids(*numbers))
    found: list[int] = indexes.entries_of(part(lake), checkpoint(lake).columns, wanted).versions.tolist()
    return found


def test_of_an_index_without_a_wanted_id_only_the_ids_are_read_and_checked_once(lake: Reads) -> None:
    indexes = Indexes(lake)
    assert versions(indexes, lake, 9) == []
    assert lake.count == HEADER_BYTES + 4 * 16
    lake.count = 0
    assert versions(indexes, lake, 9) == []
    assert lake.count == 4 * 16


def test_an_index_with_a_wanted_id_is_read_whole_once_and_then_only_its_ids(lake: Reads) -> None:
    indexes = Indexes(lake)
    assert versions(indexes, lake, 1, 3) == [1, 3]
    lake.count = 0
    assert versions(indexes, lake, 9) == []
    assert lake.count == 4 * 16


def test_a_damaged_offset_is_found_where_its_row_is_wanted(lake: Reads) -> None:
    data = bytearray(lake.read(part(lake).index))
    data[HEADER_BYTES + 4 * 16] ^= 1
    lake.put(part(lake).index, bytes(data), "any")
    indexes = Indexes(lake)
    assert versions(indexes, lake, 9) == []
    found = indexes.entries_of(part(lake), checkpoint(lake).columns, Lookup(ids(1, 2, 3, 4)))
    assert np.diff(found.ends).tolist() == found.lengths[1:].tolist()


def test_an_index_that_this_session_wrote_need_not_be_checked(lake: Reads) -> None:
    indexes = Indexes(lake)
    indexes.follow(checkpoint(lake).pending)
    lake.count = 0
    assert versions(indexes, lake, 9) == []
    assert lake.count == 4 * 16


def test_what_a_commit_removed_is_forgotten(lake: Reads) -> None:
    indexes = Indexes(lake)
    versions(indexes, lake, 1)
    assert indexes.good(part(lake)) != ""
    indexes.follow([Remove(path=part(lake).index)])
    assert indexes.good(part(lake)) == ""


def test_a_damaged_id_does_not_hide_a_row(lake: Reads) -> None:
    data = bytearray(lake.read(part(lake).index))
    data[HEADER_BYTES + 15] = 77
    lake.put(part(lake).index, bytes(data), "any")
    assert versions(Indexes(lake), lake, 1) == [1]


def test_an_index_that_is_damaged_later_is_checked_again(lake: Reads) -> None:
    indexes = Indexes(lake)
    versions(indexes, lake, 1)
    lake.put(part(lake).index, b"x" * len(lake.read(part(lake).index)), "any")
    assert versions(indexes, lake, 1, 2) == [1, 2]


def test_a_missing_index_is_made_up_for_by_a_scan(lake: Reads) -> None:
    lake.delete(part(lake).index)
    found = Indexes(lake).entries(part(lake), checkpoint(lake).columns)
    assert np.diff(found.ends).tolist() == found.lengths[1:].tolist()
    assert len(found) == 4
