from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engine.place import alike


def test_equal_keys_are_one_group_in_the_order_of_the_keys() -> None:
    groups = alike(np.array([2, 1, 2, 1, 2]), np.array([0, 0, 1, 0, 0]))
    assert [group.tolist() for group in groups] == [[1, 3], [0, 4], [2]]


def test_no_keys_are_no_group() -> None:
    assert alike(np.empty(0, np.int64)) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_groups_are_those_that_a_mask_for_each_finds(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([pair[at] for pair in pairs], np.int64) for at in (0, 1))
    masks = [np.flatnonzero((first == a) & (second == b)).tolist() for a, b in sorted(set(pairs))]
    assert [group.tolist() for group in alike(first, second)] == masks
