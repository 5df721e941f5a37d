"""Rows of a lake against rows of its source, one difference at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.world import ACCOUNT, Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine.checkpoint import Checkpoint, read_checkpoint
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import Condition, Mask
from toolkit.site import NO_KEY, MaskKey
from toolkit.source.scripted import ScriptedSource
from toolkit.verify.reconciliation import Differences, Reconciled, reconciled

NONE = Differences()
FIRST, SECOND, THIRD, FOURTH = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2, 3, 4))
MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)]


def filled(source: ScriptedSource, *names: str) -> ScriptedSource:
    for name, created in zip(names, MONTHS, strict=False):
        insert_account(source, name, created, revenue=Decimal("1.10"))
    return source


@pytest.fixture(params=[False, True], ids=["in place", "append-only"])
def world(request: pytest.FixtureRequest) -> World:
    """Three accounts of three months, synced."""
    clock = Clock()
    how = link(linked_entity("account", append_only=request.param))
    made = World(filled(source_of(clock), "one", "two", "three"), MemoryLake("contosolake"), clock, how)
    made.sync()
    return made


def compared(world: World, source: ScriptedSource | None = None, *, checksum: bool = True, **other: Any) -> Reconciled:
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert isinstance(checkpoint, Checkpoint)
    there = checkpoint.model_copy(update=other)
    return reconciled(world.lake, source or world.source, ACCOUNT, there, world.mask_key, checksum=checksum)


def differences(found: Reconciled) -> tuple[Differences, ...]:
    return found.missing, found.extra, found.stale, found.different


def test_a_lake_that_is_in_sync_has_the_checksum_of_its_source(world: World) -> None:
    found = compared(world)
    assert differences(found) == (NONE, NONE, NONE, NONE)
    assert (found.source_rows, found.lake_rows, found.pending) == (3, 3, 0)
    assert found.source_checksum == found.lake_checksum != "0000000000000000"
    assert found.equal


def test_after_changes_and_a_sync_the_newest_records_count(world: World) -> None:
    world.source.update("account", FIRST, name="changed")
    world.source.delete("account", SECOND)
    world.clock.forward(hours=2)
    world.sync()
    found = compared(world)
    assert (found.source_rows, found.lake_rows, found.equal) == (2, 2, True)
    assert found.source_checksum == found.lake_checksum


def test_what_the_lake_has_not_read_is_pending_and_no_difference(world: World) -> None:
    world.source.update("account", FIRST, name="changed")
    world.source.delete("account", SECOND)
    insert_account(world.source, "new")
    found = compared(world)
    assert differences(found) == (NONE, NONE, NONE, NONE)
    assert (found.source_rows, found.lake_rows, found.pending, found.equal) == (3, 3, 3, True)
    assert found.source_checksum != found.lake_checksum


def test_a_row_that_the_lake_lost_is_missing(world: World) -> None:
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    found = compared(world, parts=checkpoint.parts[1:], checksum=False)
    lost = [FIRST] if len(checkpoint.parts) == 3 else [FIRST, SECOND, THIRD]
    assert found.missing == Differences(len(lost), tuple(lost))
    assert not found.equal


def test_a_row_that_the_source_does_not_have_is_extra(world: World) -> None:
    # Its cursor is ahead of a source that was restored: nothing is pending then.
    found = compared(world, filled(source_of(world.clock), "one", "two"))
    assert differences(found) == (NONE, Differences(1, (THIRD,)), NONE, NONE)
    assert found.source_checksum != found.lake_checksum


def test_a_row_of_another_version_is_stale(world: World) -> None:
    world.source.update("account", SECOND, name="changed")
    found = compared(world, cursor=None)
    assert differences(found) == (NONE, NONE, Differences(1, (SECOND,)), NONE)


def test_a_row_of_the_same_version_and_another_content_is_different(world: World) -> None:
    other = filled(source_of(world.clock), "one", "two", "THREE")
    assert differences(compared(world, other)) == (NONE, NONE, NONE, Differences(1, (THIRD,)))
    assert compared(world, other, checksum=False).equal


def test_without_checksums_none_are_given(world: World) -> None:
    found = compared(world, checksum=False)
    assert (found.source_checksum, found.lake_checksum, found.equal) == (None, None, True)


def test_a_column_that_the_source_no_longer_has_does_not_count(world: World) -> None:
    attributes = tuple(each for each in ACCOUNT.attributes if each.name != "revenue")
    narrow = ACCOUNT.model_copy(update={"attributes": attributes})
    source = source_of(world.clock, narrow)
    for name, created in zip(("one", "two", "three"), MONTHS, strict=True):
        insert_account(source, name, created)
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    found = reconciled(world.lake, source, narrow, checkpoint, NO_KEY, checksum=True)
    assert found.equal
    assert found.source_checksum == found.lake_checksum


def test_a_row_that_the_source_gives_twice_counts_once(world: World) -> None:
    source = filled(source_of(world.clock, batch_size=1, repeat=True), "one", "two", "three")
    found = compared(world, source)
    assert (found.source_rows, found.equal) == (3, True)
    assert found.source_checksum == found.lake_checksum


def test_at_most_five_ids_are_named(world: World) -> None:
    for number in range(7):
        insert_account(world.source, str(number))
    found = compared(world, cursor=None, checksum=False)
    assert (found.missing.count, len(found.missing.examples), found.missing.examples[0]) == (7, 5, FOURTH)


EXPORTED = {
    "columns": ("name",),
    "filter": (Condition(column="revenue", is_null=False),),
    "mask": {"name": Mask.HASH},
}


def test_what_is_not_exported_is_not_missing_and_what_is_masked_does_not_differ(world: World) -> None:
    append_only = world.link.config.entities[0].append_only
    masked = World(world.source, MemoryLake("masked"), world.clock, link())
    masked.mask_key = MaskKey("KEY", lambda _: "a secret of some length")
    masked.relink(linked_entity("account", append_only=append_only, **EXPORTED))
    insert_account(world.source, "left out", revenue=None)
    masked.sync()
    found = compared(masked)
    assert (found.source_rows, found.lake_rows, found.equal) == (3, 3, True)
    assert found.source_checksum == found.lake_checksum
    masked.mask_key = NO_KEY
    assert compared(masked, checksum=False).equal


def test_a_row_that_is_there_again_as_it_was_counts() -> None:
    clock = Clock()
    source = filled(source_of(clock), "one", "two")
    world = World(source, MemoryLake("contosolake"), clock, link())
    for name in ("one", "two", "one"):
        clock.forward(hours=1)
        world.relink(linked_entity("account", append_only=True, filter=[Condition(column="name", equals=name)]))
        world.sync()
    found = compared(world)
    assert (found.source_rows, found.lake_rows, found.equal) == (1, 1, True)
