"""Reading many small ranges of a file with few requests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toolkit.lake.protocol import Lake

GAP = 16 * 1024
"""Ranges that are this near to each other are read together."""
BLOCK = 8 * 1024 * 1024
"""Bytes that are read together at most, unless one range is longer."""

Places = npt.NDArray[np.int64]


def read_ranges(lake: Lake, path: str, starts: Places, ends: Places) -> pa.LargeBinaryArray:
    """Return ranges of a file, which are sorted and do not overlap. Memory holds all of them, and a block."""
    read = [_cut(data, starts[these] - at, ends[these] - at) for these, at, data in _blocks(lake, path, starts, ends)]
    return pa.concat_arrays(read) if read else pa.array([], pa.large_binary())


def _blocks(lake: Lake, path: str, starts: Places, ends: Places) -> Iterator[tuple[slice, int, bytes]]:
    """Yield which ranges a block holds, where it begins, and its bytes; a block ends where the file does."""
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


def _cut(data: bytes, starts: Places, ends: Places) -> pa.LargeBinaryArray:
    # The ranges and the gaps between them are one array; every other value of it is a range.
    offsets = np.minimum(np.stack([starts, ends], axis=1).ravel(), len(data))
    return slices(data, offsets).take(pa.array(np.arange(0, 2 * len(starts), 2)))


def slices(data: bytes | pa.Buffer, offsets: Places) -> pa.LargeBinaryArray:
    """Return the values between every two neighbouring offsets, without copying."""
    whole = pa.py_buffer(np.ascontiguousarray(offsets, np.int64))
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [None, whole, pa.py_buffer(data)])


def contents(values: pa.LargeBinaryArray) -> memoryview:
    """Return all values of an array without nulls, one after the other."""
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets or b"\0" * 8, np.int64)[values.offset : values.offset + len(values) + 1]
    return memoryview(data or b"")[bounds[0] : bounds[-1]] if len(values) else memoryview(b"")


def lengths_of(values: pa.LargeBinaryArray) -> Places:
    """Return the lengths of all values, in bytes."""
    offsets = np.frombuffer(values.buffers()[1] or b"\0" * 8, np.int64)
    return np.diff(offsets[values.offset : values.offset + len(values) + 1])
