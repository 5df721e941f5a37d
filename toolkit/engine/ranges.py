"""Reading many small ranges of a file with few requests."""

from __future__ import annotations

from collections.abc import Iterator
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
    """Return ranges of a file, which are sorted and do not overlap. Memory holds all of them, and a block.

    A range that goes beyond the end of the file is cut there.
    """
    read = [_cut(data, starts[these] - at, ends[these] - at) for these, at, data in _blocks(lake, path, starts, ends)]
    return cast("Array", pa.concat_arrays(read) if read else pa.array([], BYTES))


def _blocks(lake: Lake, path: str, starts: Places, ends: Places) -> Iterator[tuple[slice, int, bytes]]:
    """Yield which ranges a block holds, where it begins, and its bytes."""
    for first, last in _together(starts, ends):
        at = int(starts[first])
        yield slice(first, last), at, lake.read(path, at, int(ends[last - 1]) - at)


def _together(starts: Places, ends: Places) -> Iterator[tuple[int, int]]:
    """Yield first and behind-last of ranges that are read together."""
    first = 0
    cuts = np.flatnonzero(starts[1:] - ends[:-1] > GAP) + 1
    for stop in (*cuts.tolist(), len(starts)):
        while first < stop:
            fits = int(np.searchsorted(ends[first:stop], starts[first] + BLOCK, "right"))
            last = first + max(fits, 1)
            yield first, last
            first = last


def _cut(data: bytes, starts: Places, ends: Places) -> Array:
    # The ranges and the gaps between them are one array; every other value of it is a range.
    offsets = np.minimum(np.stack([starts, ends], axis=1).ravel(), len(data))
    return taken(between(data, offsets), np.arange(0, 2 * len(starts), 2))
