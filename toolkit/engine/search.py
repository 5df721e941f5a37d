"""Searching a lake for the id of a row: every file is read, whatever it is.

An id is looked for as text, in lower and in upper case, and as the 16 bytes that an index holds. A record of a CSV file
that begins with it is the row itself, in one of its versions; anywhere else it is a reference, or a row of another
entity that has the same id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from toolkit.engine.index import CHUNK, outside_quotes, record_chunks
from toolkit.engine.pins import PINS_FOLDER
from toolkit.errors import Damaged, NotFound
from toolkit.lake.protocol import STATE_FOLDER, Etag, Lake, Stat

STAGING_FOLDER = f"{STATE_FOLDER}/staging"
"""Files that are being written; the name of a run ends in that of its entity."""

_FOLDER = re.compile(r"\d{4}-\d\d-\d\dT")
"""How the name of an incremental folder begins."""

Range = tuple[int, int]
"""Where a record begins, and where the next one does, in bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file in which the id is: the records that are the row, and how often it is there besides."""

    path: str
    size: int
    etag: Etag
    records: tuple[Range, ...]
    others: int


@dataclass(frozen=True, slots=True)
class Searched:
    """How much was searched, and what was found: files of the row's entity, and other files that hold its id."""

    files: int
    bytes: int
    own: tuple[Found, ...]
    elsewhere: tuple[Found, ...]

    @property
    def occurrences(self) -> int:
        """How many records of the row there are, and mentions of its id in files that hold no rows of others."""
        return sum(len(found.records) + (0 if _holds_rows(found.path) else found.others) for found in self.own)

    @property
    def references(self) -> int:
        """How often other rows have the id: as a reference, or as their own."""
        return sum(found.others + len(found.records) for found in self.elsewhere) + sum(
            found.others for found in self.own if _holds_rows(found.path)
        )


def search(lake: Lake, entity: str, row_id: str) -> Searched:
    """Search every file of a lake for the id of a row of an entity."""
    # An id of digits alone is spelled one way.
    needles = tuple(dict.fromkeys((row_id.encode(), row_id.upper().encode(), UUID(row_id).bytes)))
    files = size = 0
    own: list[Found] = []
    elsewhere: list[Found] = []
    for stat in lake.list(""):
        files, size = files + 1, size + stat.size
        if (found := _found(lake, stat, needles)) is not None:
            (own if entity_at(stat.path) in {None, entity} else elsewhere).append(found)
    return Searched(files, size, tuple(own), tuple(elsewhere))


def entity_at(path: str) -> str | None:
    """Return the entity whose file is at a path; None where that is no file of an entity."""
    match path.split("/"):
        case [top, _, entity, _] if top == PINS_FOLDER:
            return entity
        case [top, "staging", run, _, *_] if top == STATE_FOLDER:
            return run.rpartition("-")[2]
        case [top, entity, _, *_] if top.startswith("_") or _FOLDER.match(top):
            return entity
        case [entity, _, *_] if not entity.startswith("_"):
            return entity
        case _:
            return None


def _holds_rows(path: str) -> bool:
    return path.endswith(".csv")


def _found(lake: Lake, stat: Stat, needles: tuple[bytes, ...]) -> Found | None:
    try:
        total = _count(lake, stat.path, needles)
        if not total:
            return None
        records = tuple(_records(lake, stat.path, needles[0])) if _holds_rows(stat.path) else ()
        inside = sum(_times(lake.read(stat.path, start, end - start), needles) for start, end in records)
    except NotFound:
        # It went while it was looked at, so it is no file of this lake any more.
        return None
    return Found(stat.path, stat.size, stat.etag, records, total - inside)


def _count(lake: Lake, path: str, needles: tuple[bytes, ...]) -> int:
    """Return how often any of the needles is in a file, across the borders of what is read together."""
    total, at, tail = 0, 0, b""
    while data := lake.read(path, at, CHUNK):
        window = tail + data
        total += sum(window.count(needle, max(len(tail) - len(needle) + 1, 0)) for needle in needles)
        at, tail = at + len(data), window[-max(map(len, needles)) :]
    return total


def _times(data: bytes, needles: tuple[bytes, ...]) -> int:
    return sum(data.count(needle) for needle in needles)


def _records(lake: Lake, path: str, row_id: bytes) -> Iterator[Range]:
    """Yield where the records are that begin with an id; none in a file that does not consist of whole records."""
    try:
        chunks = [(start, *_bounds(data), data) for start, data in record_chunks(lake, path) if row_id in data]
    except Damaged:
        return
    for start, begins, ends, data in chunks:
        for begin, end in zip(begins, ends, strict=True):
            if data.startswith(row_id, begin):
                yield start + begin, start + end


def _bounds(data: bytes) -> tuple[list[int], list[int]]:
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((array == ord("\n")) & outside_quotes(array)) + 1
    return [0, *ends[:-1].tolist()], ends.tolist()
