"""The lake: where files go. A file system on a storage account, or a folder.

Every path is relative, with forward slashes, below the file system. A file appears whole or not at all: it is written
under ``_toolkit/staging/<run>/``, sealed (durable from then on), and published by a rename. An etag names one content
of one path: a rename keeps it, every other write changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NewType, Protocol

Etag = NewType("Etag", str)
ABSENT: Final = Etag("")
"""As ``expect``: the file must not be there yet."""

STATE_FOLDER = "_toolkit"
"""Everything of ours that is not for readers lies under this folder."""

Expect = Etag | Literal["any"]


@dataclass(frozen=True, slots=True)
class Stat:
    """A file as it is now; ``size`` in bytes, ``modified`` in UTC."""

    path: str
    size: int
    etag: Etag
    modified: datetime


@dataclass(frozen=True, slots=True)
class Staged:
    """A sealed file that is durable under ``path`` in the staging folder and waits to be published."""

    path: str
    size: int
    etag: Etag


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wants a lock: a name for people, host, process id, since when (UTC), and what for."""

    name: str
    host: str
    pid: int
    since: datetime
    purpose: str = ""


class Fence(Protocol):
    """A lock that is held. ``number`` grows with every holder; it goes into each checkpoint."""

    number: int

    def check(self) -> None:
        """Raise Locked when the lock was lost meanwhile."""
        ...

    def release(self) -> None:
        """Give the lock back. Harmless when it was lost or released already."""
        ...


class Writer(Protocol):
    """A file being staged. Closing without a seal or a flush leaves nothing."""

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        ...

    def copy(self, path: str, start: int, length: int) -> None:
        """Append a range of a file of the same lake, without moving the bytes through this process where possible.

        A range beyond the end raises Damaged (LAK006).
        """
        ...

    def copy_ranges(
        self, path: str, starts: Sequence[int], ends: Sequence[int], heads: Sequence[int] = (), width: int = 0
    ) -> bytes:
        """Append ranges of a file of the same lake, as ``copy`` does one, and return what is at ``heads``.

        Ranges are sorted, do not overlap, and none is empty. Heads are sorted places of ``width`` bytes, which lie
        between ranges and come one after the other: who looks at what is left out need not read the file again.
        """
        ...

    def hand_over(self) -> None:
        """Advise the lake that what was written so far is not read again soon: it need not wait for it in memory."""
        ...

    def flush(self) -> None:
        """Make what was written so far durable where it is staged, without an end to the file.

        From then on the file stays when the writer is closed, so that another one can copy from it; it may by then be
        longer than it was.
        """
        ...

    def seal(self) -> Staged:
        """Make what was written durable."""
        ...

    def close(self) -> None:
        """Give the file up unless it was sealed or flushed."""
        ...


class Lake(Protocol):
    """Where files go. Safe to use from several threads.

    A missing file raises NotFound (LAK001), a failed condition Conflict (LAK002), a lock of somebody else Locked
    (LAK003), a path that is no path Refused (LAK004), a fault of the environment such as a full disk ToolkitError with
    its cause. A lake that does not exist is empty; it is created by the first write.
    """

    def stat(self, path: str) -> Stat | None:
        """Return what is known of a file, or None when there is none."""
        ...

    def list(self, prefix: str) -> Iterator[Stat]:
        """Yield the files below a folder (below all when it is empty), in the order of their paths.

        A folder that is not there has none. What was staged and never sealed is listed, short: delete it to clear up.
        The lake's own locks and temporary files are not listed, and no path leads to them.
        """
        ...

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file, to its end when no length is given; shorter where the file ends before."""
        ...

    def read_ranges(self, path: str, starts: Sequence[int], ends: Sequence[int]) -> bytes | bytearray:
        """Return ranges of a file, one after the other, as far as the file goes.

        They are sorted and do not overlap.
        """
        ...

    def stage(self, run: str, name: str, size: int = 0) -> Writer:
        """Begin a file in the staging folder of a run, in the place of one of that name.

        ``size`` is how many bytes are coming, where that is known: a lake may make room for them at once.
        """
        ...

    def publish(self, staged: Staged, path: str, expect: Expect) -> Etag:
        """Rename a staged file to its path, and return its etag there, which is the staged one.

        A file that is already there with the staged etag is success (the answer to an earlier try was lost).
        """
        ...

    def together(self) -> AbstractContextManager[None]:
        """Let what this thread does within be durable only at the end: sealing, publishing, deleting then cost less.

        Each still appears whole or not at all. What is put is durable at once. After an error nothing is promised.
        """
        ...

    def put(self, path: str, data: bytes, expect: Expect) -> Etag:
        """Write a small file at once, durably, and return its etag. For checkpoints, manifests and documents."""
        ...

    def snapshot(self, path: str, to: str, etag: Etag) -> Etag:
        """Make a read-only copy of a file whose etag is ``etag``, without moving its bytes where possible.

        Idempotent: a copy of the same content that is already there is success, whatever became of the file since.
        Conflict when the file has changed, or when there is something else.
        """
        ...

    def delete(self, path: str) -> None:
        """Delete a file. Idempotent: none there is success."""
        ...

    def create_folder(self, path: str) -> None:
        """Make sure that a folder is there for people who look, with its lake. Idempotent; it is never listed."""
        ...

    def remove_folder(self, path: str) -> None:
        """Remove a folder that files have left, with all below it. Idempotent; a folder with a file in it stays."""
        ...

    def lock(self, name: str, holder: Holder, above: int = 0) -> Fence:
        """Take the lock ``name`` at once, or raise Locked with its holder. A dead holder's lock is taken over.

        Its number is higher than that of every holder before, as far as the lake still knows, and than ``above``.
        """
        ...

    def location(self, path: str) -> str:
        """Return the address of a file as ``model.json`` spells it. The file need not exist."""
        ...


class State(Lake, Protocol):
    """Where an environment's record lies: a lake whose locks can be looked at, and broken by a person."""

    def holder(self, name: str) -> Holder | None:
        """Return who holds the lock ``name``, or None where nobody does."""
        ...

    def break_lock(self, name: str) -> None:
        """Take the lock ``name`` from its holder, whose fence is lost then. Harmless where nobody holds it."""
        ...
