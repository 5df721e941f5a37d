"""Secrets in a text, where none may stand: told by place, never by value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.documents.document import Document
from toolkit.errors import Place

SECRETS = (
    re.compile(r"AccountKey\s*=\s*[^;\s\"']+", re.IGNORECASE),
    re.compile(r"SharedAccess(?:Signature|Key)\s*=\s*[^;\s\"']+", re.IGNORECASE),
    re.compile(r"(?<![A-Za-z0-9])sig=[A-Za-z0-9%+/=_-]{16,}", re.IGNORECASE),
    re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}=="),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
)
"""Connection strings, SAS tokens, the bare form of a storage account's key (64 bytes in base64), and keys in PEM."""
_NAME = re.compile(
    r"(?:account|access|shared)[_-]?key|client[_-]?secret|passw(?:or)?d|sas[_-]?token|connection[_-]?string"
    r"|shared[_-]?access[_-]?signature|private[_-]?key|bearer",
    re.IGNORECASE,
)


def has_secret(text: str) -> bool:
    """Whether a text holds a secret."""
    return any(pattern.search(text) for pattern in SECRETS)


def in_lines(text: str, path: str) -> Iterator[Place]:
    """Yield the lines of a file that hold a secret, comments too."""
    return (Place(path, number) for number, line in enumerate(text.splitlines(), 1) if has_secret(line))


def in_values(document: Document) -> Iterator[Place]:
    """Yield the places of values that hold a secret."""
    return (document.place(*path) for path, value in document.texts() if has_secret(value))


def by_name(document: Document) -> Iterator[Place]:
    """Yield the places of values that have the name of a secret, and not its form."""
    for path, value in document.texts():
        if value.strip("\"' ") and _NAME.search(str(path[-1])) and not has_secret(value):
            yield document.place(*path)
