"""Many small ranges of a file, as an array."""

from __future__ import annotations

import numpy as np

from toolkit.engine.arrays import Array, Places, between
from toolkit.lake.protocol import Lake

BLOCK = 8 * 1024 * 1024
"""Bytes that are read together at most, unless one range is longer."""


def read_ranges(lake: Lake, path: str, starts: Places, ends: Places) -> Array:
    """Return ranges of a file, which are sorted and do not overlap. What is beyond the end of the file is not there."""
    data = memoryview(lake.read_ranges(path, starts.tolist(), ends.tolist()))
    bounds = np.append(0, np.cumsum(ends - starts))
    return between(data, np.minimum(bounds, len(data)))
