"""A lake in memory, for tests of what writes to lakes: it counts calls, and fails on demand at any of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from toolkit.errors import ToolkitError
from toolkit.lake.paths import LOCK_FOLDER, changed, checked, locked, lost, missing, require, staging_path, too_short
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Expect, Fence, Holder, Staged, Stat, Writer

Kind = Literal["before", "after", "torn"]
"""How a call fails: before it does anything; after it did all, but the caller sees an error; or, for a write or copy of
a staged file, after half of its bytes (any other call then fails before)."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Crashed(Exception):
    """The process that used the lake died in this call. No kind of ToolkitError: nothing may handle it and go on."""


class Call(NamedTuple):
    """One call of a lake: the name of the operation, and the path (or the lock) it was about."""

    operation: str
    path: str


@dataclass(slots=True, eq=False)
class _File:
    data: bytearray
    etag: Etag
    modified: datetime
    copy_of: Etag = ABSENT
    """Of a snapshot: the etag of the file it was made from."""

    def stat(self, path: str) -> Stat:
        return Stat(path, len(self.data), self.etag, self.modified)

    def copy(self) -> _File:
        return _File(bytearray(self.data), self.etag, self.modified, self.copy_of)


@dataclass(slots=True, eq=False)
class _Lock:
    number: int
    holder: Holder
    process: _Process
    released: bool = False

    @property
    def held(self) -> bool:
        return not self.released and not self.process.crashed

    def free(self) -> _Lock:
        return _Lock(self.number, self.holder, self.process, released=True)


@dataclass(slots=True)
class _Store:
    """What all handles of one lake share."""

    name: str
    clock: Callable[[], datetime]
    files: dict[str, _File] = field(default_factory=dict)
    locks: dict[str, _Lock] = field(default_factory=dict)
    guard: threading.RLock = field(default_factory=threading.RLock)
    writes: int = 0

    def next_etag(self) -> Etag:
        self.writes += 1
        return Etag(f"m{self.writes}")

    def new_file(self, path: str, data: bytes = b"") -> _File:
        file = self.files[path] = _File(bytearray(data), self.next_etag(), self.clock())
        return file

    def file(self, path: str) -> _File:
        try:
            return self.files[path]
        except KeyError:
            raise missing(self.location(path)) from None

    def stat(self, path: str) -> Stat | None:
        file = self.files.get(path)
        return file.stat(path) if file else None

    def location(self, path: str) -> str:
        return f"memory://{self.name}/{path}"

    def copy(self) -> _Store:
        with self.guard:
            # Only files that are still being staged are ever changed in place.
            files = {path: file.copy() if path.startswith(STATE_FOLDER) else file for path, file in self.files.items()}
            locks = {name: lock.free() for name, lock in self.locks.items()}
            return _Store(self.name, self.clock, files, locks, writes=self.writes)


@dataclass(slots=True, eq=False)
class _Process:
    """One user of a store: it counts its calls, and dies in one of them when it is told to."""

    store: _Store
    calls: list[Call] = field(default_factory=list)
    faults: dict[int, tuple[Kind, bool]] = field(default_factory=dict)
    crashed: bool = False
    look: Callable[[Call], None] = lambda _: None

    @contextmanager
    def call(self, operation: str, path: str) -> Iterator[bool]:
        """Count a call and let it fail where it should; yields whether only half of its bytes are to be written."""
        self.look(Call(operation, path))
        with self.store.guard:
            if self.crashed:
                raise Crashed(f"{operation} {path}: this handle died earlier")
            self.calls.append(Call(operation, path))
            kind, crash = self.faults.pop(len(self.calls), (None, False))
            torn = kind == "torn" and operation in ("write", "copy")
            if kind == "before" or (kind == "torn" and not torn):
                raise self._failure(operation, path, crash=crash)
            yield torn
            if kind is not None:
                raise self._failure(operation, path, crash=crash)

    def _failure(self, operation: str, path: str, *, crash: bool) -> Exception:
        where = self.store.location(path)
        if crash:
            self.crashed = True
            return Crashed(f"{operation} {where}")
        return ToolkitError("LAK020", f"{operation} failed", where=where, why="as asked for", fix="try again")


class MemoryLake:
    """A lake in memory. ``calls`` holds what was asked of this handle; ``close`` and ``release`` do not count.

    After a crash every later call on the handle raises Crashed, its locks are free, and files that were not sealed
    stay behind in the staging folder; ``reopen`` gives the next process's handle on the same files.
    """

    def __init__(self, name: str = "lake", clock: Callable[[], datetime] = lambda: EPOCH) -> None:
        self._store = _Store(name, clock)
        self._process = _Process(self._store)

    @property
    def calls(self) -> Sequence[Call]:
        """What was asked of this handle, oldest first."""
        return tuple(self._process.calls)

    @property
    def crashed(self) -> bool:
        """Whether the handle died."""
        return self._process.crashed

    def fail(self, at: int, kind: Kind, *, crash: bool = True) -> None:
        """Let the call number ``at`` of this handle fail (the first is 1), as a crash or as a fault that passes.

        A crash raises Crashed, a passing fault ToolkitError (LAK020), once; the handle then goes on.
        """
        self._process.faults[at] = (kind, crash)

    def watch(self, look: Callable[[Call], None]) -> None:
        """Tell of every call before it is counted and done. It waits for that, as long as the process is paused."""
        self._process.look = look

    def expire(self, name: str) -> None:
        """Let a lock be free though its holder lives, as a lease that ran out while its holder was paused."""
        self._store.locks[name].released = True

    def kill(self) -> None:
        """Let the process of this handle die between two calls: its locks are free, and every later call fails."""
        self._process.crashed = True

    def reopen(self) -> MemoryLake:
        """Return a fresh handle on the same files, as another process has."""
        return self._on(self._store)

    def fork(self) -> MemoryLake:
        """Return another lake that holds the same files now; from here on each goes its own way. No lock is held."""
        return self._on(self._store.copy())

    @staticmethod
    def _on(store: _Store) -> MemoryLake:
        other = MemoryLake()
        other._store = store
        other._process = _Process(store)
        return other

    def stat(self, path: str) -> Stat | None:
        """Return what is known of a file, or None."""
        with self._process.call("stat", checked(path)):
            return self._store.stat(path)

    def list(self, prefix: str) -> Iterator[Stat]:
        """Yield the files below a folder as they are at the time of the call."""
        start = f"{checked(prefix)}/" if prefix else ""
        with self._process.call("list", prefix):
            return iter([file.stat(path) for path, file in sorted(self._store.files.items()) if path.startswith(start)])

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file."""
        with self._process.call("read", checked(path)):
            data = self._store.file(path).data
            return bytes(data[start : len(data) if length is None else start + length])

    def read_ranges(self, path: str, starts: Sequence[int], ends: Sequence[int]) -> bytes:
        """Return ranges of a file."""
        with self._process.call("read", checked(path)):
            return _picked(self._store.file(path).data, starts, ends)

    def stage(self, run: str, name: str, size: int = 0) -> Writer:  # noqa: ARG002 - memory needs no room made
        """Begin a file in the staging folder."""
        path = staging_path(run, name)
        with self._process.call("stage", path):
            return _MemoryWriter(self._process, path, self._store.new_file(path))

    def publish(self, staged: Staged, path: str, expect: Expect) -> Etag:
        """Rename a staged file to its path."""
        with self._process.call("publish", checked(path)):
            found = self._store.stat(path)
            if found is None or found.etag != staged.etag:
                file = self._store.file(staged.path)
                if file.etag != staged.etag:
                    raise changed(self.location(staged.path), staged.etag, file.etag)
                require(expect, found, self.location(path))
                self._store.files[path] = self._store.files.pop(staged.path)
            return staged.etag

    def together(self) -> AbstractContextManager[None]:
        """Do nothing: memory is as durable as it gets."""
        return nullcontext()

    def put(self, path: str, data: bytes, expect: Expect) -> Etag:
        """Write a small file at once."""
        with self._process.call("put", checked(path)):
            require(expect, self._store.stat(path), self.location(path))
            return self._store.new_file(path, data).etag

    def snapshot(self, path: str, to: str, etag: Etag) -> Etag:
        """Make a read-only copy; its etag is its own, as on a storage account."""
        with self._process.call("snapshot", checked(to)):
            there = self._store.files.get(to)
            if there is None or there.copy_of != etag:
                file = self._store.file(checked(path))
                require(etag, file.stat(path), self.location(path))
                require(ABSENT, self._store.stat(to), self.location(to))
                there = self._store.files[to] = _File(file.data, self._store.next_etag(), file.modified, copy_of=etag)
            return there.etag

    def delete(self, path: str) -> None:
        """Delete a file."""
        with self._process.call("delete", checked(path)):
            self._store.files.pop(path, None)

    def create_folder(self, path: str) -> None:
        """Do nothing: only files exist here."""
        with self._process.call("create_folder", checked(path)):
            pass

    def remove_folder(self, path: str) -> None:
        """Do nothing: only files exist here."""
        with self._process.call("remove_folder", checked(path)):
            pass

    def lock(self, name: str, holder: Holder, above: int = 0) -> Fence:
        """Take a lock at once, or raise Locked."""
        with self._process.call("lock", checked(name)):
            last = self._store.locks.get(name)
            if last is not None and last.held:
                raise locked(self.location(f"{LOCK_FOLDER}/{name}"), last.holder)
            taken = self._store.locks[name] = _Lock(max(last.number if last else 0, above) + 1, holder, self._process)
            return _MemoryFence(name, taken)

    def holder(self, name: str) -> Holder | None:
        """Return who holds a lock, or None where nobody does."""
        last = self._store.locks.get(name)
        return last.holder if last is not None and last.held else None

    def break_lock(self, name: str) -> None:
        """Take a lock from its holder."""
        if (last := self._store.locks.get(name)) is not None:
            last.released = True

    def location(self, path: str) -> str:
        """Return ``memory://<name>/<path>``."""
        return self._store.location(path)


class _MemoryWriter:
    """A file being staged: its bytes are in the staging folder from the first one on, but nothing can publish them."""

    def __init__(self, process: _Process, path: str, file: _File) -> None:
        self._process = process
        self._store = process.store
        self._path = path
        self._file = file
        self._open = True
        self._flushed = False

    def write(self, data: bytes | memoryview) -> None:
        with self._process.call("write", self._path) as torn:
            self._append(data, torn=torn)

    def copy(self, path: str, start: int, length: int) -> None:
        with self._process.call("copy", checked(path)) as torn:
            data = self._store.file(path).data
            if start + length > len(data):
                raise too_short(self._store.location(path), start + length, len(data))
            self._append(data[start : start + length], torn=torn)

    def copy_ranges(
        self, path: str, starts: Sequence[int], ends: Sequence[int], heads: Sequence[int] = (), width: int = 0
    ) -> bytes:
        looked = [head + width for head in heads]
        with self._process.call("copy", checked(path)) as torn:
            data = self._store.file(path).data
            if (end := max((*ends, *looked), default=0)) > len(data):
                raise too_short(self._store.location(path), end, len(data))
            self._append(_picked(data, starts, ends), torn=torn)
            return _picked(data, heads, looked)

    def _append(self, data: bytes | bytearray | memoryview, *, torn: bool) -> None:
        if not self._open:
            raise ValueError(f"{self._path} is sealed or closed")
        self._file.data += data[: len(data) // 2] if torn else data
        self._file.etag = self._store.next_etag()

    def hand_over(self) -> None:
        """Do nothing: memory is all there is."""

    def flush(self) -> None:
        with self._process.call("flush", self._path):
            if not self._open:
                raise ValueError(f"{self._path} is sealed or closed")
            self._flushed = True

    def seal(self) -> Staged:
        with self._process.call("seal", self._path):
            if not self._open:
                raise ValueError(f"{self._path} is sealed or closed")
            self._open = False
            return Staged(self._path, len(self._file.data), self._file.etag)

    def close(self) -> None:
        with self._store.guard:
            given_up = self._open and not self._flushed and not self._process.crashed
            if given_up and self._store.files.get(self._path) is self._file:
                del self._store.files[self._path]
            self._open = False


def _picked(data: bytearray, starts: Sequence[int], ends: Sequence[int]) -> bytes:
    return b"".join(data[start:end] for start, end in zip(starts, ends, strict=True))


class _MemoryFence:
    """A lock that is held by a handle until it is given back, or the handle crashed."""

    def __init__(self, name: str, lock: _Lock) -> None:
        self.number = lock.number
        self._name = name
        self._lock = lock

    def check(self) -> None:
        with self._lock.process.call("check", self._name):
            if self._lock.released:
                raise lost(self._lock.process.store.location(f"{LOCK_FOLDER}/{self._name}"))

    def release(self) -> None:
        self._lock.released = True
