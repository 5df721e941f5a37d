"""Snapshots: the whole content of an organization is kept and brought back, or nothing changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.organization.dump import dump
from tests.organization.samples import NOTE, NOW, ORGANIZATION, Clock, attribute, numbered
from toolkit.environment import embedded
from toolkit.errors import Damaged, Locked, NotFound, Refused
from toolkit.model.environment import StorageAccount
from toolkit.organization import definitions, rows, snapshots
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions

ACCOUNT = StorageAccount(name="contosodev")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "dev" / "organization.sqlite"
    with embedded.create(path, ORGANIZATION, accounts=[ACCOUNT], entities=Definitions(entities=(NOTE,))) as made:
        rows.insert(made, "note", [{"noteid": numbered(1), "title": "kept"}], Clock())
        yield made


def everything(database: Database) -> str:
    return dump(database, without=())


def test_a_snapshot_brings_back_rows_tables_and_versions(database: Database) -> None:
    before = everything(database)
    snapshots.save(database, "clean")
    rows.delete(database, "note", [numbered(1)], Clock())
    more = NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("colour", "string", max_length=10))})
    definitions.define(database, Definitions(entities=(more, NOTE.model_copy(update={"name": "b", "set_name": "bs"}))))
    snapshots.restore(database, "clean")
    assert everything(database) == before


def test_a_restored_organization_can_be_written_to(database: Database) -> None:
    snapshots.save(database, "clean")
    snapshots.restore(database, "clean")
    rows.insert(database, "note", [{"noteid": numbered(2), "title": "new"}], Clock())
    with pytest.raises(Exception, match="row"):
        rows.insert(database, "note", [{"noteid": numbered(1)}], Clock())
    assert rows.count(database, "note") == 2


def test_snapshots_are_listed_by_name(database: Database) -> None:
    assert snapshots.names(database) == []
    for name in ("second", "a-first.one"):
        snapshots.save(database, name)
    assert snapshots.names(database) == ["a-first.one", "second"]


def test_a_snapshot_is_never_overwritten(database: Database) -> None:
    snapshots.save(database, "clean")
    with pytest.raises(Refused, match="already") as refusal:
        snapshots.save(database, "clean")
    assert refusal.value.code == "ORG071"
    assert [path.name for path in (database.path.parent / "snapshots").iterdir()] == ["clean.sqlite"]


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "a/b", "x" * 65])
def test_a_name_is_that_of_a_file_in_the_folder(database: Database, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        snapshots.save(database, name)
    assert refusal.value.code == "ORG070"


def test_an_unknown_snapshot_names_the_nearest(database: Database) -> None:
    snapshots.save(database, "clean")
    with pytest.raises(NotFound, match="no snapshot") as failure:
        snapshots.restore(database, "claen")
    assert (failure.value.code, failure.value.fix) == ("ORG072", "did you mean 'clean'?")


def test_a_damaged_snapshot_changes_nothing(database: Database) -> None:
    before = everything(database)
    snapshots.save(database, "clean")
    (database.path.parent / "snapshots" / "clean.sqlite").write_bytes(
        b"no database, but as long as a header of one" * 9
    )
    with pytest.raises(Damaged):
        snapshots.restore(database, "clean")
    assert everything(database) == before


def test_nothing_is_brought_back_while_somebody_writes(database: Database) -> None:
    snapshots.save(database, "clean")
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with database.write():
            writing.set()
            done.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    writing.wait(30)
    with pytest.raises(Locked) as refusal:
        snapshots.restore(database, "clean")
    done.set()
    writer.join()
    assert refusal.value.code == "ORG073"
    snapshots.restore(database, "clean")


def test_a_reset_organization_is_as_it_began(database: Database) -> None:
    embedded.reset(database)
    inventory = embedded.EmbeddedEnvironment("dev", database, clock=lambda: NOW, new_id=str).inventory()
    assert inventory.organization == ORGANIZATION
    assert inventory.accounts == {"contosodev": ACCOUNT}
    assert "note" not in inventory.entities
    assert rows.count(database, "account") == 0
    assert [path.name for path in database.path.parent.iterdir() if path.name.startswith(".")] == []
