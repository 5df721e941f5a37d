"""Paths of a lake, and the errors that every backend words alike."""

from __future__ import annotations

import re

from toolkit.errors import Conflict, Damaged, Locked, NotFound, Refused
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Expect, Holder, Stat

LOCK_FOLDER = f"{STATE_FOLDER}/lock"
"""A lake's own bookkeeping: locks, and what is written aside. Never listed, and closed to callers."""

STAGING_FOLDER = f"{STATE_FOLDER}/staging"

LOCKED = "LAK003"
"""The code of a lock of a lake that somebody else holds."""

# A literal %41 comes back decoded from ADLS when such a file is renamed.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|%[0-9A-Fa-f]{2}")


def checked(path: str) -> str:
    """Return the path when every backend can hold it: relative, forward slashes, no ``..``. Raises Refused (LAK004)."""
    if why := _fault(path):
        raise Refused(
            "LAK004",
            f"{path!r} is no path of a lake",
            where=path.encode("unicode_escape").decode("ascii"),
            why=why,
            fix="give a relative path with forward slashes",
        )
    return path


def is_path(path: str) -> bool:
    """Return whether every backend can hold the path."""
    return not _fault(path)


def _fault(path: str) -> str:
    parts = path.split("/")
    if "" in parts:
        return "it is empty, absolute, or has an empty part"
    if "." in parts or ".." in parts:
        return "it has a part . or .."
    if _FORBIDDEN.search(path):
        return "it has a backslash, a control character or a percent code"
    if path == LOCK_FOLDER or path.startswith(f"{LOCK_FOLDER}/"):
        return f"{LOCK_FOLDER} belongs to the lake itself"
    return ""


def staging_path(run: str, name: str) -> str:
    """Return where a run's file of that name is staged."""
    return checked(f"{STAGING_FOLDER}/{checked(run)}/{checked(name)}")


def missing(where: str) -> NotFound:
    """Say that a file is not there."""
    return NotFound("LAK001", f"{where} is not there", where=where, why="it was deleted or never written")


def require(expect: Expect, found: Stat | None, where: str) -> None:
    """Raise Conflict unless the file is as expected."""
    now = found.etag if found else ABSENT
    if expect not in ("any", now):
        raise changed(where, expect, now)


def changed(where: str, expect: Expect, now: Etag) -> Conflict:
    """Say that a file is not the one that was expected."""
    return Conflict(
        "LAK002",
        f"{where} has changed since it was read",
        where=where,
        why=f"expected {_named(expect)}, found {_named(now)}",
        fix="run the command again: it reads the file anew",
    )


def _named(etag: Expect) -> str:
    return f"etag {etag}" if etag else "no file"


def locked(where: str, holder: Holder | None, *, ends: str = "with it") -> Locked:
    """Say who holds a lock; None when that is not written anywhere. ``ends`` is when it does if its holder dies."""
    who = "somebody whose name was deleted"
    if holder is not None:
        who = told(holder)
    return Locked(
        LOCKED,
        f"{where} is locked by {who}",
        where=where,
        why=f"it does: {holder.purpose}" if holder and holder.purpose else "",
        fix=f"wait until it is done, or stop that process: its lock ends {ends}",
    )


def told(holder: Holder) -> str:
    """Return who holds a lock, and since when."""
    return f"{holder.name} on {holder.host}, process {holder.pid}, since {holder.since:%Y-%m-%d %H:%M:%SZ}"


def lost(where: str) -> Locked:
    """Say that a lock is no longer held."""
    return Locked("LAK005", f"the lock on {where} was lost or given back", where=where, fix="run the command again")


def too_short(where: str, wanted: int, size: int) -> Damaged:
    """Say that a range goes beyond the end of a file, which a splice must never pass over in silence."""
    return Damaged(
        "LAK006",
        f"{where} ends at byte {size}, before byte {wanted}",
        where=where,
        why="the index that gave the range is of another version of the file",
        fix="run the command again: an index that does not fit is built anew",
    )
