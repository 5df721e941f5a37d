"""Reads files, in few requests, several at once, and only bytes of one content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from toolkit.errors import Conflict
from toolkit.lake.adls.filesystem import FileSystem
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.ranges import PIECE, Ranges, Source
from toolkit.lake.adls.traffic import Traffic
from toolkit.lake.paths import changed, missing
from toolkit.lake.protocol import ABSENT, Etag

TRIES = 3
"""How often a file is read from the beginning that changes meanwhile."""

_T = TypeVar("_T")


class Reader:
    """Reads files of a file system. A file that changes between two requests is read anew."""

    def __init__(self, files: FileSystem, traffic: Traffic) -> None:
        self._files, self._traffic = files, traffic

    def read(self, path: str, start: int, length: int | None) -> bytes:
        """Return a range of a file, to its end when there is no length. Raises NotFound."""
        return self._steady(path, lambda: self._read(path, start, length))

    def ranges(self, path: str, ranges: Ranges) -> bytes:
        """Return ranges of a file, one after the other, as far as it goes. Raises NotFound."""
        return self._steady(path, lambda: self._ranges(path, ranges))

    def stretches(self, path: str, etag: Etag, stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """Yield where each stretch begins and its bytes. Raises Rejected where the file is another one by then."""
        return self._traffic.ahead(partial(self._stretch, path, etag), stretches)

    def _stretch(self, path: str, etag: Etag, stretch: tuple[int, int]) -> tuple[int, bytes]:
        begin, behind = stretch
        return begin, self._files.read(path, begin, behind - begin, etag).data

    def _read(self, path: str, start: int, length: int | None) -> bytes:
        most = PIECE if length is None else min(length, PIECE)
        first = self._files.read(path, start, max(most, 1), None)
        end = first.size if length is None else min(first.size, start + length)
        rest = Ranges([start + most], [end]) if start + most < end else Ranges([], [])
        pieces = [first.data[:most], *(data for _, data in self.stretches(path, first.etag, rest.stretches()))]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _ranges(self, path: str, ranges: Ranges) -> bytes:
        (begin, behind), *rest = ranges.stretches()
        first = self._files.read(path, begin, behind - begin, None)
        others = self.stretches(path, first.etag, rest)
        return b"".join([ranges.picked(first.data, begin), *(ranges.picked(data, at) for at, data in others)])

    def _steady(self, path: str, read: Callable[[], _T]) -> _T:
        for _ in range(TRIES):
            try:
                return read()
            except Rejected as rejected:
                if rejected.missing:
                    raise missing(self._files.place(path).address) from None
                if rejected.status != 412:
                    raise
        where = self._files.place(path).address
        why, fix = f"it was replaced {TRIES} times while it was read", "run the command again"
        raise Conflict("LAK002", f"{where} changes all the time", where=where, why=why, fix=fix)


def replaced(files: FileSystem, source: Source) -> Conflict:
    """Say that a file is not the one any more that it was when a copy of it was begun."""
    now = files.find(source.path)
    return changed(files.place(source.path).address, source.etag, now.etag if now else ABSENT)
