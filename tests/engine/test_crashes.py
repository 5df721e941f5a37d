"""Whatever call of the lake the engine dies in, the next one ends where an undisturbed run ends, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import pytest

from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.config import Retention

OLD, NEW = datetime(2025, 5, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)

Phase = Callable[[World], object]


def fill(world: World) -> None:
    for number in range(3):
        insert_account(world.source, f"row {number}", OLD)
        insert_account(world.source, f"row {number}", NEW)
    world.source.insert("teammembership", teamid="00000000-0000-0000-0000-0000000000ff")


def change(world: World) -> None:
    world.clock.forward(minutes=90)
    ids = [f"00000000-0000-0000-0000-{number:012x}" for number in range(1, 8)]
    world.source.update("account", ids[0], name="changed")
    world.source.update("account", ids[1], createdon=OLD)
    world.source.delete("account", ids[2])
    world.source.delete("teammembership", ids[6])
    insert_account(world.source, "late", datetime(2026, 3, 1, tzinfo=UTC))


def empty_a_part_between_two_snapshots(world: World) -> None:
    world.clock.forward(minutes=5)
    world.source.delete("account", "00000000-0000-0000-0000-000000000008")


def empty(world: World) -> None:
    world.clock.forward(minutes=90)
    for number in (1, 5):
        world.source.delete("account", f"00000000-0000-0000-0000-{number:012x}")
    world.relink(linked_entity("account"))
    world.configure(snapshots=Retention(keep=1))


PHASES: list[tuple[Phase, Phase]] = [
    (fill, World.sync),
    (change, World.sync),
    (empty_a_part_between_two_snapshots, World.sync),
    (lambda world: world.clock.forward(minutes=1), World.snapshot),
    (empty, World.sync),
]


def new_world() -> World:
    clock = Clock()
    linked = link(linked_entity("account"), linked_entity("teammembership"))
    world = World(source_of(clock), MemoryLake(clock=clock), clock, linked)
    world.configure(snapshots=Retention(keep=1))
    return world


def files(world: World) -> dict[str, bytes]:
    return {path: world.lake.read(path) for path in world.paths()}


def require_readable(world: World) -> None:
    """A reader who follows the manifest finds every file, at the width that the manifest says."""
    if world.lake.stat("model.json") is not None:
        for entity in world.manifest()["entities"]:
            world.named(entity["name"])


def undisturbed() -> dict[str, bytes]:
    """The files at the end."""
    world = new_world()
    for prepare, act in PHASES:
        prepare(world)
        world.reopen()
        act(world)
    return files(world)


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes]:
    return undisturbed()


def disturbed(phase: int, call: int, kind: Kind) -> World | None:
    """The world after a crash in a call of a phase; None when the phase makes fewer calls.

    After every other crash a snapshot comes first, which must finish what was begun as well as a pass does.
    """
    world = new_world()
    for number, (prepare, act) in enumerate(PHASES):
        prepare(world)
        lake = world.reopen()
        if number == phase:
            lake.fail(call, kind)
            with suppress(Crashed):
                act(world)
                return None
            world.reopen()
            require_readable(world)
            if call % 2:
                world.snapshot()
        act(world)
    return world


def every(files: dict[str, bytes]) -> dict[str, bytes]:
    return files


def live(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files without snapshots, of which there is another one when one was made after a crash."""
    return {path: data for path, data in files.items() if "/Snapshot/" not in path and not path.endswith("model.json")}


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
@pytest.mark.parametrize("phase", range(len(PHASES)))
def test_a_crash_in_any_call_leaves_no_trace(phase: int, kind: Kind, expected: dict[str, bytes]) -> None:
    different = []
    for call in count(1):
        world = disturbed(phase, call, kind)
        if world is None:
            break
        seen = live if call % 2 else every
        require_readable(world)
        if seen(files(world)) != seen(expected) or world.paths("_toolkit/staging"):
            different.append(call)
    assert call > 10
    assert different == []


def test_the_undisturbed_run_ends_with_these_files(expected: dict[str, bytes]) -> None:
    assert sorted(expected) == [
        "Microsoft.Athena.TrickleFeedService/account-EntityMetadata.json",
        "Microsoft.Athena.TrickleFeedService/account-model.json",
        "OptionsetMetadata/GlobalOptionsetMetadata.csv",
        "OptionsetMetadata/OptionsetMetadata.csv",
        "OptionsetMetadata/StateMetadata.csv",
        "OptionsetMetadata/StatusMetadata.csv",
        "OptionsetMetadata/TargetMetadata.csv",
        "_deleted/account/2026-03.csv",
        "_kept/teammembership/20260301T150600Z/2026.csv",
        "_kept/teammembership/20260301T150600Z/Snapshot/2026_1772366400.csv",
        "_kept/teammembership/20260301T150600Z/Snapshot/2026_1772371800.csv",
        "_kept/teammembership/20260301T150600Z/_deleted/2026-03.csv",
        "_kept/teammembership/20260301T150600Z/teammembership-EntityMetadata.json",
        "_kept/teammembership/20260301T150600Z/teammembership-model.json",
        "account/2025-05.csv",
        "account/2026-02.csv",
        "account/Snapshot/2025-05_1772371800.csv",
        "account/Snapshot/2025-05_1772377560.csv",
        "account/Snapshot/2026-02_1772371800.csv",
        "account/Snapshot/2026-03_1772371800.csv",
        "model.json",
    ]
