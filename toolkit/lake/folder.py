"""A lake in a folder of this machine.

An etag is (inode, size, time of change). Files are replaced, never changed in place, so a hard link is a snapshot.

What makes conditions hold: every change of names (put, publish, snapshot, delete) happens under one file lock of the
lake, ``_toolkit/lock/serial``, between processes and between threads. Bulk bytes are written outside it. A crash at any
point leaves the old file or the new one, and at most one temporary file, which the next writer replaces.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from stat import S_ISREG

from toolkit.lake.disk import READ_ONLY, Root, System, coded, create, etag_of, same_content, stamp
from toolkit.lake.fence import FileFence, Held, read_held, try_lock
from toolkit.lake.paths import (
    changed,
    checked,
    is_path,
    locked,
    missing,
    require,
    staging_path,
    too_short,
)
from toolkit.lake.protocol import ABSENT, Etag, Expect, Fence, Holder, Staged, Stat, Writer

SMALL_READ = 1 << 20
"""Bytes that the kernel always gives at once, unless the file ends before."""


class FolderLake:
    """A lake in a folder, which the first write creates. ``system`` is for tests that let calls fail."""

    def __init__(self, root: Path, system: System | None = None) -> None:
        self._system = system or System()
        self._root = Root(root.absolute(), self._system)

    def stat(self, path: str) -> Stat | None:
        """Return what is known of a file, or None."""
        at = self._root.at(path)
        with coded(str(at)):
            found = _stat(at)
        if found is None:
            return None
        return Stat(path, found.st_size, etag_of(found), datetime.fromtimestamp(found.st_mtime, UTC))

    def list(self, prefix: str) -> Iterator[Stat]:
        """Yield the files below a folder, each as it is when its turn comes.

        A file whose name is no path of a lake was put there by another program; it cannot be named, so it is left out.
        """
        top = self._root.at(prefix) if prefix else self._root.folder
        with coded(str(top)):
            paths = sorted(filter(is_path, self._paths_below(top)))
        stats = (self.stat(path) for path in paths)
        return (stat for stat in stats if stat is not None)

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file."""
        at = self._root.at(path)
        with coded(str(at)), _open(at) as file:
            # One call, without a buffer: an engine that splices reads thousands of small ranges.
            if length is not None and length <= SMALL_READ:
                return os.pread(file.fileno(), length, start)
            file.seek(start)
            return file.read(length)

    def read_ranges(self, path: str, starts: Sequence[int], ends: Sequence[int]) -> bytearray:
        """Return ranges of a file."""
        at = self._root.at(path)
        with coded(str(at)), _open(at) as file:
            return self._system.read_ranges(file.fileno(), starts, ends)

    def stage(self, run: str, name: str, size: int = 0) -> Writer:
        """Begin a file in the staging folder."""
        path = staging_path(run, name)
        at = self._root.folder / path
        with self._root.alone(at):
            self._system.make_folder(at.parent)
            file = create(at)
        return _FolderWriter(self._root, path, file, size)

    def publish(self, staged: Staged, path: str, expect: Expect) -> Etag:
        """Rename a staged file to its path."""
        source, target = self._root.at(staged.path), self._root.at(path)
        self._require_lake(source)
        with self._root.alone(target):
            found = self.stat(path)
            if found is None or found.etag != staged.etag:
                self._require_etag(staged.path, staged.etag)
                require(expect, found, str(target))
                self._system.make_folder(target.parent)
                self._system.replace(source, target)
                self._root.prune(source.parent)
            self._root.keep_names(target.parent)
        return staged.etag

    def together(self) -> AbstractContextManager[None]:
        """Make durable what names folders hold at the end, each folder once."""
        return self._root.together()

    def put(self, path: str, data: bytes, expect: Expect) -> Etag:
        """Write a small file at once."""
        target = self._root.at(path)
        with self._root.alone(target) as clock:
            require(expect, self.stat(path), str(target))
            return self._put(target, data, clock)

    def snapshot(self, path: str, to: str, etag: Etag) -> Etag:
        """Make a read-only hard link, or a copy where links are not to be had. A link has the etag of the file."""
        source, target = self._root.at(path), self._root.at(to)
        self._require_lake(source)
        with self._root.alone(target):
            there = self.stat(to)
            if there is None or not same_content(there.etag, etag):
                self._require_etag(path, etag)
                require(ABSENT, there, str(target))
                self._system.make_folder(target.parent)
                if not self._system.link_read_only(source, target):
                    self._copy(source, target)
            self._root.keep_names(target.parent)
            return etag_of(target.stat())

    def delete(self, path: str) -> None:
        """Delete a file, and below ``_toolkit/`` the folders that it leaves empty."""
        target = self._root.at(path)
        if self.stat(path) is None:
            return
        with self._root.alone(target):
            target.unlink(missing_ok=True)
            self._root.keep_names(target.parent)
            self._root.prune(target.parent)

    def create_folder(self, path: str) -> None:
        """Make a folder."""
        folder = self._root.at(path)
        with self._root.alone(folder):
            self._system.make_folder(folder)

    def remove_folder(self, path: str) -> None:
        """Remove a folder as far as it is empty."""
        folder = self._root.at(path)
        if folder.is_dir():
            with self._root.alone(folder):
                self._root.remove_empty(folder)

    def lock(self, name: str, holder: Holder, above: int = 0) -> Fence:
        """Take a lock at once, or raise Locked. The kernel frees it when its process dies."""
        at = self._root.locks / checked(name)
        document = at.with_name(f"{at.name}.json")
        with self._root.alone(at) as clock:
            self._system.make_folder(at.parent)
            held = read_held(document)
            taken = try_lock(at.with_name(f"{at.name}.lock"))
            if taken is None:
                raise locked(str(at), held.holder if held else None)
            fence = FileFence(max(held.number if held else 0, above) + 1, taken, document)
            with ExitStack() as undo:
                undo.callback(fence.release)
                self._put(document, Held.by(holder, fence.number).model_dump_json().encode(), clock)
                undo.pop_all()
            return fence

    def holder(self, name: str) -> Holder | None:
        """Return who holds a lock, as far as it is written down, or None where nobody does."""
        at = self._root.locks / checked(name)
        with self._root.alone(at):
            if not (file := at.with_name(f"{at.name}.lock")).exists():
                return None
            if (taken := try_lock(file)) is not None:
                os.close(taken)
                return None
            held = read_held(at.with_name(f"{at.name}.json"))
        return held.holder if held else Holder("somebody whose name was deleted", "", 0, datetime.now(UTC))

    def break_lock(self, name: str) -> None:
        """Take a lock from its holder: the file that it holds loses its name, and its fence its document."""
        at = self._root.locks / checked(name)
        document = at.with_name(f"{at.name}.json")
        with self._root.alone(at) as clock:
            held = read_held(document)
            at.with_name(f"{at.name}.lock").unlink(missing_ok=True)
            if held is not None:
                self._put(
                    document, held.model_copy(update={"number": held.number + 1}).model_dump_json().encode(), clock
                )

    def location(self, path: str) -> str:
        """Return the absolute path, the only form that the CDM object model's local adapter loads."""
        return str(self._root.folder / path)

    def _paths_below(self, top: Path) -> Iterator[str]:
        for folder, folders, files in os.walk(top, onerror=_raise_unless_gone):
            at = Path(folder)
            folders[:] = [name for name in folders if at / name != self._root.locks]
            # One path a folder: made for each file, they took two thirds of the time (measured).
            below = at.relative_to(self._root.folder).as_posix()
            yield from files if below == "." else (f"{below}/{name}" for name in files)

    def _put(self, target: Path, data: bytes, clock: int) -> Etag:
        with self._root.temporary() as (file, aside):
            self._system.write_all(file, data)
            stamp(file, clock)
            self._system.fsync(file)
            self._system.make_folder(target.parent)
            self._system.replace(aside, target)
            self._system.sync_folder(target.parent)
            return etag_of(os.fstat(file))

    def _copy(self, source: Path, target: Path) -> None:
        """Copy a file read-only, whole or not at all; the copy keeps the time, by which it is known."""
        with self._root.temporary() as (file, aside), _open(source) as original:
            found = os.fstat(original.fileno())
            self._system.copy(original.fileno(), file, 0, found.st_size)
            os.utime(file, ns=(found.st_mtime_ns, found.st_mtime_ns))
            os.fchmod(file, READ_ONLY)
            self._system.fsync(file)
            self._system.replace(aside, target)

    def _require_lake(self, where: Path) -> None:
        if not self._root.folder.is_dir():
            raise missing(str(where))

    def _require_etag(self, path: str, etag: Etag) -> None:
        found = self.stat(path)
        if found is None:
            raise missing(self.location(path))
        if found.etag != etag:
            raise changed(self.location(path), etag, found.etag)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that ranges are copied from. Its size cannot change: files are replaced, never changed in place."""

    path: str
    where: str
    file: BufferedReader
    size: int

    @classmethod
    def open(cls, path: str, at: Path) -> _Source:
        with coded(str(at)):
            file = _open(at)
            return cls(path, str(at), file, os.fstat(file.fileno()).st_size)


class _FolderWriter:
    """A file being staged, open until it is sealed or closed."""

    def __init__(self, root: Root, path: str, file: int, room: int) -> None:
        self._root = root
        self._path = path
        self._at = root.folder / path
        self._file: int | None = file
        self._source: _Source | None = None
        self._flushed = False
        self._room = room
        """Bytes that room was made for, which may be more than are written."""
        with ExitStack() as undo, coded(str(self._at)):
            undo.callback(self.close)
            root.system.make_room(file, room)
            undo.pop_all()

    def write(self, data: bytes | memoryview) -> None:
        with coded(str(self._at)):
            self._root.system.write_all(self._opened, data)

    def copy(self, path: str, start: int, length: int) -> None:
        source = self._source_at(path, start + length)
        with coded(source.where):
            self._root.system.copy(source.file.fileno(), self._opened, start, length)

    def copy_ranges(
        self, path: str, starts: Sequence[int], ends: Sequence[int], heads: Sequence[int] = (), width: int = 0
    ) -> bytes:
        source = self._source_at(path, max((*ends[-1:], *(head + width for head in heads[-1:])), default=0))
        with coded(source.where):
            system, file = self._root.system, source.file.fileno()
            return system.copy_ranges(file, self._opened, starts, ends, heads=heads, width=width)

    def hand_over(self) -> None:
        with coded(str(self._at)):
            self._root.system.hand_over(self._opened)

    def flush(self) -> None:
        with coded(str(self._at)):
            self._root.system.fsync(self._opened)
            self._root.system.sync_folder(self._at.parent)
        self._flushed = True

    def seal(self) -> Staged:
        file = self._opened
        with coded(str(self._at)):
            if self._room:
                os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR))
        with self._root.alone(self._at) as clock:
            stamp(file, clock)
        with coded(str(self._at)):
            self._root.system.fsync(file)
            self._root.keep_names(self._at.parent)
            found = os.fstat(file)
        self._release(file)
        return Staged(self._path, found.st_size, etag_of(found))

    def close(self) -> None:
        file = self._file
        if file is None:
            return
        try:
            if not self._flushed:
                self._give_up(file)
        finally:
            self._release(file)

    def _give_up(self, file: int) -> None:
        with self._root.alone(self._at):
            there = _stat(self._at)
            if there is not None and os.path.samestat(there, os.fstat(file)):
                self._at.unlink()
                self._root.prune(self._at.parent)

    @property
    def _opened(self) -> int:
        if self._file is None:
            raise ValueError(f"{self._path} is sealed or closed")
        return self._file

    def _source_at(self, path: str, end: int) -> _Source:
        """Open a file to copy from, up to ``end``, and keep it open: what is taken is often taken from one file."""
        if self._source is None or self._source.path != path:
            opened = _Source.open(path, self._root.at(path))
            self._close_source()
            self._source = opened
        if end > self._source.size:
            raise too_short(self._source.where, end, self._source.size)
        return self._source

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.file.close()
            self._source = None

    def _release(self, file: int) -> None:
        self._close_source()
        self._file = None
        os.close(file)


def _stat(at: Path) -> os.stat_result | None:
    """Return what is known of a regular file, or None when there is none."""
    try:
        found = at.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if S_ISREG(found.st_mode) else None


def _open(at: Path) -> BufferedReader:
    try:
        return at.open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise missing(str(at)) from None


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
