"""The difference of two bundles in their own terms, in a fixed order.

Solution, publisher, components, dependencies, export configs with their entities, overlays by environment, and the
other members of the zip by name. Empty exactly when digest and overlays of both bundles are equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from toolkit.model.base import Frozen
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, LinkedEntity
from toolkit.model.solution import MissingDependency, RootComponent, Solution
from toolkit.plan.changes import how, value


class Kind(StrEnum):
    """What became of a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``field`` is the key path of a value, or empty when the thing itself came or went."""

    kind: Kind
    area: str
    """solution, publisher, component, dependency, config, entity, overlay or member."""
    target: str
    field: str = ""
    before: str | None = None
    after: str | None = None


_T = TypeVar("_T")


def differences(before: Bundle, after: Bundle) -> tuple[Difference, ...]:
    """Return what leads from one bundle to the other; empty when they are equal."""
    return (
        *_solution(before.solution, after.solution),
        *_components(before.solution.root_components, after.solution.root_components),
        *_dependencies(before.solution.missing_dependencies, after.solution.missing_dependencies),
        *_configs(before.configs, after.configs),
        *_overlays(before, after),
        *_members(before.package, after.package),
    )


def _solution(before: Solution, after: Solution) -> Iterator[Difference]:
    apart = {"publisher", "root_components", "missing_dependencies"}
    name = after.unique_name
    yield from _values("solution", name, _dump(before, apart), _dump(after, apart))
    yield from _values("publisher", after.publisher.unique_name, _dump(before.publisher), _dump(after.publisher))


def _dump(model: Frozen, apart: set[str] | None = None) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude=apart)


def _values(area: str, target: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for top in dict.fromkeys((*before, *after)):
        old, new = dict(_flat(before.get(top), top)), dict(_flat(after.get(top), top))
        for key in dict.fromkeys((*old, *new)):
            was, becomes = old.get(key), new.get(key)
            if was != becomes:
                yield Difference(Kind.CHANGED, area, target, key, _text(was), _text(becomes))


def _flat(data: Any, at: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON values
    """Yield the leaves of a JSON value with their key paths; null is no leaf."""
    if isinstance(data, Mapping):
        for key, item in data.items():
            yield from _flat(item, f"{at}.{key}")
    elif isinstance(data, list):
        for number, item in enumerate(data, 1):
            yield from _flat(item, f"{at}.{number}")
    elif data is not None:
        yield at, data


def _text(of: Any) -> str | None:  # noqa: ANN401 - JSON values
    return None if of is None else '""' if of == "" else value(of)


def _components(before: Sequence[RootComponent], after: Sequence[RootComponent]) -> Iterator[Difference]:
    def name(component: RootComponent) -> str:
        named = component.schema_name or component.id or "?"
        return f"type {component.type} {named} behavior {component.behavior or '-'}"

    yield from _bag("component", before, after, name)


def _dependencies(before: Sequence[MissingDependency], after: Sequence[MissingDependency]) -> Iterator[Difference]:
    def name(dependency: MissingDependency) -> str:
        required = " ".join(f"{key}={text}" for key, text in sorted(dependency.required.items()))
        dependent = " ".join(f"{key}={text}" for key, text in sorted(dependency.dependent.items()))
        return f"{required} for {dependent}" if dependent else required

    # What is required is enough to say, unless a dependency of the same came and went: then the rest is what differs.
    short = {name(each): each.required.get("solution") or name(each) for each in (*before, *after)}
    found = list(_bag("dependency", before, after, name))
    kinds = {(short.get(each.target), each.kind) for each in found}
    for each in found:
        shown = short.get(each.target, each.target)
        other = Kind.REMOVED if each.kind is Kind.ADDED else Kind.ADDED
        yield each if (shown, other) in kinds else replace(each, target=shown)


def _bag(area: str, before: Sequence[_T], after: Sequence[_T], name: Callable[[_T], str]) -> Iterator[Difference]:
    old, new = [name(item) for item in before], [name(item) for item in after]
    yield from (Difference(Kind.REMOVED, area, item) for item in (Counter(old) - Counter(new)).elements())
    yield from (Difference(Kind.ADDED, area, item) for item in (Counter(new) - Counter(old)).elements())
    yield from _order(area, area, "order", old, new)


def _order(
    area: str, target: str, field: str, before: Sequence[Hashable], after: Sequence[Hashable]
) -> Iterator[Difference]:
    if Counter(before) == Counter(after) and list(before) != list(after):
        yield Difference(Kind.CHANGED, area, target, field, _names(before), _names(after))


def _names(items: Iterable[Hashable]) -> str:
    return ", ".join(str(item) for item in items)


def _configs(before: Sequence[ExportConfig], after: Sequence[ExportConfig]) -> Iterator[Difference]:
    old, new = {config.id: config for config in before}, {config.id: config for config in after}
    for key, config in old.items():
        if key not in new:
            yield Difference(Kind.REMOVED, "config", config.name, before=config.id)
    for key, config in new.items():
        if key not in old:
            yield Difference(Kind.ADDED, "config", config.name, after=config.id)
            yield from _entities(config.name, (), config.entities)
        else:
            apart = {"entities"}
            yield from _values("config", config.name, _dump(old[key], apart), _dump(config, apart))
            yield from _entities(config.name, old[key].entities, config.entities)
    yield from _order("config", "config", "order", list(old), list(new))


def _entities(config: str, before: Sequence[LinkedEntity], after: Sequence[LinkedEntity]) -> Iterator[Difference]:
    old, new = {entity.name: entity for entity in before}, {entity.name: entity for entity in after}
    for name, entity in old.items():
        if name not in new:
            yield Difference(Kind.REMOVED, "entity", f"{config}/{name}", before=how(entity))
    for name, entity in new.items():
        if name not in old:
            yield Difference(Kind.ADDED, "entity", f"{config}/{name}", after=how(entity))
        else:
            yield from _values("entity", f"{config}/{name}", _dump(old[name]), _dump(entity))
    yield from _order("config", config, "order of entities", list(old), list(new))


def _overlays(before: Bundle, after: Bundle) -> Iterator[Difference]:
    for environment in sorted({*before.overlays, *after.overlays}):
        old, new = before.overlays.get(environment), after.overlays.get(environment)
        if new is None:
            yield Difference(Kind.REMOVED, "overlay", environment)
        elif old is None:
            yield Difference(Kind.ADDED, "overlay", environment)
            yield from _values("overlay", environment, {}, _dump(new)["configs"])
        else:
            yield from _values("overlay", environment, _dump(old)["configs"], _dump(new)["configs"])


def _members(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if new is None:
            yield Difference(Kind.REMOVED, "member", name)
        elif old is None:
            yield Difference(Kind.ADDED, "member", name)
        elif old != new:
            yield Difference(Kind.CHANGED, "member", name, "content", old[:12], new[:12])
