"""What a checkpoint says, when its files have other etags than it knows: they may still hold what was committed.

A lake that was copied, restored from a backup or moved to another disk has other etags throughout. Nothing is asked of
a file whose etag is the known one; any other is read once, and its size and the digest of its entries decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.engine.checkpoint import REPAIR, Checkpoint, Copy, Move, Part, Remove
from toolkit.engine.columns import Column
from toolkit.engine.index import digest_of, scan
from toolkit.engine.splice import damaged
from toolkit.errors import Damaged
from toolkit.lake.protocol import Etag, Lake

Columns = tuple[Column, ...]


def taken_over(lake: Lake, checkpoint: Checkpoint, fence: int) -> Checkpoint:
    """Return the checkpoint with the etags of the files that hold what it commits, and with the steps still to do.

    Only files that a pending step is about are looked at. Raises Damaged (ENG041, ENG042) when one is not there.
    """
    columns, pending = checkpoint.columns, checkpoint.pending
    moves = {step.path: step for step in pending if isinstance(step, Move)}
    about = {step.path for step in pending if isinstance(step, Move | Copy)}
    found = [_found(lake, part, moves.get(part.path), columns) for part in checkpoint.parts if part.path in about]
    parts = {part.path: part for part, _ in found}
    copies = (
        step.model_copy(update={"etag": parts[step.path].etag})
        for step in pending
        if isinstance(step, Copy) and etag_of(lake, step.to, parts[step.path], columns) is None
    )
    return checkpoint.model_copy(
        update={
            "fence": fence,
            "seq": checkpoint.seq + 1,
            "parts": tuple(parts.get(part.path, part) for part in checkpoint.parts),
            # An index that was not published is made anew by a scan of its part.
            "pending": (
                *(move for _, move in found if move),
                *moves_of_the_log(lake, checkpoint),
                *copies,
                *(step for step in pending if isinstance(step, Remove)),
            ),
        }
    )


def moves_of_the_log(lake: Lake, checkpoint: Checkpoint) -> Iterator[Move]:
    """Yield the move of the delete log, as long as its file is staged."""
    for step in checkpoint.pending:
        if isinstance(step, Move) and checkpoint.delete_log is not None and step.path == checkpoint.delete_log.path:
            stat = lake.stat(step.staged)
            if stat is not None and stat.size == step.size:
                yield step.model_copy(update={"etag": stat.etag})


def etag_of(lake: Lake, path: str, part: Part, columns: Columns) -> Etag | None:
    """Return the etag of the file at ``path``, or None when it does not hold what the part does."""
    stat = lake.stat(path)
    if stat is None or (stat.etag != part.etag and not holds(lake, path, part, columns)):
        return None
    return stat.etag


def holds(lake: Lake, path: str, part: Part, columns: Columns) -> bool:
    """Whether a file holds the records that the part does: it is read, whatever its etag."""
    stat = lake.stat(path)
    try:
        return stat is not None and stat.size == part.size and digest_of(scan(lake, path, columns)) == part.digest
    except Damaged:
        return False


def require_untouched(lake: Lake, part: Part, columns: Columns) -> None:
    """Raise Damaged (ENG041) unless the part holds what was written to it: then it must not be spliced."""
    if etag_of(lake, part.path, part, columns) is None:
        raise damaged(part.path)


def _found(lake: Lake, part: Part, move: Move | None, columns: Columns) -> tuple[Part, Move | None]:
    """Return a part with its etag, and the move to its place where it is still staged."""
    if etag := etag_of(lake, part.path, part, columns):
        return part.model_copy(update={"etag": etag}), None
    if move is None:
        raise damaged(part.path)
    if etag := etag_of(lake, move.staged, part, columns):
        update = {"etag": etag}
        return part.model_copy(update=update), move.model_copy(update=update)
    raise _lost(part)


def _lost(part: Part) -> Damaged:
    return Damaged(
        "ENG042",
        f"{part.path} is not what was committed, and its staged file is gone",
        where=part.path,
        why="another program changed or removed the file, or a backup does not hold all of the lake",
        fix=REPAIR,
    )
