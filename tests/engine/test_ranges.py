from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engine.ranges import read_ranges
from toolkit.lake.memory import MemoryLake

DATA = bytes(range(256)) * 400


def read(*ranges: tuple[int, int]) -> list[bytes]:
    lake = MemoryLake()
    lake.put("x", DATA, "any")
    starts, ends = np.array(ranges, np.int64).reshape(-1, 2).T
    return [each.as_py() for each in read_ranges(lake, "x", starts, ends)]


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 300)), max_size=8))
def test_ranges_are_what_slices_are(pieces: list[tuple[int, int]]) -> None:
    lengths = np.array([length for piece in pieces for length in piece], np.int64)
    edges = np.cumsum(lengths).reshape(-1, 2).tolist()
    ranges = [(start, end) for start, end in edges if end < len(DATA)]
    assert read(*ranges) == [DATA[start:end] for start, end in ranges]


def test_a_range_beyond_the_end_is_cut_there() -> None:
    size = len(DATA)
    assert read((0, 2), (size - 3, size + 9), (size + 10, size + 20)) == [b"\x00\x01", DATA[-3:], b""]


def test_a_range_that_is_longer_than_a_block_is_read_at_once() -> None:
    lake = MemoryLake()
    lake.put("x", b"abcd" * (5 << 20), "any")
    starts, ends = np.array([1, 2 + (9 << 20)]), np.array([1 + (9 << 20), 6 + (9 << 20)])
    first, second = (each.as_py() for each in read_ranges(lake, "x", starts, ends))
    assert (len(first), first[:4], second) == (9 << 20, b"bcda", b"cdab")
