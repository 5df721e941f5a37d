"""The values of conditions, read by the type of the attribute that they are compared with.

Text is compared exactly and ordered by code points. A GUID, a boolean and a multi-select have no order; a multi-select
is its numbers with semicolons between them. A time without a zone means UTC where the attribute is an instant, and a
day means its first moment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from toolkit.model.config import Condition
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, DateTimeBehavior
from toolkit.model.names import GUID

Value = str | int | float | Decimal | bool | date | datetime

_UNORDERED = LOOKUPS | {AttributeType.UNIQUEIDENTIFIER, AttributeType.BOOLEAN, AttributeType.MULTISELECT}
_BOOLEANS = {"true": True, "false": False}
_INT64 = 1 << 63
_MOST = Decimal(10) ** 28
"""Decimals have at most 28 digits before the point and ten behind it."""


def values_of(condition: Condition, attribute: Attribute) -> tuple[Value, ...]:
    """Return the values of a condition on an attribute. Raises ValueError with the reason where there are none.

    Instants are in UTC. Decimals are exact.
    """
    if condition.comparison in {"at_least", "below"} and attribute.type in _UNORDERED:
        message = f"a {attribute.type} has no order, so nothing is {condition.comparison.replace('_', ' ')} it"
        raise ValueError(message)
    read = _instant if attribute.type is AttributeType.DATETIME else _READERS[attribute.type]
    return tuple(_read(read, text, attribute) for text in condition.values)


def _read(read: Callable[[str, Attribute], Value], text: str, attribute: Attribute) -> Value:
    try:
        return read(text, attribute)
    except (ValueError, InvalidOperation, OverflowError):
        message = f"{text!r} is no {_WORDS.get(attribute.type, attribute.type.value)}"
        raise ValueError(message) from None


def _text(text: str, _: Attribute) -> str:
    return text


def _guid(text: str, _: Attribute) -> str:
    if re.fullmatch(GUID, text) is None:
        raise ValueError(text)
    return text.lower()


def _integer(text: str, _: Attribute) -> int:
    number = int(text)
    if not -_INT64 <= number < _INT64:
        raise OverflowError(text)
    return number


def _decimal(text: str, _: Attribute) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or abs(number) >= _MOST or number != round(number, 10):
        raise ValueError(text)
    return number


def _double(text: str, _: Attribute) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _boolean(text: str, _: Attribute) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text.lower()]


def _instant(text: str, attribute: Attribute) -> date | datetime:
    if attribute.behavior is DateTimeBehavior.DATE_ONLY:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if attribute.behavior is DateTimeBehavior.USER_LOCAL:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment


_READERS: Mapping[AttributeType, Callable[[str, Attribute], Value]] = {
    **dict.fromkeys((AttributeType.STRING, AttributeType.MEMO, AttributeType.MULTISELECT), _text),
    **dict.fromkeys((AttributeType.INTEGER, AttributeType.BIGINT, AttributeType.CHOICE), _integer),
    **dict.fromkeys((AttributeType.STATE, AttributeType.STATUS), _integer),
    **dict.fromkeys((AttributeType.DECIMAL, AttributeType.MONEY), _decimal),
    **dict.fromkeys((*LOOKUPS, AttributeType.UNIQUEIDENTIFIER), _guid),
    AttributeType.DOUBLE: _double,
    AttributeType.BOOLEAN: _boolean,
}
_WORDS = {
    **dict.fromkeys((*LOOKUPS, AttributeType.UNIQUEIDENTIFIER), "GUID"),
    **dict.fromkeys((AttributeType.CHOICE, AttributeType.STATE, AttributeType.STATUS), "number of a choice"),
    **dict.fromkeys((AttributeType.INTEGER, AttributeType.BIGINT), "whole number"),
    AttributeType.DATETIME: "time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:00:00Z",
}
