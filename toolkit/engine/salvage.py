"""Salvage: the records of a damaged file that can still be read, for history that no source has any more.

A record is taken when it is whole: it begins with an id behind a line feed, has a version, and the number of fields
that it should have. What was written over within a value, and left that intact, is not found out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from toolkit.engine.columns import IS_DELETE, VERSION, Column
from toolkit.engine.entries import Entries

Key = tuple[bytes, bytes, bytes]
"""Id, version and mark of deletion of a record, as they are spelled."""

_FIELD = rb'(?:"(?:[^"]|"")*+"|[^",\n]*+)'
_KNOWN = {
    0: rb"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    VERSION: rb"(?P<version>-?[0-9]{1,18})",
    IS_DELETE: rb"(?P<deleted>True|)",
}


_FIRST = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\n")


def width_of(data: bytes) -> int:
    """Return how many fields the first line of a file has; 0 where there is none."""
    match = _FIRST.match(data)
    return len(re.findall(_FIELD + rb"[,\n]", match[0])) if match else 0


class Records:
    """What whole records of an entity look like. Those without the columns that were added last are padded."""

    def __init__(self, columns: Sequence[Column]) -> None:
        names = [column.name for column in columns]
        self._further = len(names) - names.index(IS_DELETE) - 1
        fields = [_KNOWN.get(name if place else 0, _FIELD) for place, name in enumerate(names)]
        needed = b",".join(fields[: len(names) - self._further])
        self._one = re.compile(needed + rb"(?P<further>(?:," + _FIELD + rb")*+)\n")
        self._any = re.compile(rb"(?:(?<=\n)|\A)" + self._one.pattern)

    def at(self, data: bytes, entries: Entries) -> Iterator[tuple[Key, bytes]]:
        """Yield the whole records among those that an index names."""
        places = entries.by_offset()
        for start, end in zip(places.offsets.tolist(), places.ends.tolist(), strict=True):
            if match := self._one.fullmatch(data, start, end):
                yield from self._padded(match)

    def within(self, data: bytes) -> Iterator[tuple[Key, bytes]]:
        """Yield the whole records that are found."""
        for match in self._any.finditer(data):
            yield from self._padded(match)

    def _padded(self, match: re.Match[bytes]) -> Iterator[tuple[Key, bytes]]:
        further = len(re.findall(b"," + _FIELD, match["further"]))
        if further <= self._further:
            record = match[0][:-1] + b"," * (self._further - further) + b"\n"
            yield (match["id"], match["version"], match["deleted"]), record
