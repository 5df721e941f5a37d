"""Drift: what was changed in an environment since it was applied.

Live is compared with what was applied last, as two configs are: the keys of the changes between them say which values
drifted, and by them a plan tells what it brings back from what is news.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from toolkit.errors import Finding, Place, Severity
from toolkit.model.config import ExportConfig
from toolkit.model.link import Applied, Link
from toolkit.plan.changes import (
    AddEntity,
    AnyChange,
    ChangeMode,
    ChangeSetting,
    ChangeStrategy,
    ConfigChange,
    CreateLink,
    MoveLake,
    Origin,
    RegisterSolution,
    RemoveEntity,
    TrackEntity,
    describe,
    how,
    lake_name,
    value,
)
from toolkit.plan.links import link_changes
from toolkit.plan.readings import differing
from toolkit.plan.world import World, by_name, canonical

Aspect = tuple[str, str, str]
"""What of an environment can drift: a config by id, an entity or nothing, and which value."""


def aspect(change: AnyChange) -> Aspect | None:  # noqa: PLR0911 - one return per kind of change
    """Return what of a link a change is about; None where it is about no value of a link."""
    match change:
        case CreateLink(config=config):
            return config.id, "", "link"
        case AddEntity(config=key, entity=entity):
            return key, entity.name, "linked"
        case RemoveEntity(config=key, entity=name):
            return key, name, "linked"
        case ChangeSetting(config=key, entity=of, setting=setting):
            return key, of or "", setting
        case ChangeStrategy(config=key, entity=name):
            return key, name, "strategy"
        case ChangeMode(config=key, entity=name):
            return key, name, "mode"
        case MoveLake(config=key):
            return key, "", "lake"
        case TrackEntity(entity=name):
            return "", name, "tracking"
        case _:
            return None


def changes_since(applied: ExportConfig, link: Link, world: World) -> Iterator[ConfigChange]:
    """Yield what leads from the config that was applied to the live link."""
    address = world.address(applied)
    then = link.model_copy(update={"config": applied, "account": address.account, "file_system": address.file_system})
    return link_changes(then, link.config, world)


def marked(
    changes: Sequence[AnyChange], applied: Sequence[ExportConfig] | None, desired: Iterable[ExportConfig], world: World
) -> tuple[AnyChange, ...]:
    """Return changes with their origins; ``applied`` are the configs that were applied last, None where not known."""
    if applied is None:
        return tuple(changes)
    drifted = set(_drifted(applied, world))
    news = set(_news(applied, desired, world))
    return tuple(_marked(change, drifted, news) for change in changes)


def _marked(change: AnyChange, drifted: set[Aspect], news: set[Aspect]) -> AnyChange:
    if isinstance(change, RegisterSolution):
        # The version is there, and its rows are not what it brought.
        back = change.installed == change.version
        return change.model_copy(update={"origin": Origin.DRIFT}) if back else change
    key = aspect(change)
    if key not in drifted:
        return change
    return change.model_copy(update={"origin": Origin.BOTH if key in news else Origin.DRIFT})


def _drifted(applied: Sequence[ExportConfig], world: World) -> Iterator[Aspect]:
    # What is exported was tracked when its link was made.
    yield from (("", entity.name, "tracking") for config in applied for entity in config.entities)
    for config in applied:
        link = world.link(config.id)
        if link is None:
            yield config.id, "", "link"
        else:
            yield from (key for change in changes_since(config, link, world) if (key := aspect(change)))


def _news(applied: Sequence[ExportConfig], desired: Iterable[ExportConfig], world: World) -> Iterator[Aspect]:
    """Yield what of the links the bundle brings, beside what was applied."""
    before = {config.id: config for config in applied}
    for config in desired:
        link = world.link(config.id)
        if (then := before.get(config.id)) is not None and link is not None:
            wanted = link.model_copy(update={"config": config, **world.address(config).model_dump(exclude={"config"})})
            yield from (key for change in changes_since(then, wanted, world) if (key := aspect(change)))


def drift(world: World, rows: Mapping[str, Sequence[ExportConfig]]) -> Iterator[Finding]:
    """Yield what was changed in an environment since it was applied, a finding for each value.

    ``rows`` are the config rows that the last apply of each solution left, by solution. Solutions of which nothing was
    kept are left out. Each finding says what brings it back, and what takes it into the bundle.
    """
    for solution, configs in world.applied.items():
        yield from _solution_drift(solution, world)
        for config in configs:
            yield from _link_drift(solution, config, world)
        for row in rows.get(solution, ()):
            yield from _row_drift(solution, row, world)


def _solution_drift(solution: str, world: World) -> Iterator[Finding]:
    last = world.record.last_applied(solution) if world.record else None
    there = world.present(solution)
    if last is None or (there is not None and there.version == last.version):
        return
    now = "is no longer installed" if there is None else f"is {there.version} now"
    yield Finding(
        "PLN090",
        Severity.ERROR,
        f"{solution} {last.version} was applied, and it {now}",
        Place(world.environment, key=solution),
        "it was changed by another tool",
        f"{_back(solution, world)}; or import the bundle of the version that is there, to take it over",
    )


def back(last: Applied, environment: str) -> str:
    """Return the command that brings back what was applied last; a bundle of what a rollback packed is nowhere."""
    if last.restores is None:
        return f"toolkit import BUNDLE --env {environment} (of {last.solution} {last.version})"
    return f"toolkit rollback --to {last.restores} --solution {last.solution} --env {environment}"


def _back(solution: str, world: World) -> str:
    last = world.record.last_applied(solution) if world.record else None
    told = f"toolkit import BUNDLE --env {world.environment} (of {solution})"
    return f"back: {told if last is None else back(last, world.environment)}"


def _link_drift(solution: str, applied: ExportConfig, world: World) -> Iterator[Finding]:
    place = Place(world.environment, key=applied.name)
    way = _back(solution, world)
    link = world.link(applied.id)
    if link is None:
        what = f"the link of {applied.name!r} was ended"
        yield Finding("PLN091", Severity.ERROR, what, place, fix=f"{way}; or take the config out of the bundle")
        return
    for change in changes_since(applied, link, world):
        target, before, after = describe(change)
        what = f"{target} is {after or 'gone'}, and was applied as {before or 'not linked'}"
        code, take = _told(change)
        yield Finding(code, Severity.ERROR, what, place, fix=f"{way}; or {take}")
    for entity in applied.entities:
        known = world.inventory.entities.get(entity.name)
        if known is not None and not known.change_tracking and known.can_track and link.config.entity(entity.name):
            yield _untracked(entity.name, applied, world)


def _told(change: ConfigChange) -> tuple[str, str]:
    """Return the code of a value that drifted, and what takes it into the bundle."""
    match change:
        case RemoveEntity(entity=name):
            return "PLN092", f"take {name!r} out of the bundle"
        case AddEntity(entity=entity):
            return "PLN093", f"link {entity.name!r} in the bundle ({how(entity)})"
        case ChangeSetting(setting=setting, after=after):
            return "PLN094", f"write {setting}: {value(after)} into the bundle, or its overlay"
        case ChangeStrategy(after=strategy):
            return "PLN094", f"write partition_strategy: {strategy} into the bundle"
        case ChangeMode(append_only=on):
            return "PLN094", f"write append_only: {str(on).lower()} into the bundle"
        case MoveLake(after=address):
            return "PLN094", f"write {lake_name(address)} into the overlay"
        case _:
            assert_never(change)


def _untracked(entity: str, config: ExportConfig, world: World) -> Finding:
    return Finding(
        "PLN095",
        Severity.ERROR,
        f"change tracking of {entity!r} was switched off, and it is exported",
        Place(world.environment, key=f"{config.name}.entities.{entity}"),
        "without it nothing tells what changes",
        f"back: toolkit entity track {entity} --env {world.environment}; or take {entity!r} out of the bundle",
    )


def _row_drift(solution: str, left: ExportConfig, world: World) -> Iterator[Finding]:
    row = world.inventory.configs.get(left.id)
    place, way = Place(world.environment, key=left.name), _back(solution, world)
    if row is None:
        what = f"the export config row of {left.name!r} was deleted"
        yield Finding("PLN096", Severity.ERROR, what, place, fix=f"{way}; or take the config out of the bundle")
    elif canonical(row.config) != canonical(left):
        layer = "an unmanaged layer hides what the managed solution brought" if row.managed else "it was edited by hand"
        for line in differing({"configs": {left.id: by_name(left)}}, {"configs": {left.id: by_name(row.config)}}):
            yield Finding("PLN096", Severity.ERROR, line, place, layer, f"{way}; or write the value into the bundle")
