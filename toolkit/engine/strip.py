"""Stripping: a file is staged without the records of a row, whatever file it is; all other bytes stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from toolkit.engine.index import CHUNK
from toolkit.engine.search import Found
from toolkit.lake.protocol import Lake, Staged

RECORD_START = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12},")
"""How every record begins, and no line of column names does."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Where stripped files are staged: the folder of a ``run``."""

    lake: Lake
    run: str

    def cleaned(self, found: Found) -> Staged | None:
        """Return a file without the row, staged; None when no record is left in it."""
        left = found.size - sum(end - begin for begin, end in found.records)
        return self.stripped(found) if left > self._head(found) else None

    def stripped(self, found: Found) -> Staged:
        """Return a file without the row, staged."""
        with closing(self.lake.stage(self.run, found.path.replace("/", "."))) as writer:
            at = 0
            for begin, end in (*found.records, (found.size, found.size)):
                if begin > at:
                    writer.copy(found.path, at, begin - at)
                at = end
            return writer.seal()

    def staged(self, name: str, blocks: Iterable[bytes]) -> Staged:
        """Return a new file, staged."""
        with closing(self.lake.stage(self.run, name)) as writer:
            for block in blocks:
                writer.write(block)
            return writer.seal()

    def _head(self, found: Found) -> int:
        """Return how long the line is that a file has before its first record; 0 where it has none."""
        start = self.lake.read(found.path, 0, CHUNK)
        return 0 if RECORD_START.match(start) else start.find(b"\n") + 1
