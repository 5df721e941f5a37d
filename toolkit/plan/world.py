"""The world a plan is made for, as one value, and what of it a plan assumes.

Inventory, record, link documents and statistics come in as values: nothing in this package reads or writes anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from toolkit.model.bundle import digest
from toolkit.model.config import ExportConfig, LinkedEntity
from toolkit.model.entity import Entity
from toolkit.model.environment import InstalledSolution, Inventory, Registration
from toolkit.model.link import EnvironmentRecord, LakeAddress, Link, led
from toolkit.model.solution import Package, Publisher
from toolkit.model.version import Version
from toolkit.plan.changes import Consequence, Effect

BYTES_PER_VALUE = 10
"""About what one value of a row takes in CSV. Measured: 2 M rows of 60 columns are 1.2 GB."""


READING = frozenset({Effect.INITIAL_SYNC, Effect.COMPARISON, Effect.REINITIALISE, Effect.HISTORY_DELETED})
"""Effects for which every row is read again."""

_N = TypeVar("_N", int, float)


class LakeName(NamedTuple):
    """A file system by its names."""

    account: str
    file_system: str


class Present(NamedTuple):
    """A solution that an environment has: in Dataverse, or where only links are made by what was applied."""

    name: str
    version: Version
    managed: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """What an initial sync costs: see ``toolkit.engine.estimate``, which says where each figure comes from."""

    page: int
    """Rows of a page at most."""
    append: int
    """Bytes of an append."""
    of_a_file: int
    """Requests of a file besides its appends."""
    rows_per_second: int

    def requests(self, rows: int, size: int) -> int:
        """Return about how many requests read ``rows`` and write ``size`` bytes: one file, and one count."""
        return 1 + math.ceil(max(rows, 1) / self.page) + self.of_a_file + math.ceil(size / self.append)

    def seconds(self, rows: int) -> float:
        """Return about how long ``rows`` take."""
        return round(rows / self.rows_per_second, 1)


@dataclass(frozen=True, slots=True)
class World:
    """What a plan stands on: one reading of an environment and of its lakes.

    ``links`` holds the link documents, inactive ones too. ``statistics`` counts the rows of entities, where that is
    known. ``foreign`` names, for each file system that a plan may want and that is not ours, what is in it.
    """

    environment: str
    """The name that ``toolkit.yaml`` gives it."""
    inventory: Inventory
    record: EnvironmentRecord | None = None
    links: tuple[Link, ...] = ()
    statistics: Mapping[str, int] = field(default_factory=dict)
    foreign: Mapping[LakeName, str] = field(default_factory=dict)
    rates: Rates | None = None
    applied: Mapping[str, tuple[ExportConfig, ...]] = field(default_factory=dict)
    """The effective configs that were applied last, by solution; without those of which nothing was kept."""
    no_key: str = ""
    """Why there is no key to hash columns with, empty where there is one. The key itself is not known here."""

    def link(self, config: str) -> Link | None:
        """Return the live link that says what a config exports, or None."""
        return next((link for link in led(self.links) if link.config.id == config), None)

    def replaced(self, link: Link) -> Link | None:
        """Return the live link that another one is about to replace, or None."""
        address = None if link.replaces is None else link.replaces.address
        return next((old for old in self.links if old.active and old.address == address), None)

    def without(self, address: LakeAddress) -> World:
        """Return the world without the link to a lake."""
        return replace(self, links=tuple(link for link in self.links if link.address != address))

    def installed(self, name: str) -> InstalledSolution | None:
        """Return the installed solution of a name, in any case, or None."""
        return next((found for key, found in self.inventory.solutions.items() if same_name(key, name)), None)

    @property
    def links_only(self) -> bool:
        """Whether no solution is registered in the environment: only the record says then what was applied."""
        return self.inventory.registration is Registration.LINK_ONLY

    def present(self, name: str) -> Present | None:
        """Return which version of a solution the environment has, or None: the installed one, or that of the record."""
        if not self.links_only:
            found = self.installed(name)
            managed = found is not None and found.package is Package.MANAGED
            return None if found is None else Present(found.unique_name, found.version, managed)
        applied = self.record.last_applied(name) if self.record else None
        return None if applied is None else Present(applied.solution, applied.version, applied.managed)

    def publisher(self, name: str) -> Publisher | None:
        """Return the publisher of a name, in any case, or None."""
        return next((found for key, found in self.inventory.publishers.items() if same_name(key, name)), None)

    def owner(self, config: str) -> InstalledSolution | None:
        """Return the installed solution that holds a config, or None."""
        return next((found for found in self.inventory.solutions.values() if config in found.configs), None)

    def address(self, config: ExportConfig) -> LakeAddress:
        """Return where a config exports to in this environment."""
        file_system = config.storage.file_system or self.inventory.file_system
        return LakeAddress(config=config.id, account=config.storage.account, file_system=file_system)

    def append_only(self, linked: LinkedEntity) -> bool:
        """Whether an entity is exported append-only: as linked, or because it has no createdon."""
        definition = self.inventory.entities.get(linked.name)
        return linked.append_only or (definition is not None and not definition.has_createdon)

    def estimate(self, entity: str, effect: Effect = Effect.INITIAL_SYNC) -> Consequence:
        """Return ``effect`` on an entity with its rows and bytes, as far as they are known."""
        rows, definition = self.statistics.get(entity), self.inventory.entities.get(entity)
        size = None if rows is None or definition is None else rows * row_size(definition)
        plain = Consequence(effect=effect, rows=rows, size=size)
        if self.rates is None or rows is None or size is None or effect not in READING:
            return plain
        cost = {"requests": self.rates.requests(rows, size), "seconds": self.rates.seconds(rows)}
        return plain.model_copy(update=cost)

    def applied_last(self, solution: str) -> tuple[ExportConfig, ...] | None:
        """Return the effective configs that were applied last of a solution, in any case, or None."""
        return next((configs for name, configs in self.applied.items() if same_name(name, solution)), None)


def same_name(one: str | None, other: str) -> bool:
    """Whether two unique names of solutions or publishers are the same to Dataverse: in any case."""
    return one is not None and one.casefold() == other.casefold()


def row_size(entity: Entity) -> int:
    """Return about how many bytes a row of an entity takes in CSV."""
    return BYTES_PER_VALUE * len(entity.attributes)


def total(consequences: Iterable[Consequence], effect: Effect) -> Consequence:
    """Return the sum of consequences; a figure that one of them does not know is not known."""
    parts = tuple(consequences)
    return Consequence(
        effect=effect,
        rows=_sum([part.rows for part in parts]),
        size=_sum([part.size for part in parts]),
        requests=_sum([part.requests for part in parts]),
        seconds=_sum([part.seconds for part in parts]),
    )


def _sum(figures: Sequence[_N | None]) -> _N | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known[1:], start=known[0]) if known and len(known) == len(figures) else None


def canonical(config: ExportConfig) -> dict[str, object]:
    """Return a config as JSON values in canonical form: the order of its entities has no meaning."""
    data: dict[str, object] = config.model_dump(mode="json", exclude={"entities"})
    entities: list[LinkedEntity] = sorted(config.entities, key=lambda entity: entity.name)
    return {**data, "entities": [entity.model_dump(mode="json") for entity in entities]}


def effective(configs: Iterable[ExportConfig]) -> list[dict[str, object]]:
    """Return configs after overlay as JSON values in canonical form."""
    return [canonical(config) for config in sorted(configs, key=lambda config: config.id)]


def effective_digest(configs: Iterable[ExportConfig]) -> str:
    """Return the digest of what is desired: the effective configs, after overlay."""
    return digest(effective(configs))


def assumptions(world: World, configs: Sequence[ExportConfig] = ()) -> dict[str, Any]:
    """Return what a plan assumes of the environment, as JSON values; where one is another, the plan is stale.

    It covers organization, solutions, config rows, what was applied last, and links; of the entities and accounts that
    links or ``configs`` name the schema (as a digest), the tracking flag and the properties; and whether there is a key
    where ``configs`` hash columns. Rows, bytes and cursors do not count.
    """
    inventory = world.inventory
    wanted = (*configs, *(link.config for link in world.links))
    entities = sorted({entity.name for config in wanted for entity in config.entities})
    accounts = sorted({config.storage.account for config in wanted})
    return {
        "organization": inventory.organization.id,
        "registration": inventory.registration.value,
        "solutions": {name: _solution(found) for name, found in sorted(inventory.solutions.items())},
        "configs": {key: by_name(row.config) for key, row in sorted(inventory.configs.items())},
        "entities": {name: _entity(name, inventory) for name in entities},
        "accounts": {name: _account(name, inventory) for name in accounts},
        "links": {f"{link.account}/{link.file_system}": _link(link) for link in world.links},
        "record": None if world.record is None else _record(world.record),
        "hosted": {link.id: link.model_dump(mode="json") for link in inventory.hosted},
        "foreign": {"/".join(name): what for name, what in sorted(world.foreign.items())},
        "no_key": bool(world.no_key) and any(config.hashed for config in configs),
    }


def by_name(config: ExportConfig) -> dict[str, Any]:
    """Return a config as JSON values, its entities by name: their order has no meaning."""
    entities = {entity.name: entity.model_dump(mode="json") for entity in config.entities}
    return {**config.model_dump(mode="json"), "entities": entities}


def _solution(installed: InstalledSolution) -> dict[str, str]:
    return {
        "version": str(installed.version),
        "package": installed.package.name.lower(),
        "publisher": installed.publisher,
    }


def _entity(name: str, inventory: Inventory) -> dict[str, Any] | None:
    entity = inventory.entities.get(name)
    if entity is None:
        return None
    schema = entity.model_dump(mode="json", exclude={"change_tracking"})
    return {"change_tracking": entity.change_tracking, "schema": digest(schema)}


def _account(name: str, inventory: Inventory) -> dict[str, Any] | None:
    account = inventory.accounts.get(name)
    return None if account is None else account.model_dump(mode="json")


def _link(link: Link) -> dict[str, Any]:
    kept = {"generation", "organization", "account", "file_system", "solution", "active", "replaces"}
    return {**by_name(link.config), **link.model_dump(mode="json", include=kept)}


def _record(record: EnvironmentRecord) -> dict[str, Any]:
    names = dict.fromkeys(entry.solution for entry in record.applied)
    last = {name: record.last_applied(name) for name in names}
    return {
        "organization": record.organization,
        "lakes": {f"{address.account}/{address.file_system}": address.config for address in record.lakes},
        "applied": {
            name: {"version": str(entry.version), "bundle": entry.bundle, "effective": entry.effective}
            for name, entry in last.items()
            if entry is not None
        },
    }
