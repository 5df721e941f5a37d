"""Pieces of SQL with the values that are bound to them, in the order of their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from toolkit.organization.database import Scalar


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL; every ``?`` in it has its value."""

    text: str
    parameters: tuple[Scalar, ...] = ()


ALWAYS = Fragment("1")
NEVER = Fragment("0")


def joined(separator: str, fragments: Iterable[Fragment]) -> Fragment:
    """Return fragments in parentheses with a separator between them."""
    every = tuple(fragments)
    text = separator.join(fragment.text for fragment in every)
    return Fragment(f"({text})", tuple(value for fragment in every for value in fragment.parameters))
