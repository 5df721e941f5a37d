"""Whatever happens, replaying the folders gives the rows of the source, and every change is in one of them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.incremental.folders import FolderWorld, new_world
from tests.engine.world import insert_account, linked_entity
from toolkit.engine import Settings
from toolkit.lake.memory import Crashed

YEARS = [datetime(2024, 12, 31, 23, 59, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), None]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.sampled_from(YEARS)),
        st.tuples(st.just("update"), st.integers(0, 30)),
        st.tuples(st.just("move"), st.integers(0, 30)),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("expire"), st.none()),
        st.tuples(st.just("relink"), st.none()),
        st.tuples(st.just("crash"), st.integers(1, 120)),
        st.tuples(st.just("sync"), st.none()),
    ),
    max_size=30,
)


def do(world: FolderWorld, rows: list[str], step: tuple[str, object]) -> None:
    match step:
        case "insert", created:
            rows.append(world.source.insert("account", name="new", createdon=created))
        case "update", int(number) if rows:
            world.source.update("account", rows[number % len(rows)], name="changed")
        case "move", int(number) if rows:
            world.source.update("account", rows[number % len(rows)], createdon=YEARS[number % 2])
        case "delete", int(number) if rows:
            world.source.delete("account", rows.pop(number % len(rows)))
        case "expire", _:
            world.source.expire("account")
        case "relink", _:
            world.relink()
            world.sync()
            world.relink(linked_entity("account"))
        case "crash", int(call):
            world.reopen().fail(call, "after")
            with suppress(Crashed):
                world.sync()
            world.reopen()
        case "sync", _:
            world.clock.forward(minutes=7)
            world.sync()
        case _:
            pass


def rows_of(world: FolderWorld) -> dict[str, tuple[str, str]]:
    return {
        batch.column("accountid")[row].as_py(): (
            batch.column("name")[row].as_py(),
            str(batch.column("versionnumber")[row].as_py()),
        )
        for batch in (each.rows for each in world.source.changes("account", None, None))
        for row in range(batch.num_rows)
    }


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_replaying_all_folders_gives_the_rows_of_the_source(steps: list[tuple[str, object]]) -> None:
    world = new_world(linked_entity("account"), batch_size=3)
    world.settings = Settings(workers=1, part_limit=400, bucket=4)
    rows: list[str] = []
    for step in steps:
        do(world, rows, step)
    world.sync()
    replayed = world.reader.rows("account")
    assert {key: (row["name"], row["versionnumber"]) for key, row in replayed.items()} == rows_of(world)
    folders = [folder for folder, _ in world.reader.changes("account")]
    assert folders == sorted(folders)
    assert set(folders) == set(world.reader.folders), "no folder is without a change"


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_a_row_is_in_a_folder_once_and_its_versions_never_go_back(steps: list[tuple[str, object]]) -> None:
    world = new_world(linked_entity("account"))
    rows: list[str] = []
    for step in steps:
        do(world, rows, step)
    world.sync()
    changes = [(row["Id"], folder, int(row["versionnumber"])) for folder, row in world.reader.changes("account")]
    assert len({(row, folder) for row, folder, _ in changes}) == len(changes)
    ordered = sorted(changes, key=lambda change: change[:2])
    assert all(one[2] <= two[2] for one, two in pairwise(ordered) if one[0] == two[0])


def test_duckdb_reads_what_a_folder_names(tmp_path: Path) -> None:
    world = new_world(linked_entity("account"))
    insert_account(world.source, 'a "name",\nof two lines', datetime(2024, 1, 1, tzinfo=UTC), revenue=1)
    insert_account(world.source, "", datetime(2025, 1, 1, tzinfo=UTC))
    world.sync()
    (folder,) = world.reader.folders
    entity = world.reader.model(folder)["account"]
    columns = {each["name"]: "VARCHAR" for each in entity["attributes"]}
    files = []
    for partition in entity["partitions"]:
        file = tmp_path / f"{partition['name']}.csv"
        file.write_bytes(world.lake.read(f"{folder}/account/{partition['name']}.csv"))
        files.append(str(file))
    read = duckdb.read_csv(
        files,
        header=False,
        columns=columns,
        auto_detect=False,
        delimiter=",",
        quotechar='"',
        escapechar='"',
        allow_quoted_nulls=False,
    )
    assert read.order("Id").project("name, revenue, versionnumber, IsDelete").fetchall() == [
        ('a "name",\nof two lines', "1.00", "1", None),
        ("", None, "2", None),
    ]
