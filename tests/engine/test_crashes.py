"""Whatever call of the lake a fault comes in, a restart ends where an undisturbed run ends, to the byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from tests.engine.small_run import (
    ACCOUNTS,
    NAMES,
    Stage,
    files,
    replay,
    require_readable,
    snapshots,
    stages,
    state_of,
)
from tests.engine.world import World
from tests.scale import Record, scaled, seed
from toolkit.lake.memory import Crashed, Kind, MemoryLake

KINDS: tuple[Kind, ...] = ("before", "after", "torn")
LOOKS = frozenset({"stat", "list", "read", "check"})
"""Calls that change nothing: it is all one whether they fail before or after."""
TEARS = frozenset({"write", "copy"})
"""Calls that can be torn; any other fails before it does anything then."""
FLOOR = {
    "fill": 400,
    "change": 500,
    "grow": 300,
    "go_on": 80,
    "add_a_column": 550,
    "purge": 380,
    "unlink_one": 220,
    "let_readers_go": 60,
    "cut_by_year": 200,
    "cut_by_month": 200,
}
"""Cases that a stage has at least: below it the run has become too small to prove anything."""


@dataclass(frozen=True)
class Case:
    """A fault in a call of a stage, and the lake after it; None where the case is the same as another one."""

    name: str
    lake: MemoryLake | None


def crashes(stage: Stage) -> Iterator[Case]:
    """Yield a crash before and after each call, and a torn write."""
    ends = (*(lake for _, lake in stage.stops[1:]), stage.after)
    for number, ((call, before), after) in enumerate(zip(stage.stops, ends, strict=True), 1):
        yield Case(f"before {number}", before.fork())
        yield Case(f"after {number}", None if call.operation in LOOKS else after.fork())
        torn = replay(stage, number, "torn", crash=True) if call.operation in TEARS else None
        yield Case(f"torn {number}", torn)


def errors(stage: Stage) -> Iterator[Case]:
    """Yield an error before and after each call, and a torn write."""
    for number, (call, _) in enumerate(stage.stops, 1):
        yield Case(f"before {number}", replay(stage, number, "before", crash=False))
        after = None if call.operation in LOOKS else replay(stage, number, "after", crash=False)
        yield Case(f"after {number}", after)
        torn = replay(stage, number, "torn", crash=False) if call.operation in TEARS else None
        yield Case(f"torn {number}", torn)


def departures(stage: Stage, lake: MemoryLake) -> list[str]:
    """Return the files that a restart leaves in another way than the undisturbed run does."""
    require_readable(stage, lake.reopen())
    found, expected = files(stage.restarted(lake).reopen()), stage.expected
    return sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path))


def different(stage: Stage, cases: Iterator[Case]) -> Iterator[tuple[str, bool]]:
    """Yield for each case whether it ends elsewhere; a state of the lake that was met before is not tried again."""
    met = set()
    for case in cases:
        state = state_of(case.lake.reopen()) if case.lake else None
        new = case.lake is not None and state not in met
        met.add(state)
        yield case.name, new and case.lake is not None and bool(departures(stage, case.lake))


@pytest.mark.parametrize("faults", [crashes, errors])
@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_fault_in_any_call_leaves_no_trace(
    number: int, faults: Callable[[Stage], Iterator[Case]], record_property: Record
) -> None:
    stage = stages()[number]
    cases = dict(different(stage, faults(stage)))
    record_property("faults in every call", (len(cases), sum(cases.values())))
    assert [name for name, differs in cases.items() if differs] == []
    assert len(cases) >= FLOOR[NAMES[number]]


@pytest.mark.parametrize("name", ["change", "unlink_one"])
def test_a_snapshot_after_a_crash_finishes_what_was_begun_as_well_as_a_pass_does(name: str) -> None:
    stage = stages()[NAMES.index(name)]
    snapshot = replace(stage, act=snapshots)

    def first() -> Iterator[Case]:
        for number, (_, lake) in enumerate(stage.stops, 1):
            yield Case(f"before {number}", snapshot.restarted(lake.fork()))

    assert [case for case, differs in different(stage, first()) if differs] == []


def faulty(lake: MemoryLake, stage: Stage, dice: random.Random) -> tuple[str, MemoryLake]:
    """Let another process begin where the last one stopped, and stop in its turn, in any call that it needs."""
    lake.kill()
    calls = len(stage.restarted(lake.fork()).calls)
    call, kind, crash = dice.randint(1, calls), dice.choice(KINDS), dice.random() < 0.5
    again = lake.reopen()
    again.fail(call, kind, crash=crash)
    with suppress(Crashed):
        stage.attempt(again)
    return f"{kind} {call} {'crash' if crash else 'error'}", again


@pytest.mark.parametrize("half", range(2))
def test_a_second_fault_in_the_recovery_of_the_first_leaves_no_trace(half: int, record_property: Record) -> None:
    start = seed() + half
    dice = random.Random(start)  # noqa: S311  # a sample, not a secret
    wrong = []
    samples = scaled(100, 2000)
    for _ in range(samples):
        number = dice.randrange(len(NAMES))
        stage = stages()[number]
        first, lake = faulty(stage.before.fork(), stage, dice)
        second, lake = faulty(lake, stage, dice)
        if paths := departures(stage, lake):
            wrong.append(f"{NAMES[number]}: {first}, then {second}, of seed {start}: {', '.join(paths)}")
    record_property("second faults in recovery", (samples, len(wrong)))
    assert wrong == []


def test_the_run_meets_every_kind_of_change() -> None:
    calls = [call for stage in stages() for call, _ in stage.stops]
    looks = {"check", "list", "read", "stat"}
    writes = {"copy", "create_folder", "delete", "flush", "publish", "put", "seal", "snapshot", "stage", "write"}
    assert {call.operation for call in calls} == looks | writes | {"lock"}
    removed = [call.path for call in calls if call.operation == "delete" and not call.path.startswith("_toolkit/")]
    assert any("/Snapshot/" in path for path in removed)
    assert "account/2026-03.csv" in removed


def test_the_undisturbed_run_leaves_these_files_before_the_accounts_are_cut_anew() -> None:
    stage = stages()[NAMES.index("let_readers_go")]
    assert {
        "_deleted/account/2026-03.csv",
        "_kept/contact/20260301T180600Z/2026.csv",
        "_kept/contact/20260301T180600Z/_deleted/2026-03.csv",
        "account/2025-11_001.csv",
        "account/Snapshot/2025-11_1772388360.csv",
        "model.json",
    } <= stage.expected.keys()
    assert [path for path in stage.expected if path.startswith("contact/") or "/staging/" in path] == []


def test_the_undisturbed_run_ends_with_the_rows_of_the_source() -> None:
    stage = stages()[-1]
    world = World(stage.script.source, stage.after.fork(), stage.script.clock, stage.script.link)
    assert world.snapshot().failed == ()
    ids = [row["Id"] for row in world.named("account")]
    assert len(ids) == len(set(ids)) == stage.script.source.count("account") == ACCOUNTS - 2
