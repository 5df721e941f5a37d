"""What differs between two readings of an environment, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.plan.changes import value

_AREAS = {
    "organization": "the organization",
    "registration": "the mode in toolkit.yaml",
    "solutions": "solution",
    "configs": "export config row",
    "entities": "entity",
    "accounts": "storage account",
    "links": "link",
    "record": "the environment's record",
    "hosted": "hosted link",
    "foreign": "file system",
    "no_key": "the lack of a key for hashed columns",
}


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs of two readings of an environment, a line each: ``solution Lake version: 1.0 -> 1.1``."""
    for area in dict.fromkeys((*before, *after)):
        yield from _differing(_AREAS.get(area, area), before.get(area), after.get(area))


def _differing(path: str, before: Any, after: Any) -> Iterator[str]:  # noqa: ANN401 - JSON values
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            name = _name(before.get(key)) or _name(after.get(key)) or key
            yield from _differing(f"{path} {name}", before.get(key), after.get(key))
    elif isinstance(before, Mapping) or isinstance(after, Mapping):
        yield f"{path} {'is gone' if after is None else 'is new'}"
    else:
        yield f"{path}: {value(before)} -> {value(after)}"


def _name(of: Any) -> str | None:  # noqa: ANN401 - JSON values
    """Return the name of an export config or a link, whose key is an id."""
    return of.get("name") if isinstance(of, Mapping) else None
