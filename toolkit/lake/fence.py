"""The lock of a folder lake: a file lock of the kernel, and beside it a document that says who holds it.

The kernel gives the lock back when its holder dies, however it dies, so a lock never has to be broken. The document
stays behind: its number grows with every holder, so that what a holder wrote who was taken for dead can be told.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from weakref import WeakSet

from pydantic import ValidationError

from toolkit.lake.disk import MODE, coded
from toolkit.lake.paths import lost
from toolkit.lake.protocol import Holder
from toolkit.model.base import Frozen


class Held(Frozen):
    """The document of a lock: its last holder, and the number of that holder."""

    format: int = 1
    number: int
    name: str
    host: str
    pid: int
    since: datetime
    purpose: str = ""

    @classmethod
    def by(cls, holder: Holder, number: int) -> Held:
        """Return the document for a holder."""
        return cls(number=number, **asdict(holder))

    @property
    def holder(self) -> Holder:
        """Who holds, or held, the lock."""
        return Holder(self.name, self.host, self.pid, self.since, self.purpose)


def read_held(document: Path) -> Held | None:
    """Read the document of a lock; None before its first holder, and where it is damaged: the file lock decides."""
    try:
        return Held.model_validate_json(document.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def try_lock(path: Path) -> int | None:
    """Take the file lock at once and return the open file, or None when somebody holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, MODE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


class FileFence:
    """A lock that is held through an open file until it is given back or the process ends."""

    def __init__(self, number: int, file: int, document: Path) -> None:
        self.number = number
        self._file: int | None = file
        self._document = document
        _fences.add(self)

    def check(self) -> None:
        """Raise Locked when the lock was given back, or when its document names another holder or is gone."""
        with coded(str(self._document)):
            held = read_held(self._document)
        if self._file is None or held is None or held.number != self.number:
            raise lost(str(self._document.with_suffix("")))

    def release(self) -> None:
        """Give the lock back."""
        file, self._file = self._file, None
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def forget(self) -> None:
        """Let go of the open file without giving the lock back: the parent process holds it."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


_fences: WeakSet[FileFence] = WeakSet()


def forget_all() -> None:
    """In a forked child: let go of every lock of the parent."""
    for fence in tuple(_fences):
        fence.forget()


# A forked child shares open files, and would keep the lock of a parent that was killed.
os.register_at_fork(after_in_child=forget_all)
