"""What the passes over the entities of a link work with, how an entity is exported, and why a pass ends early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from toolkit.engine.ahead import Ahead
from toolkit.engine.indexes import Indexes
from toolkit.engine.partitions import require_known
from toolkit.engine.report import EntityProgress
from toolkit.engine.settings import Settings
from toolkit.engine.splice import Executor
from toolkit.errors import EntityGone, Partial, SourceError
from toolkit.lake.protocol import Fence, Lake
from toolkit.model.config import LinkedEntity, Output, PartitionStrategy, Retention
from toolkit.model.entity import Entity
from toolkit.site import MaskKey
from toolkit.source.protocol import Source


@dataclass(frozen=True, slots=True)
class Work:
    """What a pass needs besides the entity: where from, where to, under which lock, and how."""

    lake: Lake
    source: Source
    organization: str
    generation: int
    history_ended: frozenset[str]
    """Entities whose history may be deleted, since they are exported in place now."""
    fence: Fence
    clock: Callable[[], datetime]
    interval: timedelta
    retention: Retention
    delete_log: bool
    output: Output
    mask_key: MaskKey
    settings: Settings
    indexes: Indexes
    execute: Executor
    ahead: Ahead
    """Does several things at once."""
    progress: Callable[[EntityProgress], None]
    stop: Callable[[], bool]
    compare: bool = False
    """Whether all rows are read and compared, whatever the cursors say."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How an entity is exported. An entity without createdon is append-only, and append-only forces Year."""

    append_only: bool
    strategy: PartitionStrategy


def mode_of(linked: LinkedEntity, entity: Entity) -> Mode:
    """Return how an entity is exported. Raises Refused for a strategy whose file names are not known."""
    if linked.append_only or not entity.has_createdon:
        return Mode(append_only=True, strategy=PartitionStrategy.YEAR)
    require_known(linked.strategy, entity.name)
    return Mode(append_only=False, strategy=linked.strategy)


def gone(name: str) -> EntityGone:
    """Return the error that the source has no such entity."""
    return EntityGone(
        "ENG051",
        f"the source has no entity {name}",
        where=name,
        why="it was deleted there, or its name is wrong",
        fix=f"toolkit entity remove {name}; what was exported stays readable until then",
    )


def stopped(name: str) -> Partial:
    """Return the error that a pass was stopped."""
    return Partial(
        "ENG052",
        f"{name} was stopped before its pass was complete",
        where=name,
        why="what it had read is kept; what earlier passes wrote stays as it is",
        fix="run it again: it goes on from there",
    )


def cut_short(name: str) -> SourceError:
    """Return the error that the rows of an entity ended before their last batch."""
    # Rows that were not given would be taken for deleted.
    return SourceError(
        "ENG053",
        f"the rows of {name} ended before their last batch",
        where=name,
        why="the source gave no batch that is final, so that some rows are missing",
        fix="run it again; when it happens again, report it as a fault of the source",
    )
