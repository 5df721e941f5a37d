"""Reading many small ranges of a file with few requests."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa

from toolkit.engine.arrays import BYTES, Array, Places, between, taken
from toolkit.lake.protocol import Lake

GAP = 16 * 1024
"""Ranges that are this near to each other are read together."""
BLOCK = 8 * 1024 * 1024
"""Bytes that are read together at most, unless one range is longer."""


def read_ranges(lake: Lake, path: str, starts: Places, ends: Places) -> Array:
    """Return ranges of a file, which are sorted and do not overlap. Memory holds them, and the gaps read with them.

    A range that goes beyond the end of the file is cut there.
    """
    if not len(starts):
        return cast("Array", pa.array([], BYTES))
    firsts = _firsts(starts, ends)
    begins, lasts = starts[firsts], ends[np.append(firsts[1:], len(starts)) - 1]
    read = [lake.read(path, at, end - at) for at, end in zip(begins.tolist(), lasts.tolist(), strict=True)]
    sizes = np.array([len(block) for block in read], np.int64)
    # Where each range is among all that was read: that much behind the beginning of its block.
    counts = np.diff(np.append(firsts, len(starts)))
    shift, limit = (np.repeat(each, counts) for each in (np.cumsum(sizes) - sizes - begins, np.cumsum(sizes)))
    offsets = np.minimum(np.stack([starts + shift, ends + shift], axis=1), limit[:, None]).ravel()
    # The ranges and the gaps between them are one array; every other value of it is a range.
    return taken(between(b"".join(read), offsets), np.arange(0, 2 * len(starts) - 1, 2))


def _firsts(starts: Places, ends: Places) -> Places:
    """Return the places of the ranges with which blocks begin that are read together."""
    firsts: list[int] = []
    first = 0
    for stop in (*(np.flatnonzero(starts[1:] - ends[:-1] > GAP) + 1).tolist(), len(starts)):
        while first < stop:
            firsts.append(first)
            fits = stop - first
            if ends[stop - 1] - starts[first] > BLOCK:
                fits = max(int(np.searchsorted(ends[first:stop], starts[first] + BLOCK, "right")), 1)
            first += fits
    return np.array(firsts, np.int64)
