from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from threading import Event
from typing import Any

import pyarrow as pa
import pytest

from tests.engine.world import ACCOUNT, HOLDER, START, TEAM, World, insert_account, linked_entity, source_of
from toolkit.engine import EntityProgress, Phase, Settings, status
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.errors import CursorExpired, Forbidden, Locked, Refused, Retriable
from toolkit.lake.memory import Call
from toolkit.model.config import PartitionStrategy
from toolkit.model.entity import Attribute, AttributeType, DateTimeBehavior, Entity
from toolkit.model.link import Dropped, EntityState
from toolkit.source.protocol import Batch, Cursor
from toolkit.source.scripted import ScriptedSource

APRIL = datetime(2025, 4, 30, 23, 59, 59, tzinfo=UTC)
MAY = datetime(2025, 5, 1, tzinfo=UTC)


def names(world: World) -> list[str]:
    return sorted(row["name"] for row in world.live("account"))


def with_attribute(name: str, kind: AttributeType) -> Entity:
    more = ACCOUNT.attributes[0].model_copy(update={"name": name, "type": kind})
    return ACCOUNT.model_copy(update={"attributes": (*ACCOUNT.attributes, more)})


# in place


def test_rows_go_to_the_month_in_which_they_were_created(world: World) -> None:
    insert_account(world.source, "a", APRIL)
    insert_account(world.source, "b", MAY)
    report = world.sync().by_entity["account"]
    assert (report.state, report.written, report.partitions) == (EntityState.COMPLETED, 2, ("2025-04", "2025-05"))
    assert world.paths("account") == [
        "account/2025-04.csv",
        "account/2025-05.csv",
        "account/Snapshot/2025-04_1772366400.csv",
        "account/Snapshot/2025-05_1772366400.csv",
    ]


def test_an_update_keeps_when_the_row_came_and_says_when_it_changed(world: World) -> None:
    key = insert_account(world.source, "before")
    world.sync()
    world.clock.forward(minutes=61)
    world.source.update("account", key, name="after")
    world.sync()
    (row,) = world.live("account")
    assert (row["name"], row["SinkCreatedOn"], row["SinkModifiedOn"]) == (
        "after",
        "3/1/2026 12:00:00 PM",
        "3/1/2026 1:01:00 PM",
    )


def test_a_row_whose_createdon_changed_moves_and_keeps_when_it_came(world: World) -> None:
    key = insert_account(world.source, "a", APRIL)
    insert_account(world.source, "b", APRIL)
    world.sync()
    world.clock.forward(minutes=10)
    world.source.update("account", key, createdon=MAY)
    world.sync()
    assert [row[4] for row in world.rows("account/2025-04.csv")] == ["b"]
    assert [row[:2] for row in world.rows("account/2025-05.csv")] == [[key, "3/1/2026 12:00:00 PM"]]


def test_a_deleted_row_is_gone_and_a_part_without_rows_leaves_manifest_and_lake(world: World) -> None:
    key = insert_account(world.source, "a", APRIL)
    insert_account(world.source, "b", MAY)
    world.sync()
    world.clock.forward(minutes=61)
    world.source.delete("account", key)
    report = world.sync().by_entity["account"]
    assert (report.written, report.deleted) == (0, 1)
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2025-05"]
    assert "account/2025-04.csv" not in world.paths()
    assert world.paths("_toolkit/account/index") == ["_toolkit/account/index/2025-05.1.idx"]


def created_as(kind: AttributeType, **more: object) -> Entity:
    """The account with another createdon."""
    created = Attribute.model_validate({"name": "createdon", "type": kind, **more})
    attributes = tuple(created if each.name == "createdon" else each for each in ACCOUNT.attributes)
    return ACCOUNT.model_copy(update={"attributes": attributes})


def test_a_createdon_that_is_a_day_places_rows_as_well(world: World) -> None:
    world.source = source_of(world.clock, created_as(AttributeType.DATETIME, behavior=DateTimeBehavior.DATE_ONLY))
    world.source.insert("account", createdon=date(2025, 4, 30))
    assert world.sync().by_entity["account"].partitions == ("2025-04",)
    assert world.rows("account/2025-04.csv")[0][7] == "2025-04-30T00:00:00.0000000"


def test_a_createdon_that_is_no_time_fails_its_entity_alone_and_no_value_is_told(world: World) -> None:
    world.source = source_of(world.clock, created_as(AttributeType.STRING), TEAM)
    world.source.insert("account", createdon="a secret")
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    reports = world.sync().by_entity
    error = reports["account"].error
    assert error is not None
    assert (error.code, error.what) == ("ENG015", "createdon cannot be written")
    assert error.why == "the source gave the type string"
    assert reports["teammembership"].state is EntityState.COMPLETED


def test_whatever_arrow_says_is_an_error_of_its_entity_and_no_value_is_told(world: World) -> None:
    def read(each: EntityProgress) -> None:
        if each.phase is Phase.READING:
            raise pa.ArrowTypeError("a secret")

    error = world.sync(progress=read).by_entity["account"].error
    assert error is not None
    assert (error.code, error.what, error.why) == (
        "ENG015",
        "a row of account cannot be written",
        "Arrow said ArrowTypeError",
    )


def test_rows_without_createdon_stay_in_the_partition_of_the_pass_that_wrote_them_first(world: World) -> None:
    key = insert_account(world.source, "a", None)  # type: ignore[arg-type]  # null in the source
    world.sync()
    world.clock.forward(days=60)
    world.source.update("account", key, name="b")
    insert_account(world.source, "c", None)  # type: ignore[arg-type]  # null in the source
    world.sync()
    assert [row[4] for row in world.rows("account/2026-03.csv")] == ["b"]
    assert [row[4] for row in world.rows("account/2026-04.csv")] == ["c"]


def test_only_the_parts_that_changed_are_written(world: World) -> None:
    insert_account(world.source, "a", APRIL)
    key = insert_account(world.source, "b", MAY)
    world.sync()
    before = world.lake.stat("account/2025-04.csv")
    world.source.update("account", key, name="c")
    assert world.sync().by_entity["account"].partitions == ("2025-05",)
    assert world.lake.stat("account/2025-04.csv") == before


@pytest.fixture
def idle(world: World) -> World:
    """A link that has nothing to do."""
    insert_account(world.source, "a")
    world.sync()
    return world


def written_in_a_pass(world: World) -> list[Call]:
    lake = world.reopen()
    world.sync()
    reads = {"stat", "list", "read", "lock", "check"}
    return [call for call in lake.calls if call.operation not in reads]


def test_a_pass_without_changes_writes_nothing(idle: World) -> None:
    idle.clock.forward(seconds=59)
    assert written_in_a_pass(idle) == []
    assert status(idle.linked).entities[0].last_synced == idle.clock.now - timedelta(seconds=59)


def test_a_pass_without_changes_asks_the_lake_nothing_of_an_entity(idle: World) -> None:
    lake = idle.reopen()
    idle.sync()
    assert [call for call in lake.calls if "account" in call.path] == [
        ("stat", "_toolkit/account/checkpoint.json"),
        ("read", "_toolkit/account/checkpoint.json"),
    ]


def test_the_status_file_is_written_when_it_is_a_minute_old(idle: World) -> None:
    idle.clock.forward(seconds=60)
    assert written_in_a_pass(idle) == [("put", "_toolkit/status.json")]
    assert status(idle.linked).entities[0].last_synced == idle.clock.now


def test_the_status_file_is_written_when_its_time_is_yet_to_come(idle: World) -> None:
    idle.clock.forward(seconds=-1)
    assert written_in_a_pass(idle) == [("put", "_toolkit/status.json")]


def test_a_failure_and_its_end_are_told_at_once(idle: World) -> None:
    idle.source.fail("account", Forbidden("SRC010", "no"))
    idle.sync()
    assert status(idle.linked).entities[0].reason == "SRC010 no"
    idle.sync()
    assert status(idle.linked).entities[0].reason == ""


def test_a_commit_is_a_sync_though_the_status_file_is_older(idle: World) -> None:
    idle.clock.forward(seconds=30)
    insert_account(idle.source, "b")
    idle.sync()
    assert status(idle.linked).entities[0].last_synced == idle.clock.now


def test_an_entity_that_is_listed_twice_is_synced_once_and_nothing_is_stopped(world: World) -> None:
    insert_account(world.source, "a")
    world.relink(linked_entity("account"), linked_entity("account"))
    report = world.sync()
    assert [(each.entity, each.written) for each in report.entities] == [("account", 1)]
    assert report.stopped is False


def test_a_cursor_that_moved_without_rows_is_written_once_it_is_old(world: World) -> None:
    world.sync()
    first = read_checkpoint(world.lake, "account")[0]
    world.clock.forward(hours=41)
    world.sync()
    assert read_checkpoint(world.lake, "account")[0] == first
    world.clock.forward(hours=1)
    world.sync()
    second = read_checkpoint(world.lake, "account")[0]
    assert second is not None
    assert (second.seq, second.cursor_at) == (2, world.clock.now)


def test_a_full_part_is_followed_by_a_numbered_one(world: World) -> None:
    world.settings = Settings(workers=1, part_limit=400)
    for name in "abcde":
        insert_account(world.source, name, APRIL)
    world.sync()
    insert_account(world.source, "f", APRIL)
    world.sync()
    world.clock.forward(hours=2)
    world.snapshot()
    assert [path for path in world.paths("account") if path.count("/") == 1] == [
        "account/2025-04.csv",
        "account/2025-04_001.csv",
    ]
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2025-04", "2025-04-001"]
    assert sorted(row["name"] for row in world.named("account")) == list("abcdef")


# append-only


@pytest.fixture
def history(world: World) -> World:
    world.relink(linked_entity("account", append_only=True), linked_entity("teammembership"))
    return world


def test_every_change_appends_a_row_and_a_deletion_one_with_id_version_and_createdon(history: World) -> None:
    key = insert_account(history.source, "a", APRIL, revenue=Decimal(5))
    history.sync()
    history.source.update("account", key, name="b")
    history.sync()
    history.clock.forward(minutes=5)
    history.source.delete("account", key)
    report = history.sync().by_entity["account"]
    assert (report.written, report.deleted, report.partitions) == (0, 1, ("2025",))
    rows = history.rows("account/2025.csv")
    assert [row[4] for row in rows] == ["a", "b", ""]
    assert rows[2] == [
        key,
        "3/1/2026 12:05:00 PM",
        "3/1/2026 12:05:00 PM",
        "",
        "",
        "",
        "2",
        "2025-04-30T23:59:59.0000000+00:00",
        "",
        "True",
    ]


def test_a_row_that_came_and_went_between_two_passes_leaves_nothing(history: World) -> None:
    history.sync()
    history.source.delete("account", insert_account(history.source, "a"))
    assert history.sync().by_entity["account"].deleted == 0
    assert history.paths("account") == []


def test_an_id_that_comes_again_after_its_deletion_is_appended(history: World) -> None:
    key = insert_account(history.source, "a")
    history.sync()
    history.source.delete("account", key)
    history.sync()
    history.source.insert("account", accountid=key, name="again")
    history.sync()
    history.source.delete("account", key)
    history.sync()
    rows = history.rows("account/2026.csv")
    assert [(row[4], row[-1]) for row in rows] == [("a", ""), ("", "True"), ("again", ""), ("", "True")]


def test_an_entity_without_createdon_is_append_only_by_year(history: World) -> None:
    key = history.source.insert("teammembership", teamid=HOLDER_TEAM)
    history.sync()
    history.clock.forward(days=365)
    history.source.delete("teammembership", key)
    history.sync()
    assert [row[-1] for row in history.rows("teammembership/2026.csv")] == ["", "True"]
    found = {each.entity: each for each in status(history.linked).entities}["teammembership"]
    assert (found.append_only, found.strategy, found.rows) == (True, PartitionStrategy.YEAR, 2)


HOLDER_TEAM = "00000000-0000-0000-0000-0000000000ff"


def test_a_column_of_another_type_is_refused_where_history_has_the_old_one(history: World) -> None:
    insert_account(history.source, "a", revenue=Decimal(1))
    history.sync()
    retyped = [
        each if each.name != "revenue" else each.model_copy(update={"type": AttributeType.DOUBLE})
        for each in ACCOUNT.attributes
    ]
    history.source.define(ACCOUNT.model_copy(update={"attributes": tuple(retyped)}))
    reports = history.sync().by_entity
    error = reports["account"].error
    assert error is not None
    assert (error.code, str(error.where)) == ("ENG004", "account")
    assert [row[5] for row in history.rows("account/2026.csv")] == ["1.00"]
    assert reports["teammembership"].state is EntityState.COMPLETED


def test_append_only_cannot_be_switched_off_in_place(history: World) -> None:
    insert_account(history.source, "a")
    history.sync()
    history.relink(linked_entity("account"))
    error = history.sync().by_entity["account"].error
    assert error is not None
    assert error.code == "ENG002"
    assert names(history) == ["a"]


# what the source does


def test_an_expired_cursor_reads_all_again_and_writes_what_differs(world: World) -> None:
    gone = insert_account(world.source, "gone", APRIL)
    kept = insert_account(world.source, "kept", MAY)
    world.sync()
    before = world.lake.stat("account/2025-05.csv")
    world.source.delete("account", gone)
    world.source.expire("account")
    report = world.sync().by_entity["account"]
    assert (report.written, report.deleted) == (0, 1)
    assert [row["Id"] for row in world.live("account")] == [kept]
    assert world.lake.stat("account/2025-05.csv") == before


def test_a_resync_of_history_appends_only_what_is_missing(history: World) -> None:
    gone = insert_account(history.source, "gone")
    insert_account(history.source, "kept")
    history.sync()
    history.source.delete("account", gone)
    history.source.expire("account")
    history.sync()
    assert [(row[4], row[-1]) for row in history.rows("account/2026.csv")] == [("gone", ""), ("kept", ""), ("", "True")]


def test_a_source_that_says_expired_at_the_first_sync_is_a_failure(world: World) -> None:
    world.source.fail("account", CursorExpired("0x80044352", "expired"))
    report = world.sync().by_entity["account"]
    assert report.error is not None
    assert report.error.code == "0x80044352"


def test_an_entity_that_cannot_be_tracked_is_compared_by_keys(world: World) -> None:
    untracked = ACCOUNT.model_copy(update={"change_tracking": False})
    world.source = source_of(world.clock, untracked)
    key = insert_account(world.source, "a")
    insert_account(world.source, "b")
    world.sync()
    world.source.delete("account", key)
    world.clock.forward(days=1)
    world.sync()
    assert names(world) == ["b"]


def test_one_failing_entity_does_not_stop_the_others(world: World) -> None:
    world.relink(linked_entity("account"), linked_entity("nowhere"), linked_entity("teammembership"))
    insert_account(world.source, "a")
    world.source.fail("teammembership", Retriable("SRC009", "busy", after=30))
    report = world.sync()
    assert [(each.entity, each.state, each.retry_after) for each in report.entities] == [
        ("account", EntityState.COMPLETED, None),
        ("nowhere", EntityState.FAILED, None),
        ("teammembership", EntityState.FAILED, 30),
    ]
    assert [each.error.code for each in report.failed if each.error] == ["ENG051", "SRC009"]
    assert [(each.entity, each.reason) for each in status(world.linked).entities] == [
        ("account", ""),
        ("nowhere", "ENG051 the source has no entity nowhere"),
        ("teammembership", "SRC009 busy"),
    ]


def test_a_failure_in_the_middle_leaves_what_was_there(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    for name in "bcd":
        insert_account(world.source, name)
    world.source.batch_size = 1
    world.source.fail("account", Forbidden("SRC010", "no"), at=2)
    assert [each.entity for each in world.sync().failed] == ["account"]
    assert names(world) == ["a"]
    world.sync()
    assert names(world) == ["a", "b", "c", "d"]
    assert world.paths("_toolkit/staging") == []


@dataclass
class Cut:
    """A source whose passes end early: after so many batches."""

    whole: ScriptedSource
    batches: int

    @property
    def organization(self) -> str:
        return self.whole.organization

    def entities(self) -> Mapping[str, Entity]:
        return self.whole.entities()

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        return islice(self.whole.changes(entity, columns, after), self.batches)

    def count(self, entity: str) -> int:
        return self.whole.count(entity)

    def size(self, entity: str) -> int:
        return self.whole.size(entity)

    def has(self, entity: str, row_id: str) -> bool:
        return self.whole.has(entity, row_id)

    def mark(self) -> str | None:
        return self.whole.mark()


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_pass_whose_last_batch_is_missing_deletes_nothing(world: World, batches: int) -> None:
    for name in "abc":
        insert_account(world.source, name)
    world.sync()
    world.source.expire("account")
    world.source.batch_size = 1
    error = world.sync(source=Cut(world.source, batches)).by_entity["account"].error
    assert error is not None
    assert error.code == "ENG053"
    assert names(world) == ["a", "b", "c"]


class Silent(Cut):
    """A source that does not give its definitions now."""

    def entities(self) -> Mapping[str, Entity]:
        raise Retriable("SRC009", "busy", after=30)


def test_a_source_that_is_busy_is_waited_for_and_takes_nothing_away(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    report = world.sync(source=Silent(world.source, 0)).by_entity["account"]
    assert report.error is not None
    assert (report.error.code, report.retry_after) == ("SRC009", 30)
    assert names(world) == ["a"]


def test_a_first_pass_without_a_batch_is_not_complete(world: World) -> None:
    error = world.sync(source=Cut(world.source, 0)).by_entity["account"].error
    assert error is not None
    assert (error.code, world.sync().by_entity["account"].state) == ("ENG053", EntityState.COMPLETED)


@pytest.mark.parametrize("strategy", [PartitionStrategy.HALF_MONTH, PartitionStrategy.FIVE_DAY])
def test_a_strategy_whose_file_names_are_unknown_is_refused(world: World, strategy: PartitionStrategy) -> None:
    world.relink(linked_entity("account", partition_strategy=strategy))
    error = world.sync().by_entity["account"].error
    assert error is not None
    assert (error.code, error.fix) == ("ENG001", "choose Month or Year")


def test_rows_of_another_organization_are_refused(world: World) -> None:
    world.sync()
    world.link = world.link.model_copy(update={"organization": "00000000-0000-0000-0000-0000000000bb"})
    with pytest.raises(Refused) as raised:
        world.sync()
    assert raised.value.code == "ENG003"


# the shape of an entity changes


def test_an_added_column_stands_behind_is_delete_in_every_part(world: World) -> None:
    insert_account(world.source, "a", APRIL)
    key = insert_account(world.source, "b", MAY)
    world.sync()
    world.clock.forward(minutes=10)
    world.source.define(with_attribute("fax", AttributeType.STRING))
    world.source.update("account", key, fax="12")
    world.sync()
    assert world.columns("account")[-1] == "IsDelete"  # the old list stands until the next snapshot
    assert [world.rows(f"account/2025-0{month}.csv")[0][-2:] for month in (4, 5)] == [["", ""], ["", "12"]]
    world.snapshot()
    assert world.columns("account")[-2:] == ["IsDelete", "fax"]
    assert [row["fax"] for row in world.named("account")] == ["", "12"]


def test_a_dropped_column_stays_and_later_rows_have_nothing_in_it(world: World) -> None:
    insert_account(world.source, "a", revenue=Decimal(1))
    world.sync()
    kept = tuple(attribute for attribute in ACCOUNT.attributes if attribute.name != "revenue")
    world.source.define(ACCOUNT.model_copy(update={"attributes": kept}))
    insert_account(world.source, "b")
    world.sync()
    assert [row["revenue"] for row in world.live("account")] == ["1.00", ""]


def test_a_column_of_another_type_writes_the_entity_anew_while_readers_keep_the_old(world: World) -> None:
    insert_account(world.source, "a", revenue=Decimal(1))
    world.sync()
    world.clock.forward(minutes=10)
    retyped = [
        a if a.name != "revenue" else a.model_copy(update={"type": AttributeType.DOUBLE}) for a in ACCOUNT.attributes
    ]
    world.source = source_of(world.clock, ACCOUNT.model_copy(update={"attributes": tuple(retyped)}))
    insert_account(world.source, "a", revenue=1.5)
    world.sync()
    assert [row[5] for row in world.rows("account/2026-03.csv")] == ["1.5"]
    assert [row["revenue"] for row in world.named("account")] == ["1.00"]
    world.snapshot()
    assert [row["revenue"] for row in world.named("account")] == ["1.5"]


def test_another_strategy_is_built_aside_and_swapped_with_the_next_snapshot(world: World) -> None:
    insert_account(world.source, "a", APRIL)
    insert_account(world.source, "b", MAY)
    world.sync()
    world.relink(linked_entity("account", partition_strategy=PartitionStrategy.YEAR))
    world.clock.forward(minutes=10)
    world.sync()
    assert [path for path in world.paths("account") if path.count("/") == 1] == ["account/2025.csv"]
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2025-04", "2025-05"]
    assert sorted(row["name"] for row in world.named("account")) == ["a", "b"]
    world.snapshot()
    assert [partition["name"] for partition in world.entity("account")["partitions"]] == ["2025"]


# entities come and go


def test_an_entity_is_listed_before_its_first_sync_is_complete(world: World) -> None:
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    world.sync(entities=["account"])
    entity = world.entity("teammembership")
    assert entity["annotations"][1] == {"name": "Athena:InitialSyncState", "value": "InProgress"}
    assert (entity["partitions"], len(entity["attributes"])) == ([], 7)
    assert status(world.linked).entities[1].state is EntityState.IN_PROGRESS


def test_an_empty_entity_completes_without_partitions(world: World) -> None:
    world.sync()
    entity = world.entity("account")
    assert [annotation["value"] for annotation in entity["annotations"]] == [
        "Month",
        "Completed",
        "3/1/2026 12:00:00 PM",
    ]
    assert entity["partitions"] == []


SNAPSHOT = "account/Snapshot/2026-03_1772366400.csv"
KEPT = [
    "_kept/account/20260301T120000Z/2026-03.csv",
    "_kept/account/20260301T120000Z/account-EntityMetadata.json",
    "_kept/account/20260301T120000Z/account-model.json",
]
KEPT_SNAPSHOT = "_kept/account/20260301T120000Z/Snapshot/2026-03_1772366400.csv"


def taken_off(world: World, **how: Any) -> None:
    """Take the account off a link that goes on."""
    insert_account(world.source, "a")
    world.sync()
    world.relink(linked_entity("teammembership"), **how)
    assert world.sync().retired == ("account",)


def test_an_entity_that_is_taken_off_leaves_the_manifest_and_its_files_are_kept(world: World) -> None:
    taken_off(world)
    assert [entity["name"] for entity in world.manifest()["entities"]] == ["teammembership"]
    assert (world.paths("_kept"), world.paths("account")) == (KEPT, [SNAPSHOT])
    assert world.paths("_toolkit/account") == ["_toolkit/account/checkpoint.json"]


def test_its_snapshots_follow_when_readers_have_had_their_grace(world: World) -> None:
    taken_off(world)
    world.clock.forward(minutes=59)
    assert world.sync().retired == ()
    assert world.paths("account") == [SNAPSHOT]
    world.clock.forward(minutes=1)
    assert world.sync().retired == ()
    assert (world.paths("account"), world.paths("_toolkit/account")) == ([], [])
    assert world.paths("_kept") == sorted([*KEPT, KEPT_SNAPSHOT])


def test_they_follow_at_once_when_it_is_linked_again(world: World) -> None:
    taken_off(world)
    world.relink(linked_entity("account"), dropped=account_dropped(2))
    report = world.sync()
    assert report.by_entity["account"].written == 1
    assert KEPT_SNAPSHOT in world.paths("_kept")
    assert [row["name"] for row in world.named("account")] == ["a"]


def test_the_files_of_a_link_that_ends_are_set_aside_at_once(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    world.relink(active=False)
    assert world.sync().retired == ("account",)
    assert world.manifest()["entities"] == []
    assert world.paths("_kept") == sorted([*KEPT, KEPT_SNAPSHOT])
    assert [path for path in world.paths() if "account" in path and not path.startswith("_kept")] == []
    assert world.paths("_toolkit/account") == []


def test_a_second_retirement_within_a_second_is_kept_beside_the_first(world: World) -> None:
    for name in "ab":
        world.source = source_of(world.clock)
        insert_account(world.source, name)
        world.relink(linked_entity("account"))
        world.sync()
        world.relink()
        world.sync()
    kept = [path for path in world.paths("_kept") if path.endswith("2026-03.csv")]
    assert [(path, world.rows(path)[0][4]) for path in kept] == [
        ("_kept/account/20260301T120000Z/2026-03.csv", "a"),
        ("_kept/account/20260301T120001Z/2026-03.csv", "b"),
    ]


def test_data_that_was_named_is_deleted_and_linking_again_starts_clean(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    world.relink(dropped=(Dropped(entity="account", keep=False),))
    world.sync()
    assert [path for path in world.paths() if not path.startswith("OptionsetMetadata/")] == [SNAPSHOT, "model.json"]
    world.clock.forward(hours=1)
    world.sync()
    assert [path for path in world.paths() if not path.startswith("OptionsetMetadata/")] == ["model.json"]
    world.relink(linked_entity("account"))
    assert world.sync().by_entity["account"].written == 1


def account_dropped(generation: int, *, keep: bool = True) -> tuple[Dropped, ...]:
    return (Dropped(entity="account", keep=keep, generation=generation),)


def test_an_entity_taken_off_and_linked_again_between_two_passes_starts_clean_and_keeps_the_old(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    world.relink(linked_entity("account"), dropped=account_dropped(2))
    report = world.sync()
    assert (report.retired, report.by_entity["account"].written) == (("account",), 1)
    assert world.paths("_kept")[0] == "_kept/account/20260301T120000Z/2026-03.csv"
    assert names(world) == ["a"]


def test_an_entity_that_began_after_it_was_taken_off_goes_on(world: World) -> None:
    world.relink(linked_entity("account"), dropped=account_dropped(2))
    world.sync()
    world.relink(linked_entity("account"), dropped=account_dropped(2))
    assert world.sync().retired == ()


def test_the_last_time_it_was_taken_off_says_whether_data_is_kept(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    dropped = (*account_dropped(3, keep=False), *account_dropped(2))
    world.relink(linked_entity("account"), generation=3, dropped=dropped)
    assert world.sync().retired == ("account",)
    assert world.paths("_kept") == []


def test_an_unlinked_lake_is_retired_whole(world: World) -> None:
    insert_account(world.source, "a")
    world.sync()
    world.relink(linked_entity("account"), active=False)
    report = world.sync()
    assert (report.entities, report.retired) == ((), ("account",))
    assert status(world.linked).entities == ()


# locks, stops, progress


def test_a_second_writer_is_told_who_holds_the_lock(world: World) -> None:
    fence = world.lake.lock("writer", HOLDER)
    with pytest.raises(Locked, match="locked by test on here, process 1"):
        world.sync()
    fence.release()
    assert world.sync().failed == ()


def test_a_stop_between_two_batches_leaves_everything_as_it_was(world: World) -> None:
    world.source.batch_size = 1
    for name in "abc":
        insert_account(world.source, name)
    asked = iter([False, True])
    report = world.sync(stop=lambda: next(asked, True))
    assert (report.stopped, report.entities) == (True, ())
    assert world.paths("account") == []
    assert world.paths("_toolkit/staging") == []
    assert world.sync().by_entity["account"].written == 3


def test_an_exception_ends_what_is_at_work_and_begins_nothing_more(world: World) -> None:
    many = [ACCOUNT.model_copy(update={"name": f"account{number}"}) for number in range(9)]
    world.source = source_of(world.clock, *many)
    world.relink(*(linked_entity(each.name) for each in many))
    begun: list[str] = []

    def interrupted(each: EntityProgress) -> None:
        if begun:
            Event().wait(0.05)  # gives the main thread a chance, nine times, to see the first failure
        begun.append(each.entity)
        raise Locked("LAK003", "lost")

    with pytest.raises(Locked):
        world.sync(progress=interrupted)
    assert begun[0] == "account0"
    assert len(begun) < 9


def test_a_stop_reads_nothing_of_the_entities_that_wait(world: World) -> None:
    world.source.fail("account", Forbidden("SRC010", "no"))
    report = world.sync(stop=lambda: True)
    assert (report.stopped, report.failed) == (True, ())


def test_progress_tells_rows_of_a_total(world: World) -> None:
    world.source.batch_size = 2
    for name in "abc":
        insert_account(world.source, name)
    told: list[EntityProgress] = []
    world.sync(progress=told.append)
    assert [(each.phase, each.rows, each.total) for each in told] == [
        (Phase.READING, 2, 3),
        (Phase.READING, 3, 3),
        (Phase.WRITING, 0, None),
        (Phase.DONE, 3, None),
    ]


def test_several_entities_are_synced_at_once(world: World) -> None:
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    world.settings = Settings(workers=3)
    insert_account(world.source, "a")
    world.source.insert("teammembership", teamid=HOLDER_TEAM)
    assert [each.written for each in world.sync().entities] == [1, 1]


def test_status_of_a_link_that_was_never_synced(world: World) -> None:
    found = status(world.linked)
    assert found.manifest_current is False
    assert (found.entities[0].state, found.entities[0].last_synced) == (EntityState.NOT_STARTED, None)


def test_status_names_the_oldest_change_that_no_snapshot_holds(world: World) -> None:
    world.sync()
    world.clock.forward(minutes=5)
    insert_account(world.source, "a")
    world.sync()
    changed = world.clock.now
    world.clock.forward(minutes=5)
    insert_account(world.source, "b")
    world.sync()
    found = status(world.linked)
    assert found.manifest_current
    assert found.entities[0].changed_since_snapshot == changed
    assert (found.entities[0].last_snapshot, found.entities[0].last_synced) == (START, world.clock.now)
