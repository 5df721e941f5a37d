"""A lake in a file system of a storage account with hierarchical namespace.

What makes conditions hold: everything that appears under its name comes there by one rename on condition of the etags
of both ends, which the service does at once or not at all, and which keeps the etag. So a file is never seen half, and
when the answer to a rename was lost, the etag at its end says whether it was done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import sleep as asleep
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from toolkit.errors import Conflict, NotFound, ToolkitError
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.ranges import LEAST, Ranges, Source
from toolkit.lake.paths import (
    LOCK_FOLDER,
    STAGING_FOLDER,
    changed,
    checked,
    is_path,
    missing,
    require,
    staging_path,
)
from toolkit.lake.protocol import ABSENT, Etag, Expect, Fence, Holder, Staged, Stat, Writer

if TYPE_CHECKING:
    # The SDK costs most of a second: it is imported by the first request.
    from toolkit.lake.adls.filesystem import Found
    from toolkit.lake.adls.writer import Desk

ASIDE = f"{LOCK_FOLDER}/aside"
"""Where files lie for a moment that are not staged by a run: what is put, and copies."""

FORGOTTEN = timedelta(days=1)
"""Age at which what lies aside was left by a process that died."""

COPY_OF = "toolkitcopyof"
"""The key of the metadata of a copy that holds the etag of its original."""


class AdlsLake:
    """A lake in a file system, which the first write creates.

    ``sleep`` waits between tries and for what the service is at; ``renewed_after`` is how many seconds a lock is held
    between two renewals of its lease; copies of ``least`` bytes and more are left to the service where it makes them.
    """

    def __init__(
        self,
        account: StorageAccount,
        file_system: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = asleep,
        renewed_after: float = 20.0,
        least: int = LEAST,
    ) -> None:
        self._account, self._file_system = account, file_system
        self._clock, self._sleep = clock, sleep
        self._renewed_after, self._least = renewed_after, least
        self._guard = threading.Lock()
        self._made: Desk | None = None
        self._left = _Left()

    def stat(self, path: str) -> Stat | None:
        """Return what is known of a file, or None."""
        return self._stat(checked(path))

    def list(self, prefix: str) -> Iterator[Stat]:
        """Yield the files below a folder, as they were listed when this was called."""
        start = f"{checked(prefix)}/" if prefix else ""
        entries = (each for each in self._desk.files.paths(prefix) if not each.folder and each.path.startswith(start))
        stats = [Stat(each.path, each.size, each.etag, each.modified) for each in entries if is_path(each.path)]
        return iter(sorted(stats, key=lambda stat: stat.path))

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file."""
        return self._desk.reader.read(checked(path), start, length)

    def read_ranges(self, path: str, starts: Sequence[int], ends: Sequence[int]) -> bytes:
        """Return ranges of a file; near ones come with one request."""
        ranges = Ranges.of(starts, ends)
        return self._desk.reader.ranges(checked(path), ranges) if len(ranges) else b""

    def stage(self, run: str, name: str, size: int = 0) -> Writer:  # noqa: ARG002 - the service needs no room made
        """Begin a file in the staging folder."""
        from toolkit.lake.adls.writer import AdlsWriter

        return AdlsWriter(self._desk, staging_path(run, name))

    def publish(self, staged: Staged, path: str, expect: Expect) -> Etag:
        """Rename a staged file to its path."""
        checked(staged.path)
        self._move(staged, checked(path), expect)
        self._leave(staged.path)
        return staged.etag

    @contextmanager
    def together(self) -> Iterator[None]:
        """Remove the folders of the staging folder that files have left at the end, each once."""
        if self._left.folders is not None:
            yield
            return
        folders = self._left.folders = dict[str, None]()
        try:
            yield
        finally:
            self._left.folders = None
        for folder in folders:
            self._prune(folder)

    def put(self, path: str, data: bytes, expect: Expect) -> Etag:
        """Write a small file aside, and rename it."""
        checked(path)
        sink = self._desk.appends(self._aside())
        try:
            if data:
                sink.send(data)
            etag = sink.flush()
            self._move(Staged(sink.path, len(data), etag), path, expect)
        except NotFound:
            # The file was moved, and then replaced, before its writer heard of it.
            raise changed(self.location(path), expect, self._etag_at(path)) from None
        except (Conflict, Rejected):
            sink.discard()
            raise
        return etag

    def snapshot(self, path: str, to: str, etag: Etag) -> Etag:
        """Copy a file: by the service where it does so, else by reading and writing. A copy has its own etag."""
        checked(path)
        there = self._find(checked(to))
        if there is None:
            copy = self._copied(path, etag)
            try:
                self._move(copy, to, ABSENT)
            except Conflict:
                self._removed(copy.path)
                there = self._find(to)
            else:
                return copy.etag
        if there is None or there.metadata.get(COPY_OF) != etag:
            self._require_etag(path, etag)
            raise changed(self.location(to), ABSENT, there.etag if there else ABSENT)
        return there.etag

    def delete(self, path: str) -> None:
        """Delete a file, and what it leaves empty of the staging folder."""
        self._removed(checked(path))
        self._leave(path)

    def create_folder(self, path: str) -> None:
        """Make a folder."""
        self._desk.files.create_folder(checked(path))

    def remove_folder(self, path: str) -> None:
        """Remove a folder as far as it is empty."""
        entries = list(self._desk.files.paths(checked(path)))
        full = {folder for each in entries if not each.folder for folder in parents(each.path)}
        for folder in sorted({path, *(each.path for each in entries if each.folder)} - full, reverse=True):
            self._removed(folder)

    def lock(self, name: str, holder: Holder, above: int = 0) -> Fence:
        """Take a lock at once, or raise Locked. The lease of a holder that died ends after a minute."""
        from toolkit.lake.adls.lease import Door

        path = f"{LOCK_FOLDER}/{checked(name)}"
        door = Door(self._desk.files, f"{path}.lock", self.location(path), self._clock, self._renewed_after)
        fence = door.take(holder, above)
        with suppress(ToolkitError):
            # What is left there is no reason to give the lock back; the next one sweeps it.
            self._sweep()
        return fence

    def server_copies(self) -> bool:
        """Return whether the service copies and splices by itself here, which small files are made for."""
        return self._desk.copies.works()

    def location(self, path: str) -> str:
        """Return the address at the dfs endpoint, with its port, as the service spells it in ``model.json``."""
        return f"{self._account.location}/{self._file_system}/{quote(path)}".rstrip("/")

    @property
    def _desk(self) -> Desk:
        with self._guard:
            if self._made is None:
                from toolkit.lake.adls.filesystem import FileSystem
                from toolkit.lake.adls.writer import Desk

                files = FileSystem(self._account, self._file_system, self._sleep)
                self._made = Desk.at(files, self._aside, self._clock, self._least)
            return self._made

    def _find(self, path: str) -> Found | None:
        return self._desk.files.find(path)

    def _stat(self, path: str) -> Stat | None:
        found = self._find(path)
        return found.stat(path) if found else None

    def _etag_at(self, path: str) -> Etag:
        found = self._find(path)
        return found.etag if found else ABSENT

    def _require_etag(self, path: str, etag: Etag) -> None:
        now = self._etag_at(path)
        if now == ABSENT:
            raise missing(self.location(path))
        if now != etag:
            raise changed(self.location(path), etag, now)

    def _aside(self) -> str:
        return f"{ASIDE}/{uuid4().hex}"

    # Moving

    def _move(self, staged: Staged, path: str, expect: Expect) -> None:
        """Rename a file, unless that was done already. Raises NotFound, Conflict."""
        try:
            self._rename(staged, path, expect)
        except Rejected as rejected:
            if not rejected.unexpected:
                raise
            found = self._stat(path)
            if found is not None and found.etag == staged.etag:
                return
            self._require_etag(staged.path, staged.etag)
            require(expect, found, self.location(path))
            raise

    def _rename(self, staged: Staged, path: str, expect: Expect) -> None:
        files = self._desk.files
        try:
            files.rename(staged.path, staged.etag, path, expect)
        except Rejected as rejected:
            if not rejected.no_folder:
                raise
            files.create_folder(path.rpartition("/")[0])
            files.rename(staged.path, staged.etag, path, expect)

    def _copied(self, path: str, etag: Etag) -> Staged:
        """Copy a file aside, on condition of its etag, with that in its metadata."""
        found = self._find(path)
        if found is None:
            raise missing(self.location(path))
        require(etag, found.stat(path), self.location(path))
        return self._desk.copied(Source(path, found.size, etag), self._aside(), {COPY_OF: etag})

    # Clearing up

    def _removed(self, path: str) -> bool:
        """Delete a file, or a folder that is empty; False where there is nothing that can be."""
        try:
            self._desk.files.delete(path)
        except Rejected as rejected:
            if not rejected.unexpected:
                raise
            return False
        return True

    def _leave(self, path: str) -> None:
        """Remove the folder of the staging folder that a file has left, at once or at the end of what is together."""
        folder = path.rpartition("/")[0]
        if self._left.folders is None:
            self._prune(folder)
        else:
            self._left.folders[folder] = None

    def _prune(self, folder: str) -> None:
        while folder.startswith(f"{STAGING_FOLDER}/") and self._removed(folder):
            folder = folder.rpartition("/")[0]

    def _sweep(self) -> None:
        """Delete what processes that died left aside long ago, and what they left empty of the staging folder."""
        for each in self._desk.files.paths(ASIDE):
            if not each.folder and self._clock() - each.modified > FORGOTTEN:
                self._removed(each.path)
        self.remove_folder(STAGING_FOLDER)


class _Left(threading.local):
    """Folders that files have left while a thread does things together; None where it does not."""

    folders: dict[str, None] | None = None


def parents(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, innermost first."""
    while path := path.rpartition("/")[0]:
        yield path
