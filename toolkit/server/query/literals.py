"""Values of an attribute between the text of a query and SQL.

Most attributes are one column that SQLite compares as it is. A decimal is text there, and compares as two numbers: its
whole part and its digits after the point, both with its sign; so it is exact, whatever its size.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, DateTimeBehavior
from toolkit.model.names import GUID
from toolkit.organization.database import Scalar
from toolkit.organization.storage import microseconds, precision
from toolkit.server.call import bad_request

DECIMALS = frozenset({AttributeType.DECIMAL, AttributeType.MONEY})
TEXTS = frozenset({AttributeType.STRING, AttributeType.MEMO})
NUMBERS = frozenset(
    {
        AttributeType.INTEGER,
        AttributeType.BIGINT,
        AttributeType.DOUBLE,
        AttributeType.BOOLEAN,
        AttributeType.CHOICE,
        AttributeType.STATE,
        AttributeType.STATUS,
        AttributeType.DATETIME,
    }
)
"""Types that SQLite keeps as numbers."""
_GUIDS = LOOKUPS | {AttributeType.UNIQUEIDENTIFIER}
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LONGEST = 2**63 - 1


def keys(attribute: Attribute, column: str) -> tuple[str, ...]:
    """Return the SQL expressions by which values of an attribute compare and sort."""
    if attribute.type in DECIMALS:
        return _decimal_keys(precision(attribute), column)
    return (column,)


def collation(attribute: Attribute) -> str:
    """Return how SQL compares values of an attribute: as in Dataverse, upper and lower case of a text are equal."""
    return " COLLATE NOCASE" if attribute.type in TEXTS else ""


def stored(attribute: Attribute, text: str) -> Scalar:
    """Return a value of an attribute, none of the decimals, as SQLite stores it. Raises ODataError (400)."""
    try:
        return _stored(attribute, text)
    except (ValueError, OverflowError) as error:
        raise wrong_type(attribute) from error


def decimal_keys(attribute: Attribute, text: str) -> tuple[tuple[int, int], bool]:
    """Return the keys of the greatest value of an attribute that is not above a number, and whether it is that number.

    Raises ODataError (400) for what is no number.
    """
    digits = precision(attribute)
    try:
        number = Decimal(text)
        scaled = int(number.scaleb(digits).to_integral_value(ROUND_FLOOR))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise wrong_type(attribute) from error
    whole, rest = divmod(abs(scaled), 10**digits)
    sign = -1 if scaled < 0 else 1
    return (sign * min(whole, _LONGEST), sign * rest), number.scaleb(digits) == scaled


def wrong_type(attribute: Attribute) -> Exception:
    """Return the refusal of a value that is none of an attribute's."""
    return bad_request(f"a value is none that the property of {attribute.name} ({attribute.type}) can be compared with")


def _decimal_keys(digits: int, column: str) -> tuple[str, ...]:
    # Arrow writes what is nearer to zero than a millionth with an exponent.
    plain = (
        f"CASE WHEN instr({column}, 'E') THEN printf('%.{digits}f', {column}) ELSE {column} END"
        if digits > 6
        else column
    )
    whole = f"CAST({plain} AS INTEGER)"
    if digits == 0:
        return (whole,)
    sign = f"CASE WHEN {column} LIKE '-%' THEN -1 ELSE 1 END"
    return (whole, f"{sign} * CAST(substr({plain}, instr({plain}, '.') + 1) AS INTEGER)")


def _stored(attribute: Attribute, text: str) -> Scalar:
    kind = attribute.type
    if kind is AttributeType.DATETIME:
        return _time(attribute, text)
    if kind is AttributeType.BOOLEAN:
        return _truth(text)
    if kind is AttributeType.DOUBLE:
        return float(text)
    if kind is AttributeType.MULTISELECT:
        return text.replace(",", ";")
    if kind in TEXTS:
        return text
    return _guid(text) if kind in _GUIDS else _whole(text)


def _whole(text: str) -> int | float:
    """Return a number to compare integers with; it may have a fraction, which none of them has."""
    number = Decimal(text) if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,2})?", text) else None
    if number is None:
        raise ValueError
    return int(number) if number == number.to_integral_value() and abs(number) <= _LONGEST else float(number)


def _truth(text: str) -> int:
    if (value := {"true": 1, "false": 0, "1": 1, "0": 0}.get(text.lower())) is None:
        raise ValueError
    return value


def _guid(text: str) -> str:
    if re.fullmatch(GUID, text) is None:
        raise ValueError
    return text.lower()


def _time(attribute: Attribute, text: str) -> int:
    if attribute.behavior is DateTimeBehavior.DATE_ONLY:
        return date.fromisoformat(text.partition("T")[0]).toordinal() - _EPOCH_DAY
    instant = datetime.fromisoformat(text)
    if attribute.behavior is DateTimeBehavior.TIME_ZONE_INDEPENDENT or instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return microseconds(instant)
