"""An engine that was paused, taken for dead and comes back does no harm, whatever call it was paused before."""

from __future__ import annotations

from collections import Counter

from tests.engine.small_run import NAMES, Stage, stages
from tests.engine.world import World
from tests.scale import Record
from toolkit.engine.opening import WRITER_LOCK
from toolkit.lake.memory import Call, MemoryLake

ZOMBIE, HEIR, NEXT = (stages()[NAMES.index(name)] for name in ("change", "grow", "add_a_column"))

WRITES = {"publish", "put", "snapshot"}


def world_of(stage: Stage, lake: MemoryLake) -> World:
    return World(stage.script.source, lake, stage.script.clock, stage.script.link)


def act_paused(lake: MemoryLake, at: int) -> None:
    """Let an engine act that is paused before a call; meanwhile its lock expires, and another engine does a pass."""
    left = iter(range(1, at + 1))

    def pause(_: Call) -> None:
        if next(left, None) == at:
            lake.watch(lambda _: None)
            lake.expire(WRITER_LOCK)
            assert HEIR.attempt(lake.reopen())

    lake.watch(pause)
    ZOMBIE.attempt(lake)


def strays(lake: MemoryLake, at: int) -> set[str]:
    """Return which calls that change files a zombie made after it was paused."""
    return {call.operation for call in lake.calls[at - 1 :] if not call.path.startswith("_toolkit/")} & WRITES


def differences(stage: Stage, lake: MemoryLake) -> list[str]:
    """Return what readers find that is not what the source holds."""
    world = world_of(stage, lake)
    held = [(row["Id"], int(row["versionnumber"]), row["IsDelete"]) for row in world.named("account")]
    source = {row["accountid"]: row["versionnumber"] for row in rows_of(stage, "account")}
    history = Counter((r["Id"], int(r["versionnumber"]), r["IsDelete"] == "True") for r in world.named("contact"))
    last = {key: (version, ended) for key, version, ended in sorted(history)}
    standing = {key: version for key, (version, ended) in last.items() if not ended}
    found = {
        "account": sorted(held) != sorted((key, version, "") for key, version in source.items()),
        "contact": standing != {row["accountid"]: row["versionnumber"] for row in rows_of(stage, "contact")},
        "twice": max(history.values()) > 1,
        "staging": world.paths("_toolkit/staging") != [],
    }
    return [name for name, differs in found.items() if differs]


def rows_of(stage: Stage, entity: str) -> list[dict[str, object]]:
    batches = stage.script.source.changes(entity, ["accountid"], None)
    return [row for batch in batches for row in batch.rows.to_pylist()]


def test_whatever_call_it_was_paused_before_a_zombie_does_no_harm(record_property: Record) -> None:
    wrong, stray = {}, set()
    for at in range(3, len(ZOMBIE.stops) + 1):
        lake = ZOMBIE.before.fork()
        act_paused(lake, at)
        stray |= strays(lake, at)
        world_of(HEIR, lake.reopen()).require_readable()
        if found := differences(NEXT, NEXT.restarted(lake).reopen()):
            wrong[at] = ZOMBIE.stops[at - 1][0], found
    record_property("zombies", (len(ZOMBIE.stops) - 2, len(wrong)))
    assert wrong == {}
    assert stray == WRITES
