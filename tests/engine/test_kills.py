"""An engine that is killed at random moments loses nothing, and readers never notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.kills import killed
from tests.scale import Record, scaled

ROUNDS = scaled(50, 500)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_engines_lose_nothing_and_readers_never_notice(
    seed: int, tmp_path: Path, record_property: Record
) -> None:
    found = killed(tmp_path, ROUNDS, seed)
    record_property("proof", str(found))
    assert (found.violations, found.differences) == ((), ())
    # Most of them must have been at work when they were killed, and readers must have had something to read.
    assert found.at_work > ROUNDS // 2
    assert found.looks > ROUNDS
