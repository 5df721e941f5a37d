"""The delete log: which rows of an entity were deleted, and when. The config's ``WriteDeleteLog`` asks for it.

    _deleted/<entity>/<yyyy-MM>.csv    Id, versionnumber, the time of the pass (docs/formats.md)

What the hosted service writes is not known, so the form is ours; it lies in a folder whose name readers of the rows
skip. A pass stages the file of the month anew with its lines behind those that are there, and the checkpoint has the
move that publishes it; so a line is there once, whatever dies. What another program did to a file is left as it is,
and the log goes on in a further part: a log must not stop the export.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from toolkit.engine.arrays import TEXT, contents, joined_text, text, texts_between
from toolkit.engine.checkpoint import DeleteLog, Move
from toolkit.engine.entries import ID_LENGTH, Entries, text_of_ids
from toolkit.engine.style import sink_time
from toolkit.errors import Finding, Place, Severity
from toolkit.lake.protocol import ABSENT, Etag, Lake

DELETED_FOLDER = "_deleted"
_LINE = re.compile(rb'^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12},-?[0-9]+,"[^"\n]+"\n', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Logged:
    """A log with the lines of a pass: its new state, the move that publishes it, and what to tell people."""

    log: DeleteLog
    move: Move
    notices: tuple[Finding, ...] = ()


def log_folder(entity: str) -> str:
    """Return where the delete log of an entity is."""
    return f"{DELETED_FOLDER}/{entity}"


def log_path(entity: str, month: str, number: int) -> str:
    """Return where a part of it is."""
    further = f"_{number:03d}" if number else ""
    return f"{log_folder(entity)}/{month}{further}.csv"


def logged(
    lake: Lake, run: str, entity: str, before: DeleteLog | None, deleted: Entries, *, now: datetime, limit: int
) -> Logged:
    """Stage the log with a line for each deleted row; ``before`` is its last file, ``limit`` the size of a part."""
    known = before if before is not None and before.month == f"{now:%Y-%m}" else None
    etag = _intact(lake, known) if known is not None else None
    at = known if known is not None and etag is not None and known.size < limit else None
    log = at or _free(lake, entity, f"{now:%Y-%m}", 0 if known is None else known.number + 1)
    with closing(lake.stage(run, "deleted")) as writer:
        if at is not None:
            writer.copy(at.path, 0, at.size)
        writer.write(lines_of(deleted, now))
        staged = writer.seal()
    expect = ABSENT if at is None or etag is None else etag
    move = Move.of(staged, log.path, expect)
    told = (_changed(entity, known, log),) if known is not None and etag is None else ()
    return Logged(log.model_copy(update={"size": staged.size, "etag": staged.etag}), move, told)


def lines_of(deleted: Entries, now: datetime) -> bytes:
    """Return a line for each deleted row: its id, its last known version, the time of the pass; by version and id."""
    rows = deleted.take(np.lexsort((deleted.ids, deleted.versions)))
    offsets = np.arange(len(rows) + 1, dtype=np.int64) * ID_LENGTH
    ids = texts_between(memoryview(text_of_ids(rows.ids)), offsets)
    versions = pa.array(rows.versions).cast(TEXT)
    return bytes(contents(joined_text(ids, text(","), versions, text(f',"{sink_time(now)}"\n'))))


def whole_lines(data: bytes) -> bytes:
    """Return the lines of a log that can still be read."""
    return b"".join(_LINE.findall(data))


def salvaged(lake: Lake, run: str, log: DeleteLog) -> tuple[DeleteLog | None, tuple[Move, ...]]:
    """Return a log with the lines that can still be read of it, and the move that publishes it; None without any."""
    stat = lake.stat(log.path)
    lines = b"" if stat is None else whole_lines(lake.read(log.path))
    if stat is None or not lines:
        return None, ()
    if len(lines) == stat.size:
        return log.model_copy(update={"size": stat.size, "etag": stat.etag}), ()
    with closing(lake.stage(run, "deleted")) as writer:
        writer.write(lines)
        staged = writer.seal()
    move = Move(staged=staged.path, size=staged.size, etag=staged.etag, path=log.path, expect=stat.etag)
    return log.model_copy(update={"size": staged.size, "etag": staged.etag}), (move,)


def _intact(lake: Lake, log: DeleteLog) -> Etag | None:
    """Return the etag of a file that is as it was left; None when it is not. A copy of a lake has other etags."""
    stat = lake.stat(log.path)
    return stat.etag if stat is not None and stat.size == log.size else None


def _free(lake: Lake, entity: str, month: str, number: int) -> DeleteLog:
    """Return the next part of a month that is not there yet."""
    while lake.stat(log_path(entity, month, number)) is not None:
        number += 1
    return DeleteLog(path=log_path(entity, month, number), month=month, number=number, size=0, etag=ABSENT)


def _changed(entity: str, before: DeleteLog, now: DeleteLog) -> Finding:
    return Finding(
        "ENG067",
        Severity.WARNING,
        f"{before.path} is not as it was left, and the delete log of {entity} goes on in {now.path}",
        Place(before.path),
        "another program changed or removed it",
        "nothing; restore the file from a backup when its lines are missed",
    )
