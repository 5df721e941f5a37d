"""Copies that the service makes by itself, so that their bytes do not move through this machine.

How it does that with files of the dfs endpoint is not written down by Microsoft to the last point. So nothing relies on
it: before the first such copy of a lake small files are copied, spliced, moved and read back; anything that is not as
it should be, there or later, means that bytes are read and written from then on. Every copy is on condition of the
source's etag, made at a fresh path through the blob endpoint alone, and checked by its size before it is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, repeat
from threading import Lock
from typing import Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobBlock, BlobSasPermissions, generate_blob_sas

from toolkit.errors import Retriable, ToolkitError
from toolkit.lake.adls.failures import asking
from toolkit.lake.adls.filesystem import FileSystem, Found, of_source
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.ranges import Ranges, Source
from toolkit.lake.adls.reading import replaced
from toolkit.lake.adls.sinks import Appends, Sending
from toolkit.lake.adls.traffic import Traffic
from toolkit.lake.protocol import ABSENT, Etag, Staged
from toolkit.sign_in.token import KeptToken, TokenCredential

COPIED = 32 << 20
"""Bytes that one request lets the service copy."""

SCOPE = "https://storage.azure.com/.default"
SIGNED_FOR = timedelta(hours=1)

POLLS = 720
"""How often the state of a copy is asked for: an hour in all."""


@dataclass(slots=True)
class Copies:
    """The copies of one file system. ``aside`` gives fresh paths of the lake's own."""

    files: FileSystem
    traffic: Traffic
    aside: Callable[[], str]
    clock: Callable[[], datetime]
    least: int
    _proven: bool | None = None
    _token: KeptToken | None = None
    _lock: Lock = field(default_factory=Lock)

    def offered(self, ranges: Ranges) -> bool:
        """Return whether the service is to copy the longer ones of these ranges."""
        longest = max((end - start for start, end in zip(ranges.starts, ranges.ends, strict=True)), default=0)
        return longest >= self.least and self.works()

    def blocks(self, path: str) -> Blocks:
        """Begin a file of blocks."""
        return Blocks(self, path)

    def whole(self, source: Source, metadata: Mapping[str, str]) -> Staged | None:
        """Let the service copy a whole file aside. None where it does not, or where that is not worth it."""
        if source.size < self.least or not self.works():
            return None
        to = self.aside()
        try:
            return self._copied(source, to, metadata)
        except Retriable:
            raise
        except ToolkitError:
            self.give_up()
            with suppress(ToolkitError):
                remove(self.files, to)
            return None

    def give_up(self) -> None:
        """Let nothing be copied by the service from now on."""
        self._proven = False

    def address(self, source: Source) -> tuple[str, dict[str, Any]]:
        """Return the address of a source that the service can read, and the SDK's arguments that let it do so."""
        url = self.files.blob(source.path).url
        held = self.files.account.credential
        if isinstance(held, AzureNamedKeyCredential):
            return f"{url}?{self._signature(source.path, held)}", {}
        if hasattr(held, "get_token"):
            return url, {"source_authorization": f"Bearer {self._kept(held).current()}"}
        return url, {}

    def _kept(self, credential: TokenCredential) -> KeptToken:
        # Two threads may make one each, which costs a token and no more.
        self._token = self._token or KeptToken(credential, SCOPE, self.clock)
        return self._token

    def _signature(self, path: str, key: AzureNamedKeyCredential) -> str:
        return generate_blob_sas(
            key.named_key.name,
            self.files.name,
            path,
            account_key=key.named_key.key,
            permission=BlobSasPermissions(read=True),
            expiry=self.clock() + SIGNED_FOR,
        )

    def _copied(self, source: Source, to: str, metadata: Mapping[str, str]) -> Staged:
        """Copy a whole file. Raises Rejected where the copy is not as it should be."""
        with asking(self.files.place(to)):
            url = self.files.blob(source.path).url
            self.files.blob(to).start_copy_from_url(url, metadata=dict(metadata), **of_source(source.etag))
        found = self._awaited(to)
        if found is None or found.copying != "success" or found.size != source.size:
            raise Rejected(409, "CopyFailed", self.files.place(to), "the copy is not what was to be copied")
        return Staged(to, found.size, found.etag)

    def _awaited(self, path: str) -> Found | None:
        """Return a file once the service has ended to copy it."""
        for seconds in chain((0.2, 0.5, 1.0, 2.0), repeat(5.0, POLLS)):
            found = self.files.find(path)
            if found is None or found.copying != "pending":
                return found
            self.files.pause(seconds)
        return None

    def works(self) -> bool:
        """Return whether the service copies rightly. The first question lets it copy small files aside."""
        if self.files.account.server_copies == "never":
            return False
        with self._lock:
            if self._proven is None:
                self._proven = self._probed()
            return self._proven

    def _probed(self) -> bool:
        """Return whether the service copies and splices a file of the dfs endpoint, and moves the results."""
        paths = [self.aside() for _ in range(5)]
        try:
            return self._probe(*paths)
        except Retriable:
            raise
        except ToolkitError:
            return False
        finally:
            for path in paths:
                with suppress(ToolkitError):
                    remove(self.files, path)

    def _probe(self, path: str, copied: str, moved: str, spliced: str, there: str) -> bool:
        data = bytes(range(256)) * 4
        made = Appends(self.files, self.traffic, path)
        made.send(data[:500])
        made.send(data[500:])
        source = Source(path, len(data), made.flush())
        copy = self._copied(source, copied, {"toolkitprobe": "copy"})
        self.files.rename(copy.path, copy.etag, moved, ABSENT)
        blocks = self.blocks(spliced)
        blocks.strict = True
        blocks.copy(source, 100, 300)
        blocks.send(b"own bytes")
        blocks.flush()
        blocks.copy(source, 700, 1000)
        etag = blocks.flush()
        self.files.rename(spliced, etag, there, ABSENT)
        return self._holds(moved, data, copy.etag) and self._holds(
            there, data[100:300] + b"own bytes" + data[700:1000], etag
        )

    def _holds(self, path: str, data: bytes, etag: Etag) -> bool:
        read = self.files.read(path, 0, len(data) + 1)
        return (read.data, read.etag) == (data, etag)


class Blocks:
    """A file that is written through the blob endpoint: blocks, some of which the service copies, and then their list.

    With ``strict`` a copy that the service does not make is an error; else its bytes are read and written.
    """

    def __init__(self, copies: Copies, path: str) -> None:
        self._copies, self._files, self._path = copies, copies.files, path
        self._sending = Sending(copies.traffic, self._files.place(path).address)
        self._sources: dict[str, Source] = {}
        self._ids: list[str] = []
        self._size = self._flushed = 0
        self._etag = ABSENT
        self.strict = False

    @property
    def block(self) -> int:
        """How many bytes to send at once."""
        return self._sending.block

    def send(self, data: bytes) -> None:
        """Send a block."""
        name = self._next(len(data))
        self._sending.start(lambda: self._stage(name, data))

    def copy(self, source: Source, start: int, end: int) -> None:
        """Let the service copy a range of a file."""
        self._sources[source.path] = source
        for at in range(start, end, COPIED):
            length = min(COPIED, end - at)
            self._start_copy(self._next(length), source, at, length)

    def flush(self) -> Etag:
        """Make a file of all blocks so far, and check that it is as long as they are, and of the files it should be."""
        self._sending.wait()
        if self._flushed < len(self._ids):
            with asking(self._files.place(self._path)):
                self._files.blob(self._path).commit_block_list([BlobBlock(name) for name in self._ids])
            self._etag = self._checked()
            self._flushed = len(self._ids)
        return self._etag

    def discard(self) -> None:
        """Delete the file; blocks without a list are none."""
        with suppress(ToolkitError):
            self._sending.wait()
        if self._etag:
            remove(self._files, self._path, self._etag)

    def _next(self, size: int) -> str:
        if not self._ids:
            # No list of blocks may replace a file of the dfs endpoint.
            remove(self._files, self._path)
        self._ids.append(f"{len(self._ids):08}")
        self._size += size
        return self._ids[-1]

    def _start_copy(self, name: str, source: Source, start: int, length: int) -> None:
        self._sending.start(lambda: self._copy(name, source, start, length))

    def _copy(self, name: str, source: Source, start: int, length: int) -> None:
        try:
            self._copy_there(name, source, start, length)
        except Retriable:
            raise
        except ToolkitError:
            if self.strict:
                raise
            data = self._read(source, start, length)
            self._copies.give_up()
            self._stage(name, data)

    def _read(self, source: Source, start: int, length: int) -> bytes:
        try:
            return self._files.read(source.path, start, length, source.etag).data
        except Rejected as rejected:
            if not rejected.unexpected:
                raise
            raise replaced(self._files, source) from None

    def _copy_there(self, name: str, source: Source, start: int, length: int) -> None:
        with asking(self._files.place(source.path)):
            url, authorization = self._copies.address(source)
            self._files.blob(self._path).stage_block_from_url(
                name, url, start, length, headers={"x-ms-source-if-match": f'"{source.etag}"'}, **authorization
            )

    def _stage(self, name: str, data: bytes) -> None:
        with asking(self._files.place(self._path)):
            self._files.blob(self._path).stage_block(name, data, len(data))

    def _checked(self) -> Etag:
        for source in self._sources.values():
            now = self._files.find(source.path)
            if now is None or now.etag != source.etag:
                raise replaced(self._files, source)
        found = self._files.find(self._path)
        if found is None or found.size != self._size:
            self._copies.give_up()
            why = "the file of blocks is not as long as they are"
            raise Rejected(409, "InvalidBlockList", self._files.place(self._path), why)
        return found.etag


def remove(files: FileSystem, path: str, expect: Etag | None = None) -> None:
    """Delete a file of a lake's own, if it is there, and still that one."""
    try:
        files.delete(path, expect or "any")
    except Rejected as rejected:
        if not rejected.unexpected:
            raise
