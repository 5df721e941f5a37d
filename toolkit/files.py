"""Files that appear whole or not at all, on any disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

_NO_LINK = {errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

Link = Callable[[Path, Path], None]
"""Gives a file (the first path) a second name; ``os.link``, and in tests one that fails."""


def draft_of(path: Path) -> Path:
    """Return where a file is written before it gets its name: beside it, and for this thread alone."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or replace it; its folder is made. An OSError names the file, not the draft."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        draft.unlink(missing_ok=True)


def place_new(draft: Path, path: Path, link: Link = os.link) -> None:
    """Give a finished draft its name, at which nothing may be yet. Raises FileExistsError. The draft may be left."""
    try:
        link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        # Where links are unknown, an empty file takes the name first: only one can make it.
        path.touch(exist_ok=False)
        draft.replace(path)
