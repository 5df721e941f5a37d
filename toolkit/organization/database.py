"""The file of an embedded organization: SQLite, reached through ADBC alone.

Never open the file with Python's ``sqlite3`` in a process that uses this module. ADBC brings its own copy of SQLite,
and two copies in one process do not see each other's POSIX locks: closing a file in one drops the locks of the other
(sqlite.org/howtocorrupt.html, section 2.2.1). ADBC is the copy to keep, since it reads and writes Arrow in bulk,
three to four times as fast as rows through Python, and without holding the interpreter's lock.

Every thread has its own connection. A write begins with BEGIN IMMEDIATE, so that commit order is version order.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import pyarrow as pa

from toolkit.errors import Damaged, Locked, NotFound, Refused, ToolkitError
from toolkit.files import draft_of, place_new
from toolkit.model.environment import Organization

FORMAT = 1
"""The format of the file (``PRAGMA user_version``); a newer one is refused."""
APPLICATION_ID = 0x45444C54
"""``EDLT`` (``PRAGMA application_id``): tells an organization from any other SQLite file."""

BUSY_SECONDS = 30
"""How long a write waits for the writer before it."""

_INFERENCE_ROWS = 1 << 16
"""Rows from which ADBC infers the types of a small result; a later row of another type would fail."""

DDL = """
CREATE TABLE organization (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    definition TEXT NOT NULL,
    version_number INTEGER NOT NULL
) STRICT;
"""

Scalar = str | bytes | int | float | None
Row = dict[str, Any]
"""A row by column name; the SQL that asks for it knows the types."""


class Violated(ToolkitError):
    """A constraint of the database (unique, not null, check, type) forbids a write."""


class Connection:
    """One thread's connection: SQL in, rows out. Statements run in the transaction that ``Database`` opened."""

    def __init__(self, handle: adbc.AdbcConnection, path: Path) -> None:
        self._handle = handle
        self._path = path
        self.writes = 0
        """How many writes are open, one within the other."""
        self.close = weakref.finalize(self, handle.close)
        """Close it; this happens by itself when its thread ends."""

    def execute(self, sql: str, parameters: Sequence[Scalar] = ()) -> list[Row]:
        """Run one statement and return its rows, none where it returns none. Raises Violated, Locked, Damaged."""
        return self.arrow(sql, parameters).to_pylist()

    def one(self, sql: str, parameters: Sequence[Scalar] = ()) -> Row | None:
        """Run one statement and return its first row, or None."""
        rows = self.execute(sql, parameters)
        return rows[0] if rows else None

    def arrow(self, sql: str, parameters: Sequence[Scalar] = (), inference_rows: int = _INFERENCE_ROWS) -> pa.Table:
        """Run one statement and return its rows as Arrow: int64, float64, string, binary.

        Types are inferred from the first ``inference_rows`` rows, and a column of nulls is int64.
        """
        bound = _bound(parameters) if parameters else None
        return self._run(sql, bound, inference_rows)

    def bulk(self, sql: str, rows: pa.RecordBatch) -> None:
        """Run one statement once for each row; the columns are the parameters, in their order."""
        self._run(sql, rows, _INFERENCE_ROWS)

    def script(self, statements: Iterable[str]) -> None:
        """Run statements that return nothing."""
        for statement in statements:
            self.execute(statement)

    def _run(self, sql: str, bound: pa.RecordBatch | None, inference_rows: int) -> pa.Table:
        try:
            with adbc.AdbcStatement(self._handle) as statement:
                statement.set_options(**{"adbc.sqlite.query.batch_rows": str(inference_rows)})
                statement.set_sql_query(sql)
                if bound is not None:
                    statement.prepare()
                    statement.bind(bound)
                stream, _ = statement.execute_query()
                return pa.RecordBatchReader._import_from_c(stream.address).read_all()  # noqa: SLF001 - pyarrow's documented name for the C stream interface
        except (adbc.Error, pa.ArrowException, OSError) as error:
            raise _translated(error, self._path) from error


class Database:
    """An organization file, opened at its first use. Safe to use from several threads; close it when all are done.

    ``new`` is a file that is about to be made, and has no format to check yet.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self._new = new
        self._handle: adbc.AdbcDatabase | None = None
        self._local = threading.local()
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads, but for those of a thread that was left behind in a call."""
        with self._lock:
            for connection in list(self._connections):
                # ADBC refuses to close what is in use; it goes with the process.
                with suppress(RuntimeError):
                    connection.close()
            if self._handle is not None:
                with suppress(RuntimeError):
                    self._handle.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database until the block ends. Keep it short.

        Within a write of the same thread it sees what that one wrote.
        """
        connection = self._connection()
        if connection.writes:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the one connection that may write; the block commits as a whole, or leaves nothing behind.

        Within another write of the same thread it is a part of that one, and commits with it.
        """
        connection = self._connection()
        begin, commit, roll_back = _block(connection.writes)
        connection.script(begin)
        connection.writes += 1
        with ExitStack() as undo:
            undo.callback(_roll_back, connection, roll_back)
            yield connection
            connection.execute(commit)
            undo.pop_all()
            connection.writes -= 1

    def idle(self) -> Connection:
        """Return this thread's connection between transactions, for the statements that SQLite allows only there."""
        return self._connection()

    def organization(self) -> Organization:
        """Return the organization that the file holds."""
        with self.read() as connection:
            (row,) = connection.execute("SELECT definition FROM organization")
        return Organization.model_validate_json(row["definition"])

    def prepare_file(self) -> None:
        """Choose what a file keeps for good, before anything is in it: page size and write-ahead log."""
        # Rows of 60 and more columns: large pages make bulk writes and full reads about 15 % faster (measured).
        self._connection().execute("PRAGMA page_size = 16384")
        self._connection().execute("PRAGMA journal_mode = WAL")

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> Connection:
        with self._lock:
            connection = Connection(self._opened(), self.path)
            self._connections.add(connection)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        if not self._new:
            _check_format(connection, self.path)
        connection.execute("PRAGMA cache_size = -32768")
        return connection

    def _opened(self) -> adbc.AdbcConnection:
        try:
            if self._handle is None:
                self._handle = adbc_driver_sqlite.connect(str(self.path))
            return adbc.AdbcConnection(self._handle)
        except adbc.Error as error:
            raise _translated(error, self.path) from error


def next_version(connection: Connection, count: int = 1) -> int:
    """Take ``count`` row versions of the organization and return the first. The counter never goes back."""
    (row,) = connection.execute(
        "UPDATE organization SET version_number = version_number + ? RETURNING version_number", [count]
    )
    return int(row["version_number"]) - count + 1


def current_version(connection: Connection) -> int:
    """Return the highest row version that was taken."""
    (row,) = connection.execute("SELECT version_number FROM organization")
    return int(row["version_number"])


def create(path: Path, organization: Organization, parts: Sequence[str]) -> Database:
    """Make an organization file whose tables are ``parts`` (DDL scripts), and open it.

    The file appears whole or not at all. Raises Refused (ORG004) when there is one already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    try:
        _write_draft(draft, organization, parts)
        place_new(draft, path)
    except FileExistsError as error:
        raise Refused(
            "ORG004",
            f"there is an organization at {path} already",
            where=str(path),
            fix="choose another folder, or delete this one first",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return Database(path)


def at(path: Path) -> Database:
    """Return the organization file at a path, unopened: its first use opens and checks it. Raises NotFound (ORG001)."""
    if not path.is_file():
        raise NotFound(
            "ORG001",
            f"there is no organization at {path}",
            where=str(path),
            fix="restore it; or take the environment out of toolkit.yaml, then: toolkit env create NAME",
        )
    return Database(path)


def open(path: Path) -> Database:  # noqa: A001 - reads as database.open, like gzip.open
    """Open an organization file. Raises NotFound (ORG001) or Damaged (ORG002, ORG003)."""
    database = at(path)
    with ExitStack() as undo:
        undo.callback(database.close)
        with database.read():
            undo.pop_all()
    return database


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a DDL script; a semicolon at the end of a line ends one."""
    return (part for part in (text.strip() for text in script.split(";\n")) if part)


def _write_draft(draft: Path, organization: Organization, parts: Sequence[str]) -> None:
    with Database(draft, new=True) as database:
        database.prepare_file()
        with database.write() as connection:
            for part in parts:
                connection.script(statements(part))
            connection.execute("INSERT INTO organization VALUES (1, ?, 0)", [organization.model_dump_json()])
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")


def _check_format(connection: Connection, path: Path) -> None:
    application = int(connection.execute("PRAGMA application_id")[0]["application_id"])
    version = int(connection.execute("PRAGMA user_version")[0]["user_version"])
    if application != APPLICATION_ID:
        raise _damaged(path, "it is an SQLite file, but not one of an organization")
    if version > FORMAT:
        raise Damaged(
            "ORG003",
            f"{path} has format {version}, and this toolkit reads up to {FORMAT}",
            where=str(path),
            fix="use the newer toolkit that wrote it",
        )


def _block(writes: int) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Return the statements that begin a write, commit it, and undo it; within others it is a savepoint."""
    if writes:
        name = f"within_{writes}"
        return (f"SAVEPOINT {name}",), f"RELEASE {name}", (f"ROLLBACK TO {name}", f"RELEASE {name}")
    # NORMAL: a killed process loses nothing; a power cut may lose the last commits, never the file.
    return ("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"), "COMMIT", ("ROLLBACK",)


def _roll_back(connection: Connection, statements: Iterable[str]) -> None:
    connection.writes -= 1
    try:
        connection.script(statements)
    except ToolkitError:
        # SQLite has rolled back by itself, as it does when the disk is full; the first error is the one to tell.
        return


def _bound(parameters: Sequence[Scalar]) -> pa.RecordBatch:
    arrays: list[pa.Array[Any]] = [
        pa.nulls(1, pa.string()) if value is None else pa.array([value]) for value in parameters
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[str(place) for place in range(len(arrays))])


def _damaged(path: Path, why: str) -> Damaged:
    return Damaged(
        "ORG002",
        f"{path} cannot be read as an organization",
        where=str(path),
        why=why,
        fix="restore the file from a backup, or create the environment anew and seed it",
    )


def _translated(error: Exception, path: Path) -> ToolkitError:
    text = str(error)
    if isinstance(error, adbc.IntegrityError):
        return Violated("ORG007", text.removeprefix("INTEGRITY: "), where=str(path))
    if "locked" in text:
        return Locked(
            "ORG005",
            f"another process has been writing to {path} for more than {BUSY_SECONDS} s",
            where=str(path),
            fix="wait for it to end, then run the command again",
        )
    if "not a database" in text or "malformed" in text:
        return _damaged(path, _first_line(text))
    if "readonly" in text:
        why = "SQLite writes beside the file even to read it, and the file or its folder may not be written"
        return _unusable(path, why, f"allow yourself to write in {path.parent}, or work on a copy of the project")
    return _unusable(
        path,
        _first_line(text),
        "see that the disk has room and that the file may be written, then run the command again",
    )


def _first_line(text: str) -> str:
    """Return what the driver says, without the statement that it adds."""
    return text.partition("\n")[0]


def _unusable(path: Path, why: str, fix: str) -> ToolkitError:
    return ToolkitError("ORG006", f"{path} could not be read or written", where=str(path), why=why, fix=fix)
