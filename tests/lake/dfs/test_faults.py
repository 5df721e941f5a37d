"""Whatever goes wrong with whichever request of an export, it ends as one that nothing went wrong with, to the byte."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.lake.dfs.exports import FEW, NEVER_COPIED, Site, Step, files, script_of_few, site, steps
from tests.lake.dfs.faults import KINDS, Kind
from tests.scale import LONG, Record, seed

PLACES = {"streamed": NEVER_COPIED, "copied": 64}
"""Who moves the bytes of splices and snapshots: the client, or the service."""


@pytest.fixture(scope="module", params=PLACES if LONG else ["copied"])
def export(request: pytest.FixtureRequest) -> Iterator[tuple[Site, tuple[Step, ...]]]:
    """An account, and an export to it without a fault."""
    with site(PLACES[request.param]) as at:
        yield at, tuple(steps(at, FEW, script_of_few))


def ends_the_same(at: Site, step: Step, number: int, kind: Kind) -> bool:
    """Whether a step ends as it should though something goes wrong, with the engine's next pass where it gave up."""
    at.begin(step.before, step.script)
    at.storage.faults.at(number, kind)
    if not at.acts(step.act, step.script):
        at.wait()
        assert at.acts(step.act, step.script)
    return files(at.storage.store) == step.expected


def cases(export: tuple[Step, ...], kind: Kind) -> list[tuple[Step, int]]:
    """Return the requests that go wrong: all of them at length, or one by the dice."""
    every = [(step, number) for step in export for number in range(1, len(step.stops) + 1)]
    dice = random.Random(f"{kind} {seed()}")  # noqa: S311 - a sample, not a secret
    return every if LONG else dice.sample(every, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_any_request_leaves_no_trace(
    export: tuple[Site, tuple[Step, ...]], kind: Kind, record_property: Record
) -> None:
    at, run = export
    tried = cases(run, kind)
    wrong = [f"{kind} {number} of {step.name}" for step, number in tried if not ends_the_same(at, step, number, kind)]
    record_property("faults at any request of an export to ADLS", (len(tried), len(wrong)))
    assert wrong == []


def test_the_export_does_all_that_exports_do(export: tuple[Site, tuple[Step, ...]]) -> None:
    _, run = export
    assert {asked.kind for step in run for asked, _ in step.stops} >= {"append", "flush", "file", "lease", "filesystem"}
    first, second, kept, last = (step.expected for step in run)
    assert {"account/2025-11.csv", "contact/2025.csv", "model.json"} <= first.keys()
    assert first["contact/2025.csv"] in second["contact/2025.csv"]
    assert first["account/2025-11.csv"] != second["account/2025-11.csv"]
    assert kept.keys() - second.keys() != set()
    assert kept.keys() - last.keys() != set()
