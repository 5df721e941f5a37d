"""The plans of a restore: what leads an environment back to its backup, solution by solution, then what hands made.

What came after the backup and is no part of it stays, and is told: a restore brings back, and ends nothing that it does
not know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from toolkit.errors import Finding, Place, Severity
from toolkit.model.backup import Backup, SavedLink
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.environment import Registration
from toolkit.plan.changes import (
    AnyChange,
    ChangeOwner,
    LinkChange,
    RecordSolution,
    RegisterSolution,
    TrackEntity,
    WriteConfig,
)
from toolkit.plan.drift import marked
from toolkit.plan.hosted import hosted_findings
from toolkit.plan.links import link_changes, standing
from toolkit.plan.plan import Plan, bringing, create_link, once_tracked, plan_of, remove_link, tracked_first
from toolkit.plan.prerequisites import Profile, prerequisites
from toolkit.plan.rules import (
    core_findings,
    dropped_links,
    form_findings,
    import_findings,
    is_managed,
    key_findings,
    lake_findings,
    organization_findings,
    refuse,
    registered_configs,
    rows_equal,
)
from toolkit.plan.world import World, canonical, same_name

_OTHER_CONTENT = "PLN002"


def plan_solution(backup: Backup, bundle: Bundle, world: World, where: str) -> Plan:
    """Plan to bring back a solution of a backup, its rows and its links; ``bundle`` is under the version it comes as.

    The package comes first, then what was changed by hand since it was applied. Raises Refused with every finding.
    """
    name, managed = bundle.solution.unique_name, is_managed(bundle.solution.package)
    configs, links = configs_of(backup, bundle), _links_of(backup, name)
    register = tuple(_register(bundle, configs, world))
    there = registered_configs(bundle, configs, world.inventory) if register else _there(world)
    rows = tuple(_rows([row for row in backup.rows if row.id in {each.id for each in configs}], there, world))
    tracks = tuple(_tracks(backup, configs, world))
    gone = tuple(remove_link(link, world, keep=True) for link in dropped_links(bundle, world)) if managed else ()
    steps = (*gone, *(step for saved in links for step in _link(saved, world)))
    found = import_findings(bundle, configs, once_tracked(world, tracks), Profile.ENGINE, where)
    # An unmanaged solution is worked on under one version; a managed one has one content under each.
    kept = (finding for finding in found if managed or finding.code != _OTHER_CONTENT)
    findings = refuse((*kept, *form_findings(steps, where, name if managed else None)))
    changes: tuple[AnyChange, ...] = (*register, *rows, *tracks, *steps)
    changes = marked(changes, world.applied_last(name), configs, world) or tuple(_record(backup, bundle, world))
    return plan_of(world, configs, changes, findings, bringing(bundle, configs))


def configs_of(backup: Backup, bundle: Bundle) -> tuple[ExportConfig, ...]:
    """Return the configs of a solution of a backup as they were linked, those that were not linked as it has them."""
    linked = {saved.config.id: saved.config for saved in _links_of(backup, bundle.solution.unique_name)}
    return tuple(linked.get(each.id, each) for each in bundle.configs)


def _links_of(backup: Backup, solution: str) -> list[SavedLink]:
    return [saved for saved in backup.links if same_name(saved.solution, solution)]


def by_hand(backup: Backup) -> tuple[SavedLink, ...]:
    """Return the links of a backup that belong to none of its solutions."""
    owned = [saved.config.id for solution in backup.solutions for saved in _links_of(backup, solution.name)]
    return tuple(saved for saved in backup.links if saved.config.id not in owned)


def _there(world: World) -> Sequence[ExportConfig]:
    return [row.config for row in world.inventory.configs.values()]


def _register(bundle: Bundle, configs: Sequence[ExportConfig], world: World) -> Iterator[RegisterSolution]:
    """Yield the import of a package, where the environment lacks it or a part of it that no hand can make."""
    solution, inventory = bundle.solution, world.inventory
    managed, installed = is_managed(solution.package), world.installed(solution.unique_name)
    whole = (
        installed is not None
        and installed.version == solution.version
        and all(each.id in installed.configs and each.id in inventory.configs for each in bundle.configs)
        and (not managed or rows_equal(bundle, configs, inventory))
    )
    if whole or world.links_only:
        return
    yield RegisterSolution(
        solution=solution.unique_name,
        managed=managed,
        installed=None if installed is None else installed.version,
        version=solution.version,
        effective=bool(configs) and inventory.registration is Registration.EFFECTIVE,
    )


def _record(backup: Backup, bundle: Bundle, world: World) -> Iterator[RecordSolution]:
    """Yield that the record is told again what was applied, where it was lost."""
    name, version = bundle.solution.unique_name, bundle.solution.version
    last = world.record.last_applied(name) if world.record else None
    if name in backup.applied and (last is None or last.version != version):
        yield RecordSolution(solution=name, version=version)


def _rows(wanted: Iterable[ExportConfig], there: Sequence[ExportConfig], world: World) -> Iterator[WriteConfig]:
    before: Mapping[str, ExportConfig] = {config.id: config for config in there}
    for row in () if world.links_only else wanted:
        known = before.get(row.id)
        if known is None or canonical(known) != canonical(row):
            yield WriteConfig(config=row, replaces=known is not None)


def _tracks(backup: Backup, configs: Sequence[ExportConfig], world: World) -> Iterator[TrackEntity]:
    return (change for change in tracked_first(configs, world) if change.entity in backup.tracked)


def _link(saved: SavedLink, world: World) -> Iterator[LinkChange]:
    config, link = saved.config, world.link(saved.config.id)
    if link is None or world.record is None or world.record.lake(config.id) is None:
        yield create_link(config, world, saved.solution)
        return
    start = standing(link, config, world)
    if start is not link:
        yield remove_link(link, world, keep=True)
    yield from link_changes(start, config, world)
    if link.solution != saved.solution:
        yield ChangeOwner(config=config.id, name=config.name, before=link.solution, after=saved.solution)


def plan_by_hand(backup: Backup, carried: Collection[str], world: World, where: str) -> Plan:
    """Plan to bring back the rows and links that belong to no solution of the backup.

    ``carried`` are the ids of the configs of its solutions. Raises Refused with every finding.
    """
    links = by_hand(backup)
    configs = tuple(saved.config for saved in links)
    rows = tuple(_rows([row for row in backup.rows if row.id not in carried], _there(world), world))
    tracks = tuple(_tracks(backup, configs, world))
    steps = tuple(step for saved in links for step in _link(saved, world))
    findings = (
        *organization_findings(world),
        *(core_findings(world) if rows else ()),
        *_config_findings(configs, once_tracked(world, tracks), where),
        *form_findings(steps, where),
    )
    return plan_of(world, configs, (*rows, *tracks, *steps), refuse(findings))


def _config_findings(configs: Sequence[ExportConfig], world: World, where: str) -> Iterator[Finding]:
    for config in configs:
        yield from hosted_findings(config, world.inventory, where)
        yield from prerequisites(config, world.inventory, Profile.ENGINE, where, world.environment)
        yield from lake_findings(config, configs, world, where)
        yield from key_findings(config, world, where)


def stays(backup: Backup, carried: Collection[str], world: World) -> Iterator[Finding]:
    """Yield what came after a backup: a restore leaves it as it is."""
    known = {*carried, *(row.id for row in backup.rows), *(saved.config.id for saved in backup.links)}
    linked = {link.config.id: link.config.name for link in world.links if link.active}
    rows = {key: row.config.name for key, row in world.inventory.configs.items() if not row.managed}
    for key, name in sorted({**rows, **linked}.items(), key=lambda found: found[1]):
        if key not in known:
            fix = f"toolkit lake unlink {name} ends it" if key in linked else "delete its row where it is not wanted"
            yield _later("PLN120", f"the export config {name!r}", world, fix)
    names = {solution.name.casefold() for solution in backup.solutions}
    for name, installed in world.inventory.solutions.items():
        if installed.configs and name.casefold() not in names:
            yield _later("PLN121", f"the solution {name}", world, f"toolkit uninstall {name} ends it")


def _later(code: str, what: str, world: World, fix: str) -> Finding:
    place = Place(world.environment)
    return Finding(code, Severity.NOTE, f"{what} is not in the backup and stays", place, "it came later", fix)
