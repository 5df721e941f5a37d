"""Drift: what was changed in an environment since it was applied.

Live is compared with what was applied last, as two configs are: the keys of the changes between them say which values
drifted, and by them a plan tells what it brings back from what is news.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from toolkit.model.config import ExportConfig
from toolkit.model.link import Link
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
)
from toolkit.plan.links import link_changes
from toolkit.plan.world import World

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
