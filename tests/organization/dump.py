"""The whole content of an organization's file as text, to assert that nothing changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from toolkit.organization.database import Connection, Database

HISTORY = ("import_job", "system_job", "job_package")
"""What a refused import may add to: it is recorded that somebody tried."""


def dump(database: Database, without: Collection[str] = HISTORY) -> str:
    """Return every table's rows, sorted, one a line; the same content gives the same text."""
    with database.read() as connection:
        names = [row["name"] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return "\n".join(line for name in sorted(names) if name not in without for line in _lines(connection, name))


def _lines(connection: Connection, table: str) -> Iterator[str]:
    yield f"-- {table}"
    yield from sorted(repr(row) for row in connection.execute(f'SELECT * FROM "{table}"'))  # noqa: S608 - own names
