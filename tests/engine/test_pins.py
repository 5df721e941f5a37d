"""Pins: what the manifest names at a moment stays readable, whatever the engine does meanwhile and afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.engine.world import HOLDER, Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine.opening import WRITER_LOCK
from toolkit.engine.pins import PINS_LOCK, pin, pins, unpin
from toolkit.errors import Damaged, Locked, NotFound, Refused
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.lake.protocol import ABSENT, Etag, Stat
from toolkit.model.link import Dropped

OLD = datetime(2025, 5, 1, tzinfo=UTC)


def synced(lake: MemoryLake | FolderLake | None = None) -> World:
    """Accounts of two months, with a first snapshot."""
    clock = Clock()
    world = World(source_of(clock), lake or MemoryLake(clock=clock), clock, link(linked_entity("account")))
    insert_account(world.source, "a", OLD)
    insert_account(world.source, "b")
    world.sync()
    return world


@pytest.fixture
def pinned() -> World:
    world = synced()
    pin(world.lake, "first", clock=world.clock, holder=HOLDER)
    return world


def held(world: World, name: str) -> dict[str, list[str]]:
    """The lines that a reader of a pin's manifest finds, by partition."""
    manifest = json.loads(world.lake.read(f"_pins/{name}/model.json"))
    head = world.lake.location("x").removesuffix("x")
    (account,) = manifest["entities"]
    paths = {each["name"]: each["location"].removeprefix(head) for each in account["partitions"]}
    return {partition: [row[4] for row in world.rows(path)] for partition, path in paths.items()}


def grow_old(world: World) -> None:
    """Change every part often enough that retention takes the first snapshots."""
    for number in range(7):
        world.clock.forward(hours=3)
        for row in (1, 2):
            world.source.update("account", f"00000000-0000-0000-0000-{row:012x}", name=f"{number}")
        world.sync()


def test_a_pin_has_a_manifest_and_files_of_its_own(pinned: World) -> None:
    assert pinned.paths("_pins") == [
        "_pins/first/account/2025-05_1772366400.csv",
        "_pins/first/account/2026-03_1772366400.csv",
        "_pins/first/model.json",
    ]
    assert held(pinned, "first") == {"2025-05": ["a"], "2026-03": ["b"]}


def test_a_pins_manifest_is_the_one_of_the_moment_with_other_places_and_its_origin(pinned: World) -> None:
    manifest = json.loads(pinned.lake.read("_pins/first/model.json"))
    assert manifest.pop("modifiedTime") == "2026-03-01T12:00:00+00:00"
    assert manifest.pop("annotations") == [{"name": "toolkit:PinnedBy", "value": "test"}]
    for entity in manifest["entities"]:
        for partition in entity["partitions"]:
            partition["location"] = partition["location"].replace("_pins/first/account", "account/Snapshot")
    assert manifest == pinned.manifest()


def test_a_pin_outlives_retention_and_never_changes(pinned: World) -> None:
    before = {path: pinned.lake.read(path) for path in pinned.paths("_pins")}
    grow_old(pinned)
    assert "account/Snapshot/2026-03_1772366400.csv" not in pinned.paths()
    assert {path: pinned.lake.read(path) for path in pinned.paths("_pins")} == before


@pytest.mark.parametrize("keep", [True, False])
def test_a_pin_outlives_its_entity(pinned: World, keep: bool) -> None:
    pinned.relink(dropped=(Dropped(entity="account", keep=keep, generation=2),))
    pinned.sync()
    # Readers have an hour's grace.
    pinned.clock.forward(hours=2)
    pinned.sync()
    assert pinned.paths("account") == []
    assert held(pinned, "first") == {"2025-05": ["a"], "2026-03": ["b"]}


def test_unpinning_removes_the_pin_and_nothing_else(pinned: World) -> None:
    pin(pinned.lake, "second", clock=pinned.clock, holder=HOLDER)
    before = pinned.paths()
    unpin(pinned.lake, "first", holder=HOLDER)
    assert pinned.paths() == [path for path in before if "_pins/first" not in path]
    assert [each.name for each in pins(pinned.lake)] == ["second"]


def test_pins_are_listed_with_what_they_hold(pinned: World) -> None:
    (only,) = pins(pinned.lake)
    assert (only.name, only.at, only.by, only.entities, only.files) == ("first", pinned.clock.now, "test", 1, 2)
    assert only.bytes == sum(stat.size for stat in pinned.lake.list("account/Snapshot"))
    assert only.manifest == "memory://lake/_pins/first/model.json"


def test_a_name_is_pinned_once(pinned: World) -> None:
    with pytest.raises(Refused, match="there is a pin 'first' already"):
        pin(pinned.lake, "first", clock=pinned.clock, holder=HOLDER)


@pytest.mark.parametrize("name", ["", "A", "a/b", ".a", "a b", "x" * 65])
def test_a_pin_has_a_plain_name(pinned: World, name: str) -> None:
    with pytest.raises(Refused) as caught:
        pin(pinned.lake, name, clock=pinned.clock, holder=HOLDER)
    assert caught.value.code == "ENG085"


def test_an_unknown_pin_is_answered_with_the_nearest(pinned: World) -> None:
    with pytest.raises(NotFound) as caught:
        unpin(pinned.lake, "frist", holder=HOLDER)
    assert (caught.value.code, caught.value.fix) == ("ENG082", "did you mean 'first'?")


@pytest.mark.parametrize("data", [None, b"{", b"[]", b'{"entities": 1}', b'{"entities": []}'])
def test_without_a_manifest_there_is_nothing_to_pin(data: bytes | None) -> None:
    world = World(source_of(Clock()), MemoryLake(), Clock(), link())
    if data is not None:
        world.lake.put("model.json", data, ABSENT)
    with pytest.raises(Refused) as caught:
        pin(world.lake, "first", clock=world.clock, holder=HOLDER)
    assert caught.value.code == "ENG083"


def test_a_manifest_that_names_a_lost_file_is_not_pinned() -> None:
    world = synced()
    world.lake.delete("account/Snapshot/2026-03_1772366400.csv")
    with pytest.raises(Damaged) as caught:
        pin(world.lake, "first", clock=world.clock, holder=HOLDER)
    assert caught.value.code == "ENG084"
    assert pins(world.lake) == ()


def test_an_engine_at_work_does_not_hinder_a_pin(pinned: World) -> None:
    pinned.lake.lock(WRITER_LOCK, HOLDER)
    pin(pinned.lake, "second", clock=pinned.clock, holder=HOLDER)
    assert held(pinned, "second") == held(pinned, "first")


def test_two_commands_about_pins_never_meet(pinned: World) -> None:
    pinned.lake.lock(PINS_LOCK, HOLDER)
    with pytest.raises(Locked):
        unpin(pinned.lake, "first", holder=HOLDER)
    assert len(pinned.paths("_pins")) == 3


def test_on_a_folder_a_pin_is_a_further_name(tmp_path: Path) -> None:
    world = synced(FolderLake(tmp_path))
    pin(world.lake, "first", clock=world.clock, holder=HOLDER)
    one, other = (tmp_path / below / "2025-05_1772366400.csv" for below in ("account/Snapshot", "_pins/first/account"))
    assert one.samefile(other)
    unpin(world.lake, "first", holder=HOLDER)
    assert one.is_file()


def test_a_pin_follows_a_lake_that_was_moved(tmp_path: Path) -> None:
    world = synced(FolderLake(tmp_path / "old"))
    pin(world.lake, "first", clock=world.clock, holder=HOLDER)
    (tmp_path / "old").rename(tmp_path / "new")
    world.lake = FolderLake(tmp_path / "new")
    world.sync()
    pin(world.lake, "second", clock=world.clock, holder=HOLDER)
    assert held(world, "first") == held(world, "second") == {"2025-05": ["a"], "2026-03": ["b"]}


def test_a_pin_whose_manifest_is_damaged_can_be_given_up(pinned: World) -> None:
    pinned.lake.put("_pins/first/model.json", b"{", "any")
    with pytest.raises(Damaged) as caught:
        pins(pinned.lake)
    assert caught.value.code == "ENG086"
    unpin(pinned.lake, "first", holder=HOLDER)
    assert pinned.paths("_pins") == []


# --- whatever happens at any call -----------------------------------------------------------------------------------


def calls_of(do: Callable[[World], None], kind: Kind) -> Iterator[World]:
    """Yield the world after a crash in each call of a command about pins."""
    for call in count(1):
        world = synced()
        pin(world.lake, "other", clock=world.clock, holder=HOLDER)
        lake = world.reopen()
        lake.fail(call, kind)
        with suppress(Crashed):
            do(world)
            return
        world.reopen()
        yield world


@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_pin_that_was_cut_off_is_whole_or_not_there_and_can_be_made_again(kind: Kind) -> None:
    def make(world: World) -> None:
        pin(world.lake, "first", clock=world.clock, holder=HOLDER)

    crashes = list(calls_of(make, kind))
    for world in crashes:
        if len(pins(world.lake)) == 1:
            make(world)
        assert held(world, "first") == {"2025-05": ["a"], "2026-03": ["b"]}
        assert len(world.paths("_pins")) == 6
    assert len(crashes) > 8


@pytest.mark.parametrize("kind", ["before", "after"])
def test_an_unpin_that_was_cut_off_is_finished_by_the_next_command(kind: Kind) -> None:
    def remove(world: World) -> None:
        unpin(world.lake, "other", holder=HOLDER)

    crashes = list(calls_of(remove, kind))
    for world in crashes:
        if pins(world.lake):
            assert held(world, "other") == {"2025-05": ["a"], "2026-03": ["b"]}
            remove(world)
        else:
            pin(world.lake, "new", clock=world.clock, holder=HOLDER)
        assert not [path for path in world.paths("_pins") if "other" in path]
    assert len(crashes) > 4


class Interrupted(MemoryLake):
    """A lake in whose call number ``at`` of a kind that reads or copies something else happens before."""

    def __init__(self, lake: MemoryLake, at: int, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        other = lake.reopen()
        self._store, self._process = other._store, other._process
        self._at, self._meanwhile, self.number = at, meanwhile, 0

    def _turn(self) -> None:
        self.number += 1
        if self.number == self._at:
            self._meanwhile()

    def stat(self, path: str) -> Stat | None:
        self._turn()
        return super().stat(path)

    def list(self, prefix: str) -> Iterator[Stat]:
        self._turn()
        return super().list(prefix)

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        self._turn()
        return super().read(path, start, length)

    def snapshot(self, path: str, to: str, etag: Etag) -> Etag:
        self._turn()
        return super().snapshot(path, to, etag)


def drop(world: World) -> None:
    """Take the entity off, which gives readers no hour of grace, and let it come again with another row."""
    world.relink()
    world.sync()
    insert_account(world.source, "c")
    world.relink(linked_entity("account"))
    world.clock.forward(minutes=1)
    world.sync()


@pytest.mark.parametrize(("meanwhile", "after"), [(grow_old, ["6"]), (drop, ["b", "c"])])
def test_whenever_the_engine_comes_between_a_pin_holds_one_manifest_as_a_whole(
    meanwhile: Callable[[World], None], after: list[str]
) -> None:
    seen = []
    for call in count(1):
        world = synced()
        assert isinstance(world.lake, MemoryLake)
        lake = Interrupted(world.lake, call, partial(meanwhile, world))
        pin(lake, "first", clock=world.clock, holder=HOLDER)
        if lake.number < call:
            break
        grow_old(world)
        seen.append(held(world, "first")["2026-03"])
        assert len(world.paths("_pins")) == 3
    assert [rows for number, rows in enumerate(seen) if number == 0 or rows != seen[number - 1]] == [after, ["b"]]
