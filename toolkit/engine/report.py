"""What the engine tells about its work: progress while it goes on, a report at the end, the status at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from toolkit.engine.schema_history import SchemaChange
from toolkit.errors import Finding
from toolkit.model.config import PartitionStrategy
from toolkit.model.link import EntityState


class Phase(StrEnum):
    """What an entity's pass is doing."""

    READING = "reading"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EntityProgress:
    """How far one entity is. ``rows`` read so far of ``total`` (None when not counted), ``bytes`` of CSV so far."""

    entity: str
    phase: Phase
    rows: int = 0
    bytes: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class EntityReport:
    """What one pass did to one entity.

    ``written`` counts rows that were inserted, replaced or appended, ``deleted`` rows that were removed (in place) or
    delete rows that were appended, ``bytes`` the size of the files that were written.
    """

    entity: str
    state: EntityState
    written: int = 0
    deleted: int = 0
    bytes: int = 0
    partitions: tuple[str, ...] = ()
    """The partitions that were touched, in their order."""
    snapshots: tuple[str, ...] = ()
    """The paths of the snapshots that were made."""
    notices: tuple[Finding, ...] = ()
    """What else a person should know: how the entity's columns changed, what was mended."""
    error: Finding | None = None
    retry_after: float | None = None
    """Seconds that the source asked to wait, when the error is a passing one."""

    @property
    def changed(self) -> bool:
        """Whether rows came or went, or files were written anew."""
        return bool(self.written or self.deleted or self.partitions)

    def followed_by(self, after: EntityReport) -> EntityReport:
        """Return what this pass and the one after it did together."""
        return replace(
            after,
            written=self.written + after.written,
            deleted=self.deleted + after.deleted,
            bytes=self.bytes + after.bytes,
            partitions=tuple(sorted({*self.partitions, *after.partitions})),
            snapshots=(*self.snapshots, *after.snapshots),
            notices=(*self.notices, *after.notices),
        )


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one pass over a link did. ``stopped`` when it was asked to stop before the end."""

    entities: tuple[EntityReport, ...]
    retired: tuple[str, ...] = ()
    """Entities that were taken off the link (and perhaps linked anew since): their data was moved away or deleted."""
    lingering: tuple[str, ...] = ()
    """Entities of which readers may still be at the snapshots: a later pass moves or deletes those."""
    stopped: bool = False
    failing: tuple[str, ...] = ()
    """Entities that failed now and had not before."""
    recovered: tuple[str, ...] = ()
    """Entities that had failed before and went well now."""
    manifest: bool = False
    """Whether ``model.json`` was written."""
    restored: bool = False
    """Whether it was lost, or did not say what had been committed before."""
    mended: tuple[str, ...] = ()
    """The paths of snapshots that an earlier commit asked for, and that were made only now."""

    folder: str | None = None
    """The incremental folder that was closed."""

    @property
    def eventful(self) -> bool:
        """Whether there is anything to tell."""
        entities = any(each.changed or each.snapshots or each.notices or each.error for each in self.entities)
        return bool(entities or self.retired or self.stopped or self.manifest or self.mended or self.folder)

    @property
    def failed(self) -> tuple[EntityReport, ...]:
        """The entities whose pass failed."""
        return tuple(entity for entity in self.entities if entity.error is not None)

    @property
    def notices(self) -> tuple[Finding, ...]:
        """What a person should know of the entities, besides failures."""
        return tuple(notice for entity in self.entities for notice in entity.notices)

    @property
    def by_entity(self) -> Mapping[str, EntityReport]:
        """The reports by entity."""
        return {report.entity: report for report in self.entities}


@dataclass(frozen=True, slots=True)
class EntityStatus:
    """What is known of an entity of a link, from the lake alone. Times are UTC."""

    entity: str
    state: EntityState
    append_only: bool
    strategy: PartitionStrategy
    rows: int = 0
    """Rows in the live files; in append-only mode history and delete rows count too."""
    last_synced: datetime | None = None
    last_snapshot: datetime | None = None
    snapshots: int = 0
    """Snapshot files that are kept."""
    changed_since_snapshot: datetime | None = None
    """The time of the oldest committed change that no snapshot holds."""
    scanned: datetime | None = None
    """When an entity that cannot be tracked was last read whole; None for every other one."""
    reason: str = ""
    """Why the last pass failed."""
    schema_changes: tuple[SchemaChange, ...] = ()
    """How its columns changed since the initial sync, oldest first."""
    healed: tuple[Finding, ...] = ()
    """Damage that was made good of late."""
    form_due: tuple[str, ...] = ()
    """In which aspects its files are not yet as the link says: columns, filter, mask, header, times, labels; mode,
    strategy."""
    calculated: tuple[str, ...] = ()
    """The columns that the platform computes: a delta brings their values only when the row changes otherwise."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The status of a link. ``manifest_current`` when ``model.json`` says what the checkpoints say."""

    entities: tuple[EntityStatus, ...]
    manifest_current: bool
