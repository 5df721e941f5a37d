"""How a staged file comes to the service: as appends that a flush makes a file of, or as blocks that a list does.

The service forbids to mix the two on one file, so a file is either wholly the one or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

from toolkit.errors import Refused, ToolkitError
from toolkit.lake.adls.filesystem import FileSystem
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.traffic import Traffic
from toolkit.lake.paths import changed
from toolkit.lake.protocol import ABSENT, Etag

BLOCK = 8 << 20
"""Bytes that are sent at once."""

LARGE = 32 << 20
"""The same from the block ``MANY`` on, so that a file may have more than a terabyte."""

MANY = 10_000
MOST = 50_000
"""Blocks that the service takes for one file."""

WRITER = "toolkitwriter"
"""The key of the metadata by which a writer knows its own file again."""


class Sink(Protocol):
    """Where the bytes of one file go."""

    @property
    def block(self) -> int:
        """How many bytes to send at once."""
        ...

    def send(self, data: bytes) -> None:
        """Send the next bytes; they may still be under way when it returns."""
        ...

    def flush(self) -> Etag:
        """Make a file of all that was sent, and return its etag."""
        ...

    def discard(self) -> None:
        """Delete the file, unless somebody else has made one of that name since."""
        ...


class Sending:
    """The requests of one file that are under way."""

    def __init__(self, traffic: Traffic, where: str) -> None:
        self._traffic, self._where = traffic, where
        self._running: list[Future[None]] = []
        self.count = 0

    @property
    def block(self) -> int:
        """How many bytes to send at once."""
        return BLOCK if self.count < MANY else LARGE

    def start(self, work: Callable[[], None]) -> None:
        """Start the request of one more block. Raises what an earlier one failed with."""
        if self.count == MOST:
            what, why = f"{self._where} is too large", f"the service takes {MOST:,} blocks for a file"
            raise Refused("LAK041", what, where=self._where, why=why, fix="write larger pieces, or a smaller file")
        self._settle([future for future in self._running if future.done()])
        self._running.append(self._traffic.start(work))
        self.count += 1

    def wait(self) -> None:
        """Wait until all is there."""
        self._settle(list(self._running))

    def _settle(self, futures: list[Future[None]]) -> None:
        for future in futures:
            self._running.remove(future)
            future.result()


class Appends:
    """A file that is written through the dfs endpoint."""

    def __init__(
        self, files: FileSystem, traffic: Traffic, path: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._files, self.path = files, path
        self._writer = uuid4().hex
        self._metadata = {**(metadata or {}), WRITER: self._writer}
        self._sending = Sending(traffic, files.place(path).address)
        self._etag = ABSENT
        self._sent = self._flushed = 0

    @property
    def block(self) -> int:
        """How many bytes to send at once."""
        return self._sending.block

    def send(self, data: bytes) -> None:
        """Append bytes."""
        self._begin()
        at, self._sent = self._sent, self._sent + len(data)
        self._sending.start(lambda: self._files.append(self.path, data, at))

    def flush(self) -> Etag:
        """Make what was appended a part of the file."""
        self._begin()
        self._sending.wait()
        if self._flushed < self._sent:
            self._etag = self._flushed_etag()
            self._flushed = self._sent
        return self._etag

    def discard(self) -> None:
        """Delete the file as this writer left it."""
        with suppress(ToolkitError):
            self._sending.wait()
        if self._etag:
            with suppress(Rejected):
                self._files.delete(self.path, self._etag)

    def _begin(self) -> None:
        if not self._etag:
            self._etag = self._files.create(self.path, self._metadata)

    def _flushed_etag(self) -> Etag:
        try:
            return self._files.flush(self.path, self._sent, self._etag)
        except Rejected as rejected:
            if rejected.status != 412:
                raise
        # The condition fails when the answer to the first try was lost: then the file is ours, and whole.
        found = self._files.find(self.path)
        if found is None or found.metadata.get(WRITER) != self._writer or found.size != self._sent:
            raise changed(self._files.place(self.path).address, self._etag, found.etag if found else ABSENT)
        return found.etag
