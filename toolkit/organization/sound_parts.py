"""What can still be checked of a definition file whose form is wrong in places, so that all is told in one round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from toolkit.documents import Key, Tree

WEIGHED = frozenset({"name", "type", "targets", "options", "global_choice"})
"""Keys of an attribute that the checks weigh against each other: with one of them wrong, only the name is left."""


def sound(data: Tree, wrong: Iterable[Sequence[Key]]) -> Tree:
    """Return a file's content without what is wrong at some key paths, or None where nothing is left.

    Every item of a list keeps its number, so that what is found in the rest has its place in the file.
    """
    left = deepcopy(data)
    # The deepest first: what an outer mistake takes away need not be mended within.
    for keys in sorted(wrong, key=len, reverse=True):
        match keys:
            case ("entities", int(index), "attributes", int(at), *below):
                attributes = left["entities"][index]["attributes"]
                attributes[at] = _attribute(attributes[at], at, below)
            case ("entities", int(index), *below):
                left["entities"][index] = _entity(left["entities"][index], index, below)
            case ("choices", name, "[key]"):
                del left["choices"][name]
            case ("choices", name, *_):
                # A wrong name may be gone already.
                left["choices"].update({name: []} if name in left["choices"] else {})
            case (name,):
                left.pop(name)
            case _:
                return None
    return left


def _attribute(item: Any, at: int, below: Sequence[Key]) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
    mended = _entity(item, at, below)
    return {"name": mended["name"], "type": "string"} if not below or below[0] in WEIGHED else mended


def _entity(item: Any, index: int, below: Sequence[Key]) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
    """Return an item without the wrong key; one without a name gets one, at a place where something is told already."""
    rest = {key: value for key, value in item.items() if key not in below[:1]} if isinstance(item, dict) else {}
    return {"name": f"unnamed_{index}", **rest}
