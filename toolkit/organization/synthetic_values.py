"""Synthetic values of an attribute, a column at a time, by its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.model.columns import arrow_type
from toolkit.model.entity import Attribute, AttributeType
from toolkit.organization import vocabulary
from toolkit.organization.storage import Column, precision

Random: TypeAlias = np.random.Generator
Integers: TypeAlias = "npt.NDArray[np.int64]"

DAY = 86_400_000_000
"""Microseconds."""


def ids(random: Random, number: int) -> Column:
    """Return GUIDs of version 4 as text."""
    octets = random.integers(0, 256, (number, 16), dtype=np.uint8)
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.full((number, 36), ord("-"), np.uint8)
    places = [place for place in range(36) if place not in {8, 13, 18, 23}]
    text[:, places[0::2]] = digits[octets >> 4]
    text[:, places[1::2]] = digits[octets & 0x0F]
    offsets = np.arange(0, 36 * (number + 1), 36, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())]
    return pa.Array.from_buffers(pa.string(), number, buffers)


def integers(values: Integers) -> pa.Int64Array:
    """Return numpy's integers as Arrow's."""
    return cast("pa.Int64Array", pa.array(values))


def instants(values: Integers, attribute: Attribute) -> Column:
    """Return microseconds since 1970 in the type of a datetime attribute."""
    kind = arrow_type(attribute)
    if pa.types.is_date32(kind):
        return integers(values // DAY).cast(pa.int32()).cast(kind)
    return integers(values).cast(kind)


def skewed(random: Random, choices: int, size: int) -> Integers:
    """Return places below ``choices``, each about half as frequent as the one before it."""
    weights = 0.5 ** np.arange(choices)
    edges = np.cumsum(weights / weights.sum())[:-1]
    return np.searchsorted(edges, random.random(size)).astype(np.int64)


def picked(random: Random, pool: Column, size: int) -> Column:
    """Return values picked from a pool."""
    return pc.take(pool, integers(random.integers(len(pool), size=size)))


def pool(random: Random, attribute: Attribute, size: int) -> Column:
    """Return what the values of a text or multi-select attribute are picked from."""
    if attribute.type is not AttributeType.MULTISELECT:
        return pa.array(vocabulary.pool(attribute, random, size), pa.string())
    values = [option.value for option in attribute.options]
    picks = (random.permutation(values)[: random.integers(1, len(values) + 1)] for _ in range(32))
    return pa.array([";".join(str(value) for value in sorted(pick)) for pick in picks], pa.string())


def _integers(random: Random, _: Attribute, created: Integers) -> Column:
    return integers(random.geometric(0.001, len(created)))


def _big_integers(random: Random, _: Attribute, created: Integers) -> Column:
    return integers(random.integers(-(2**62), 2**62, len(created)))


def _floats(random: Random, attribute: Attribute, created: Integers) -> Column:
    return pa.array(np.round(random.uniform(-180, 180, len(created)), precision(attribute)))


def _booleans(random: Random, _: Attribute, created: Integers) -> Column:
    return pa.array(random.random(len(created)) < 0.3)


def _options(random: Random, attribute: Attribute, created: Integers) -> Column:
    values = np.array([option.value for option in attribute.options], np.int64)
    return integers(values[skewed(random, len(values), len(created))])


def _instants(random: Random, attribute: Attribute, created: Integers) -> Column:
    return instants(created + random.integers(-400 * DAY, 60 * DAY, len(created)), attribute)


def _ids(random: Random, _: Attribute, created: Integers) -> Column:
    return ids(random, len(created))


def _nothing(_random: Random, _attribute: Attribute, created: Integers) -> Column:
    """Return nulls: for a lookup when there is no row that it could lead to."""
    return pa.nulls(len(created), pa.string())


def _decimals(random: Random, attribute: Attribute, created: Integers) -> Column:
    """Return values from hundredths to millions, some money negative, with exactly the attribute's digits."""
    digits, size = precision(attribute), len(created)
    units = np.minimum(random.lognormal(5, 2, size), 1e7)
    if attribute.type is AttributeType.MONEY:
        units = units * np.where(random.random(size) < 0.1, -1, 1)
    return _decimal((units * 10**digits).astype(np.int64) * 10 ** (10 - digits))


def _decimal(values: Integers) -> Column:
    """Return integers of 10^-10 as decimals of (38, 10); a decimal is 128 bits, the upper half all sign."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    return pa.Array.from_buffers(pa.decimal128(38, 10), len(values), [None, pa.py_buffer(words.tobytes())])


POOLED = frozenset({AttributeType.STRING, AttributeType.MEMO, AttributeType.MULTISELECT})
"""The types whose values are picked from a pool."""

MAKERS: Mapping[AttributeType, Callable[[Random, Attribute, Integers], Column]] = {
    AttributeType.INTEGER: _integers,
    AttributeType.BIGINT: _big_integers,
    AttributeType.DECIMAL: _decimals,
    AttributeType.MONEY: _decimals,
    AttributeType.DOUBLE: _floats,
    AttributeType.BOOLEAN: _booleans,
    AttributeType.CHOICE: _options,
    AttributeType.STATE: _options,
    AttributeType.STATUS: _options,
    AttributeType.DATETIME: _instants,
    AttributeType.UNIQUEIDENTIFIER: _ids,
    AttributeType.LOOKUP: _nothing,
    AttributeType.CUSTOMER: _nothing,
    AttributeType.OWNER: _nothing,
}
"""What makes the values of the other types, beside rows created at the given instants."""
