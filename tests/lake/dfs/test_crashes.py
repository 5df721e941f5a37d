"""In whichever request the process of an engine dies, the next one ends where an undisturbed run ends, to the byte."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import get_args

import pytest

from tests.engine.small_run import STAGES, script_of
from tests.lake.dfs.exports import FEW, HASTY, Site, Step, files, script_of_few, site, steps
from tests.lake.dfs.faults import Death
from tests.lake.dfs.store import Store
from tests.scale import LONG, Record, seed

PLAN, SCRIPT_OF = (STAGES, script_of) if LONG else (FEW, script_of_few)
"""At length the run of the crash matrix of the engine; a smaller one in the suite."""

NAMES = tuple(prepare.__name__ for prepare, _ in PLAN)
SAMPLE = 2
"""States of each step that are tried in the suite."""


@pytest.fixture(scope="module")
def export() -> Iterator[tuple[Site, tuple[Step, ...]]]:
    with site() as at:
        yield at, tuple(steps(at, PLAN, SCRIPT_OF))


def states(step: Step) -> Iterator[tuple[str, Store | None]]:
    """Yield what a death before and after each request leaves, and one half way through; None where it was met before.

    A request is done at once or not at all: what dies half way through sending one has done nothing, and what dies
    after one leaves what is there before the next.
    """
    last: Store | None = None
    ends = (*(store for _, store in step.stops[1:]), step.after)
    for number, ((_, before), after) in enumerate(zip(step.stops, ends, strict=True), 1):
        yield f"before {number}", None if _same(last, before) else before
        yield f"torn {number}", None
        yield f"after {number}", None if _same(before, after) else after
        last = after


def _same(one: Store | None, other: Store) -> bool:
    return one is not None and one.file_systems == other.file_systems


def converges(at: Site, step: Step, store: Store) -> bool:
    """Whether the next process ends where the undisturbed run does."""
    at.begin(store, step.script)
    at.wait()
    assert at.acts(step.act, step.script)
    return files(at.storage.store) == step.expected


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_death_in_any_request_leaves_no_trace(
    export: tuple[Site, tuple[Step, ...]], number: int, record_property: Record
) -> None:
    at, run = export
    left = dict(states(run[number]))
    fresh = [name for name, store in left.items() if store is not None]
    dice = random.Random(seed())  # noqa: S311 - a sample, not a secret
    tried = fresh if LONG else dice.sample(fresh, SAMPLE)
    wrong = [name for name in tried if (store := left[name]) and not converges(at, run[number], store)]
    record_property("deaths in any request of an export to ADLS", (len(left) if LONG else len(tried), len(wrong)))
    assert wrong == []


@pytest.mark.parametrize("kind", get_args(Death))
def test_a_process_that_dies_in_a_request_leaves_the_state_of_that_request(
    export: tuple[Site, tuple[Step, ...]], kind: Death
) -> None:
    at, run = export
    step = run[1]
    flushes = [number for number, (asked, _) in enumerate(step.stops, 1) if asked.kind == "flush"]
    at.begin(step.before, step.script)
    at.storage.faults.die(flushes[0], kind)
    assert not at.acts(step.act, step.script, HASTY)
    at.storage.faults.clear()
    at.wait()
    assert at.acts(step.act, step.script)
    assert files(at.storage.store) == step.expected
