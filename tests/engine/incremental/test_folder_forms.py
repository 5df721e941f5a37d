"""Incremental folders of chosen columns and rows: another form sends every row again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.incremental.folders import FolderWorld, new_world
from tests.engine.test_shape import HELD, hashed
from tests.engine.world import insert_account, linked_entity
from toolkit.engine import status
from toolkit.model.config import Condition, Mask

NOT_BOB = {"filter": (Condition(column="name", not_equals="Bob"),)}


def world_of(**account: Any) -> FolderWorld:
    world = new_world(linked_entity("account", **account))
    world.mask_key = HELD
    for name in ("Ada", "Bob"):
        insert_account(world.source, name)
    world.sync()
    return world


def relink(world: FolderWorld, **account: Any) -> None:
    world.clock.forward(hours=1)
    world.relink(linked_entity("account", **account))


def names(world: FolderWorld) -> list[str]:
    return sorted(row["name"] for row in world.reader.rows("account").values())


def test_only_rows_that_pass_the_filter_are_in_a_folder_and_one_that_leaves_is_deleted() -> None:
    world = world_of(**NOT_BOB)
    assert names(world) == ["Ada"]
    world.clock.forward(hours=1)
    world.source.update("account", next(iter(world.reader.rows("account"))), name="Bob")
    report = world.sync()
    assert (report.by_entity["account"].written, report.by_entity["account"].deleted) == (0, 1)
    assert names(world) == []


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"mask": {"name": Mask.HASH}}, [hashed("Ada"), hashed("Bob")]),
        ({"mask": {"name": Mask.NULL}}, ["", ""]),
        (NOT_BOB, ["Ada"]),
        ({"columns": ("name",)}, ["Ada", "Bob"]),
    ],
)
def test_another_form_sends_every_row_again(form: dict[str, Any], expected: list[str]) -> None:
    world = world_of()
    relink(world, **form)
    assert status(world.linked).entities[0].form_due == tuple(form)
    assert world.sync().by_entity["account"].written == len(expected)
    assert status(world.linked).entities[0].form_due == ()
    assert names(world) == sorted(expected)
    relink(world, **form)
    assert world.sync().folder is None


def test_a_folder_describes_the_columns_that_are_chosen() -> None:
    world = world_of(columns=("name",))
    (folder,) = world.reader.folders
    columns = [attribute["name"] for attribute in world.reader.model(folder)["account"]["attributes"]]
    assert "revenue" not in columns
    assert "name" in columns


def test_a_key_that_is_missing_fails_the_entity_alone() -> None:
    world = new_world(linked_entity("account", mask={"name": Mask.HASH}), linked_entity("teammembership"))
    insert_account(world.source, "Ada")
    world.source.insert("teammembership", teamid="0f8fad5b-d9cb-469f-a165-70867728950e")
    report = world.sync()
    assert [(each.entity, each.error and each.error.code) for each in report.failed] == [("account", "ENG071")]
    assert len(world.reader.rows("teammembership")) == 1
