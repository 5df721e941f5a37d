"""A file of a storage account being staged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from toolkit.errors import ToolkitError
from toolkit.lake.adls.copies import Blocks, Copies
from toolkit.lake.adls.filesystem import FileSystem
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.ranges import NOTHING, Ranges, Source
from toolkit.lake.adls.reading import Reader, replaced
from toolkit.lake.adls.sinks import BLOCK, Appends, Sink
from toolkit.lake.adls.traffic import Traffic
from toolkit.lake.paths import changed, missing, too_short
from toolkit.lake.protocol import Etag, Staged

SMALLEST = 1 << 20
"""Bytes that a writer keeps back even when many others do."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the writers of a lake share."""

    files: FileSystem
    traffic: Traffic
    reader: Reader
    copies: Copies

    @classmethod
    def at(cls, files: FileSystem, aside: Callable[[], str], clock: Callable[[], datetime], least: int) -> Desk:
        """Return the desk of a lake in a file system."""
        traffic = Traffic()
        return cls(files, traffic, Reader(files, traffic), Copies(files, traffic, aside, clock, least))

    def appends(self, path: str, metadata: Mapping[str, str] | None = None) -> Appends:
        """Begin a file that is written from here."""
        return Appends(self.files, self.traffic, path, metadata)

    def source(self, path: str, end: int) -> Source:
        """Return a file to copy from up to ``end``. Raises NotFound, Damaged."""
        where = self.files.place(path).address
        found = self.files.find(path)
        if found is None:
            raise missing(where)
        if end > found.size:
            raise too_short(where, end, found.size)
        return Source(path, found.size, found.etag)

    def stretches(self, source: Source, ranges: Ranges) -> Iterator[tuple[int, bytes]]:
        """Yield where ranges of a file are, and the bytes there. Raises Conflict where it is another one by then."""
        try:
            yield from self.reader.stretches(source.path, source.etag, ranges.stretches())
        except Rejected as rejected:
            if not rejected.unexpected:
                raise
            raise replaced(self.files, source) from None

    def copied(self, source: Source, to: str, metadata: Mapping[str, str]) -> Staged:
        """Copy a whole file aside. Raises Conflict where it is another one by then."""
        if (copy := self.copies.whole(source, metadata)) is not None:
            return copy
        sink = self.appends(to, metadata)
        try:
            for _, data in self.stretches(source, Ranges.of([0], [source.size])):
                sink.send(data)
            return Staged(to, source.size, sink.flush())
        except ToolkitError:
            sink.discard()
            raise


class AdlsWriter:
    """A file being staged. Nothing is asked of the service before a block is full, or a flush or a seal."""

    def __init__(self, desk: Desk, path: str) -> None:
        self._desk, self._path = desk, path
        self._sink: Sink | None = None
        self._sources: dict[str, Etag] = {}
        self._pieces: list[bytes] = []
        self._kept = 0
        self._size = 0
        self._open = True
        self._flushed = False

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self._require_open()
        rest = memoryview(data).cast("B")
        while rest:
            room = max(self._block - self._kept, 1)
            piece = data if isinstance(data, bytes) and len(data) <= room else bytes(rest[:room])
            rest = rest[len(piece) :]
            self._keep(piece)

    def copy(self, path: str, start: int, length: int) -> None:
        """Append a range of a file."""
        self.copy_ranges(path, [start], [start + length])

    def copy_ranges(
        self, path: str, starts: Sequence[int], ends: Sequence[int], heads: Sequence[int] = (), width: int = 0
    ) -> bytes:
        """Append ranges of a file: long ones by the service, where it copies, others by reading and writing."""
        self._require_open()
        looked = Ranges.of(heads, [head + width for head in heads])
        if not (ends or heads):
            return b""
        source = self._source(path, max(*ends, looked.end, 0))
        ranges = Ranges.of(starts, ends)
        blocks = self._blocks(ranges)
        return self._spliced(blocks, source, ranges, looked) if blocks else self._streamed(source, ranges, looked)

    def hand_over(self) -> None:
        """Do nothing: what was sent is not kept here, and the rest waits for its block."""

    def flush(self) -> None:
        """Make a file of what was written so far."""
        self._require_open()
        self._flush()
        self._flushed = True

    def seal(self) -> Staged:
        """Make a file of what was written."""
        self._require_open()
        etag = self._flush()
        self._open = False
        return Staged(self._path, self._size, etag)

    def close(self) -> None:
        """Give the file up unless it was sealed or flushed."""
        if self._open:
            self._open = False
            self._drop()
            if self._sink is not None and not self._flushed:
                self._sink.discard()

    @property
    def _block(self) -> int:
        return self._sink.block if self._sink else BLOCK

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._kept += len(piece)
        self._size += len(piece)
        self._desk.traffic.keep(len(piece))
        if self._kept >= self._block or (self._kept >= SMALLEST and self._desk.traffic.crowded):
            self._send()

    def _send(self) -> None:
        if self._kept:
            data = b"".join(self._pieces)
            self._drop()
            self._began(self._appends).send(data)

    def _drop(self) -> None:
        self._desk.traffic.keep(-self._kept)
        self._pieces.clear()
        self._kept = 0

    def _flush(self) -> Etag:
        self._send()
        return self._began(self._appends).flush()

    def _source(self, path: str, end: int) -> Source:
        """Return a file to copy from, always the same one of its name. Raises NotFound, Damaged, Conflict."""
        source = self._desk.source(path, end)
        first = self._sources.setdefault(path, source.etag)
        if first != source.etag:
            raise changed(self._desk.files.place(path).address, first, source.etag)
        return source

    def _appends(self) -> Appends:
        return self._desk.appends(self._path)

    def _began(self, begin: Callable[[], Sink]) -> Sink:
        if self._sink is None:
            self._sink = begin()
        return self._sink

    def _blocks(self, ranges: Ranges) -> Blocks | None:
        """Return the sink that the service copies into, where that is worth its requests and the file can be so."""
        if isinstance(self._sink, Appends) or not self._desk.copies.offered(ranges):
            return None
        return cast("Blocks", self._began(lambda: self._desk.copies.blocks(self._path)))

    def _spliced(self, blocks: Blocks, source: Source, ranges: Ranges, looked: Ranges) -> bytes:
        """Append ranges, of which the service copies the long ones, and return what is looked at."""
        seen: list[bytes] = []
        for long, part in ranges.runs(self._desk.copies.least):
            before, looked = looked.split(part.starts[0] if long else part.end)
            seen.append(self._streamed(source, NOTHING if long else part, before))
            if long:
                self._send()
                blocks.copy(source, part.starts[0], part.end)
                self._size += part.end - part.starts[0]
        return b"".join([*seen, self._streamed(source, NOTHING, looked)])

    def _streamed(self, source: Source, ranges: Ranges, looked: Ranges) -> bytes:
        """Append ranges by reading and writing, and return what is looked at, from the same reading."""
        seen: list[bytes] = []
        for begin, data in self._desk.stretches(source, ranges.beside(looked)):
            self.write(ranges.picked(data, begin))
            seen.append(looked.picked(data, begin))
        return b"".join(seen)

    def _require_open(self) -> None:
        if not self._open:
            raise ValueError(f"{self._path} is sealed or closed")
