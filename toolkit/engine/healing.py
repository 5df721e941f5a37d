"""Healing: what of an entity's state is damaged is found and made good, by a commit of its own.

A pass that meets damage heals it and begins again. The commit says what was wrong, so that whoever comes next tells
it, and the status does for a day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from toolkit.engine.checkpoint import Checkpoint, read_checkpoint
from toolkit.engine.commit import Committed, commit, settled
from toolkit.engine.mending import Mender
from toolkit.lake.protocol import Fence, Lake


def heal(lake: Lake, fence: Fence, entity: str, clock: Callable[[], datetime]) -> Committed | None:
    """Make good what is damaged, and return what was committed; None where nothing is."""
    checkpoint, etag = read_checkpoint(lake, entity)
    if checkpoint is None:
        return None
    now = clock()
    mended = Mender(lake, checkpoint, _run(checkpoint, fence, now), now).mended(fence.number)
    return None if mended is None else settled(lake, fence, commit(lake, fence, mended, etag))


def _run(checkpoint: Checkpoint, fence: Fence, now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}-{fence.number}-{checkpoint.seq + 1}-mending-{checkpoint.entity}"
