"""Delete rows: what append-only mode writes for an id that is gone, behind the last known record of that id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from toolkit.engine.arrays import Places
from toolkit.engine.checkpoint import Part
from toolkit.engine.columns import Column
from toolkit.engine.entries import Entries, entries_of
from toolkit.engine.partitions import UNPLACED
from toolkit.engine.place import Piece, Placed, joined_coming, newcomers
from toolkit.engine.ranges import read_ranges
from toolkit.engine.resolve import Located, Resolved
from toolkit.engine.rows import delete_record
from toolkit.lake.protocol import Lake


def last_records(lake: Lake, resolved: Resolved, parts: Sequence[Part], pieces: Sequence[Piece]) -> list[bytes]:
    """Return the last known record of each id that ended, as it is spelled."""
    ended = resolved.ended
    records = [b""] * len(ended)
    for path, which in _by_file(resolved, parts, pieces):
        ordered = which[np.argsort(ended.entries.offsets[which])]
        these = ended.entries.take(ordered)
        read = read_ranges(lake, path, these.offsets.astype(np.int64), these.ends)
        for place, record in zip(ordered.tolist(), read, strict=True):
            records[place] = record.as_py()
    return records


def _by_file(resolved: Resolved, parts: Sequence[Part], pieces: Sequence[Piece]) -> Iterator[tuple[str, Places]]:
    """Yield each file that holds last records, with their places."""
    owners, new = resolved.ended.owners, resolved.ended_new >= 0
    for number, part in enumerate(parts):
        yield part.path, np.flatnonzero((owners == number) & ~new)
    for number, piece in enumerate(pieces):
        yield piece.staged.path, np.flatnonzero((owners == number) & new)


def delete_rows(
    ended: Located, last: Sequence[bytes], columns: Sequence[Column], sink: str, *, start: int
) -> tuple[bytes, Entries]:
    """Return the delete rows of ids that ended, one after the other, and their entries from ``start``.

    ``sink`` is the time of the pass, as it is spelled.
    """
    records = [delete_record(record, columns, sink) for record in last]
    lengths = np.array([len(record) for record in records], np.int64)
    return b"".join(records), entries_of(ended.ids, lengths, ended.versions, start=start, deletes=True)


def with_ended(come: Placed, resolved: Resolved, entries: Entries, parts: Sequence[Part], owner: int) -> Placed:
    """Return what comes with delete rows beside it. Each belongs to the partition of the row that it ends."""
    new, count = resolved.ended_new, len(entries)
    names = (*(part.partition for part in parts), UNPLACED)
    held = np.array([come.names.index(name) for name in names])[np.where(new >= 0, -1, resolved.ended.owners)]
    partitions = np.where(new >= 0, come.partitions[new], held) if len(come.partitions) else held
    rows = Located(entries, np.full(count, owner, np.int64))
    every = joined_coming([come.come, newcomers(rows, np.full(count, -1, np.int64))])
    return Placed(every, np.concatenate([come.partitions, partitions]), come.names)
