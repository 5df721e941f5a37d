"""What the embedded source does beyond the contract: reading while others write, and the same as the scripted one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, current_thread
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.organization.samples import NOTE, Clock, numbered, organization
from toolkit.errors import Locked, Retriable
from toolkit.organization import rows
from toolkit.organization.churn import churn
from toolkit.organization.database import Connection, Database
from toolkit.organization.database import open as open_database
from toolkit.organization.seed import seed
from toolkit.source.embedded import EmbeddedSource
from toolkit.source.protocol import Cursor, Source
from toolkit.source.scripted import ScriptedSource

Copy = dict[str, dict[str, Any]]


def follow(source: Source, copy: Copy, after: Cursor | None) -> Cursor:
    """Bring a copy of the notes up to date by one pass, as the protocol says how."""
    tombstones: dict[str, int] = {}
    fresh: Copy = {}
    cursor = after
    for batch in source.changes("note", None, after):
        fresh |= {row["noteid"]: row for row in batch.rows.to_pylist()}
        tombstones |= {gone.id: gone.version or 0 for gone in batch.deleted}
        cursor = batch.resume
    copy |= fresh
    for gone, version in tombstones.items():
        if gone in copy and copy[gone]["versionnumber"] < version:
            del copy[gone]
    assert cursor is not None
    return cursor


def whole(source: Source) -> Copy:
    copy: Copy = {}
    follow(source, copy, None)
    return copy


def test_a_reader_of_another_thread_ends_with_what_the_writer_left(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database, ThreadPoolExecutor(1) as pool:
        seed(database, {"note": 50}, seed=1, clock=Clock())
        source, copy = EmbeddedSource(database, batch_size=7), Copy()
        writer = pool.submit(churn, database, 150, seed=2, clock=Clock())
        cursor = follow(source, copy, None)
        while not writer.done():
            cursor = follow(source, copy, cursor)
        follow(source, copy, cursor)
        assert copy == whole(source)


def test_a_reader_of_another_connection_sees_what_was_committed(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database, open_database(tmp_path / "organization.sqlite") as other:
        source = EmbeddedSource(other)
        copy = Copy()
        cursor = follow(source, copy, None)
        rows.insert(database, "note", [{"noteid": numbered(1), "title": "a"}], Clock())
        follow(source, copy, cursor)
    assert [row["title"] for row in copy.values()] == ["a"]


def test_a_cursor_goes_on_after_the_file_was_closed(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database:
        seed(database, {"note": 5}, seed=1, clock=Clock())
        first = next(EmbeddedSource(database, batch_size=3).changes("note", None, None))
    with open_database(tmp_path / "organization.sqlite") as database:
        (rest,) = EmbeddedSource(database).changes("note", None, first.resume)
    ids = first.rows.column("noteid").to_pylist() + rest.rows.column("noteid").to_pylist()
    assert len(set(ids)) == 5


class Met(Database):
    """A database in which two threads must meet to read pages."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.both = Barrier(2, timeout=10)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if current_thread().name.startswith("page"):
            self.both.wait()
        with super().read() as connection:
            yield connection


def test_two_threads_read_an_entity_from_its_beginning(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database, Met(tmp_path / "organization.sqlite") as met:
        seed(database, {"note": 14}, seed=1, clock=Clock())
        batches = list(EmbeddedSource(met, batch_size=3, readers=2).changes("note", None, None))
        assert [batch.rows.num_rows for batch in batches] == [3, 3, 3, 3, 2]
        assert pa.Table.from_batches([batch.rows for batch in batches]).to_pylist() == list(whole_in_turn(database))


def whole_in_turn(database: Database) -> Iterator[dict[str, Any]]:
    for batch in EmbeddedSource(database, readers=1).changes("note", None, None):
        yield from batch.rows.to_pylist()


def test_pages_of_which_rows_were_deleted_are_shorter(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database:
        rows.insert(database, "note", [{"noteid": numbered(number), "title": "a"} for number in range(1, 11)], Clock())
        rows.delete(database, "note", [numbered(number) for number in (2, 4, 5, 6)], Clock())
        batches = list(EmbeddedSource(database, batch_size=3).changes("note", None, None))
        assert [batch.rows.num_rows for batch in batches] == [2, 0, 3, 1]
        (rest,) = EmbeddedSource(database).changes("note", None, batches[1].resume)
        assert rest.rows.num_rows == 4


def test_a_row_that_is_inserted_anew_while_pages_are_read_ahead_is_not_missed(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database:
        rows.insert(database, "note", [{"noteid": numbered(number), "title": "a"} for number in range(1, 8)], Clock())
        batches = EmbeddedSource(database, batch_size=2).changes("note", None, None)
        begun = [next(batches), next(batches)]
        rows.delete(database, "note", [numbered(6)], Clock())
        rows.insert(database, "note", [{"noteid": numbered(6), "title": "b"}], Clock())
        given = [row["noteid"] for batch in (*begun, *batches) for row in batch.rows.to_pylist()]
    assert set(given) == {numbered(number) for number in range(1, 8)}


class Busy(Database):
    """A database that another process is writing to for too long, from a number of reads on."""

    reads = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self.reads == 0:
            raise Locked("ORG005", "another process has been writing for more than 5 s")
        self.reads -= 1
        with super().read() as connection:
            yield connection


def test_a_busy_database_is_a_passing_fault_whatever_is_read(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE), Busy(tmp_path / "organization.sqlite") as busy:
        source = EmbeddedSource(busy)
        for read in (source.entities, lambda: source.count("note"), lambda: list(source.changes("note", None, None))):
            with pytest.raises(Retriable) as raised:
                read()
            assert (raised.value.code, raised.value.after) == ("ORG005", 30)


def test_a_database_that_becomes_busy_in_a_pass_is_a_passing_fault(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE), Busy(tmp_path / "organization.sqlite") as busy:
        busy.reads = 2
        with pytest.raises(Retriable):
            list(EmbeddedSource(busy).changes("note", None, None))


class Twins:
    """The embedded and the scripted source with the same history, and a copy kept by following each."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.scripted = ScriptedSource([NOTE], clock=self.clock, batch_size=2)
        self.sources: tuple[Source, Source] = (EmbeddedSource(database, batch_size=2), self.scripted)
        self.copies: tuple[Copy, Copy] = ({}, {})
        self.cursors: list[Cursor | None] = [None, None]
        self.there: set[str] = set()

    def put(self, row_id: str, title: str) -> None:
        rows.upsert(self.database, "note", [{"noteid": row_id, "title": title}], self.clock)
        if row_id in self.there:
            self.scripted.update("note", row_id, title=title)
        else:
            self.scripted.insert("note", noteid=row_id, title=title)
        self.there.add(row_id)

    def delete(self, row_id: str) -> None:
        if row_id in self.there:
            rows.delete(self.database, "note", [row_id], self.clock)
            self.scripted.delete("note", row_id)
            self.there.remove(row_id)

    def follow(self) -> None:
        both = zip(self.sources, self.copies, self.cursors, strict=True)
        self.cursors = [follow(source, copy, cursor) for source, copy, cursor in both]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "put", "delete", "follow"]), st.integers(1, 4)), max_size=25))
def test_any_history_reads_as_it_does_from_the_scripted_source(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, organization(Path(folder), NOTE) as database:
        twins = Twins(database)
        for place, (step, number) in enumerate([*steps, ("follow", 0)]):
            if step == "put":
                twins.put(numbered(number), f"title {place}")
            elif step == "delete":
                twins.delete(numbered(number))
            else:
                twins.follow()
                assert twins.copies[0] == twins.copies[1]
        assert twins.copies[0] == whole(twins.sources[0])
