"""The files that go with the manifest: metadata, and the schema history. They are written before it, where they differ.

They are made anew from checkpoints and definitions at any time, so nothing is lost with them. What was written is kept
in the status file by etag and digest, so that an engine that starts need not read them to know that they are right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.columns import Column
from toolkit.engine.manifest import manifest
from toolkit.engine.metadata import (
    CHOICES_FOLDER,
    SERVICE_FOLDER,
    TABLE_PATHS,
    Described,
    described,
    described_in,
    description,
    description_path,
    left,
    made_of,
    model_path,
    tables,
)
from toolkit.engine.schema_history import HISTORY_PATH, schema_history
from toolkit.lake.protocol import Etag, Fence, Lake
from toolkit.model.base import Frozen
from toolkit.model.entity import Entity


class Written(Frozen):
    """A file as it was written: its etag, the SHA-256 of its bytes, and a digest of what it was made of."""

    etag: str
    digest: str
    made_of: str = ""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is to be said of an entity, by a digest of what that is made of."""

    checkpoint: Checkpoint
    entity: Entity
    primary_ids: Mapping[str, str]
    digest: str

    def is_of(self, checkpoint: Checkpoint, entity: Entity, primary_ids: Mapping[str, str]) -> bool:
        """Whether the same would be said. The columns of a checkpoint are the same object in each of its copies."""
        mine, other = self.checkpoint, checkpoint
        columns = mine.columns is other.columns and mine.schema_changes is other.schema_changes
        published = _published(mine) is _published(other)
        return columns and published and self.entity is entity and self.primary_ids is primary_ids


class Companions:
    """The files of a lake that go with its manifest, as far as they are known to be right."""

    def __init__(self, lake: Lake, fence: Fence, written: Mapping[str, Written]) -> None:
        """Trust what was written, where the lake still shows its etag."""
        self._lake, self._fence = lake, fence
        there = _etags(lake) if written else {}
        self._written = {path: each for path, each in written.items() if there.get(path) == Etag(each.etag)}
        self._definitions: Mapping[str, Entity] | None = None
        self._primary_ids: Mapping[str, str] = {}
        self._models: dict[str, str] = {}
        """What the manifest says of each entity, as its own manifest has it."""
        self._subjects: dict[str, _Subject] = {}
        self._rows: dict[str, tuple[str, Described]] = {}
        """What was said last of each entity, behind the digest of what it was made of."""
        self.stale = True
        """Whether definitions changed since the files were written."""

    @property
    def written(self) -> Mapping[str, Written]:
        """What is known to be right, by path."""
        return self._written

    def learn(self, definitions: Mapping[str, Entity], linked: Collection[str]) -> None:
        """Take note of the source's definitions of the linked entities as they are now."""
        before = self._definitions or {}
        # An equal definition stays the same object, which is how the work that it saves is found.
        now = {
            name: old if (old := before.get(name)) is not None and old == new else new
            for name in linked
            if (new := definitions.get(name)) is not None
        }
        primary_ids = {name: entity.primary_id for name, entity in definitions.items()}
        if self._definitions is None or now != before or primary_ids != self._primary_ids:
            self._definitions, self._primary_ids, self.stale = now, primary_ids, True

    def distrust(self) -> tuple[str, ...]:
        """Read what was written, forget what is no longer as it was, so that it is written anew, and return that."""
        wrong = tuple(damaged_files(self._lake, self._written))
        for path in wrong:
            del self._written[path]
        return wrong

    def forget(self, entity: str) -> None:
        """Forget the files of an entity, which were moved away or deleted."""
        for path in (model_path(entity), description_path(entity)):
            self._written.pop(path, None)
        for known in (self._models, self._subjects, self._rows):
            known.pop(entity, None)

    def write(self, entries: Mapping[str, str], checkpoints: Mapping[str, Checkpoint]) -> None:
        """Write what differs. ``entries`` is what the manifest is about to say of each entity.

        An entity without a checkpoint that can be read, or without a definition, keeps what was last said of it.
        Before the first definitions are known nothing is said of attributes.
        """
        for name in sorted(entries):
            if self._models.get(name) is not entries[name]:
                self._put(model_path(name), manifest({name: entries[name]}))
                self._models[name] = entries[name]
        self._put(HISTORY_PATH, schema_history({name: each.schema_changes for name, each in checkpoints.items()}))
        if self._definitions is not None:
            subjects = {name: self._subject(name, checkpoints.get(name)) for name in sorted(entries)}
            self._describe(subjects)
            self._tabulate(subjects)
        self.stale = False

    def _subject(self, name: str, checkpoint: Checkpoint | None) -> _Subject | None:
        entity = (self._definitions or {}).get(name)
        if checkpoint is None or entity is None:
            return None
        known = self._subjects.get(name)
        if known is None or not known.is_of(checkpoint, entity, self._primary_ids):
            digest = made_of(checkpoint, entity, self._primary_ids)
            known = self._subjects[name] = _Subject(checkpoint, entity, self._primary_ids, digest)
        return known

    def _describe(self, subjects: Mapping[str, _Subject | None]) -> None:
        """Write the description of each entity of which there is news."""
        for name, subject in subjects.items():
            if subject is not None and not self._is_made_of(description_path(name), subject.digest):
                self._put(description_path(name), description(self._said(name, subject)), subject.digest)

    def _tabulate(self, subjects: Mapping[str, _Subject | None]) -> None:
        """Write the tables of all entities, where there is news of one of them."""
        digests = (f"{name} {subject.digest if subject else 'as before'}" for name, subject in subjects.items())
        digest = sha256("\n".join(digests).encode()).hexdigest()
        if all(self._is_made_of(path, digest) for path in TABLE_PATHS):
            return
        for path, data in tables(self._said(name, subject) for name, subject in subjects.items()):
            self._put(path, data, digest)

    def _said(self, name: str, subject: _Subject | None) -> Described:
        """Return what is said of an entity, or what was said of it last where there is nothing to say it by."""
        known = self._rows.get(name)
        if subject is None:
            return self._last_said(name)
        if known is None or known[0] != subject.digest:
            before = self._last_said(name) if left(subject.checkpoint, subject.entity) else None
            rows = described(subject.checkpoint, subject.entity, subject.primary_ids, before)
            known = self._rows[name] = subject.digest, rows
        return known[1]

    def _last_said(self, name: str) -> Described:
        if name in self._rows:
            return self._rows[name][1]
        path = description_path(name)
        return described_in(self._lake.read(path) if self._lake.stat(path) else b"")

    def _is_made_of(self, path: str, digest: str) -> bool:
        known = self._written.get(path)
        return known is not None and known.made_of == digest

    def _put(self, path: str, data: bytes, source: str = "") -> None:
        """Write a file unless it is there with these bytes."""
        digest = sha256(data).hexdigest()
        known = self._written.get(path)
        if known is None or known.digest != digest:
            self._fence.check()
            known = Written(etag=self._lake.put(path, data, "any"), digest=digest)
        self._written[path] = known.model_copy(update={"made_of": source})


def damaged_files(lake: Lake, written: Mapping[str, Written]) -> Iterator[str]:
    """Yield the files that are gone, or not as they were written: all of them are read."""
    for path, each in sorted(written.items()):
        if lake.stat(path) is None or sha256(lake.read(path)).hexdigest() != each.digest:
            yield path


def _published(checkpoint: Checkpoint) -> tuple[Column, ...]:
    return checkpoint.published.columns if checkpoint.published else ()


def _etags(lake: Lake) -> dict[str, Etag]:
    """Return the files of that kind that are there."""
    there = {stat.path: stat.etag for folder in (CHOICES_FOLDER, SERVICE_FOLDER) for stat in lake.list(folder)}
    history = lake.stat(HISTORY_PATH)
    return there if history is None else {**there, HISTORY_PATH: history.etag}
