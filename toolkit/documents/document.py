"""A parsed text: its values and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.errors import Place

Key = str | int
KeyPath = tuple[Key, ...]
Tree = Any
"""A YAML value: mappings, lists, text and None, and on the way to a text also numbers and booleans."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text: ``data`` of dict, list, str and None; ``lines`` from key path to 1-based line number."""

    path: str
    data: Tree
    lines: Mapping[KeyPath, int]

    def place(self, *keys: Key) -> Place:
        """Return the place of a key; of the nearest key above it where that one is not in the text."""
        known = next(keys[:end] for end in range(len(keys), -1, -1) if keys[:end] in self.lines)
        return Place(self.path, self.lines[known], spelled(keys))

    def texts(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield every text with its key path."""
        return _texts(self.data)


def _texts(tree: Tree, *path: Key) -> Iterator[tuple[KeyPath, str]]:
    for key, value in _pairs(tree):
        if isinstance(value, str):
            yield (*path, key), value
        yield from _texts(value, *path, key)


def _pairs(tree: Tree) -> Sequence[tuple[Key, Tree]]:
    if isinstance(tree, dict):
        return list(tree.items())
    return list(enumerate(tree)) if isinstance(tree, list) else []


def spelled(keys: Sequence[Key]) -> str:
    """Return a key path as people write it: ``entities[2].name``. What a terminal could not show is escaped."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{_shown(key)}" for key in keys)
    return text.removeprefix(".")


def _shown(key: str) -> str:
    return key if key.isprintable() else ascii(key)
