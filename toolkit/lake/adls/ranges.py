"""Ranges of a file -> the requests that read them: near ones together, long ones in pieces."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.lake.protocol import Etag

PIECE = 8 << 20
"""Bytes that are read at once, at most."""

NEAR = 512 << 10
"""Ranges with a gap up to this are read as one: that many bytes come in about the time that a request takes."""

LEAST = 4 << 20
"""Bytes from which on a copy by the service is worth a request: fewer come and go as fast."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is copied from, as it is now."""

    path: str
    size: int
    etag: Etag


@dataclass(frozen=True, slots=True)
class Ranges:
    """Sorted ranges of a file that do not overlap, and of which none is empty."""

    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, starts: Sequence[int], ends: Sequence[int]) -> Ranges:
        """Return ranges without the empty ones, those as one that follow each other without a gap."""
        joined: list[tuple[int, int]] = []
        for start, end in zip(starts, ends, strict=True):
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            elif start < end:
                joined.append((start, end))
        return cls([start for start, _ in joined], [end for _, end in joined])

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def end(self) -> int:
        """Where the last one ends."""
        return self.ends[-1] if self.ends else 0

    def split(self, at: int) -> tuple[Ranges, Ranges]:
        """Return the ranges that begin before a place, and the others."""
        number = bisect_left(self.starts, at)
        return self.between(0, number), self.between(number, len(self))

    def beside(self, other: Ranges) -> Ranges:
        """Return these and other ranges, none of which overlap."""
        return Ranges.of(sorted([*self.starts, *other.starts]), sorted([*self.ends, *other.ends]))

    def between(self, first: int, behind: int) -> Ranges:
        """Return the ranges of these numbers."""
        return Ranges(self.starts[first:behind], self.ends[first:behind])

    def runs(self, least: int) -> Iterator[tuple[bool, Ranges]]:
        """Yield the ranges in order: alone with True each that is as long as ``least``, others together."""
        first = 0
        for number, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            if end - start >= least:
                if first < number:
                    yield False, self.between(first, number)
                yield True, self.between(number, number + 1)
                first = number + 1
        if first < len(self):
            yield False, self.between(first, len(self))

    def stretches(self, near: int = NEAR, most: int = PIECE) -> Iterator[tuple[int, int]]:
        """Yield where to read from and to, so that all ranges are covered."""
        for begin, behind in self._together(near):
            for start in range(begin, behind, most):
                yield start, min(start + most, behind)

    def picked(self, data: bytes, begin: int) -> bytes:
        """Return what the ranges take of a stretch that begins there; it may be shorter than it was to be."""
        behind = begin + len(data)
        at = bisect_right(self.ends, begin)
        pieces: list[bytes] = []
        while at < len(self) and (start := self.starts[at]) < behind:
            pieces.append(data[max(start - begin, 0) : self.ends[at] - begin])
            at += 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _together(self, near: int) -> Iterator[tuple[int, int]]:
        begin = behind = -1
        for start, end in zip(self.starts, self.ends, strict=True):
            if behind < 0 or start - behind > near:
                if behind >= 0:
                    yield begin, behind
                begin = start
            behind = end
        if behind >= 0:
            yield begin, behind


NOTHING = Ranges((), ())
