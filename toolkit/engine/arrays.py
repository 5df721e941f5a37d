"""Arrow arrays of text and bytes, seen as what they are: offsets into one buffer.

All arrays here are large (offsets of 64 bits). This is also the one place that steps around pyarrow's type stubs,
which know fewer argument types than its compute functions take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

# pyarrow loads this one at its first ``take``, in whatever thread that is; it parses signatures, at which CPython 3.11
# fails when another thread parses as well ("AST constructor recursion depth mismatch": measured).
import numpy.ma
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    Array = pa.Array[Any]
    Scalar = pa.Scalar[Any]
else:
    Array = pa.Array
    Scalar = pa.Scalar

TEXT = pa.large_string()
BYTES = pa.large_binary()

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

compute: Any = pyarrow.compute


def text(value: str) -> Scalar:
    """Return a text as a scalar."""
    return cast("Scalar", pa.scalar(value, TEXT))


def joined_text(*pieces: Array | Scalar, separator: str = "", null: str | None = None) -> Array:
    """Join texts, element by element. One null makes the element null, unless ``null`` is put in its place."""
    return _joined(pieces, text(separator), null)


def joined_bytes(*pieces: Array | Scalar) -> Array:
    """Join byte strings, element by element, as ``joined_text`` does texts."""
    return _joined(pieces, cast("Scalar", pa.scalar(b"", BYTES)), None)


def _joined(pieces: tuple[Array | Scalar, ...], separator: Scalar, null: str | None) -> Array:
    how = {} if null is None else {"null_handling": "replace", "null_replacement": null}
    return cast("Array", compute.binary_join_element_wise(*pieces, separator, **how))


def taken(values: Array, places: Places) -> Array:
    """Return the values at some places, in their order."""
    return values.take(places)


def offsets_of(values: Array) -> Places:
    """Return where each value begins in the buffer, and where the last one ends."""
    buffer = values.buffers()[1]
    if buffer is None or len(values) == 0:
        return np.zeros(len(values) + 1, np.int64)
    return np.frombuffer(memoryview(buffer), np.int64)[values.offset : values.offset + len(values) + 1]


def lengths_of(values: Array) -> Places:
    """Return the lengths of all values, in bytes."""
    return np.diff(offsets_of(values))


def contents(values: Array) -> memoryview:
    """Return all values, one after the other, without those of a larger array that this one is a slice of."""
    offsets = offsets_of(values)
    buffer = values.buffers()[2]
    return memoryview(b"") if buffer is None else memoryview(buffer)[offsets[0] : offsets[-1]]


def between(data: bytes | memoryview, offsets: Places) -> Array:
    """Return the byte strings between every two neighbouring offsets, without copying."""
    return _from_buffers(BYTES, len(offsets) - 1, None, offsets, data)


def texts_between(data: memoryview, offsets: Places) -> Array:
    """Return the texts between every two neighbouring offsets, without copying; the offsets part whole characters."""
    return _from_buffers(TEXT, len(offsets) - 1, None, offsets, data)


def spread(width: int, data: npt.NDArray[np.uint8], valid: Array) -> Array:
    """Return texts of one width as an array in which the places that are not valid are null."""
    offsets = np.zeros(len(valid) + 1, np.int64)
    np.cumsum(flags(valid), out=offsets[1:])
    return _from_buffers(TEXT, len(valid), valid.buffers()[1], offsets * width, data.reshape(-1).data)


def flags(values: Array) -> Mask:
    """Return a boolean array without nulls as a mask."""
    return np.asarray(values.to_numpy(zero_copy_only=False), np.bool_)


def _from_buffers(
    kind: pa.DataType, length: int, valid: pa.Buffer | None, offsets: Places, data: bytes | memoryview
) -> Array:
    starts = pa.py_buffer(np.ascontiguousarray(offsets, np.int64).data)
    return cast("Array", pa.Array.from_buffers(kind, length, [valid, starts, pa.py_buffer(data)]))
