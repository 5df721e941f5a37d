"""Snapshots of an organization: its whole content at one moment, kept beside its file, and brought back.

A snapshot is a file of SQLite like the organization's own, without a log of its own. It is brought back within one
write: every other process sees the old content or the new one, and a process that dies in the middle leaves the old
one. Row versions go back too, as in a restored organization: who holds a cursor from after the snapshot reads anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import Locked, NotFound, Refused, nearest
from toolkit.files import draft_of, place_new
from toolkit.organization import database as files
from toolkit.organization.database import BUSY_SECONDS, Connection, Database

FOLDER = "snapshots"
"""Beside the organization's file."""
SUFFIX = ".sqlite"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


def names(database: Database) -> list[str]:
    """Return the names of the snapshots, sorted."""
    return sorted(path.stem for path in _folder(database).glob(f"*{SUFFIX}") if _is_name(path.stem))


def save(database: Database, name: str) -> None:
    """Keep the content under a name. Raises Refused for what is no name (ORG070), or a name that is taken (ORG071)."""
    path = _path(database, name)
    path.parent.mkdir(exist_ok=True)
    draft = draft_of(path)
    try:
        database.idle().execute("VACUUM INTO ?", [str(draft)])
        place_new(draft, path)
    except FileExistsError as error:
        raise Refused(
            "ORG071",
            f"there is a snapshot {name!r} already",
            where=str(path),
            why="a snapshot is never overwritten",
            fix="choose another name, or delete its file first",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def restore(database: Database, name: str) -> None:
    """Bring back what a snapshot holds. Raises NotFound (ORG072), or Locked (ORG073) while somebody else writes."""
    path = _path(database, name)
    if not path.is_file():
        raise NotFound("ORG072", f"there is no snapshot {name!r}", where=str(path), fix=nearest(name, names(database)))
    restore_file(database, path)


def restore_file(database: Database, path: Path) -> None:
    """Take the content of another organization file, which nobody writes to. Raises Locked (ORG073), or Damaged."""
    files.open(path).close()
    with _attached(database.idle(), path), _at_once(database) as connection:
        _drop(connection)
        _copy(connection)


@contextmanager
def _attached(connection: Connection, path: Path) -> Iterator[None]:
    connection.execute("ATTACH DATABASE ? AS saved", [str(path)])
    try:
        yield
    finally:
        connection.execute("DETACH DATABASE saved")


@contextmanager
def _at_once(database: Database) -> Iterator[Connection]:
    """Write without waiting for another writer: what it is in the middle of would be lost with the next moment."""
    connection = database.idle()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        with database.write() as writing:
            yield writing
    except Locked as error:
        raise Locked(
            "ORG073",
            "somebody else is writing to the organization",
            where=str(database.path),
            why="what they write would be lost",
            fix="try again when they are done",
        ) from error
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _drop(connection: Connection) -> None:
    for row in connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'"):
        connection.execute(f"DROP TABLE main.{_quoted(row['name'])}")


def _copy(connection: Connection) -> None:
    """Copy tables with their rows, then the indexes: an index is made faster than it is kept."""
    for row in connection.execute("SELECT name, sql FROM saved.sqlite_schema WHERE type = 'table'"):
        connection.execute(row["sql"])
        name = _quoted(row["name"])
        connection.execute(f"INSERT INTO main.{name} SELECT * FROM saved.{name}")  # noqa: S608 - a name of the schema
    # An index that a constraint makes has no statement of its own.
    for row in connection.execute("SELECT sql FROM saved.sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"):
        connection.execute(row["sql"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _folder(database: Database) -> Path:
    return database.path.parent / FOLDER


def _path(database: Database, name: str) -> Path:
    if not _is_name(name):
        raise Refused(
            "ORG070",
            f"{name!r} is no name for a snapshot",
            where=name,
            why="it is the name of a file: 1 to 64 letters, digits, dots, hyphens and underscores",
            fix="choose a name like before-import",
        )
    return _folder(database) / f"{name}{SUFFIX}"


def _is_name(text: str) -> bool:
    return re.fullmatch(NAME, text) is not None
