"""Retiring an entity that is no longer linked: it leaves the manifest first, then its files are moved or deleted.

The checkpoint says since when and how, so that whoever comes next goes on; it is the last file to go. Snapshots go
last, when readers of the old manifest have had their grace; at once where the whole link has ended and was not moved,
since nobody may come back to its lake, and where the entity is linked again: it is retired to the end, and then starts
clean. The time is chosen so that its folder is free, and stands in the checkpoint; so whoever goes on moves the rest to
the same folder, over no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from toolkit.engine.checkpoint import Checkpoint, Newer, Retired, checkpoint_path
from toolkit.engine.commit import Committed
from toolkit.engine.companions import Companions
from toolkit.engine.delete_log import DELETED_FOLDER, log_folder
from toolkit.engine.metadata import SERVICE_FOLDER, description_path, model_path
from toolkit.engine.partitions import SNAPSHOT_FOLDER
from toolkit.engine.progress import discard
from toolkit.engine.states import States
from toolkit.engine.ways import Ways
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Fence, Lake, Staged, Stat
from toolkit.model.config import PartitionStrategy
from toolkit.model.link import Dropped, Link

KEPT_FOLDER = "_kept"


class Retirement:
    """Which entities retire, and how far each of them is."""

    def __init__(self, lake: Lake, fence: Fence, ways: Ways, states: States, companions: Companions) -> None:
        self._lake, self._fence, self._ways, self._states, self._companions = lake, fence, ways, states, companions
        self._hurried: set[str] = set()
        """Retired entities whose snapshots are set aside without a grace for readers."""
        self._lingering: set[str] = set()
        """Retired entities of which only snapshots are left."""

    def begin(self, link: Link) -> list[str]:
        """Retire entities that have state and are not linked, or were taken off and linked anew since they began.

        Return their names, those of earlier times too. Pending steps that cannot be done hinder nobody, nor does a
        checkpoint that cannot be read; a newer one does.
        """
        dropped, everything = latest(link.dropped), self._states.known
        linked = {each.name for each in link.config.entities} if link.active else set()
        # Nobody may come back to the lake of a link that has ended, and an entity that is linked again starts clean.
        # Only one that was moved stays in the record until its readers have had their grace.
        self._hurried = linked if link.active or link.moved_to is not None else everything
        stay = {name for name in linked if not self._began_before(dropped.get(name), name)}
        newer = {name for name, error in self._states.unsettled.items() if isinstance(error, Newer)}
        leaving = sorted(everything - stay - newer)
        for name in leaving:
            self._retire(name, link, keep=name not in dropped or dropped[name].keep)
        return leaving

    def clear(self, entity: str) -> None:
        """Set the files of a retired entity aside, and its snapshots once readers have had their grace."""
        checkpoint = self._states.committed[entity].checkpoint
        over = entity in self._hurried or is_over(checkpoint, self._ways.clock(), self._ways.settings.reader_grace)
        if not over and entity in self._lingering:
            return
        discard(self._lake, entity)
        self._states.unfinished.discard(entity)
        self._companions.forget(entity)
        if over:
            clear(self._lake, checkpoint)
            self._lingering.discard(entity)
            del self._states.committed[entity]
        else:
            clear_live(self._lake, checkpoint)
            self._lingering.add(entity)

    def _retire(self, name: str, link: Link, *, keep: bool) -> None:
        state = self._states.committed.get(name) or self._unreadable(name, link)
        if state.checkpoint.retired is None:
            at = free_second(self._lake, name, self._ways.clock())
            self._states.commit(retired(state.checkpoint, at, self._fence.number, keep=keep), state.etag)
        self._states.trust(name)

    def _began_before(self, dropped: Dropped | None, name: str) -> bool:
        """Whether an entity has state of a time before it was taken off."""
        state = self._states.committed.get(name)
        return dropped is not None and state is not None and state.checkpoint.generation < dropped.generation

    def _unreadable(self, name: str, link: Link) -> Committed:
        stat = self._lake.stat(checkpoint_path(name))
        return Committed(unreadable(name, link.organization), stat.etag if stat else ABSENT)


def latest(dropped: Iterable[Dropped]) -> dict[str, Dropped]:
    """Return how each entity was taken off the last time."""
    return {each.entity: each for each in sorted(dropped, key=lambda each: each.generation)}


def unreadable(entity: str, organization: str) -> Checkpoint:
    """Return a checkpoint to retire an entity by whose own cannot be read: nothing but the name is needed for that."""
    return Checkpoint(
        entity=entity, fence=0, organization=organization, append_only=False, strategy=PartitionStrategy.MONTH
    )


def retired(checkpoint: Checkpoint, at: datetime, fence: int, *, keep: bool) -> Checkpoint:
    """Return the checkpoint of an entity that is retired from now on."""
    return checkpoint.model_copy(
        update={"retired": Retired(at=at, keep=keep), "fence": fence, "seq": checkpoint.seq + 1, "pending": ()}
    )


def clear(lake: Lake, checkpoint: Checkpoint) -> None:
    """Move away or delete the files of a retired entity, and then its state. The manifest no longer names it."""
    clear_live(lake, checkpoint)
    _clear(lake, checkpoint, lake.list(f"{checkpoint.entity}/{SNAPSHOT_FOLDER}"))
    lake.delete(checkpoint_path(checkpoint.entity))


def clear_live(lake: Lake, checkpoint: Checkpoint) -> None:
    """Move away or delete the files of a retired entity that no manifest ever named, and all state but the checkpoint.

    Readers may still be at its snapshots.
    """
    entity = checkpoint.entity
    snapshots = f"{entity}/{SNAPSHOT_FOLDER}/"
    _clear(lake, checkpoint, (stat for stat in _files_of(lake, entity) if not stat.path.startswith(snapshots)))
    last = checkpoint_path(entity)
    for stat in lake.list(f"{STATE_FOLDER}/{entity}"):
        if stat.path != last:
            lake.delete(stat.path)


def is_over(checkpoint: Checkpoint, now: datetime, grace: timedelta) -> bool:
    """Whether nobody is expected to read the snapshots of a retired entity any more."""
    return checkpoint.retired is not None and now - checkpoint.retired.at >= grace


def _clear(lake: Lake, checkpoint: Checkpoint, files: Iterable[Stat]) -> None:
    if checkpoint.retired is None:
        return
    for stat in files:
        if checkpoint.retired.keep:
            kept = kept_path(checkpoint.entity, checkpoint.retired.at, stat.path)
            lake.publish(Staged(stat.path, stat.size, stat.etag), kept, ABSENT)
        else:
            lake.delete(stat.path)


def _files_of(lake: Lake, entity: str) -> Iterator[Stat]:
    """Yield the files of an entity: its data, its delete log, then what says of which columns they are."""
    yield from lake.list(entity)
    yield from lake.list(log_folder(entity))
    for path in (model_path(entity), description_path(entity)):
        if (stat := lake.stat(path)) is not None:
            yield stat


def free_second(lake: Lake, entity: str, now: datetime) -> datetime:
    """Return the time to retire an entity at: now, or the next second whose folder keeps nothing yet."""
    while any(lake.list(kept_folder(entity, now))):
        now += timedelta(seconds=1)
    return now


def kept_folder(entity: str, at: datetime) -> str:
    """Return where the data of an entity is kept that was retired at a time."""
    return f"{KEPT_FOLDER}/{entity}/{at:%Y%m%dT%H%M%SZ}"


def kept_path(entity: str, at: datetime, path: str) -> str:
    """Return where a file of a retired entity is kept: metadata beside the data, the delete log in its folder."""
    if path.startswith(f"{log_folder(entity)}/"):
        path = f"{DELETED_FOLDER}/{path.removeprefix(f'{log_folder(entity)}/')}"
    below = path.removeprefix(f"{entity}/").removeprefix(f"{SERVICE_FOLDER}/")
    return f"{kept_folder(entity, at)}/{below}"
