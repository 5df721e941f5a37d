"""The log of a spool: the entries of gathered records as a file, so that another process can go on with them.

It is a row of blocks. A block says how many entries of which partition were appended to which file of the spool, and
then has those entries; or it has tombstones, as entries without places.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from toolkit.engine.entries import ENTRY_BYTES

TOMBSTONES = -1
"""In place of the number of a file."""

_HEAD = struct.Struct("<qqq")
"""The number of the file, the length of the partition's name, and how many bytes of entries follow."""


class Block(NamedTuple):
    """Entries that were appended to a file of the spool, as bytes."""

    file: int
    partition: str
    entries: bytes

    def to_bytes(self) -> bytes:
        """Return the block as it stands in the log."""
        name = self.partition.encode()
        return _HEAD.pack(self.file, len(name), len(self.entries)) + name + self.entries


def blocks_from(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Yield the blocks of a log that is read in chunks. Raises ValueError where it is none."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        at = 0
        while (end := _end(rest, at)) <= len(rest):
            yield _block(rest, at, end)
            at = end
        rest = rest[at:]
    if rest:
        raise ValueError("the log ends within a block")


def _end(data: bytes, at: int) -> int:
    """Return where a block ends that begins at a place; beyond the data when not all of it is there."""
    start = at + _HEAD.size
    if start > len(data):
        return start
    name, entries = _lengths(data, at)
    return start + name + entries


def _lengths(data: bytes, at: int) -> tuple[int, int]:
    name: int
    entries: int
    _, name, entries = _HEAD.unpack_from(data, at)
    if min(name, entries) < 0 or entries % ENTRY_BYTES:
        raise ValueError("the log has a block of no length")
    return name, entries


def _block(data: bytes, at: int, end: int) -> Block:
    file, name, _ = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    return Block(file, data[start : start + name].decode(), data[start + name : end])
