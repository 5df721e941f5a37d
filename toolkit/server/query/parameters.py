"""Parameters of functions: ``Function(Name=@p)?@p='value'``, or the value in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from toolkit.server import exact_json
from toolkit.server.call import Call, bad_request

_PAIR = re.compile(r"\s*(\w+)\s*=\s*(@\w+|'(?:[^']|'')*'|[\w.]+'[^']*'|\[[^\]]*\]|[^,]*?)\s*(?:,|$)")

_TEXT = re.compile(r"'((?:[^']|'')*)'")
_TEXTS = re.compile(rf"\[\s*{_TEXT.pattern}(?:\s*,\s*{_TEXT.pattern})*\s*\]")


def parameters(call: Call, text: str | None) -> Mapping[str, Any]:
    """Return the values between the parentheses of a function, by name. Raises ODataError (400)."""
    pairs = _PAIR.findall(text or "")
    if _PAIR.sub("", text or "").strip():
        raise bad_request(f"'{text}' are no parameters of a function")
    return {name: _value(call.query.get(value, "") if value.startswith("@") else value) for name, value in pairs}


def _value(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return a text in quotes, a list of those, a JSON value, or a word: a GUID, or the value of an enumeration."""
    if _TEXTS.fullmatch(text):
        return [each.replace("''", "'") for each in _TEXT.findall(text)]
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        return exact_json.loads(text)
    except ValueError:
        return text


def required(given: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    """Return a parameter of a function or an action. Raises ODataError (400) where it is missing."""
    if given.get(name) is None:
        raise bad_request(f"Required field '{name}' is missing")
    return given[name]
