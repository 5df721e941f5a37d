"""Files of a folder lake, one level above the operating system: written whole, durable, each with a time of its own."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.lake.paths import LOCK_FOLDER, checked
from toolkit.lake.protocol import STATE_FOLDER, Etag

MODE = 0o666
"""Of new files, before the umask."""

READ_ONLY = 0o444
"""Of snapshots. A hard link shares it with the live file, which is right: that one is replaced, never changed."""

CHUNK = 8 << 20
"""Bytes that a copy moves at once when the kernel cannot copy by itself."""

BLOCK = 1 << 20
"""Bytes of a file that ranges are picked from together: they stay in the processor's cache, and their memory is used
again. Measured on ranges of 40 KB, which a call of the kernel for each takes 1.5 times as long to copy; looking at 60
bytes between ranges of 4 KB takes four times as long by a call for each."""

COPY_RANGE: Callable[[int, int, int, int], int] | None = getattr(os, "copy_file_range", None)
ALLOCATE: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
ADVISE: Callable[[int, int, int, int], None] | None = getattr(os, "posix_fadvise", None)

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM}
_NO_ALLOCATION = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENODEV}


@dataclass(frozen=True, slots=True)
class System:
    """The calls of the operating system that a lake relies on, so that tests can let each of them fail."""

    write: Callable[[int, bytes | memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    replace: Callable[[Path, Path], None] = os.replace
    link: Callable[[Path, Path], None] = os.link
    copy_range: Callable[[int, int, int, int], int] | None = COPY_RANGE
    """Source, target, bytes, offset in the source; None where there is none (macOS)."""
    allocate: Callable[[int, int, int], None] | None = ALLOCATE
    """File, offset, bytes; None where there is none (macOS)."""
    advise: Callable[[int, int, int, int], None] | None = ADVISE
    """File, offset, bytes, advice; None where there is none (macOS)."""

    def write_all(self, file: int, data: bytes | memoryview) -> None:
        """Write all bytes at the end of an open file."""
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.write(file, rest) :]

    def copy(self, source: int, target: int, start: int, length: int) -> None:
        """Append a range of one open file to another, in the kernel where it can."""
        end = start + length
        while start < end and (done := self._copy_in_kernel(source, target, end - start, start)):
            start += done
        while start < end:
            data = os.pread(source, min(end - start, CHUNK), start)
            if not data:
                raise OSError(errno.EIO, "the file became shorter while it was copied")
            self.write_all(target, data)
            start += len(data)

    def copy_ranges(
        self, source: int, target: int, starts: Sequence[int], ends: Sequence[int], *, heads: Sequence[int], width: int
    ) -> bytes:
        """Append sorted ranges of one open file to another, and return what is at other places, in blocks."""
        starts, found = [*starts], list[bytes]()
        block = memoryview(bytearray(max(BLOCK, width)))
        at = head = begin = 0
        while at < len(starts) or head < len(heads):
            begin = max(begin, min((*starts[at : at + 1], *heads[head : head + 1])))
            data = block[: os.preadv(source, [block], begin)]
            whole = bisect_left(heads, begin + len(data) - width + 1, head)
            found.append(b"".join([data[place - begin : place - begin + width] for place in heads[head:whole]]))
            head = whole
            # One that is not whole in this block begins the next one.
            behind = min((begin + len(data), *heads[head : head + 1]))
            if behind == begin:
                raise OSError(errno.EIO, "the file became shorter while it was copied")
            stop = bisect_left(starts, behind, at)
            bounds = zip(starts[at:stop], ends[at:stop], strict=True)
            self.write_all(target, b"".join([data[start - begin : end - begin] for start, end in bounds]))
            at, begin = stop, behind
            if stop and ends[stop - 1] > behind:
                at, starts[stop - 1] = stop - 1, behind
        return b"".join(found)

    def read_ranges(self, file: int, starts: Sequence[int], ends: Sequence[int]) -> bytearray:
        """Return sorted ranges of an open file, one after the other, as far as it goes."""
        data = bytearray(sum(ends) - sum(starts))
        view, used = memoryview(data), 0
        for start, end in _joined(starts, ends):
            behind = used + end - start
            while used < behind and (read := os.preadv(file, [view[used:behind]], start)):
                used, start = used + read, start + read  # noqa: PLW2901 - the rest of the range
        view.release()
        del data[used:]
        return data

    def make_room(self, file: int, size: int) -> None:
        """Take the blocks of a file before it is written, where the file system can.

        So a full disk shows at once, and writing takes two thirds of the time (measured on ext4, where moving the file
        in the place of another would write it out besides).
        """
        if not size or self.allocate is None:
            return
        try:
            self.allocate(file, 0, size)
        except OSError as error:
            if error.errno not in _NO_ALLOCATION:
                raise

    def hand_over(self, file: int) -> None:
        """Begin to write out what an open file holds, and let what has been written out leave the memory."""
        if self.advise is not None:
            self.advise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def _copy_in_kernel(self, source: int, target: int, count: int, start: int) -> int:
        if self.copy_range is None:
            return 0
        try:
            return self.copy_range(source, target, count, start)
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
            return 0

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, durably, where they are not there yet."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self.sync_folder(folder.parent)

    def sync_folder(self, folder: Path) -> None:
        """Make durable which names a folder holds."""
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.fsync(file)
        finally:
            os.close(file)

    def link_read_only(self, source: Path, target: Path) -> bool:
        """Make a read-only hard link; False where the file system, or who owns the file, does not allow it."""
        try:
            source.chmod(READ_ONLY)
            self.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        return True


class _Waiting(threading.local):
    """Folders that wait until what a thread does together ends; None where it does nothing together."""

    folders: dict[Path, None] | None = None

    def __reduce__(self) -> tuple[type[_Waiting], tuple[()]]:
        """Begin anew in another process: a lake goes there with a task."""
        return _Waiting, ()


@dataclass(frozen=True, slots=True)
class Root:
    """The folder of a lake: paths below it, and its own lock."""

    folder: Path
    system: System
    _waiting: _Waiting = field(default_factory=_Waiting)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let folders whose names this thread changes be made durable at the end, each once."""
        if self._waiting.folders is not None:
            yield
            return
        folders = self._waiting.folders = dict[Path, None]()
        try:
            yield
        finally:
            self._waiting.folders = None
        for folder in folders:
            with coded(str(folder)), suppress(FileNotFoundError):
                # One that was left empty is gone.
                self.system.sync_folder(folder)

    def keep_names(self, folder: Path) -> None:
        """Make durable which names a folder holds, at once or at the end of what is done together."""
        if self._waiting.folders is None:
            self.system.sync_folder(folder)
        else:
            self._waiting.folders[folder] = None

    @property
    def locks(self) -> Path:
        """Where locks and the one temporary file lie."""
        return self.folder / LOCK_FOLDER

    def at(self, path: str) -> Path:
        """Return where a path of the lake is on disk. Raises Refused (LAK004)."""
        return self.folder / checked(path)

    @contextmanager
    def alone(self, where: Path) -> Iterator[int]:
        """Hold the lake's own lock, against other processes and other threads, and name ``where`` in failures.

        Yields the open file that keeps the last time of change given.
        """
        with coded(str(where)):
            self.system.make_folder(self.locks)
            with _locked(self.locks / "serial") as clock:
                yield clock

    @contextmanager
    def temporary(self) -> Iterator[tuple[int, Path]]:
        """Open the one temporary file of the lake, to be moved into place; only while it is held alone."""
        path = self.locks / "aside"
        file = create(path)
        try:
            yield file, path
        finally:
            os.close(file)
            path.unlink(missing_ok=True)

    def prune(self, folder: Path) -> None:
        """Remove a folder of ours that is empty, and those above it; never an entity's folder, nor the root."""
        state = self.folder / STATE_FOLDER
        while state in folder.parents and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def remove_empty(self, folder: Path) -> None:
        """Remove the folders at and below one that hold no file."""
        for below, _, _ in os.walk(folder, topdown=False):
            with suppress(OSError):
                # One with a file in it stays.
                Path(below).rmdir()


def _joined(starts: Sequence[int], ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges, those as one that follow each other without a gap."""
    if not starts:
        return
    begin, behind = starts[0], ends[0]
    for start, end in zip(starts, ends, strict=True):
        if start > behind:
            yield begin, behind
            begin = start
        behind = end
    yield begin, behind


def create(path: Path) -> int:
    """Open a new file for writing, in the place of one of that name."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, MODE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        # Given back by name: a child that is being started may still share the open file.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


def stamp(file: int, clock: int) -> None:
    """Give a file a time of change, in nanoseconds, that no file of the lake had before.

    The kernel's own times move in ticks of some milliseconds and inodes are used again, so two contents written in
    one tick could have one etag. ``clock`` is an open file, held alone, that keeps the last time given.
    """
    last = int.from_bytes(os.pread(clock, 8, 0), "big")
    now = max(os.fstat(file).st_mtime_ns, last + 1)
    os.pwrite(clock, now.to_bytes(8, "big"), 0)
    os.utime(file, ns=(now, now))


def etag_of(found: os.stat_result) -> Etag:
    """Return inode, size and time of change (ns), in hexadecimal: a rename and a hard link keep them."""
    return Etag(f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}")


def same_content(one: Etag, other: Etag) -> bool:
    """Whether two etags are of one content, perhaps in two inodes: a copy keeps the time, which is unique."""
    return one.partition("-")[2] == other.partition("-")[2]


@contextmanager
def coded(where: str) -> Iterator[None]:
    """Turn a failure of the operating system into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise _failure(error, where) from error


def _failure(error: OSError, where: str) -> ToolkitError:
    why = error.strerror or str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            fix = "free space, or raise the quota, and run the command again: nothing half-written is left"
            return ToolkitError("LAK010", f"no space is left for {where}", where=where, why=why, fix=fix)
        case errno.EROFS:
            fix = "mount the file system for writing, or choose another folder in toolkit.yaml"
            return ToolkitError("LAK011", f"{where} is on a read-only file system", where=where, why=why, fix=fix)
        case errno.EACCES | errno.EPERM:
            fix = "give this user the right to read and write in the lake's folder"
            return ToolkitError("LAK012", f"no permission for {where}", where=where, why=why, fix=fix)
        case _:
            fix = "mend what the operating system reports, and run the command again"
            return ToolkitError("LAK013", f"{where} cannot be used: {why}", where=where, why=why, fix=fix)
