"""Comparison: how several environments export the same entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit import engine
from toolkit.engine import EntityStatus
from toolkit.errors import Finding, ToolkitError
from toolkit.model.config import ExportConfig
from toolkit.site import Site, leading


@dataclass(frozen=True, slots=True)
class Compared:
    """One entity of one config, and how each environment that was reached exports it; None where it does not."""

    config: str
    """Its name in the first environment that has it; the id is what environments have in common."""
    entity: str
    environments: Mapping[str, EntityStatus | None]

    @property
    def differs(self) -> bool:
        """Whether presence, strategy, mode or state differ; rows always may."""
        return len({_way(status) for status in self.environments.values()}) > 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Environments that were reached, those that were not with the reason, and their entities."""

    environments: tuple[str, ...]
    unreached: Mapping[str, ToolkitError]
    entities: tuple[Compared, ...]
    broken: tuple[Finding, ...] = ()
    """Why single links of the environments cannot be read."""


def _way(status: EntityStatus | None) -> tuple[object, ...]:
    return () if status is None else (status.strategy, status.append_only, status.state)


@dataclass(frozen=True, slots=True)
class _Reading:
    statuses: Mapping[tuple[str, str], EntityStatus]
    """By id of the config and entity."""
    names: Mapping[str, str]
    broken: tuple[Finding, ...]


def compare(names: Sequence[str], opened: Callable[[str], Site]) -> Comparison:
    """Compare environments by name. One that cannot be opened or read is told, and the others are compared."""
    read: dict[str, _Reading] = {}
    unreached: dict[str, ToolkitError] = {}
    for name in names:
        try:
            read[name] = _read(opened(name))
        except ToolkitError as error:
            unreached[name] = error
    titles = {config: name for reading in reversed(read.values()) for config, name in reading.names.items()}
    keys = sorted({key for reading in read.values() for key in reading.statuses}, key=lambda key: (titles[key[0]], key))
    entities = (
        Compared(titles[config], entity, {name: one.statuses.get((config, entity)) for name, one in read.items()})
        for config, entity in keys
    )
    broken = tuple(finding for reading in read.values() for finding in reading.broken)
    return Comparison(tuple(read), unreached, tuple(entities), broken)


def _read(site: Site) -> _Reading:
    links = leading(site.links())
    configs = [linked.link.config for linked in links]
    return _Reading(
        {
            key: status
            for linked in links
            for key, status in _statuses(linked.link.config, engine.status(linked).entities)
        },
        {config.id: config.name for config in configs},
        tuple(finding for broken in site.broken() for finding in broken.error.findings),
    )


def _statuses(config: ExportConfig, statuses: Sequence[EntityStatus]) -> Iterator[tuple[tuple[str, str], EntityStatus]]:
    return (((config.id, status.entity), status) for status in statuses)
