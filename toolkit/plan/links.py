"""What leads from a live link to the config it should have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from toolkit.model.base import Frozen
from toolkit.model.config import ExportConfig, Layout, LinkedEntity
from toolkit.model.link import Link
from toolkit.model.shape import Reshape, Shape, reshape, reshaped, shape_of
from toolkit.plan.changes import (
    AddEntity,
    ChangeMode,
    ChangeSetting,
    ChangeStrategy,
    ConfigChange,
    Consequence,
    Effect,
    InPlace,
    MoveLake,
    RemoveEntity,
)
from toolkit.plan.world import World, total

SETTINGS = (
    "interval_minutes",
    "retry",
    "write_delete_log",
    "output.header",
    "output.times",
    "output.labels",
    "output.layout",
    "snapshots",
    "name",
    "storage.subscription",
    "storage.resource_group",
    "storage.cloud",
    "storage.workspace",
    "storage.tenant",
    "storage.endpoints",
    "storage.file_system",
    "destination",
    "odi_enabled",
    "is_default",
    "customizable",
    "state",
    "status",
    "extra",
)
"""What changes in place, in the order of a plan. Account, file system and entities have changes of their own."""

ENTITY_SETTINGS = (
    "partition_strategy",
    "records_per_block",
    "columns",
    "filter",
    "mask",
    "scan_minutes",
    "extra",
)
"""The same for an entity; its strategy is a setting only where the strategy in force stays."""


def standing(link: Link, desired: ExportConfig, world: World) -> Link:
    """Return the link that leads to ``desired``: the one before, where the move to ``link`` is given up half-way."""
    before = world.replaced(link)
    return link if before is None or link.address == world.address(desired) else before


def link_changes(link: Link, desired: ExportConfig, world: World, *, keep: bool = True) -> Iterator[ConfigChange]:
    """Yield the changes that bring a link to ``desired``, in order: the lake, settings, entities out, changed, in.

    With ``keep`` the data of what leaves is kept aside.
    """
    moved = link.address != world.address(desired)
    if moved:
        yield _move(link, desired, world, keep=keep)
    changes = _in_place(link, desired, world, moved=moved, keep=keep)
    yield from (_without_files(each) if moved else each for each in changes)


def _without_files(change: InPlace) -> InPlace:
    """Return a change that comes with a move: the new lake has files of the new kind from the beginning."""
    if isinstance(change, ChangeSetting):
        change = change.model_copy(update={"history": (), "remade": ()})
    return change.model_copy(update={"consequence": Consequence()})


def _in_place(link: Link, desired: ExportConfig, world: World, *, moved: bool, keep: bool) -> Iterator[InPlace]:
    yield from _settings(link.config, desired, world, moved=moved)
    linked = {entity.name: entity for entity in link.config.entities}
    wanted = {entity.name: entity for entity in desired.entities}
    yield from (remove_entity(link.config, name, world, keep=keep) for name in linked if name not in wanted)
    for name in sorted(linked.keys() & wanted.keys()):
        # Most entities of a large link stay as they are, and need no closer look.
        if linked[name] != wanted[name]:
            yield from entity_changes(link.config, linked[name], wanted[name], world)
    yield from (add_entity(link.config, entity, world) for name, entity in wanted.items() if name not in linked)


def add_entity(config: ExportConfig, entity: LinkedEntity, world: World) -> AddEntity:
    """Return the change that adds an entity: an initial sync of it, while the others go on."""
    return AddEntity(config=config.id, name=config.name, entity=entity, consequence=world.estimate(entity.name))


def remove_entity(config: ExportConfig, entity: str, world: World, *, keep: bool) -> RemoveEntity:
    """Return the change that takes an entity off: its data is kept aside, or deleted where that was named."""
    consequence = world.estimate(entity, data_effect(config, keep=keep))
    return RemoveEntity(config=config.id, name=config.name, entity=entity, keep=keep, consequence=consequence)


def data_effect(config: ExportConfig, *, keep: bool) -> Effect:
    """Return what becomes of the data of what leaves a link: that of incremental folders stays where it is."""
    if not keep:
        return Effect.DATA_DELETED
    return Effect.DATA_STAYS if config.output.layout is Layout.INCREMENTAL else Effect.DATA_KEPT


def initial_sync(config: ExportConfig, world: World) -> Consequence:
    """Return the initial sync of every entity of a config."""
    return total((world.estimate(entity.name) for entity in config.entities), Effect.INITIAL_SYNC)


def _move(link: Link, desired: ExportConfig, world: World, *, keep: bool) -> MoveLake:
    # The history of an append-only entity cannot be read from the source again.
    history = tuple(entity.name for entity in link.config.entities if world.append_only(entity))
    sync = initial_sync(desired, world)
    return MoveLake(
        config=link.config.id,
        name=link.config.name,
        before=link.address,
        after=world.address(desired),
        written=desired.storage.file_system,
        entities=tuple(entity.name for entity in link.config.entities),
        history=history,
        keep=keep,
        consequence=sync.model_copy(update={"effect": _move_effect(history, keep=keep)}),
    )


def _move_effect(history: Sequence[str], *, keep: bool) -> Effect:
    if history:
        return Effect.HISTORY_DELETED
    return Effect.NEW_LAKE if keep else Effect.DATA_DELETED


def _settings(before: ExportConfig, after: ExportConfig, world: World, *, moved: bool) -> Iterator[ChangeSetting]:
    old, new = _dump(before), _dump(after)
    # The files of a new lake have its form from the beginning.
    wanted = set() if moved else {entity.name for entity in after.entities}
    staying = [entity for entity in before.entities if entity.name in wanted]
    for setting in SETTINGS:
        if moved and setting == "storage.file_system":
            continue
        was, becomes = _at(old, setting), _at(new, setting)
        if was != becomes:
            change = ChangeSetting(config=before.id, name=before.name, setting=setting, before=was, after=becomes)
            yield _with_consequence(change, setting.removeprefix("output."), staying, before, world)


def _dump(of: Frozen) -> dict[str, Any]:
    """Return the values of a model that are there: a condition has one comparison and not five that are null."""
    return of.model_dump(mode="json", exclude_none=True)


def _with_consequence(
    change: ChangeSetting, aspect: str, entities: Iterable[LinkedEntity], config: ExportConfig, world: World
) -> ChangeSetting:
    """Return a change with what it does to the files of ``entities`` of a config, where it changes their shape."""
    if aspect not in Shape.model_fields:
        return change
    # Incremental folders are sent anew, so no file holds two forms.
    live = config.output.layout is Layout.LIVE
    ways = {entity.name: reshape(aspect, append_only=live and world.append_only(entity)) for entity in entities}
    history = tuple(name for name, way in ways.items() if way is Reshape.REFUSE)
    remade = tuple(name for name, way in ways.items() if way is Reshape.REBUILD)
    named: dict[str, object] = {"history": history, "remade": remade}
    effects = {_EFFECTS[way] for way in ways.values() if way in _EFFECTS}
    if not effects:
        return change.model_copy(update=named)
    sizes = (world.estimate(name) for name, way in ways.items() if way in _EFFECTS)
    return change.model_copy(update={**named, "consequence": total(sizes, max(effects, key=_ORDER.index))})


_EFFECTS = {Reshape.COMPARE: Effect.COMPARISON, Reshape.REBUILD: Effect.REINITIALISE}
_ORDER = list(Effect)


def _at(data: dict[str, object], path: str) -> object:
    node: object = data
    for key in path.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node


def entity_changes(
    config: ExportConfig, before: LinkedEntity, after: LinkedEntity, world: World
) -> Iterator[ChangeMode | ChangeStrategy | ChangeSetting]:
    """Yield the changes that export an entity of a link as ``after`` says."""
    if config.output.layout is Layout.INCREMENTAL:
        # Mode and strategy are forced there, so that another one changes nothing.
        yield from _entity_settings(config, before, after, world, ("append_only", *ENTITY_SETTINGS))
        return
    if before.append_only != after.append_only:
        yield _mode(config, before, after, world)
    elif before.strategy != after.strategy:
        yield ChangeStrategy(
            config=config.id,
            name=config.name,
            entity=after.name,
            before=before.strategy,
            after=after.strategy,
            written=after.partition_strategy,
            consequence=Consequence() if world.append_only(after) else world.estimate(after.name, Effect.REPARTITION),
        )
    in_force = (before.append_only, before.strategy) == (after.append_only, after.strategy)
    settings = ENTITY_SETTINGS if in_force else tuple(each for each in ENTITY_SETTINGS if each != "partition_strategy")
    yield from _entity_settings(config, before, after, world, settings)


def _mode(config: ExportConfig, before: LinkedEntity, after: LinkedEntity, world: World) -> ChangeMode:
    effect = Effect.REINITIALISE if after.append_only else Effect.HISTORY_DELETED
    # Without createdon an entity is append-only, whatever its link says.
    same = world.append_only(before) == world.append_only(after)
    return ChangeMode(
        config=config.id,
        name=config.name,
        entity=after.name,
        append_only=after.append_only,
        written=after.partition_strategy,
        consequence=Consequence() if same else world.estimate(after.name, effect),
    )


def _entity_settings(
    config: ExportConfig, before: LinkedEntity, after: LinkedEntity, world: World, settings: Sequence[str]
) -> Iterator[ChangeSetting]:
    old, new = _dump(before), _dump(after)
    other = reshaped(shape_of(before, config.output), shape_of(after, config.output))
    for setting in settings:
        if old.get(setting) != new.get(setting):
            change = ChangeSetting(
                config=config.id,
                name=config.name,
                entity=after.name,
                setting=setting,
                before=old.get(setting),
                after=new.get(setting),
            )
            yield _with_consequence(change, setting, [before] if setting in other else [], config, world)
