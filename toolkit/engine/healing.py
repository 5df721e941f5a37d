"""Healing: what of an entity's state is damaged is found and made good, by a commit of its own.

A pass that meets damage heals it and begins again. The commit says what was wrong, so that whoever comes next tells
it, and the status does for a day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from toolkit.engine.checkpoint import Checkpoint, Healed, Newer, checkpoint_path, read_checkpoint
from toolkit.engine.commit import Committed, commit, settled
from toolkit.engine.mending import Mender
from toolkit.engine.rebuilding import left_behind, rebuilt
from toolkit.errors import Damaged, Severity
from toolkit.lake.protocol import ABSENT, Etag, Fence, Lake
from toolkit.model.entity import Entity


def taken_from(checkpoint: Checkpoint, organization: str, fence: int, now: datetime) -> Checkpoint:
    """Return a checkpoint whose rows are compared with those of another organization, from now on its own."""
    told = Healed(
        at=now,
        code="ENG036",
        severity=Severity.WARNING,
        what=f"{checkpoint.entity} was taken over from the organization {checkpoint.organization} by {organization}",
        where=checkpoint_path(checkpoint.entity),
        why="all rows are read and compared by id and version, and the source wins",
    )
    update = {"organization": organization, "cursor": None, "snapshot_at": None, "fence": fence, "pending": ()}
    return checkpoint.model_copy(update={**update, "seq": checkpoint.seq + 1, "healed": (*checkpoint.healed, told)})


def heal(
    lake: Lake, fence: Fence, first: Callable[[], Checkpoint], definition: Entity, clock: Callable[[], datetime]
) -> Committed | None:
    """Make good what is damaged, and return what was committed; None where nothing is.

    ``first`` gives the checkpoint with which the entity would begin, ``definition`` what of it is exported.
    """
    now = clock()
    checkpoint, etag = _read(lake, definition.name)
    if checkpoint is not None:
        mended = _mended(lake, fence, checkpoint, now)
    elif etag != ABSENT or left_behind(lake, definition.name):
        anew = rebuilt(lake, first(), definition, now)
        mended = _mended(lake, fence, anew, now) or anew
    else:
        return None
    return None if mended is None else settled(lake, fence, commit(lake, fence, mended, etag))


def _read(lake: Lake, entity: str) -> tuple[Checkpoint | None, Etag]:
    """Return a checkpoint with its etag; None where it cannot be read. Raises Newer."""
    try:
        return read_checkpoint(lake, entity)
    except Newer:
        raise
    except Damaged:
        stat = lake.stat(checkpoint_path(entity))
        return None, stat.etag if stat else ABSENT


def _mended(lake: Lake, fence: Fence, checkpoint: Checkpoint, now: datetime) -> Checkpoint | None:
    run = f"{now:%Y%m%dT%H%M%SZ}-{fence.number}-{checkpoint.seq + 1}-mending-{checkpoint.entity}"
    return Mender(lake, checkpoint, run, now).mended(fence.number)
