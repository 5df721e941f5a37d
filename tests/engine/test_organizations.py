"""Copied organizations are refused or taken over; of a restored one the source wins."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import START, Clock, World, insert_account, link, linked_entity, source_of
from tests.organization.samples import NOTE, organization
from toolkit.engine import SyncReport, take_over
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.errors import Forbidden, Refused, Severity
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import Holder
from toolkit.model.config import Layout, LinkedEntity, Output
from toolkit.organization import rows
from toolkit.organization.database import open as open_database
from toolkit.source.embedded import EmbeddedSource

A, B, C = (f"00000000-0000-0000-0000-{number:012x}" for number in (1, 2, 3))
OTHER = "00000000-0000-0000-0000-0000000000bb"
HOLDER = Holder("test", "here", 1, START)
IN_PLACE, APPEND_ONLY = linked_entity("account"), linked_entity("account", append_only=True)


def filled(entity: LinkedEntity) -> World:
    clock = Clock()
    world = World(source_of(clock), MemoryLake(clock=clock), clock, link(entity))
    for name in "ab":
        insert_account(world.source, name)
    world.sync()
    return world


def copied(world: World) -> None:
    """Go on with another organization, which has what the first one had, but for b, and has c."""
    world.source = copy.copy(world.source)
    world.source.organization = OTHER
    world.source.delete("account", B)
    insert_account(world.source, "c")


def linked_anew(world: World) -> None:
    world.link = world.link.model_copy(update={"organization": OTHER, "generation": 2})


def taken(world: World) -> tuple[str, ...]:
    found = take_over(world.linked, OTHER, clock=world.clock, holder=HOLDER)
    linked_anew(world)
    return found


def told(report: SyncReport) -> list[str]:
    return [notice.code for notice in report.notices]


def names(world: World) -> list[tuple[str, str]]:
    return [(row["name"], row["IsDelete"]) for row in world.live("account")]


# copied


@pytest.mark.parametrize("link_too", [False, True])
def test_another_organization_is_refused_and_nothing_is_written(*, link_too: bool) -> None:
    world = filled(IN_PLACE)
    before = world.files()
    copied(world)
    if link_too:
        linked_anew(world)
    with pytest.raises(Refused) as caught:
        world.sync()
    assert caught.value.code == "ENG003"
    assert "toolkit sync --take-over" in caught.value.fix
    assert world.files() == before


def test_one_that_takes_over_wins_in_place() -> None:
    world = filled(IN_PLACE)
    copied(world)
    assert taken(world) == ("account",)
    report = world.sync()
    assert told(report) == ["ENG036"]
    assert (report.by_entity["account"].written, report.by_entity["account"].deleted) == (1, 1)
    assert names(world) == [("a", ""), ("c", "")]
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    assert checkpoint.organization == OTHER
    assert [row["name"] for row in world.named("account")] == ["a", "c"]


def test_one_that_takes_over_appends_what_is_missing_to_the_history() -> None:
    world = filled(APPEND_ONLY)
    copied(world)
    taken(world)
    world.sync()
    assert names(world) == [("a", ""), ("b", ""), ("", "True"), ("c", "")]


def test_readers_keep_what_they_have_until_the_rows_were_compared() -> None:
    world = filled(IN_PLACE)
    before = world.manifest()
    copied(world)
    taken(world)
    assert taken(world) == ()
    world.source.fail("account", Forbidden("SRC010", "no"))
    world.sync()
    assert world.manifest() == before
    assert told(world.sync()) == ["ENG036"]


def test_incremental_folders_are_not_taken_over() -> None:
    world = filled(IN_PLACE)
    world = replace(world, lake=MemoryLake(clock=world.clock))
    world.configure(output=Output(layout=Layout.INCREMENTAL))
    world.sync()
    with pytest.raises(Refused) as caught:
        taken(world)
    assert caught.value.code == "ENG003"


# restored


def restore(world: World) -> None:
    """Put the source back to a copy of before: a changed, b was deleted and c came, and all of that is undone."""
    state = ("_stores", "_version", "_ids")
    kept = copy.deepcopy({name: vars(world.source)[name] for name in state})
    world.source.update("account", A, name="a again")
    world.source.delete("account", B)
    insert_account(world.source, "c")
    world.sync()
    vars(world.source).update(kept)


def test_of_a_restored_organization_the_source_wins_in_place() -> None:
    world = filled(IN_PLACE)
    restore(world)
    report = world.sync().by_entity["account"]
    assert (report.written, report.deleted) == (2, 1)
    assert names(world) == [("a", ""), ("b", "")]
    (notice,) = report.notices
    assert (notice.code, notice.severity) == ("ENG121", Severity.NOTE)
    assert notice.what == (
        "the cursor of account was of no more use: "
        "it is ahead of the organization, which was restored to an earlier state"
    )
    assert "the source won" in notice.why
    insert_account(world.source, "d")
    assert world.sync().by_entity["account"].written == 1


def test_of_a_restored_organization_the_history_keeps_what_was_exported() -> None:
    """What was undone stays; a row that is there again is appended behind its delete row."""
    world = filled(APPEND_ONLY)
    restore(world)
    before = names(world)
    report = world.sync().by_entity["account"]
    assert (report.written, report.deleted) == (1, 1)
    assert names(world) == [*before, ("b", ""), ("", "True")]


@pytest.mark.parametrize("append_only", [False, True])
def test_an_older_copy_of_an_embedded_organization_wins(tmp_path: Path, *, append_only: bool) -> None:
    file, older = tmp_path / "organization.sqlite", tmp_path / "older.sqlite"
    with organization(tmp_path, NOTE) as database:
        rows.insert(database, "note", [{"noteid": A, "title": "a"}, {"noteid": B, "title": "b"}], Clock())
    shutil.copy(file, older)
    clock = Clock()
    with open_database(file) as database:
        world = World(
            source_of(clock), MemoryLake(clock=clock), clock, link(linked_entity("note", append_only=append_only))
        )
        own = database.organization().id
        world.link = world.link.model_copy(update={"organization": own})
        rows.update(database, "note", [{"noteid": A, "title": "a again"}], Clock())
        rows.delete(database, "note", [B], Clock())
        world.sync(EmbeddedSource(database))
    shutil.copy(older, file)
    with open_database(file) as database:
        report = world.sync(EmbeddedSource(database)).by_entity["note"]
        assert world.sync(EmbeddedSource(database)).by_entity["note"].written == 0
    assert report.error is None
    titles = sorted(row["title"] for row in world.live("note"))
    assert titles == (["a", "a again", "b"] if append_only else ["a", "b"])


def test_a_cursor_of_no_more_use_is_told_once_though_no_row_differs() -> None:
    world = filled(IN_PLACE)
    world.source.expire("account")
    assert [told(world.sync()) for _ in range(2)] == [["ENG121"], []]


def test_folders_tell_of_a_cursor_of_no_more_use_once_too() -> None:
    world = replace(filled(IN_PLACE), lake=MemoryLake(clock=Clock()))
    world.configure(output=Output(layout=Layout.INCREMENTAL))
    world.sync()
    world.source.expire("account")
    assert [told(world.sync()) for _ in range(2)] == [["ENG121"], []]
