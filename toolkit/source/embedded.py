"""The embedded organization as a source of rows: SQLite to Arrow, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

import pyarrow as pa

from toolkit.errors import Locked, NotFound, Retriable
from toolkit.model.columns import arrow_schema
from toolkit.model.entity import Entity
from toolkit.organization import metadata, rows
from toolkit.organization.database import Connection, Database, current_version
from toolkit.organization.storage import from_storage, select
from toolkit.source.feed import Position, batches, expired, gone
from toolkit.source.protocol import Batch, Cursor, Deleted

BATCH_SIZE = 16_384
"""Rows of a batch: about 12 MB at 60 columns. Larger ones are not read faster (measured), and need more memory."""

READERS = 2
"""Threads that read an entity from its beginning: together they are as fast as the one that formats what they read.
A first sync would wait for one alone (measured)."""

BUSY_REST = 30.0
"""Seconds to leave an entity alone while another process writes to the database."""

_ROW_NUMBER = pa.field("row_number_", pa.int64())


class EmbeddedSource:
    """Rows of an embedded organization. Each page is a read of its own, so that writers never wait for a reader.

    Threads read an entity from its beginning, pages ahead; of one reader each page is read when it is asked for.
    """

    def __init__(self, database: Database, batch_size: int = BATCH_SIZE, *, readers: int = READERS) -> None:
        self._database = database
        self._batch_size = batch_size
        self._readers = readers

    @property
    def organization(self) -> str:
        """The OrganizationId, as it is now."""
        with _passing():
            return self._database.organization().id

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions by name, as they are now."""
        with _passing(), self._database.read() as connection:
            return metadata.entities(connection)

    def count(self, entity: str) -> int:
        """Return how many rows the entity has now. Raises EntityGone."""
        try:
            with _passing():
                return rows.count(self._database, entity)
        except NotFound as error:
            raise gone(entity) from error

    def size(self, entity: str) -> int:
        """Return how many rows the entity has now. Raises EntityGone."""
        return self.count(entity)

    def has(self, entity: str, row_id: str) -> bool:
        """Return whether the entity has a row of that id now. Raises EntityGone."""
        try:
            with _passing():
                return rows.read(self._database, entity, row_id) is not None
        except NotFound as error:
            raise gone(entity) from error

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        """Yield what changed after the cursor, or every row when there is none."""
        with _passing():
            feed = EmbeddedFeed(self._database, entity, columns, self._batch_size)
            if self._readers == 1 or feed.end_of_page(0) is None:
                yield from batches(feed, after)
                return
            with closing(ReadAhead(feed, self._readers)) as ahead:
                yield from batches(ahead, after)

    def mark(self) -> str:
        """Return the highest row version, and how often attributes have changed. Raises Retriable."""
        with _passing(), self._database.read() as connection:
            found = connection.one("SELECT version_number, (SELECT SUM(schema_version) FROM entity) FROM organization")
        return ".".join(map(str, (found or {}).values()))


@contextmanager
def _passing() -> Iterator[None]:
    """Turn a busy database into Retriable: only the lake's lock is one that a reader of rows must give way to."""
    try:
        yield
    except Locked as error:
        raise Retriable(error.code, error.what, after=BUSY_REST, where=error.where, why=error.why) from error


class EmbeddedFeed:
    """One pass over an entity, or one page of it; ``limit`` is how many rows or tombstones a read gives at most."""

    def __init__(self, database: Database, entity: str, columns: Sequence[str] | None, limit: int) -> None:
        self._database = database
        self._limit = limit
        self.organization = database.organization().id
        with database.read() as connection:
            found = _stored(connection, entity)
            self.current_version = current_version(connection)
            self._last_row = _last_row(connection, entity)
        self.definition = found.definition
        self.schema_version = found.schema_version
        self._schema = arrow_schema(self.definition, columns)

    def purged_version(self) -> int:
        """Return the highest version of a tombstone that is no longer there now."""
        with self._database.read() as connection:
            return _stored(connection, self.definition.name).purged_version

    def rows(self, at: Position) -> tuple[pa.RecordBatch, int | None]:
        """Return the rows after ``at.row`` and the place of the last one, or None when there are no more."""
        place, high = (_ROW_NUMBER.name, None) if at.full else ("versionnumber", at.high)
        found = self._between(place, at.row, high)
        last = found.column(place)[-1].as_py() if found.num_rows == self._limit else None
        return from_storage(found, self._schema), last

    def passing(self, at: Position, end: int) -> tuple[pa.RecordBatch, int]:
        """Return the rows of a page that ends at a row number, in a thread that passes through the file once.

        What such a thread kept of the file would be of no use: 30 MB each, and more on the heap (measured).
        """
        self._database.idle().execute("PRAGMA cache_size = -1024")
        return from_storage(self._between(_ROW_NUMBER.name, at.row, end), self._schema), end

    def _between(self, place: str, after: int, end: int | None) -> pa.Table:
        bound = "" if end is None else f"AND {place} <= {end}"
        with self._database.read() as connection:
            self._check_schema(connection)
            return select(
                connection,
                metadata.table(self.definition.name),
                self._schema.append(_ROW_NUMBER),
                f"WHERE {place} > {after} {bound} ORDER BY {place}",
                self._limit,
            )

    def end_of_page(self, row: int) -> int | None:
        """Return the row number that ends a page which is read ahead; None where there are no more such pages.

        It is known before the page is read, so that several can be read at once. Where rows were deleted it has fewer.
        """
        end = row + self._limit
        return end if end < self._last_row else None

    def tombstones(self, at: Position) -> tuple[tuple[Deleted, ...], int | None]:
        """Return the tombstones after ``at.tombstone`` and up to ``at.high``, and where they end, or None."""
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT id, version FROM tombstone WHERE entity = ? AND version > ? AND version <= ? "
                "ORDER BY version LIMIT ?",
                [self.definition.name, at.tombstone, at.high, self._limit],
            )
        deleted = tuple(Deleted(row["id"], row["version"]) for row in found)
        return deleted, deleted[-1].version if len(deleted) == self._limit else None

    def _check_schema(self, connection: Connection) -> None:
        if metadata.schema_version(connection, self.definition.name) != self.schema_version:
            raise expired(self.definition.name, "attributes of the entity have changed since")


class ReadAhead:
    """A feed of which threads read the next pages of a full pass while one is worked on. Close it."""

    def __init__(self, feed: EmbeddedFeed, readers: int) -> None:
        self.organization, self.definition = feed.organization, feed.definition
        self.schema_version, self.current_version = feed.schema_version, feed.current_version
        self.purged_version, self.tombstones = feed.purged_version, feed.tombstones
        self._feed, self._readers = feed, readers
        self._pool = ThreadPoolExecutor(readers, "page")
        self._coming: dict[int, Future[tuple[pa.RecordBatch, int]]] = {}

    def rows(self, at: Position) -> tuple[pa.RecordBatch, int | None]:
        """Return what the feed returns.

        The last page is read after all others: it has what was inserted meanwhile, perhaps in the place of a row that
        an earlier page was to give.
        """
        ahead = at
        while at.full and len(self._coming) <= self._readers:
            end = self._feed.end_of_page(ahead.row)
            if end is None:
                break
            if ahead.row not in self._coming:
                self._coming[ahead.row] = self._pool.submit(self._feed.passing, ahead, end)
            ahead = ahead.moved(row=end)
        coming = self._coming.pop(at.row, None) if at.full else None
        return self._feed.rows(at) if coming is None else coming.result()

    def close(self) -> None:
        """Wait for what is being read."""
        self._pool.shutdown(cancel_futures=True)


def _last_row(connection: Connection, entity: str) -> int:
    """Return the highest row number."""
    found = connection.one(f"SELECT max({_ROW_NUMBER.name}) AS number FROM {metadata.table(entity)}")  # noqa: S608 - names of the metadata
    return (found or {}).get("number") or 0


def _stored(connection: Connection, entity: str) -> metadata.Stored:
    found = metadata.stored(connection, entity)
    if found is None:
        raise gone(entity)
    return found
