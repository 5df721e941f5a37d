"""Looking rows up in the indexes of parts, without reading or checking more of them than is needed.

An index is never trusted as it is: one damaged id would hide a row from its update. So it is read whole and its digest
checked, but only once in a session: from then on its etag says that it is the same file. What this session wrote
itself it need not check.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from toolkit.engine.checkpoint import INDEX_SUFFIX, Move, Part, Remove, Step
from toolkit.engine.columns import Column
from toolkit.engine.entries import ENTRY_COLUMNS, NOTHING, Entries, Ids, entries_from
from toolkit.engine.index import HEADER_BYTES, found
from toolkit.engine.splice import from_index, scanned
from toolkit.lake.protocol import ABSENT, Etag, Lake

_IDS = ENTRY_COLUMNS[0]

Columns = tuple[Column, ...]


class Indexes:
    """The indexes of a lake that a session knows to be good. Safe to use from several threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._good: dict[str, Etag] = {}

    def good(self, part: Part) -> Etag:
        """Return the etag that the part's index has if it is known to be good, or ABSENT."""
        return self._good.get(part.index, ABSENT)

    def follow(self, steps: Iterable[Step]) -> None:
        """Take note of the indexes that a commit wrote, and of what it removed."""
        for step in steps:
            if isinstance(step, Move) and step.path.endswith(INDEX_SUFFIX):
                self._good[step.path] = Etag(step.etag)
            elif isinstance(step, Remove):
                self._good.pop(step.path, None)

    def entries(self, part: Part, columns: Columns) -> Entries:
        """Return the entries of a part. Raises Damaged (ENG041)."""
        stat = self._lake.stat(part.index)
        if stat is None:
            return scanned(self._lake, part, columns)
        entries = from_index(self._lake, part, good=stat.etag == self.good(part))
        if entries is None:
            return scanned(self._lake, part, columns)
        self._good[part.index] = stat.etag
        return entries

    def entries_of(self, part: Part, columns: Columns, ids: Ids) -> Entries:
        """Return the entries of some ids (sorted, unique), of which a part mostly has few. Raises Damaged (ENG041)."""
        if not self._is_good(part):
            entries = self.entries(part, columns)
            return entries.take(found(entries.ids, ids)[0])
        held = np.frombuffer(self._lake.read(part.index, HEADER_BYTES, part.rows * _IDS.itemsize), _IDS)
        places, _ = found(held, ids)
        if not len(places):
            return NOTHING
        return entries_from(self._lake.read(part.index, HEADER_BYTES)).take(places)

    def _is_good(self, part: Part) -> bool:
        stat = self._lake.stat(part.index)
        return stat is not None and stat.etag == self.good(part)
