"""How values are spelled in YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from toolkit.documents.document import Key, Tree

_PLAIN = re.compile(r"(?![0-9a-fA-F]{8}-)[A-Za-z_/][A-Za-z0-9_./ +()-]*(?<! )")
"""What is written without quotes: words. Versions, GUIDs, numbers in text and everything else is quoted."""
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
SCHEMA_LINE = re.compile(r"# yaml-language-server: \$schema=.*")
_STEP = "  "

Plain = str | int | bool | None


def block(data: Tree, indent: str) -> str:
    """Return the lines of a mapping or a sequence, or one scalar, without a last line end."""
    if isinstance(data, Mapping) and data:
        return "\n".join(indent + entry(key, value, indent) for key, value in data.items())
    if is_list(data) and data:
        return "\n".join(f"{indent}- {block(item, indent + _STEP).lstrip(' ')}" for item in data)
    if isinstance(data, Mapping) or is_list(data):
        return "{}" if isinstance(data, Mapping) else "[]"
    return scalar(data)


def entry(key: Key, value: Tree, indent: str) -> str:
    """Return a key with its value, the first line without indent."""
    below = "\n" if (isinstance(value, Mapping) or is_list(value)) and value else " "
    return f"{scalar(key)}:{below}{block(value, indent + _STEP)}"


def scalar(value: Plain) -> str:
    """Return a scalar, quoted unless it is a word."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def is_list(value: object) -> TypeGuard[Sequence[Tree]]:
    """Whether a value is a list."""
    return isinstance(value, Sequence) and not isinstance(value, str)
