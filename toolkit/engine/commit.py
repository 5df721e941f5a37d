"""The commit of a pass, and what follows it: the steps that the checkpoint keeps as ``pending``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from toolkit.engine.checkpoint import Checkpoint, Copy, Move, Remove, checkpoint_path
from toolkit.engine.takeover import taken_over
from toolkit.errors import Conflict, NotFound
from toolkit.lake.protocol import STATE_FOLDER, Etag, Fence, Lake, Staged


@dataclass(frozen=True, slots=True)
class Committed:
    """A checkpoint as it is in the lake."""

    checkpoint: Checkpoint
    etag: Etag


class Outrun(Exception):
    """A commit has a higher fence than this holder: the lock was lost with its number, and must be taken above it."""

    def __init__(self, fence: int) -> None:
        super().__init__(f"a commit has the fence {fence}")
        self.fence = fence


def require_ahead(fence: Fence, committed: int) -> None:
    """Raise Outrun where a commit has a higher fence."""
    if committed > fence.number:
        raise Outrun(committed)


def commit(lake: Lake, fence: Fence, checkpoint: Checkpoint, expect: Etag) -> Committed:
    """Write a checkpoint on condition that nobody else did since it was read. Raises Conflict, and Locked."""
    fence.check()
    data = checkpoint.model_dump_json(indent=1).encode()
    return Committed(checkpoint, lake.put(checkpoint_path(checkpoint.entity), data, expect))


def settled(lake: Lake, fence: Fence, state: Committed) -> Committed:
    """Publish the staged files and make the snapshots of a commit, as far as that has not been done.

    Where other files are found than those that were written, and they hold what was committed, a further commit takes
    their etags over. Raises Damaged when they do not.
    """
    try:
        _settle(lake, state.checkpoint)
    except (Conflict, NotFound):
        state = commit(lake, fence, taken_over(lake, state.checkpoint, fence.number), state.etag)
        _settle(lake, state.checkpoint)
    return state


def _settle(lake: Lake, checkpoint: Checkpoint) -> None:
    with lake.together():
        for step in checkpoint.pending:
            match step:
                case Move():
                    _publish(lake, step)
                case Copy():
                    lake.snapshot(step.path, step.to, Etag(step.etag))
                case Remove():
                    pass  # after the manifest
                case _:
                    assert_never(step)


def tidy(lake: Lake, checkpoint: Checkpoint) -> None:
    """Remove what a commit left behind. The manifest that names none of it must have been written."""
    with lake.together():
        for step in checkpoint.pending:
            if isinstance(step, Remove):
                lake.delete(step.path)


def _publish(lake: Lake, step: Move) -> None:
    try:
        _publish_or_replace(lake, Staged(step.staged, step.size, Etag(step.etag)), step)
    except NotFound:
        # A lost index is no harm: it is made anew by a scan of its part.
        if not step.path.startswith(f"{STATE_FOLDER}/"):
            raise


def _publish_or_replace(lake: Lake, staged: Staged, step: Move) -> None:
    try:
        lake.publish(staged, step.path, Etag(step.expect))
    except Conflict:
        # Neither the old file nor the new one is there: a writer that lost its lock put another one in its place. The
        # checkpoint is the truth, and the staged file is still at hand.
        lake.publish(staged, step.path, "any")
