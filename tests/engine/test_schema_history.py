"""How the columns of an entity changed: what the pass tells, what the status shows, and what the file has."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.world import ACCOUNT, START, Clock, World, attribute, insert_account, link, linked_entity, source_of
from toolkit.engine import SyncReport, status
from toolkit.engine.columns import Column, Kind, columns_of, evolve
from toolkit.engine.schema_history import KEPT, ChangeKind, SchemaChange, form_of, with_changes
from toolkit.lake.memory import Call, MemoryLake
from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.model.link import EntityState


def account(*more: Attribute, without: str = "", **changed: Attribute) -> Entity:
    kept = tuple(changed.get(each.name, each) for each in ACCOUNT.attributes if each.name != without)
    return ACCOUNT.model_copy(update={"attributes": (*kept, *more)})


FAX = attribute("fax", AttributeType.STRING, max_length=50)
LONGER = attribute("name", AttributeType.STRING, max_length=200)
SHORTER = attribute("name", AttributeType.STRING, max_length=100)
FINER = attribute("revenue", AttributeType.MONEY, precision=4)
INEXACT = attribute("revenue", AttributeType.DOUBLE)


@pytest.fixture
def synced(world: World) -> World:
    """The account with a row, ten minutes after its first sync."""
    insert_account(world.source, "a", revenue=Decimal(1))
    world.sync()
    world.clock.forward(minutes=10)
    return world


def told(report: SyncReport) -> list[tuple[str, str]]:
    return [(notice.code, notice.what) for notice in report.notices if notice.code != "ENG121"]


def history(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.lake.read("_toolkit/schema-history.json"))
    return found


def defined(world: World, entity: Entity) -> SyncReport:
    world.source.define(entity)
    return world.sync()


@pytest.mark.parametrize(
    ("entity", "notice"),
    [
        (account(FAX), ("ENG061", "account: fax added (string(50))")),
        (account(without="revenue"), ("ENG062", "account: revenue dropped (decimal(2))")),
        (account(name=LONGER), ("ENG064", "account: name widened string(160) to string(200)")),
        (account(revenue=FINER), ("ENG064", "account: revenue widened decimal(2) to decimal(4)")),
    ],
)
def test_a_change_of_the_columns_is_told_once(synced: World, entity: Entity, notice: tuple[str, str]) -> None:
    assert told(defined(synced, entity)) == [notice]
    synced.clock.forward(minutes=10)
    insert_account(synced.source, "b")
    assert told(synced.sync()) == []
    (shown,) = status(synced.linked).entities
    assert [f"account: {change}" for change in shown.schema_changes] == [notice[1]]


def test_a_column_of_another_type_is_told(world: World) -> None:
    insert_account(world.source, "a", revenue=Decimal(1))
    world.sync()
    world.source = source_of(world.clock, account(revenue=INEXACT))
    assert told(world.sync()) == [("ENG065", "account: revenue retyped decimal(2) to double")]


def test_a_dropped_column_that_is_back_takes_its_old_place(synced: World) -> None:
    defined(synced, account(without="revenue"))
    assert told(defined(synced, ACCOUNT)) == [("ENG063", "account: revenue restored (decimal(2))")]
    insert_account(synced.source, "b", revenue=Decimal(2))
    synced.sync()
    assert [row["revenue"] for row in synced.live("account")] == ["1.00", "2.00"]


def test_a_dropped_column_that_is_back_and_wider_is_told_as_both(synced: World) -> None:
    defined(synced, account(without="revenue"))
    assert told(defined(synced, account(revenue=FINER))) == [
        ("ENG063", "account: revenue restored (decimal(2) to decimal(4))"),
        ("ENG064", "account: revenue widened decimal(2) to decimal(4)"),
    ]


def test_a_column_that_becomes_shorter_keeps_the_size_that_old_rows_need(synced: World) -> None:
    assert told(defined(synced, account(name=SHORTER))) == []
    synced.snapshot()
    assert synced.entity("account")["attributes"][4]["maxLength"] == 160


def test_a_size_that_was_not_known_stays_unknown() -> None:
    known = (Column(name="name", kind=Kind.STRING),)
    kept = {column.name: column for column in evolve(known, ACCOUNT).columns}
    assert kept["name"].length is None


def test_the_file_has_every_change_of_every_entity(synced: World) -> None:
    assert history(synced) == {"format": 1, "entities": {}}
    defined(synced, account(FAX))
    assert history(synced) == {
        "format": 1,
        "entities": {
            "account": [
                {
                    "at": "2026-03-01T12:10:00Z",
                    "change": "added",
                    "column": "fax",
                    "before": "",
                    "after": "string(50)",
                }
            ]
        },
    }


def test_an_entity_that_the_source_dropped_fails_with_its_reason_and_is_noted_once(synced: World) -> None:
    synced.relink(linked_entity("account"), linked_entity("teammembership"))
    synced.source.drop("account")
    synced.sync()
    synced.clock.forward(minutes=10)
    reports = synced.sync().by_entity
    assert [(name, each.state) for name, each in reports.items()] == [
        ("account", EntityState.FAILED),
        ("teammembership", EntityState.COMPLETED),
    ]
    shown = {each.entity: each for each in status(synced.linked).entities}["account"]
    assert (shown.state, shown.reason) == (EntityState.FAILED, "ENG051 the source has no entity account")
    assert [change["change"] for change in history(synced)["entities"]["account"]] == ["entity dropped"]


def test_an_entity_that_comes_back_is_told(synced: World) -> None:
    synced.source.drop("account")
    synced.sync()
    synced.source = source_of(synced.clock)
    assert told(synced.sync()) == [("ENG066", "account: entity restored")]
    assert told(synced.sync()) == []


def dropped_world() -> tuple[World, MemoryLake]:
    """An account that the source dropped, and the handle of the engine that is about to meet that."""
    clock = Clock()
    world = World(source_of(clock), MemoryLake(clock=clock), clock, link(linked_entity("account")))
    world.sync()
    world.source.drop("account")
    return world, world.reopen()


def test_a_drop_that_cannot_be_noted_is_noted_by_the_next_pass() -> None:
    twin, rehearsal = dropped_world()
    twin.sync()
    world, lake = dropped_world()
    lake.fail(rehearsal.calls.index(Call("put", "_toolkit/account/checkpoint.json")) + 1, "before", crash=False)
    error = world.sync().by_entity["account"].error
    assert error is not None
    assert (error.code, history(world)["entities"]) == ("LAK020", {})
    world.sync()
    assert [change["change"] for change in history(world)["entities"]["account"]] == ["entity dropped"]


def test_only_the_newest_changes_are_kept() -> None:
    change = SchemaChange(at=START, change=ChangeKind.ADDED, column="a")
    later = change.model_copy(update={"at": START + timedelta(days=1)})
    kept = with_changes((change,) * KEPT, (later,))
    assert (len(kept), kept[-1]) == (KEPT, later)


def test_the_form_of_a_column_has_its_size_where_it_has_one() -> None:
    assert [form_of(column) for column in columns_of(ACCOUNT)[3:6]] == ["guid", "string(160)", "decimal(2)"]
