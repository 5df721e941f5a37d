"""The documents that say what is linked where: link documents, marks of file systems, the environment's record.

Every write is conditional on what was read, so that a second writer is noticed whether or not the lock held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from toolkit.apply.world import MARKER_PATH, Marker
from toolkit.engine.checkpoint import highest_generation
from toolkit.errors import Conflict, Place
from toolkit.lake.protocol import ABSENT, Lake
from toolkit.model.config import Layout
from toolkit.model.link import Applied, Dropped, EnvironmentRecord, LakeAddress, Link
from toolkit.model.version import Version
from toolkit.plan.changes import (
    AddEntity,
    ChangeOwner,
    ChangeSetting,
    CreateLink,
    InPlace,
    RemoveEntity,
    RemoveLink,
    RemoveSolution,
    changed,
    config_of,
)
from toolkit.plan.plan import Plan
from toolkit.plan.world import World
from toolkit.site import LINK_PATH, RECORD_PATH, Site, read_link

ENVIRONMENT_LOCK = "environment"
"""The lock of who changes an environment and its documents."""

Step = CreateLink | RemoveLink | ChangeOwner | InPlace
"""A change that a link document shows."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the documents, and when: a name for people, an instant in UTC, a git commit when there is one.

    ``restores`` is the version whose content is brought back.
    """

    name: str
    at: datetime
    commit: str | None = None
    restores: Version | None = None


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of one site, as one plan changes them."""

    plan: Plan
    site: Site
    world: World
    author: Author
    package: str | None = None
    """Digest of the package that was kept."""

    def write(self) -> None:
        """Write what the plan changes: lakes into the record, then marks and links, then what was applied."""
        addresses = self._addresses()
        self._write_record(addresses, ())
        for config, address in addresses.items():
            if steps := [change for change in self._steps() if config_of(change) == config]:
                self._write_link(address, steps)
        self._write_record(addresses, self._applied())

    def _addresses(self) -> dict[str, LakeAddress]:
        """Return the lakes that the plan is about, by config id: those of its changes, and those of its configs."""
        links = {link.config.id: link for link in self.world.links if link.active}
        wanted = [*(config_of(change) for change in self.plan.changes), *(config.id for config in self.plan.configs)]
        found = {
            config: LakeAddress(config=config, account=link.account, file_system=link.file_system)
            for config in wanted
            if config is not None and (link := links.get(config)) is not None
        }
        created = {change.config.id: change.address for change in self.plan.changes if isinstance(change, CreateLink)}
        return {**found, **created}

    def _steps(self) -> Iterator[Step]:
        return (change for change in self.plan.changes if isinstance(change, Step))

    def _applied(self) -> tuple[Applied, ...]:
        author, brought = self.author, self.plan.brought
        signed = {"at": author.at, "by": author.name, "commit": author.commit, "plan": self.plan.digest}
        if brought is not None:
            return (Applied(**brought.model_dump(), **signed, package=self.package, restores=author.restores),)
        removed = (change for change in self.plan.changes if isinstance(change, RemoveSolution))
        return tuple(Applied.model_validate({**self._removed(change), **signed}) for change in removed)

    def _removed(self, change: RemoveSolution) -> dict[str, object]:
        """Return what the history says of an uninstall: digests only where it was this version that was applied."""
        last = self.world.record.last_applied(change.solution) if self.world.record else None
        known = last is not None and last.version == change.version
        return {
            "solution": change.solution,
            "version": change.version,
            "managed": change.managed,
            "bundle": last.bundle if last and known else "",
            "effective": last.effective if last and known else "",
            "removed": True,
        }

    def _write_record(self, addresses: dict[str, LakeAddress], applied: tuple[Applied, ...]) -> None:
        record, etag = self.site.record()
        organization = self.world.inventory.organization.id
        before = record or EnvironmentRecord(environment=self.site.name, organization=organization)
        new = tuple(address for address in addresses.values() if address not in before.lakes)
        # A lake has one link: a new one takes the place of an ended one whose data was not retired yet.
        taken = {(address.account, address.file_system) for address in new}
        kept = tuple(address for address in before.lakes if (address.account, address.file_system) not in taken)
        after = before.model_copy(update={"lakes": (*new, *kept), "applied": (*before.applied, *applied)})
        if after != before:
            self.site.state.put(RECORD_PATH, document_bytes(after), etag)

    def _write_link(self, address: LakeAddress, steps: Sequence[Step]) -> None:
        lake = self.site.lake_at(address)
        linked = read_link(lake)
        before, etag = (None, ABSENT) if linked is None else (linked.link, linked.etag)
        # A document that is made anew must not be taken for an older one: an entity that was taken off meanwhile would
        # go on with its old state.
        generation = 1 + (highest_generation(lake) if before is None else before.generation)
        first, *others = steps
        link = self._after(before, first, generation)
        for change in others:
            link = self._after(link, change, generation)
        self._mark(lake)
        self._make_folders(lake, link)
        lake.put(LINK_PATH, document_bytes(self._signed(link, generation)), etag)

    def _signed(self, link: Link, generation: int) -> Link:
        """Return a link with its next generation, the time of the change, and what was applied."""
        history = (*link.history, *self._applied())
        return link.model_copy(update={"generation": generation, "changed": self.author.at, "history": history})

    def _after(self, link: Link | None, change: Step, generation: int) -> Link:
        if isinstance(change, CreateLink):
            return self._created(link, change, generation)
        if link is None:
            raise Conflict(
                "APL003",
                f"the link document of {change.name} is gone",
                where=Place(self.site.name, key=change.name),
                why="it was deleted while the plan was applied",
                fix="plan again",
            )
        return link_after(link, change, generation)

    def _created(self, link: Link | None, change: CreateLink, generation: int) -> Link:
        """Return a new link, or one that goes on in the file system where an earlier link of ours ended."""
        return Link(
            generation=generation,
            environment=self.site.name,
            organization=self.world.inventory.organization.id,
            config=change.config,
            account=change.address.account,
            file_system=change.address.file_system,
            solution=change.solution,
            created=self.author.at,
            changed=self.author.at,
            dropped=() if link is None else link.dropped,
            history=() if link is None else link.history,
        )

    def _mark(self, lake: Lake) -> None:
        """Mark a file system as ours, before anything else is written there."""
        if lake.stat(MARKER_PATH) is None:
            organization = self.world.inventory.organization.id
            marker = Marker(organization=organization, environment=self.site.name, created=self.author.at)
            lake.put(MARKER_PATH, document_bytes(marker), ABSENT)

    @staticmethod
    def _make_folders(lake: Lake, link: Link) -> None:
        """Make a folder per entity, for people who look before the first sync; incremental folders need none."""
        if link.active and link.config.output.layout is Layout.LIVE:
            for entity in link.config.entities:
                lake.create_folder(entity.name)


def document_bytes(document: EnvironmentRecord | Link | Marker) -> bytes:
    """Return a document as it is written."""
    return document.model_dump_json(indent=2).encode() + b"\n"


def link_after(link: Link, change: RemoveLink | ChangeOwner | InPlace, generation: int) -> Link:
    """Return a link after a change that makes it ``generation``; generation and history are those of the whole plan."""
    match change:
        case RemoveLink(keep=keep):
            dropped = [Dropped(entity=entity.name, keep=keep, generation=generation) for entity in link.config.entities]
            return link.model_copy(update={"active": False, "dropped": _with_dropped(link, *dropped)})
        case ChangeOwner(after=solution):
            return link.model_copy(update={"solution": solution})
        case RemoveEntity(entity=name, keep=keep):
            dropped = [Dropped(entity=name, keep=keep, generation=generation)]
            after = changed(link.config, change)
            return link.model_copy(update={"config": after, "dropped": _with_dropped(link, *dropped)})
        case AddEntity() | ChangeSetting():
            # An entity that comes back stays among the dropped ones: the engine may not have retired it yet.
            return link.model_copy(update={"config": changed(link.config, change)})
        case _:
            assert_never(change)


def _with_dropped(link: Link, *dropped: Dropped) -> tuple[Dropped, ...]:
    """Return what a link says of dropped entities: one entry for each, the newest."""
    names = {entry.entity for entry in dropped}
    return (*(entry for entry in link.dropped if entry.entity not in names), *dropped)


def forget_lake(site: Site, address: LakeAddress) -> None:
    """Take the lake of an ended link off the record, once its data is retired."""
    record, etag = site.record()
    if record is not None:
        kept = tuple(entry for entry in record.lakes if entry != address)
        site.state.put(RECORD_PATH, document_bytes(record.model_copy(update={"lakes": kept})), etag)
