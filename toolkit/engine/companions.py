"""The files that go with the manifest: metadata, and the schema history. They are written before it, where they differ.

They are made anew from checkpoints and definitions at any time, so nothing is lost with them. What was written is kept
in the status file by etag and digest, so that an engine that starts need not read them to know that they are right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.manifest import manifest
from toolkit.engine.metadata import (
    CHOICES_FOLDER,
    SERVICE_FOLDER,
    Described,
    described,
    described_in,
    description,
    description_path,
    left,
    model_path,
    tables,
)
from toolkit.engine.schema_history import HISTORY_PATH, schema_history
from toolkit.lake.protocol import Etag, Fence, Lake
from toolkit.model.base import Frozen
from toolkit.model.entity import Entity


class Written(Frozen):
    """A file as it was written: its etag, and the SHA-256 of its bytes."""

    etag: str
    digest: str


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of an entity, and what it was made of."""

    checkpoint: Checkpoint
    entity: Entity
    primary_ids: Mapping[str, str]
    rows: Described

    def is_of(self, checkpoint: Checkpoint, entity: Entity, primary_ids: Mapping[str, str]) -> bool:
        """Whether the same would be said. The columns of a checkpoint are the same object in each of its copies."""
        mine, other = self.checkpoint, checkpoint
        columns = mine.columns is other.columns and mine.schema_changes is other.schema_changes
        return columns and self.entity is entity and self.primary_ids is primary_ids


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
        self._said: dict[str, _Said] = {}
        """What was said last of each entity."""
        self._tabled: dict[str, Described] | None = None
        """What the CSV files were made of."""
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

    def forget(self, entity: str) -> None:
        """Forget the files of an entity, which were moved away or deleted."""
        for path in (model_path(entity), description_path(entity)):
            self._written.pop(path, None)
        self._models.pop(entity, None)
        self._said.pop(entity, None)

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
            self._write_tables({name: self._describe(name, checkpoints.get(name)) for name in sorted(entries)})
        self.stale = False

    def _write_tables(self, said: dict[str, Described]) -> None:
        if said != self._tabled:
            for path, data in tables(said.values()):
                self._put(path, data)
            self._tabled = said

    def _describe(self, name: str, checkpoint: Checkpoint | None) -> Described:
        """Return what is said of an entity, and write it where it is news."""
        entity = (self._definitions or {}).get(name)
        if checkpoint is None or entity is None:
            return self._last_said(name)
        known = self._said.get(name)
        if known is not None and known.is_of(checkpoint, entity, self._primary_ids):
            return known.rows
        before = self._last_said(name) if left(checkpoint, entity) else None
        rows = described(checkpoint, entity, self._primary_ids, before)
        self._put(description_path(name), description(rows))
        self._said[name] = _Said(checkpoint, entity, self._primary_ids, rows)
        return rows

    def _last_said(self, name: str) -> Described:
        if name in self._said:
            return self._said[name].rows
        path = description_path(name)
        return described_in(self._lake.read(path) if self._lake.stat(path) else b"")

    def _put(self, path: str, data: bytes) -> None:
        digest = sha256(data).hexdigest()
        known = self._written.get(path)
        if known is None or known.digest != digest:
            self._fence.check()
            self._written[path] = Written(etag=self._lake.put(path, data, "any"), digest=digest)


def _etags(lake: Lake) -> dict[str, Etag]:
    """Return the files of that kind that are there."""
    there = {stat.path: stat.etag for folder in (CHOICES_FOLDER, SERVICE_FOLDER) for stat in lake.list(folder)}
    history = lake.stat(HISTORY_PATH)
    return there if history is None else {**there, HISTORY_PATH: history.etag}
