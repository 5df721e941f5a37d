"""Read the world that a plan is made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from toolkit.apply.kept import configs_of
from toolkit.engine.estimate import APPEND, OF_A_FILE, PAGE
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.metadata import SERVICE_FOLDER
from toolkit.errors import SourceError
from toolkit.lake.protocol import STATE_FOLDER, Lake
from toolkit.model.base import Frozen
from toolkit.model.config import ExportConfig
from toolkit.model.link import LINK_FORMAT, EnvironmentRecord, Link
from toolkit.model.names import Guid
from toolkit.plan.world import LakeName, Rates, World
from toolkit.site import Site, read_document, read_link

MARKER_PATH = f"{STATE_FOLDER}/lake.json"
FOREIGN = (MANIFEST_PATH, SERVICE_FOLDER)
"""What another exporter leaves in a file system: a file, or a folder with files."""

_MARKER_ANEW = (
    "restore the file from a backup; or delete it where the file system holds no data; or name another file system"
)


class Marker(Frozen):
    """The content of ``_toolkit/lake.json``: this file system is written by this toolkit, for one organization."""

    format: int = LINK_FORMAT
    organization: Guid
    environment: str
    created: datetime


def read_world(site: Site, configs: Iterable[ExportConfig] = (), *, count: bool = True) -> World:
    """Read what a plan about ``configs`` stands on. With ``count`` the rows of the entities they name are counted."""
    wanted = tuple(configs)
    inventory = site.seen(site.environment.inventory(), (config.storage.account for config in wanted))
    record, _ = site.record()
    world = World(environment=site.name, inventory=inventory, record=record, links=_known_links(site))
    found = {name: found for config in wanted for name, found in _found(site, world, config)}
    links = (*world.links, *(link for link in found.values() if isinstance(link, Link)))
    return World(
        environment=site.name,
        inventory=inventory,
        record=record,
        links=links,
        statistics=_counts(site, (*wanted, *(link.config for link in links)), inventory.entities) if count else {},
        foreign={name: what for name, what in found.items() if isinstance(what, str)},
        rates=Rates(PAGE, APPEND, OF_A_FILE, site.rows_per_second),
        applied=dict(_applied(site, record)),
        no_key=site.mask_key.lack(),
    )


def _known_links(site: Site) -> tuple[Link, ...]:
    return tuple(linked.link for linked in site.links())


def _applied(site: Site, record: EnvironmentRecord | None) -> Iterator[tuple[str, tuple[ExportConfig, ...]]]:
    names = dict.fromkeys(entry.solution for entry in record.applied) if record else ()
    for name in names:
        last = record.last_applied(name) if record else None
        if last is not None and (configs := configs_of(site.state, last)) is not None:
            yield name, configs


def _found(site: Site, world: World, config: ExportConfig) -> Iterator[tuple[LakeName, Link | str]]:
    """Yield what the file system that a config wants holds: a link of it that the record lost, or what is not ours."""
    address = world.address(config)
    name = LakeName(address.account, address.file_system)
    if any(name == (link.account, link.file_system) for link in world.links):
        return
    lake = site.lake_at(address)
    linked = read_link(lake)
    here = world.inventory.organization.id
    if linked is None:
        if (what := foreign(lake, here)) is not None:
            yield name, what
    elif linked.link.organization != here:
        yield name, f"a link of the organization {linked.link.organization}"
    elif linked.link.active and linked.link.config.id != config.id:
        yield name, f"the export config {linked.link.config.name!r} of {linked.link.environment!r}"
    else:
        yield name, linked.link


def foreign(lake: Lake, organization: str) -> str | None:
    """Return what shows that a file system is another exporter's or another organization's; None where nothing does."""
    if lake.stat(MARKER_PATH) is not None:
        where = lake.location(MARKER_PATH)
        marker = read_document(lake.read(MARKER_PATH), Marker, where, fix=_MARKER_ANEW)
        return None if marker.organization == organization else f"the mark of the organization {marker.organization}"
    for path in FOREIGN:
        if lake.stat(path) is not None or next(lake.list(path), None) is not None:
            return f"{path} is there, and no mark of this toolkit"
    return None


def _counts(site: Site, configs: Iterable[ExportConfig], known: Iterable[str]) -> dict[str, int]:
    names = {entity.name for config in configs for entity in config.entities} & set(known)
    counts = {}
    for name in sorted(names):
        try:
            counts[name] = site.source.size(name)
        except SourceError:
            # A plan without the number is of more use than none; the engine will say why the entity cannot be read.
            continue
    return counts
