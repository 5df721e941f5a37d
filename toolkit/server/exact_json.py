"""JSON in which a decimal keeps its digits: ``1.10`` is read as ``Decimal('1.10')`` and written as ``1.10``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def loads(text: bytes | str) -> Any:  # noqa: ANN401 - JSON
    """Return what a JSON text says; numbers with a point or an exponent are decimals. Raises ValueError."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def dumps(value: object) -> bytes:
    """Return a value as JSON in UTF-8. Values are those of JSON, and Decimal."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except TypeError:
        # The fast encoder knows no decimals.
        text = _text(value)
    return text.encode()


def _text(value: object) -> str:
    match value:
        case Decimal():
            return format(value, "f")
        case Mapping():
            return "{" + ",".join(f"{_text(str(key))}:{_text(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_text, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _refuse(name: str) -> None:
    message = f"{name} is no JSON"
    raise ValueError(message)
