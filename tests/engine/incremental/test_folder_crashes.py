"""Whatever call of the lake the engine dies in, the folders are in the end those of an undisturbed run, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.engine.incremental.folders import FolderWorld, new_world
from tests.engine.world import ACCOUNT, HOLDER, attribute, insert_account, linked_entity
from toolkit.engine.opening import opened
from toolkit.engine.sync import ignore, never
from toolkit.engine.ways import Ways
from toolkit.errors import ToolkitError
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.entity import AttributeType

OLD, NEW = datetime(2025, 5, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def row(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


def fill(world: FolderWorld) -> None:
    for number in range(3):
        insert_account(world.source, f"row {number}", OLD)
        insert_account(world.source, f"row {number}", NEW)
    world.source.insert("teammembership", teamid=row(255))


def change(world: FolderWorld) -> None:
    world.clock.forward(minutes=90)
    world.source.update("account", row(1), name="changed")
    world.source.update("account", row(2), createdon=OLD)
    world.source.delete("account", row(3))
    world.source.delete("teammembership", row(7))
    insert_account(world.source, "late", datetime(2026, 3, 1, tzinfo=UTC))


def evolve_and_take_off(world: FolderWorld) -> None:
    world.clock.forward(minutes=90)
    more = (*ACCOUNT.attributes, attribute("fax", AttributeType.STRING, max_length=10))
    world.source.define(ACCOUNT.model_copy(update={"attributes": more}))
    world.source.delete("account", row(4))
    world.source.update("account", row(5), fax="1")
    world.relink(linked_entity("account"))


def add_again(world: FolderWorld) -> None:
    world.clock.forward(days=3)
    world.source.insert("teammembership", teamid=row(254))
    world.keep_days = 3
    world.relink(linked_entity("account"), linked_entity("teammembership"))


PHASES: list[Callable[[FolderWorld], None]] = [fill, change, evolve_and_take_off, add_again]


def files(world: FolderWorld) -> dict[str, bytes]:
    return {path: world.lake.read(path) for path in world.paths()}


def changes(world: FolderWorld) -> list[list[str]]:
    """Every change of every folder."""
    entities = ("account", "teammembership")
    return sorted([name, *row.values()] for name in entities for _, row in world.reader.changes(name))


def require_readable(world: FolderWorld) -> None:
    """A reader finds every folder whole, and no folder that holds nothing."""
    for folder in world.reader.folders:
        assert any(world.reader.files(folder, entity) for entity in world.reader.model(folder))


def before(phase: int) -> FolderWorld:
    """The world as a pass of a phase finds it."""
    world = new_world()
    for prepare in PHASES[:phase]:
        prepare(world)
        world.reopen()
        assert world.sync().folder is not None
    PHASES[phase](world)
    return world


def forked(world: FolderWorld) -> FolderWorld:
    """The same world with a lake of its own; a pass changes nothing else."""
    assert isinstance(world.lake, MemoryLake)
    return replace(world, lake=world.lake.fork())


def undisturbed(world: FolderWorld) -> FolderWorld:
    after = forked(world)
    assert after.sync().folder is not None
    return after


def crashed(world: FolderWorld, call: int, kind: Kind) -> None:
    """Die in a call of a pass. Another process goes on."""
    world.reopen().fail(call, kind)
    with suppress(Crashed):
        world.sync()
    world.reopen()
    require_readable(world)
    world.sync()


def failed(world: FolderWorld, call: int, kind: Kind) -> None:
    """Let a call of a pass fail. The same session goes on."""
    lake = world.reopen()
    with opened(world.linked, HOLDER, Ways(world.clock, world.settings, ignore, never)) as session:
        # Those that came before belong to the opening of the session.
        lake.fail(call, kind, crash=False)
        with suppress(ToolkitError):
            session.sync(world.link, world.source, None)
        require_readable(world)
        session.sync(world.link, world.source, None)


def calls_of(world: FolderWorld, kind: Kind) -> list[int]:
    """The calls of a pass, from 1; of a torn write only those that write, since any other is as if it came before."""
    after = forked(world)
    assert isinstance(after.lake, MemoryLake)
    after.sync()
    calls = enumerate(after.lake.calls, 1)
    return [number for number, call in calls if kind != "torn" or call.operation in {"write", "copy"}]


def differences(
    phase: int, kind: Kind, disturb: Callable[[FolderWorld, int, Kind], None], seen: Callable[[FolderWorld], object]
) -> list[int]:
    """The calls in which a fault leaves a trace; every call of the phase is tried."""
    world = before(phase)
    expected, different = seen(undisturbed(world)), []
    for call in calls_of(world, kind):
        after = forked(world)
        disturb(after, call, kind)
        require_readable(after)
        if seen(after) != expected or after.paths("_toolkit/staging"):
            different.append(call)
    return different


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
@pytest.mark.parametrize("phase", range(len(PHASES)))
def test_a_crash_in_any_call_leaves_no_trace(phase: int, kind: Kind) -> None:
    assert differences(phase, kind, crashed, files) == []


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize("phase", [1])
def test_a_fault_in_any_call_loses_and_repeats_no_change(phase: int, kind: Kind) -> None:
    # An entity that failed comes in the next folder, so there may be one more.
    assert differences(phase, kind, failed, changes) == []


def test_the_undisturbed_run_ends_with_these_files() -> None:
    world = undisturbed(before(len(PHASES) - 1))
    tops = ("OptionsetMetadata", "Microsoft.Athena.TrickleFeedService")
    assert [path for path in sorted(files(world)) if not any(top in path for top in tops)] == [
        "2026-03-01T13.30.00Z/account/1900.csv",
        "2026-03-01T13.30.00Z/account/2025.csv",
        "2026-03-01T13.30.00Z/model.json",
        "2026-03-01T15.00.00Z/model.json",
        "2026-03-01T15.00.00Z/teammembership/1900.csv",
        "Changelog/Synapse.log",
        "Changelog/changelog.info",
        "model.json",
    ]
    assert [
        path.partition("/")[2] for path in world.paths("2026-03-01T15.00.00Z") if any(top in path for top in tops)
    ] == [
        "Microsoft.Athena.TrickleFeedService/teammembership-EntityMetadata.json",
        "Microsoft.Athena.TrickleFeedService/teammembership-model.json",
        "OptionsetMetadata/GlobalOptionsetMetadata.csv",
        "OptionsetMetadata/OptionsetMetadata.csv",
        "OptionsetMetadata/StateMetadata.csv",
        "OptionsetMetadata/StatusMetadata.csv",
        "OptionsetMetadata/TargetMetadata.csv",
    ]
