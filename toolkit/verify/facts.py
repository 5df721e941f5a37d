"""What the checks look at: one reading of an environment, its links and their lakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cached_property
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import engine
from toolkit.engine import EntityStatus, LinkStatus
from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.status import checkpoint_of
from toolkit.errors import Finding, Place
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.environment import Inventory
from toolkit.model.link import EntityState, EnvironmentRecord
from toolkit.plan.prerequisites import Profile
from toolkit.plan.world import World
from toolkit.site import Broken, Linked, Site, leading
from toolkit.source.protocol import Batch, Cursor


@dataclass(frozen=True, slots=True)
class Checked:
    """One check on one subject (a config's name, or the environment's), and what it found; nothing is a pass."""

    check: str
    subject: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """What the source has that the lake has not: whether anything, and since when (None: its time is not known)."""

    anything: bool
    oldest: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """An environment as a whole. ``bundle`` and ``wanted`` (its configs after overlay) are what it should be."""

    site: Site
    inventory: Inventory
    record: EnvironmentRecord | None
    links: tuple[Linked, ...]
    broken: tuple[Broken, ...]
    now: datetime
    profile: Profile
    bundle: Bundle | None = None
    wanted: tuple[ExportConfig, ...] | None = None

    @property
    def comparable(self) -> bool:
        """Whether the environment should be as the bundle says: not while another version of it is installed."""
        installed = None if self.bundle is None else self.world.present(self.bundle.solution.unique_name)
        return installed is None or self.bundle is None or installed.version == self.bundle.solution.version

    @property
    def expected(self) -> tuple[ExportConfig, ...] | None:
        """The configs that the links should have, or None where nothing is to be compared."""
        return self.wanted if self.comparable else None

    def command(self, words: str) -> str:
        """Return a command of the toolkit for this environment."""
        return f"toolkit {words} --env {self.site.name}"

    @property
    def live(self) -> tuple[Linked, ...]:
        """The links that are active."""
        return tuple(linked for linked in self.links if linked.link.active)

    @property
    def world(self) -> World:
        """The same as plans see it."""
        links = tuple(linked.link for linked in self.links)
        no_key = self.site.mask_key.lack()
        return World(self.site.name, self.inventory, self.record, links, no_key=no_key)


@dataclass(frozen=True)
class LinkFacts:
    """A live link. What costs a request is read when a check asks for it, once."""

    facts: Facts
    linked: Linked

    @property
    def config(self) -> ExportConfig:
        """The effective config that the engine runs."""
        return self.linked.link.config

    @property
    def expected(self) -> ExportConfig | None:
        """The config as the bundle wants it in this environment, or None without one."""
        wanted = self.facts.expected or ()
        if all(linked.link.address != self.linked.link.address for linked in leading(self.facts.links)):
            # Another lake takes its place: that one is as the bundle wants it.
            return None
        return next((config for config in wanted if config.id == self.config.id), None)

    def command(self, words: str) -> str:
        """Return a command of the toolkit for this link."""
        return self.facts.command(f"{words} --config {quote(self.config.name)}")

    def place(self, key: str = "") -> Place:
        """Return a place in this link."""
        name = self.config.name
        return Place(self.facts.site.name, key=f"{name}.{key}" if key else name)

    def entity_place(self, entity: str) -> Place:
        """Return the place of an entity of this link."""
        return self.place(f"entities.{entity}")

    @cached_property
    def status(self) -> LinkStatus:
        """How far the engine is."""
        return engine.status(self.linked)

    @property
    def completed(self) -> tuple[EntityStatus, ...]:
        """The entities whose initial sync is complete."""
        return tuple(one for one in self.status.entities if one.state is EntityState.COMPLETED)

    @cached_property
    def manifest(self) -> Mapping[str, Sequence[str]] | None:
        """The locations that ``model.json`` names, by entity; None where there is no such file. Raises ValueError."""
        lake = self.linked.lake
        return None if lake.stat(MANIFEST_PATH) is None else _locations(json.loads(lake.read(MANIFEST_PATH)))

    def checkpoint(self, entity: str) -> Checkpoint | None:
        """Read the state of an entity. Raises Damaged."""
        return checkpoint_of(self.linked, entity)

    def pending(self, entity: str) -> Pending:
        """Ask the source what it has after the cursor of an entity. Raises SourceError.

        Of an entity that cannot be tracked it may have anything until it is read whole again.
        """
        definition = self.facts.inventory.entities.get(entity)
        if definition is not None and not definition.change_tracking:
            return Pending(anything=True)
        checkpoint = self.checkpoint(entity)
        cursor = None if checkpoint is None or checkpoint.cursor is None else Cursor(checkpoint.cursor)
        return _pending(next(iter(self.facts.site.source.changes(entity, ("modifiedon",), cursor))))


def _locations(manifest: Any) -> Mapping[str, Sequence[str]]:  # noqa: ANN401 - JSON of a file that others may have written
    try:
        return {
            entity["name"]: [partition["location"] for partition in entity["partitions"]]
            for entity in manifest["entities"]
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"it has no {error}") from error


def _pending(batch: Batch) -> Pending:
    return Pending(batch.rows.num_rows > 0 or bool(batch.deleted), _oldest(batch.rows))


def _oldest(rows: pa.RecordBatch) -> datetime | None:
    if "modifiedon" not in rows.schema.names:
        return None
    oldest = pc.min(rows.column("modifiedon")).as_py()
    if oldest is None:
        return None
    # A day alone is taken as late as it can be, so that no change seems to wait longer than it does.
    at = oldest if isinstance(oldest, datetime) else datetime.combine(oldest, time.max, UTC)
    return at.astimezone(UTC)


def read_facts(
    site: Site,
    clock: Callable[[], datetime],
    bundle: Bundle | None,
    expected: Sequence[ExportConfig] | None,
    profile: Profile,
) -> Facts:
    """Read what every check needs."""
    record, _ = site.record()
    links = site.links()
    accounts = (linked.link.config.storage.account for linked in links if linked.link.active)
    return Facts(
        site=site,
        inventory=site.seen(site.environment.inventory(), accounts),
        record=record,
        links=links,
        broken=site.broken(),
        now=clock(),
        profile=profile,
        bundle=bundle,
        wanted=None if expected is None else tuple(expected),
    )
