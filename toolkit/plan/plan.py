"""The plan: the ordered changes that bring an environment to a bundle, and what they assume.

Every function here is pure. A plan that is returned can be applied; what is refused is raised, with all findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from pydantic import JsonValue

from toolkit.errors import Finding, NotFound, Place, Refused, Severity, nearest
from toolkit.model.base import Frozen
from toolkit.model.bundle import Bundle, digest
from toolkit.model.config import ExportConfig, LinkedEntity
from toolkit.model.entity import TableType
from toolkit.model.environment import InstalledSolution, Registration
from toolkit.model.link import Link, led
from toolkit.model.names import UniqueName
from toolkit.model.solution import CORE_SOLUTION
from toolkit.model.version import Version
from toolkit.plan.changes import (
    AnyChange,
    Change,
    ChangeOwner,
    ConfigChange,
    CreateLink,
    DeleteConfig,
    Effect,
    LinkChange,
    MoveLake,
    RecordSolution,
    RegisterSolution,
    RemoveEntity,
    RemoveLink,
    RemoveSolution,
    TrackEntity,
    WriteConfig,
    changed,
    config_of,
    how,
)
from toolkit.plan.drift import marked
from toolkit.plan.hosted import hosted_findings
from toolkit.plan.links import (
    add_entity,
    data_effect,
    entity_changes,
    initial_sync,
    link_changes,
    remove_entity,
    standing,
)
from toolkit.plan.prerequisites import Profile, entity_findings, named_twice, prerequisites, why_untrackable
from toolkit.plan.rules import (
    core_findings,
    dropped_links,
    folders_stay,
    form_findings,
    import_findings,
    is_managed,
    key_findings,
    lake_findings,
    refuse,
    rows_equal,
)
from toolkit.plan.world import World, assumptions, effective_digest, same_name, total

PLAN_FORMAT = 1
"""The format of saved plans."""

HAS_DEPENDENTS = "0x8004f01d"
UPDATE_OF_MANAGED = "0x8004f012"
DELETE_OF_MANAGED = "0x8004f013"


class Brought(Frozen):
    """The bundle that a plan brings: what the record keeps of it. Both are digests; ``effective`` is after overlay."""

    solution: UniqueName
    version: Version
    managed: bool
    bundle: str
    effective: str


class Plan(Frozen):
    """Ordered changes of one environment, with what they assume of it.

    ``configs`` are the effective configs that the plan is about; ``findings`` are warnings and notes.
    """

    format: int = PLAN_FORMAT
    environment: str
    assumes: Mapping[str, JsonValue]
    """See ``toolkit.plan.world.assumptions``."""
    linked: int = 0
    """How many entities the links export, that the plan is about, before it is done."""
    brought: Brought | None = None
    configs: tuple[ExportConfig, ...] = ()
    changes: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @property
    def fingerprint(self) -> str:
        """The digest of what the plan assumes of the environment."""
        return digest(self.assumes)

    @property
    def digest(self) -> str:
        """The digest of the whole plan, by which the history names it."""
        return digest(self.model_dump(mode="json"))


def plan_import(
    bundle: Bundle,
    configs: Sequence[ExportConfig],
    world: World,
    *,
    profile: Profile = Profile.ENGINE,
    where: str = "",
    delete_data: bool = False,
) -> Plan:
    """Plan the import of ``bundle`` with ``configs``, its configs after overlay; ``where`` names it in findings.

    The data of what leaves is kept aside, unless ``delete_data``. Raises Refused with every finding. An equal bundle
    with an equal overlay gives an empty plan.
    """
    solution, managed = bundle.solution, is_managed(bundle.solution.package)
    links = tuple(_links(bundle, configs, world, keep=not delete_data))
    tracks = tuple(tracked_first(configs, world))
    findings = refuse(
        (
            *import_findings(bundle, configs, once_tracked(world, tracks), profile, where),
            *form_findings(links, where, solution.unique_name if managed else None),
            *(_stays(links, world) if delete_data else ()),
        ),
    )
    brought = bringing(bundle, configs)
    changes: tuple[AnyChange, ...] = (*_register(bundle, configs, world), *tracks, *links)
    changes = marked(changes, world.applied_last(solution.unique_name), configs, world)
    changes = changes or tuple(_record(brought, world))
    return plan_of(world, configs, changes, findings, brought)


def plan_of(
    world: World,
    configs: Sequence[ExportConfig],
    changes: Sequence[AnyChange],
    findings: Sequence[Finding] = (),
    brought: Brought | None = None,
) -> Plan:
    """Return the plan of some changes, with what it assumes of ``world``; ``configs`` are those that it is about."""
    about = {config.id for config in configs} | {config_of(change) for change in changes}
    return Plan(
        environment=world.environment,
        assumes=assumptions(world, configs),
        linked=sum(len(link.config.entities) for link in world.links if link.active and link.config.id in about),
        brought=brought,
        configs=tuple(configs),
        changes=tuple(changes),
        findings=tuple(findings),
    )


def bringing(bundle: Bundle, configs: Sequence[ExportConfig]) -> Brought:
    """Return what the record keeps of a bundle with its configs after overlay."""
    solution = bundle.solution
    return Brought(
        solution=solution.unique_name,
        version=solution.version,
        managed=is_managed(solution.package),
        bundle=bundle.digest,
        effective=effective_digest(configs),
    )


def _register(bundle: Bundle, configs: Sequence[ExportConfig], world: World) -> Iterator[RegisterSolution]:
    solution, inventory = bundle.solution, world.inventory
    installed = world.installed(solution.unique_name)
    there = installed is not None and installed.version == solution.version and rows_equal(bundle, configs, inventory)
    if there or world.links_only:
        return
    yield RegisterSolution(
        solution=solution.unique_name,
        managed=is_managed(solution.package),
        installed=None if installed is None else installed.version,
        version=solution.version,
        effective=bool(configs) and inventory.registration is Registration.EFFECTIVE,
    )


def tracked_first(configs: Sequence[ExportConfig], world: World) -> Iterator[TrackEntity]:
    """Yield the entities that have to be tracked first; it is done once the solution is in, and named like a loss."""
    for name in dict.fromkeys(entity.name for config in configs for entity in config.entities):
        known = world.inventory.entities.get(name)
        if known is not None and known.table_type is TableType.STANDARD and known.can_track:
            yield from () if known.change_tracking else (TrackEntity(entity=name),)


def once_tracked(world: World, tracks: Sequence[TrackEntity]) -> World:
    """Return the world once these entities are tracked."""
    known = world.inventory.entities
    tracked = {each.entity: known[each.entity].model_copy(update={"change_tracking": True}) for each in tracks}
    return replace(world, inventory=world.inventory.model_copy(update={"entities": {**known, **tracked}}))


def _links(bundle: Bundle, configs: Sequence[ExportConfig], world: World, *, keep: bool) -> Iterator[LinkChange]:
    solution = bundle.solution.unique_name
    if is_managed(bundle.solution.package):
        yield from (remove_link(link, world, keep=keep) for link in dropped_links(bundle, world))
    for config in configs:
        link = world.link(config.id)
        if link is None:
            yield create_link(config, world, solution)
            continue
        start = standing(link, config, world)
        if start is not link:
            yield remove_link(link, world, keep=keep)
        yield from link_changes(start, config, world, keep=keep)
        yield from _own(link, solution)


def _stays(changes: Sequence[LinkChange], world: World) -> Iterator[Finding]:
    """Yield why data cannot be deleted that changes would delete."""
    leaving = {change.config for change in changes if isinstance(change, RemoveLink | RemoveEntity | MoveLake)}
    for link in world.links:
        if link.active and link.config.id in leaving:
            yield from folders_stay(link, world.environment)


def create_link(config: ExportConfig, world: World, solution: str | None) -> CreateLink:
    """Return the change that links a config: an initial sync of all of its entities."""
    return CreateLink(
        config=config, address=world.address(config), solution=solution, consequence=initial_sync(config, world)
    )


def _own(link: Link, solution: str) -> Iterator[ChangeOwner]:
    if link.solution is None:
        yield ChangeOwner(config=link.config.id, name=link.config.name, before=None, after=solution)


def _record(brought: Brought, world: World) -> Iterator[RecordSolution]:
    applied = world.record.last_applied(brought.solution) if world.record else None
    known = None if applied is None else (applied.version, applied.bundle, applied.effective)
    if known != (brought.version, brought.bundle, brought.effective):
        yield RecordSolution(solution=brought.solution, version=brought.version)


def plan_uninstall(solution: str, world: World, *, prune: bool = False, delete_data: bool = False) -> Plan:
    """Plan to uninstall a solution.

    A managed one takes its configs and links along. An unmanaged one leaves them as orphans, unless ``prune``. The
    data of a removed link is kept, unless ``delete_data``. Raises NotFound, or Refused while others depend on it.
    """
    present = world.present(solution)
    links = [link for link in world.links if link.active and same_name(link.solution, solution)]
    if present is None and not links:
        raise NotFound(
            "PLN050",
            f"the solution {solution!r} is not installed",
            where=Place(world.environment),
            fix=nearest(solution, world.inventory.solutions),
        )
    managed = _was_managed(solution, world) if present is None else present.managed
    changes: list[AnyChange] = []
    if present is not None:
        changes.append(RemoveSolution(solution=present.name, managed=managed, version=present.version))
    if (installed := world.installed(solution)) is not None:
        refuse(_dependents(installed, world))
        changes += _prune(installed, world) if prune and not managed else ()
    ends = managed or prune
    if ends and delete_data:
        refuse(finding for link in links for finding in folders_stay(link, world.environment))
    if ends:
        changes += (remove_link(link, world, keep=not delete_data) for link in links)
    else:
        changes += {link.config.id: _orphan(link) for link in links}.values()
    return plan_of(world, (), changes)


def _was_managed(solution: str, world: World) -> bool:
    """Whether a solution that is gone was managed: an uninstall was cut off before it came to the links."""
    applied = world.record.last_applied(solution) if world.record else None
    return applied is None or applied.managed


def _dependents(installed: InstalledSolution, world: World) -> Iterator[Finding]:
    name = installed.unique_name
    for other in world.inventory.solutions.values():
        if any(same_name(name, needed) for needed in other.requires):
            yield Finding(
                HAS_DEPENDENTS,
                Severity.ERROR,
                f"{other.unique_name} depends on {name}",
                Place(world.environment),
                "a solution stays while another one is built on it",
                f"toolkit uninstall {other.unique_name} first",
            )
    if name == CORE_SOLUTION and world.inventory.configs:
        configs = sorted(row.config.name for row in world.inventory.configs.values())
        yield Finding(
            "PLN052",
            Severity.ERROR,
            f"{name} holds the table of the export configs {', '.join(configs)}",
            Place(world.environment),
            "without it they would be lost",
            "uninstall their solutions, or toolkit lake unlink, first",
        )


def _prune(installed: InstalledSolution, world: World) -> Iterator[DeleteConfig]:
    for key in installed.configs:
        if (row := world.inventory.configs.get(key)) is not None:
            yield DeleteConfig(config=key, name=row.config.name)


def _orphan(link: Link) -> ChangeOwner:
    return ChangeOwner(config=link.config.id, name=link.config.name, before=link.solution, after=None)


def remove_link(link: Link, world: World, *, keep: bool) -> RemoveLink:
    """Return the change that ends a link; its data is kept aside, or deleted where that was named."""
    effect = data_effect(link.config, keep=keep)
    return RemoveLink(
        config=link.config.id,
        name=link.config.name,
        address=link.address,
        entities=tuple(entity.name for entity in link.config.entities),
        keep=keep,
        consequence=total((world.estimate(entity.name, effect) for entity in link.config.entities), effect),
    )


def plan_link(config: ExportConfig, world: World, *, profile: Profile = Profile.ENGINE) -> Plan:
    """Plan to link an environment to a lake by hand: the config row, and the link. Raises Refused."""
    linked = world.link(config.id)
    findings = refuse(
        (
            *(_already_linked(linked, config, world) if linked is not None else ()),
            *core_findings(world),
            *hosted_findings(config, world.inventory, world.environment),
            *prerequisites(config, world.inventory, profile, environment=world.environment),
            *lake_findings(config, (), world),
            *key_findings(config, world, world.environment),
        )
    )
    owner = None if linked is None else linked.solution
    return plan_of(world, (config,), (*_row(config, world), create_link(config, world, owner)), findings)


def _already_linked(link: Link, config: ExportConfig, world: World) -> Iterator[Finding]:
    """Yield why a link is not made again; one that the record lost is, as long as its files allow what is wanted."""
    changes = tuple(link_changes(link, config, world))
    if world.record is None or world.record.lake(config.id) is None:
        yield from form_findings(changes, world.environment)
        if not any(change.consequence.effect is Effect.HISTORY_DELETED for change in changes):
            return
    yield Finding(
        "PLN054",
        Severity.ERROR,
        f"the export config {link.config.name!r} is linked already",
        Place(world.environment),
        f"it exports to {link.account}/{link.file_system}",
        "toolkit entity add changes what a link exports",
    )


def _row(config: ExportConfig, world: World) -> Iterator[WriteConfig]:
    row = world.inventory.configs.get(config.id)
    if not world.links_only and (row is None or row.config != config):
        yield WriteConfig(config=config, replaces=row is not None)


def plan_entities(
    config: str,
    world: World,
    *,
    add: Sequence[LinkedEntity] = (),
    remove: Sequence[str] = (),
    delete_data: bool = False,
) -> Plan:
    """Plan to add entities to a live link and to take some off, by hand. ``config`` is the config's id or name.

    The config row and the link change alike; what an overlay changed on the link stays. Raises NotFound for a config
    that is not linked, Refused with every finding otherwise.
    """
    link = live_link(config, world)
    findings = refuse(
        (
            *_managed(UPDATE_OF_MANAGED, link, world),
            *_entities_in(link, add, world),
            *key_findings(link.config.model_copy(update={"entities": tuple(add)}), world, world.environment),
            *_entities_out(link, remove, world),
            *(folders_stay(link, world.environment) if remove and delete_data else ()),
        )
    )
    row = world.inventory.configs.get(link.config.id)
    base = link.config if row is None else row.config
    gone, given = set(remove), [_as_given(base.entity(entity.name), entity) for entity in add]
    named = gone | {entity.name for entity in given}
    kept = tuple(entity for entity in base.entities if entity.name not in named)
    after = base.model_copy(update={"entities": (*kept, *given)})
    steps: tuple[ConfigChange, ...] = (
        *(remove_entity(link.config, name, world, keep=not delete_data) for name in remove),
        *(step for entity in add for step in _added(link.config, entity, world)),
    )
    changes: tuple[AnyChange, ...] = (*_row(after, world), *steps)
    return plan_of(world, (reduce(changed, steps, link.config),), changes, findings)


def _as_given(present: LinkedEntity | None, entity: LinkedEntity) -> LinkedEntity:
    """Return an entity as a person asks for it by hand, who says strategy and mode only."""
    if present is None:
        return entity
    how = {"partition_strategy": entity.partition_strategy, "append_only": entity.append_only}
    return present.model_copy(update=how)


def _added(config: ExportConfig, entity: LinkedEntity, world: World) -> Iterator[ConfigChange]:
    """Yield the changes that export an entity so; one that is linked stays so."""
    present = config.entity(entity.name)
    if present is None:
        yield add_entity(config, entity, world)
    else:
        yield from entity_changes(config, present, _as_given(present, entity), world)


def live_link(config: str, world: World) -> Link:
    """Return the live link of a config by its id or its name. Raises NotFound."""
    live = list(led(world.links))
    for link in live:
        if config in {link.config.id, link.config.name}:
            return link
    raise NotFound(
        "PLN053",
        f"no live link of an export config {config!r}",
        where=Place(world.environment),
        fix=nearest(config, (link.config.name for link in live)) or "toolkit lake link makes one",
    )


def _managed(code: str, link: Link, world: World) -> Iterator[Finding]:
    row = world.inventory.configs.get(link.config.id)
    if row is not None and row.managed:
        owner = link.solution or "its solution"
        yield Finding(
            code,
            Severity.ERROR,
            f"the export config {link.config.name!r} is managed by {owner}",
            Place(world.environment),
            "a managed component is changed by its solution only",
            f"change it where {owner} is developed and import the next version",
        )


def _entities_in(link: Link, add: Sequence[LinkedEntity], world: World) -> Iterator[Finding]:
    yield from named_twice((entity.name for entity in add), link.config.name, world.environment)
    for entity in add:
        place = Place(world.environment, key=f"{link.config.name}.entities.{entity.name}")
        if (present := link.config.entity(entity.name)) is not None:
            yield from _linked_already(link, present, entity, world)
        else:
            yield from entity_findings(entity, world.inventory, Profile.ENGINE, place)


def _linked_already(link: Link, present: LinkedEntity, entity: LinkedEntity, world: World) -> Iterator[Finding]:
    """Yield why an entity is not linked again: nothing about it would change, or nothing was asked for."""
    asked = entity.append_only or entity.partition_strategy is not None
    alike = (entity.append_only, entity.strategy) == (present.append_only, present.strategy)
    if alike or not asked:
        yield Finding(
            "PLN056",
            Severity.ERROR,
            f"the entity {entity.name!r} is linked already",
            Place(world.environment, key=f"{link.config.name}.entities.{entity.name}"),
            f"it is exported {how(present)}",
            f"leave it out, or say how: {present.name}=Year, {present.name}=Month, {present.name}=append-only",
        )


def _entities_out(link: Link, remove: Sequence[str], world: World) -> Iterator[Finding]:
    yield from named_twice(remove, link.config.name, world.environment)
    known = [entity.name for entity in link.config.entities]
    for name in remove:
        if name not in known:
            place = Place(world.environment, key=f"{link.config.name}.entities.{name}")
            what = f"the entity {name!r} is not linked"
            yield Finding("PLN057", Severity.ERROR, what, place, fix=nearest(name, known))


def plan_unlink(config: str, world: World, *, delete_data: bool = False) -> Plan:
    """Plan to end a live link by hand, and to delete its config row. ``config`` is the config's id or name."""
    link = live_link(config, world)
    stay = folders_stay(link, world.environment) if delete_data else ()
    refuse((*_managed(DELETE_OF_MANAGED, link, world), *stay))
    there = link.config.id in world.inventory.configs
    rows = (DeleteConfig(config=link.config.id, name=link.config.name),) if there else ()
    # The one that leads goes first: should only that be done, the other one is found by the next plan.
    both = (link, *(old for old in [world.replaced(link)] if old is not None))
    return plan_of(world, (), (*rows, *(remove_link(each, world, keep=not delete_data) for each in both)))


def plan_track(entity: str, world: World) -> Plan:
    """Plan to enable change tracking of an entity; empty where it is on. Raises NotFound, or Refused."""
    known = world.inventory.entities
    place = Place(world.environment, key=entity)
    if entity not in known:
        fix = nearest(entity, known) or "install the solution that brings the entity first"
        raise NotFound("PLN010", f"the entity {entity!r} does not exist in the environment", where=place, fix=fix)
    if known[entity].change_tracking:
        return plan_of(world, (), ())
    if not known[entity].can_track:
        raise Refused(
            "PLN012",
            f"change tracking cannot be enabled on the entity {entity!r}",
            where=place,
            why=why_untrackable(known[entity]),
            fix=f"link {entity!r} as it is: the engine reads it whole from time to time",
        )
    return plan_of(world, (), (TrackEntity(entity=entity),))
