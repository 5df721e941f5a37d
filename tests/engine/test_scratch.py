from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engine.entries import Entries, Ids, entries_of
from toolkit.engine.scratch import Scratch, SortedRun, buckets, stored


def entries(numbers: list[int]) -> Entries:
    ids: Ids = np.array([number.to_bytes(16, "big") for number in numbers], "S16")
    return entries_of(ids, np.full(len(numbers), 10), np.arange(len(numbers))).sorted()


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    with closing(Scratch(in_memory=50)) as scratch:
        yield scratch


def test_what_lies_in_scratch_is_read_back_from_memory_and_from_disk(scratch: Scratch) -> None:
    first, second = scratch.put(b"a" * 40), scratch.put(b"b" * 40)
    assert scratch.get(first.start + 38, 2) + scratch.get(second.start, second.length) == b"aa" + b"b" * 40


def test_a_range_of_a_sorted_run_has_its_columns(scratch: Scratch) -> None:
    run = stored(scratch, entries([5, 1, 3]))
    assert [int.from_bytes(each, "big") for each in run.ids().tolist()] == [1, 3, 5]
    some = run.between(1, 3)
    assert (some.offsets.tolist(), some.lengths.tolist(), some.versions.tolist()) == ([20, 0], [10, 10], [2, 0])


def ids_of(runs: list[SortedRun], places: tuple[tuple[int, int], ...]) -> list[bytes]:
    return [each for run, place in zip(runs, places, strict=True) for each in run.between(*place).ids.tolist()]


@given(st.lists(st.lists(st.integers(1, 40), max_size=30), min_size=1, max_size=4), st.integers(1, 50))
def test_all_entries_of_an_id_are_in_one_bucket(several: list[list[int]], most: int) -> None:
    with closing(Scratch()) as scratch:
        runs = [stored(scratch, entries(numbers)) for numbers in several]
        found = [set(ids_of(runs, bucket.places)) for bucket in buckets(runs, most)]
        held = [len(ids_of(runs, bucket.places)) for bucket in buckets(runs, most)]
    assert sum(held) == sum(map(len, several))
    assert sum(map(len, found)) == len(set().union(*found))


def test_a_bucket_holds_about_as_many_entries_as_it_may(scratch: Scratch) -> None:
    runs = [stored(scratch, entries(list(range(start, 20_000, 3)))) for start in (1, 2, 3)]
    sizes = [sum(stop - start for start, stop in bucket.places) for bucket in buckets(runs, 2_000)]
    assert len(sizes) == 10
    assert max(sizes) < 2_500


def test_a_bucket_knows_which_ids_are_its_own(scratch: Scratch) -> None:
    run = stored(scratch, entries(list(range(1, 9))))
    ids = entries([1, 2, 6, 7, 99]).ids
    parts = [ids[bucket.within(ids)].tolist() for bucket in buckets([run], 4)]
    assert [len(part) for part in parts] == [2, 3]
