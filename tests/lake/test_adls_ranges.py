from hypothesis import given
from hypothesis import strategies as st

from toolkit.lake.adls.ranges import Ranges

SIZE = 200
Lists = tuple[list[int], list[int]]


@st.composite
def ranges(draw: st.DrawFn) -> Lists:
    places = sorted(draw(st.lists(st.integers(0, SIZE), max_size=20)))
    places = places[: len(places) // 2 * 2]
    return places[::2], places[1::2]


def taken(data: bytes, lists: Lists) -> bytes:
    return b"".join(data[start:end] for start, end in zip(*lists, strict=True))


@given(ranges(), st.integers(0, 30), st.integers(1, 40), st.integers(0, SIZE))
def test_stretches_cover_the_ranges_as_far_as_the_file_goes(lists: Lists, near: int, most: int, size: int) -> None:
    data = bytes(range(SIZE))[:size]
    wanted = Ranges.of(*lists)
    stretches = list(wanted.stretches(near, most))
    assert all(0 < behind - begin <= most for begin, behind in stretches)
    assert b"".join(wanted.picked(data[begin:behind], begin) for begin, behind in stretches) == taken(data, lists)


@given(ranges(), st.integers(1, 40))
def test_runs_hold_the_ranges_in_order_and_long_ones_alone(lists: Lists, least: int) -> None:
    wanted = Ranges.of(*lists)
    runs = list(wanted.runs(least))
    assert [start for _, part in runs for start in part.starts] == wanted.starts
    assert [end for _, part in runs for end in part.ends] == wanted.ends
    for long, part in runs:
        lengths = [end - start for start, end in zip(part.starts, part.ends, strict=True)]
        assert len(part) == 1 if long else lengths
        assert all((length >= least) is long for length in lengths)


def test_ranges_that_touch_are_one_and_empty_ones_none() -> None:
    joined = Ranges.of([0, 3, 5, 5, 9], [3, 5, 5, 7, 9])
    assert (joined.starts, joined.ends, joined.end, len(joined)) == ([0], [7], 7, 1)
    assert Ranges.of([], []).end == 0


def test_near_ranges_are_read_as_one() -> None:
    assert list(Ranges.of([0, 20, 500], [10, 30, 510]).stretches(near=10, most=100)) == [(0, 30), (500, 510)]
