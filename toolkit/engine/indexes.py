"""Looking rows up in the indexes of parts, without reading or checking more of them than is needed.

An index is never trusted as it is: one damaged id would hide a row from its update. So what is read of it is checked,
its ids alone where none of them is wanted, but only once in a session: from then on its etag says that it is the same
file. What this session wrote itself it need not check.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from toolkit.engine.checkpoint import INDEX_SUFFIX, Move, Part, Remove, Step
from toolkit.engine.columns import Column
from toolkit.engine.entries import ENTRY_COLUMNS, ID_BYTES, NOTHING, Entries, Ids
from toolkit.engine.index import HEADER_BYTES, read_ids
from toolkit.engine.lookup import Lookup
from toolkit.engine.splice import from_index, scanned
from toolkit.lake.protocol import ABSENT, Etag, Lake

Columns = tuple[Column, ...]


class Indexes:
    """The indexes of a lake that a session knows to be good. Safe to use from several threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._good: dict[str, Etag] = {}
        self._good_ids: dict[str, Etag] = {}

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
                self._good_ids.pop(step.path, None)

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

    def entries_of(self, part: Part, columns: Columns, wanted: Lookup) -> Entries:
        """Return the entries of the ids that are wanted, of which a part mostly has few. Raises Damaged (ENG041)."""
        ids = self._ids(part)
        if ids is None:
            entries = self.entries(part, columns)
            return entries.take(wanted.among(entries.ids)[0])
        places, _ = wanted.among(ids)
        return self.entries(part, columns).take(places) if len(places) else NOTHING

    def _ids(self, part: Part) -> Ids | None:
        """Return the ids of a part from its index, or None where that is not its own."""
        stat = self._lake.stat(part.index)
        if stat is None:
            return None
        length = part.rows * ID_BYTES
        if stat.etag in {self.good(part), self._good_ids.get(part.index)}:
            return np.frombuffer(self._lake.read(part.index, HEADER_BYTES, length), ENTRY_COLUMNS[0])
        ids = read_ids(self._lake.read(part.index, 0, HEADER_BYTES + length), part.digest)
        if ids is not None:
            self._good_ids[part.index] = stat.etag
        return ids
