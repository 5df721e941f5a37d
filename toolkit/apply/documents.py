"""The documents that say what is linked where: link documents, marks of file systems, the environment's record.

Every write is conditional on what was read, so that a second writer is noticed whether or not the lock held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from toolkit.apply.world import MARKER_PATH, Marker
from toolkit.engine.checkpoint import highest_generation
from toolkit.errors import Conflict, Place
from toolkit.lake.protocol import ABSENT, Lake
from toolkit.model.config import Layout
from toolkit.model.link import Applied, Dropped, EnvironmentRecord, LakeAddress, Link, Replaced
from toolkit.model.version import Version
from toolkit.plan.changes import (
    AddEntity,
    ChangeMode,
    ChangeOwner,
    ChangeSetting,
    ChangeStrategy,
    CreateLink,
    Effect,
    InPlace,
    MoveLake,
    RemoveEntity,
    RemoveLink,
    RemoveSolution,
    changed,
)
from toolkit.plan.plan import Plan
from toolkit.plan.world import World
from toolkit.site import LINK_PATH, RECORD_PATH, Site, read_link

ENVIRONMENT_LOCK = "environment"
"""The lock of who changes an environment and its documents."""

Step = CreateLink | RemoveLink | ChangeOwner | MoveLake | InPlace
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
        lakes = self._lakes()
        self._write_record(lakes, ())
        for address, steps in lakes.items():
            if steps:
                self._write_link(address, steps)
        self._write_record(lakes, self._applied())

    def _lakes(self) -> dict[LakeAddress, list[Step]]:
        """Return the lakes that the plan is about, each with what changes there: those of its configs too."""
        steps = [change for change in self.plan.changes if isinstance(change, Step)]
        lakes: dict[LakeAddress, list[Step]] = {}
        for change in steps:
            for address in self._places(change):
                lakes.setdefault(address, []).append(change)
        about = {config.id for config in self.plan.configs}
        named = (link.address for link in self.world.links if link.active and link.config.id in about)
        return {**{address: [] for address in named}, **lakes}

    def _places(self, change: Step) -> Iterator[LakeAddress]:
        """Yield the lakes whose link documents show a change."""
        match change:
            case CreateLink(address=address) | RemoveLink(address=address) | MoveLake(after=address):
                yield address
            case ChangeOwner(config=config):
                live = (link.address for link in self.world.links if link.active and link.config.id == config)
                yield from dict.fromkeys((*live, self._led(config)))
            case _:
                yield self._led(change.config)

    def _led(self, config: str) -> LakeAddress:
        """Return the lake of the link that says what a config exports, once the plan has moved it, or not any more."""
        world = self.world
        for change in self.plan.changes:
            match change:
                case MoveLake(config=moved, after=address) if moved == config:
                    return address
                case RemoveLink(config=ended, address=address) if ended == config:
                    world = world.without(address)
                case _:
                    pass
        link = world.link(config)
        if link is None:
            raise self._gone(config)
        return link.address

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

    def _write_record(self, lakes: Iterable[LakeAddress], applied: tuple[Applied, ...]) -> None:
        record, etag = self.site.record()
        organization = self.world.inventory.organization.id
        before = record or EnvironmentRecord(environment=self.site.name, organization=organization)
        new = tuple(address for address in lakes if address not in before.lakes)
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
        if isinstance(first, MoveLake):
            self._forget_move(first.before)
        lake.put(LINK_PATH, document_bytes(self._signed(link, generation)), etag)

    def _signed(self, link: Link, generation: int) -> Link:
        """Return a link with its next generation, the time of the change, and what was applied."""
        history = (*link.history, *self._applied())
        return link.model_copy(update={"generation": generation, "changed": self.author.at, "history": history})

    def _after(self, link: Link | None, change: Step, generation: int) -> Link:
        match change:
            case CreateLink():
                return self._created(link, change, generation)
            case MoveLake():
                return self._moved(link, change, generation)
            case _ if link is None:
                raise self._gone(change.name)
            case _:
                return link_after(link, change, generation)

    def _gone(self, name: str) -> Conflict:
        return Conflict(
            "APL003",
            f"the link document of {name} is gone",
            where=Place(self.site.name, key=name),
            why="it was deleted while the plan was applied",
            fix="plan again",
        )

    def _moved(self, there: Link | None, change: MoveLake, generation: int) -> Link:
        """Return the link of a new lake, which the one before goes on beside until all of it is there."""
        before = next((link for link in self.world.links if link.active and link.address == change.before), None)
        if before is None:
            raise self._gone(change.name)
        return before.model_copy(
            update={
                "generation": generation,
                "config": changed(before.config, change),
                "account": change.after.account,
                "file_system": change.after.file_system,
                "created": self.author.at,
                "dropped": () if there is None else there.dropped,
                "history_ended": (),
                "replaces": Replaced(address=change.before, keep=change.keep),
            }
        )

    def _forget_move(self, address: LakeAddress) -> None:
        """Let a link that was moved once, and is moved on now, name the lake no longer that it came from."""
        linked = read_link(self.site.lake_at(address))
        if linked is not None and linked.link.replaces is not None:
            link = linked.link.model_copy(update={"replaces": None, "generation": linked.link.generation + 1})
            linked.lake.put(LINK_PATH, document_bytes(link), linked.etag)

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
            return ended(link, generation, keep=keep)
        case ChangeOwner(after=solution):
            return link.model_copy(update={"solution": solution})
        case RemoveEntity(entity=name, keep=keep):
            dropped = [Dropped(entity=name, keep=keep, generation=generation)]
            update = {"dropped": _with_dropped(link, *dropped), "history_ended": _history(link, name, ended=False)}
            return link.model_copy(update={"config": changed(link.config, change), **update})
        case ChangeMode(entity=name):
            history = _history(link, name, ended=change.consequence.effect is Effect.HISTORY_DELETED)
            return link.model_copy(update={"config": changed(link.config, change), "history_ended": history})
        case AddEntity() | ChangeSetting() | ChangeStrategy():
            # An entity that comes back stays among the dropped ones: the engine may not have retired it yet.
            return link.model_copy(update={"config": changed(link.config, change)})
        case _:
            assert_never(change)


def ended(link: Link, generation: int, *, keep: bool) -> Link:
    """Return a link that has ended; its data is kept aside, or deleted."""
    dropped = [Dropped(entity=entity.name, keep=keep, generation=generation) for entity in link.config.entities]
    update = {"active": False, "generation": generation, "replaces": None, "dropped": _with_dropped(link, *dropped)}
    return link.model_copy(update=update)


def _history(link: Link, entity: str, *, ended: bool) -> tuple[str, ...]:
    """Return the entities whose history may be deleted, with or without one."""
    return (*(name for name in link.history_ended if name != entity), *([entity] if ended else []))


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
