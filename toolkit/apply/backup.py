"""Backup and restore of an environment's export configuration.

A backup is one reading of the environment, its record and its link documents. A restore is a row of plans that are
done like those of any import: first each solution, in the order of the backup, then what hands made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from toolkit import __version__
from toolkit.apply.kept import package_of, repacked, version_above
from toolkit.apply.world import read_world
from toolkit.bundle import read_archive, read_bundle
from toolkit.errors import Finding, NotFound, Refused
from toolkit.model.backup import Backup, SavedLink, SavedSolution
from toolkit.model.bundle import Bundle
from toolkit.model.link import led
from toolkit.model.solution import CORE_SOLUTION
from toolkit.model.version import Version
from toolkit.plan import Plan
from toolkit.plan.restoring import by_hand, configs_of, plan_by_hand, plan_solution, stays
from toolkit.plan.world import Present, World, same_name
from toolkit.site import Site


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup, and its packages by their SHA-256; ``where`` names its file."""

    backup: Backup
    packages: Mapping[str, bytes]
    where: str

    def bundle(self, solution: SavedSolution) -> Bundle:
        """Return a solution as it was saved."""
        return _bundle(self.packages[solution.package], self._named(solution))

    def _named(self, solution: SavedSolution) -> str:
        return f"{self.where} ({solution.name} {solution.version})"

    @property
    def carried(self) -> frozenset[str]:
        """The ids of the configs of its solutions."""
        return frozenset(each.id for solution in self.backup.solutions for each in self.bundle(solution).configs)


def _bundle(package: bytes, where: str) -> Bundle:
    return read_bundle(read_archive(package, where), where)


def take(site: Site, now: datetime, where: str) -> Kept:
    """Back up the export configuration of an environment.

    Raises what keeps a link from being read, and NotFound (APL031) for a managed solution whose package is not known.
    """
    for broken in site.broken():
        raise broken.error
    world = read_world(site, count=False)
    packages = {found: _package(site, world, found) for found in _carrying(world)}
    solutions = tuple(
        SavedSolution(name=found.name, version=found.version, managed=found.managed, package=_digest(data))
        for found, data in packages.items()
    )
    return Kept(_backup(world, solutions, now), {_digest(data): data for data in packages.values()}, where)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _carrying(world: World) -> Iterator[Present]:
    """Yield the solutions that carry export configs, in the order in which they were applied."""
    applied = [entry.solution for entry in world.record.applied] if world.record else []
    carrying = sorted(found.unique_name for found in world.inventory.solutions.values() if found.configs)
    names = applied if world.links_only else [*(name for name in applied if name in carrying), *carrying]
    for name in dict.fromkeys(names):
        found = world.present(name)
        if found is not None and not same_name(name, CORE_SOLUTION):
            yield found


def _package(site: Site, world: World, found: Present) -> bytes:
    last = world.record.last_applied(found.name) if world.record else None
    if last is not None and last.version == found.version and last.package is not None:
        package = package_of(site.state, last)
        if found.managed or world.links_only or _holds(package, found.name, world):
            return package
    if found.managed or world.links_only:
        raise NotFound(
            "APL031",
            f"the package of {found.name} {found.version} is not known, so it cannot be backed up",
            where=site.name,
            why="a managed solution cannot be exported, and another tool imported it",
            fix=f"toolkit import its zip --env {site.name}: the environment stays as it is, and the package is kept",
        )
    return site.environment.export_solution(found.name, managed=False)


def _holds(package: bytes, name: str, world: World) -> bool:
    """Whether a package has the same configs as the solution has by now."""
    installed = world.installed(name)
    there = () if installed is None else installed.configs
    return {each.id for each in _bundle(package, name).configs} == set(there)


def _backup(world: World, solutions: tuple[SavedSolution, ...], now: datetime) -> Backup:
    inventory, links = world.inventory, tuple(led(world.links))
    entities = sorted({entity.name for link in links for entity in link.config.entities} & inventory.entities.keys())
    last = {each.name: world.record.last_applied(each.name) for each in solutions} if world.record else {}
    return Backup(
        toolkit=__version__,
        environment=world.environment,
        organization=inventory.organization.id,
        created=now,
        solutions=solutions,
        rows=tuple(row.config for _, row in sorted(inventory.configs.items()) if not row.managed),
        links=tuple(SavedLink(config=link.config, solution=link.solution) for link in links),
        tracked=tuple(name for name in entities if inventory.entities[name].change_tracking),
        applied={name: entry for name, entry in last.items() if entry is not None},
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One plan of a restore, with the package that it imports and the version whose content that brings back."""

    plan: Plan
    archive: bytes | None = None
    restores: Version | None = None


def require_same_organization(kept: Kept, site: Site) -> None:
    """See that a backup is of the organization of an environment. Raises Refused (APL030)."""
    here, there = site.environment.inventory().organization.id, kept.backup.organization
    if here != there:
        raise Refused(
            "APL030",
            f"{kept.where} is a backup of {kept.backup.environment!r} from the organization {there}",
            where=site.name,
            why=f"the organization of {site.name} is {here}",
            fix="if its configuration is meant for this one: add --take-over",
        )


def parts(kept: Kept, site: Site) -> Iterator[Part]:
    """Yield the plans of a restore, each for the environment as it is when it is asked for."""
    yield from (_solution_part(kept, solution, site) for solution in kept.backup.solutions)
    world = read_world(site, (saved.config for saved in by_hand(kept.backup)))
    yield Part(plan_by_hand(kept.backup, kept.carried, world, kept.where))


def _solution_part(kept: Kept, saved: SavedSolution, site: Site) -> Part:
    world = read_world(site, configs_of(kept.backup, kept.bundle(saved)))
    package, restores = kept.packages[saved.package], None
    present = world.present(saved.name)
    if present is not None and present.version > saved.version:
        # Nothing lower is ever imported, so that it comes back as a rollback does.
        above = version_above(world.record, world.inventory, saved.name, saved.version)
        package, restores = repacked(package, above, kept.where), saved.version
    bundle = _bundle(package, f"{saved.name} {saved.version}")
    return Part(plan_solution(kept.backup, bundle, world, kept.where), package, restores)


def later(kept: Kept, site: Site) -> tuple[Finding, ...]:
    """Return what came after a backup, which a restore leaves as it is."""
    return tuple(stays(kept.backup, kept.carried, read_world(site, count=False)))
