"""A repair finds what is gone or damaged and makes it good; after a failover to an older copy it ends at the source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from tests.engine.test_healing import OLD, A, B, appended, filled, new_world, spoil, world
from tests.engine.test_recovery import PART
from tests.engine.world import HOLDER, World, copied, insert_account, linked_entity
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.inspection import Role
from toolkit.engine.pins import pin
from toolkit.engine.repair import Repaired, inspect, repair
from toolkit.errors import Forbidden, Locked, Refused
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.config import LinkedEntity

__all__ = ["appended", "world"]

NAMED = "account/Snapshot/2026-03_1772366400.csv"
IN_PLACE, APPEND_ONLY = linked_entity("account"), linked_entity("account", append_only=True)
STATE, DATA, TAIL = ("_toolkit/account/", "_toolkit/status"), ("account/", "model.json"), ("account/2026",)


def repaired(world: World, entities: list[str] | None = None) -> Repaired:
    return repair(
        world.linked, world.source, clock=world.clock, holder=HOLDER, entities=entities, settings=world.settings
    )


def roles(world: World) -> list[Role]:
    found = inspect(world.linked)
    return [fault.role for each in found.entities.values() for fault in each] + [fault.role for fault in found.common]


def everything(world: World) -> dict[str, bytes]:
    return {stat.path: world.lake.read(stat.path) for stat in world.lake.list("")}


def named(world: World) -> list[str]:
    return sorted(row["name"] for row in world.named("account"))


def test_nothing_wrong_is_said_and_nothing_written(world: World) -> None:
    lake, before = world.reopen(), everything(world)
    done = repaired(world)
    assert (done.found.clean, done.whole, done.reports) == (True, True, ())
    assert everything(world) == before
    assert {call.operation for call in lake.calls} & {"put", "publish", "stage", "delete", "snapshot"} == set()


def test_a_look_alone_writes_nothing(world: World) -> None:
    spoil(world)
    before = everything(world)
    assert roles(world) == [Role.LIVE]
    assert everything(world) == before


def test_a_lock_of_somebody_else_is_told(world: World) -> None:
    world.lake.lock("writer", HOLDER)
    world.reopen()
    with pytest.raises(Locked):
        repaired(world)


def test_an_index_is_made_anew_to_the_byte(world: World) -> None:
    before = everything(world)
    index = next(path for path in before if path.endswith(".idx"))
    for data in (None, b"spoiled"):
        world.lake.delete(index) if data is None else spoil(world, index, data)
        assert roles(world) == [Role.INDEX]
        assert repaired(world).whole
        assert everything(world) == before


def test_a_live_file_is_made_again_of_its_snapshot_or_of_the_source(world: World) -> None:
    spoil(world)
    done = repaired(world)
    assert (done.whole, [each.code for each in done.notices]) == (True, ["ENG006"])
    world.lake.delete(PART)
    world.lake.delete(NAMED)
    done = repaired(world)
    assert (done.whole, [each.code for each in done.notices][-1]) == (True, "ENG007")
    assert (named(world), roles(world)) == (["a", "b", "old"], [])


@pytest.mark.parametrize("harm", [lambda world: world.lake.delete(NAMED), lambda world: spoil(world, NAMED)])
def test_a_named_snapshot_is_made_anew_under_another_second(world: World, harm: Callable[[World], None]) -> None:
    harm(world)
    assert roles(world) == [Role.NAMED]
    assert repaired(world).whole
    assert (named(world), world.lake.stat(NAMED), roles(world)) == (["a", "b", "old"], None, [])


def test_an_older_snapshot_is_taken_off_the_list_and_removed(world: World) -> None:
    world.source.update("account", A, name="c")
    world.clock.forward(hours=2)
    world.sync()
    before = world.manifest()
    spoil(world, NAMED)
    assert roles(world) == [Role.KEPT]
    assert repaired(world).whole
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is not None
    assert NAMED not in [each.path for each in checkpoint.snapshots]
    assert (world.lake.stat(NAMED), world.manifest(), roles(world)) == (None, before, [])


def test_metadata_and_the_manifest_are_made_anew(world: World) -> None:
    before = world.files()
    spoil(world, "OptionsetMetadata/OptionsetMetadata.csv")
    world.lake.delete("Microsoft.Athena.TrickleFeedService/account-EntityMetadata.json")
    spoil(world, "model.json")
    assert roles(world) == [Role.METADATA, Role.METADATA, Role.MANIFEST]
    assert repaired(world).whole
    assert (world.files(), roles(world)) == (before, [])


def test_a_source_that_gives_no_rows_leaves_what_only_it_has(world: World) -> None:
    world.lake.delete(NAMED)
    spoil(world)
    before = world.manifest()
    world.source.fail("account", Forbidden("SRC010", "no"), at=0)
    done = repaired(world)
    assert (done.whole, [each.error.code for each in done.reports if each.error]) == (False, ["SRC010"])
    assert done.left.incomplete == ("account",)
    assert world.manifest() == before
    assert repaired(world).whole
    assert (named(world), roles(world)) == (["a", "b", "old"], [])


def test_history_that_is_lost_is_told_and_what_is_left_is_kept(appended: World) -> None:
    appended.lake.delete(next(path for path in appended.paths("_toolkit/account/index") if "/2026." in path))
    for path in appended.paths("account/Snapshot"):
        appended.lake.delete(path)
    appended.lake.delete("account/2026.csv")
    done = repaired(appended)
    assert (done.whole, done.left.clean) == (False, True)
    assert [each.code for each in done.notices] == ["ENG008"]
    assert sorted(row["name"] for row in appended.live("account")) == ["a again", "old"]


# the delete log


def logged() -> tuple[World, str]:
    world = filled()
    world.configure(write_delete_log=True)
    world.source.delete("account", A)
    world.sync()
    world.source.delete("account", B)
    world.clock.forward(days=2)
    world.sync()
    (path,) = world.paths("_deleted")
    return world, path


def test_whole_lines_of_the_delete_log_are_kept() -> None:
    world, path = logged()
    lines = world.lake.read(path).splitlines(keepends=True)
    spoil(world, path, lines[0][5:] + lines[1])
    assert roles(world) == [Role.LOG]
    done = repaired(world)
    assert (done.whole, [fault.path for fault in done.lost]) == (False, [path])
    assert (world.lake.read(path), roles(world)) == (lines[1], [])


def test_a_delete_log_that_is_gone_begins_anew() -> None:
    world, path = logged()
    world.lake.delete(path)
    assert not repaired(world).whole
    assert roles(world) == []
    world.source.delete("account", next(iter(row["Id"] for row in world.live("account"))))
    world.sync()
    assert len(world.lake.read(path).splitlines()) == 1


# pins


def pinned() -> World:
    world = filled()
    pin(world.lake, "q1", clock=world.clock, holder=HOLDER)
    return world


@pytest.mark.parametrize("harm", [lambda world, path: world.lake.delete(path), spoil])
def test_a_pinned_file_is_made_again_of_its_snapshot(harm: Callable[[World, str], None]) -> None:
    world = pinned()
    path = "_pins/q1/account/2026-03_1772366400.csv"
    harm(world, path)
    assert roles(world) == [Role.PIN]
    assert repaired(world).whole
    (file,) = [each for each in world.paths("_pins/q1/account") if "2026-03" in each]
    assert (world.lake.read(file), roles(world)) == (world.lake.read(NAMED), [])


def test_a_pinned_file_without_another_of_its_content_is_told() -> None:
    world = pinned()
    path = "_pins/q1/account/2026-03_1772366400.csv"
    world.lake.delete(path)
    spoil(world, NAMED)
    done = repaired(world)
    assert (done.whole, [fault.path for fault in done.left.common]) == (False, [path])


# a lagging copy


def history(entity: LinkedEntity) -> tuple[World, dict[str, bytes]]:
    """A lake that went on after a copy of it was made: rows changed, came, and went; the copy."""
    world = new_world(entity)
    for name in "abd":
        insert_account(world.source, name)
    insert_account(world.source, "old", OLD)
    world.sync()
    world.clock.forward(hours=2)
    world.source.update("account", A, name="a again")
    world.sync()
    before = everything(world)
    world.clock.forward(days=2)
    world.source.update("account", A, name="a once more")
    world.source.delete("account", B)
    insert_account(world.source, "new", world.clock())
    insert_account(world.source, "next year", world.clock().replace(year=2027))
    world.sync()
    world.clock.forward(days=2)
    world.source.delete("account", world.live("account")[0]["Id"])
    insert_account(world.source, "last", world.clock())
    world.sync()
    return world, before


def lag(world: World, before: dict[str, bytes], folders: tuple[str, ...]) -> None:
    """Let the files below some folders be those of the copy."""
    for path in [path for path in everything(world) if path.startswith(folders)]:
        world.lake.delete(path)
    for path in [path for path in before if path.startswith(folders)]:
        world.lake.put(path, before[path], "any")


def require_the_rows_of_the_source(world: World) -> None:
    """The last version of each row that is not deleted is what the source has, in live files and for readers."""
    expected = sorted(str(row["name"]) for row in rows_of(world))
    for rows in (world.live("account"), world.named("account")):
        keys = [(row["Id"], row["versionnumber"], row["IsDelete"]) for row in rows]
        assert len(set(keys)) == len(keys)
        last: dict[str, dict[str, str]] = {}
        for row in sorted(rows, key=lambda row: (int(row["versionnumber"]), row["IsDelete"] == "True")):
            last[row["Id"]] = row
        assert sorted(row["name"] for row in last.values() if row["IsDelete"] != "True") == expected


def rows_of(world: World) -> list[dict[str, object]]:
    batches = world.source.changes("account", ("accountid", "name"), None)
    return [row for batch in batches for row in batch.rows.to_pylist()]


LAGS = {
    "older state, newer data": STATE,
    "newer state, older data": DATA,
    "older checkpoint alone": ("_toolkit/account/checkpoint.json",),
    "older live files alone": ("account/20",),
    "older snapshots alone": ("account/Snapshot",),
    "older tail": TAIL,
    "older manifest": ("model.json",),
}


@pytest.mark.parametrize("entity", [IN_PLACE, APPEND_ONLY], ids=["in place", "append-only"])
@pytest.mark.parametrize("folders", LAGS.values(), ids=LAGS.keys())
def test_a_lagging_copy_ends_where_the_source_is(entity: LinkedEntity, folders: tuple[str, ...]) -> None:
    world, before = history(entity)
    lag(world, before, folders)
    kept = world.live("account") if entity.append_only else []
    repaired(world)
    assert roles(world) == []
    assert [row for row in kept if row not in world.live("account")] == []
    world.sync()
    world.clock.forward(days=1)
    world.sync()
    require_the_rows_of_the_source(world)
    assert roles(world) == []


# the checkpoint


@pytest.mark.parametrize("data", [None, b"spoiled"])
def test_a_checkpoint_is_made_anew_of_the_files(world: World, data: bytes | None) -> None:
    path = "_toolkit/account/checkpoint.json"
    world.lake.delete(path) if data is None else spoil(world, path, data)
    assert [each.code for each in inspect(world.linked).errors] == ["ENG035" if data is None else "ENG031"]
    done = repaired(world)
    assert (done.whole, [each.code for each in done.notices]) == (True, ["ENG033"])
    assert (named(world), roles(world)) == (["a", "b", "old"], [])


def test_a_checkpoint_of_a_newer_format_is_left_alone(world: World) -> None:
    path = "_toolkit/account/checkpoint.json"
    spoil(world, path, world.lake.read(path).replace(b'"format": 1', b'"format": 2'))
    before = world.files()
    done = repaired(world)
    assert (done.whole, [each.code for each in done.left.errors]) == (False, ["ENG032"])
    assert world.files() == before


def test_only_the_entities_that_are_named_are_looked_at(world: World) -> None:
    spoil(world)
    assert repaired(world, entities=["teammembership"]).found.clean
    assert repaired(world, entities=["account"]).reports[0].notices[0].code == "ENG006"


def test_a_lake_of_another_organization_is_not_touched(world: World) -> None:
    spoil(world)
    world.lake.delete(NAMED)
    before = everything(world)
    world.link = world.link.model_copy(update={"organization": "00000000-0000-0000-0000-0000000000bb"})
    with pytest.raises(Refused):
        repaired(world)
    assert everything(world) == before


# crashes


def harm_files(world: World) -> None:
    """Of each kind of file one that is damaged or gone; the live file has no snapshot."""
    world.lake.delete(NAMED)
    spoil(world)
    world.lake.delete(world.paths("_toolkit/account/index")[0])
    spoil(world, "OptionsetMetadata/OptionsetMetadata.csv")
    world.lake.delete(next(path for path in world.paths("_pins") if "2025-05" in path))


def pinned_with(harm: Callable[[World], None]) -> World:
    world = pinned()
    harm(world)
    return world


def lagging() -> World:
    world, before = history(APPEND_ONLY)
    lag(world, before, STATE)
    return world


def missing(world: World) -> set[str]:
    """The files that the manifest names, and that are not there."""
    paths = [each["location"].removeprefix("memory://lake/") for each in world.entity("account")["partitions"]]
    return {path for path in paths if world.lake.stat(path) is None}


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
@pytest.mark.parametrize(
    ("build", "stride"), [(lambda: pinned_with(harm_files), 1), (lagging, 7)], ids=["files", "lag"]
)
def test_a_second_repair_ends_one_that_died_in_any_call(build: Callable[[], World], stride: int, kind: Kind) -> None:
    harmed = build()
    assert isinstance(harmed.lake, MemoryLake)
    gone, origin = missing(harmed), harmed.lake
    harmed.lake = copied(origin)
    repaired(harmed)
    expected = named(harmed)
    different = []
    for call in count(1, stride):
        harmed.lake = copied(origin)
        harmed.reopen().fail(call, kind)
        with suppress(Crashed):
            repaired(harmed)
            break
        harmed.reopen()
        read = missing(harmed)
        repaired(harmed)
        whole = roles(harmed) == [] and named(harmed) == expected and not harmed.paths("_toolkit/staging")
        if read - gone or not whole:
            different.append((call, read - gone, roles(harmed), named(harmed)))
    assert call > 40
    assert different == []
