"""The tasks of a pass can be done elsewhere, and twice: what they stage depends on nothing but the task."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.engine.small_run import APPEND_ONLY, IN_PLACE, SETTINGS, script_of
from tests.engine.world import HOLDER
from toolkit.engine.indexes import Indexes
from toolkit.engine.opening import WRITER_LOCK
from toolkit.engine.passes import do_pass
from toolkit.engine.splice import Executor, Made, Task, do
from toolkit.engine.succession import begin
from toolkit.engine.sync import ignore, never
from toolkit.engine.ways import Ways, work_of
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Lake

LINKED = {"account": IN_PLACE, "contact": APPEND_ONLY}


@pytest.fixture(scope="module")
def spawned() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


def exported(folder: Path, entity: str, execute: Executor | None) -> dict[str, bytes]:
    """Do a first pass and two more over an entity, on a folder, and return the files."""
    lake = FolderLake(folder)
    fence = lake.lock(WRITER_LOCK, HOLDER)
    with ThreadPoolExecutor(1) as parts:
        state, cursor = None, None
        for number in range(3):
            script = script_of(number)
            ways = Ways(script.clock, SETTINGS, ignore, never)
            work = work_of(fence, ways, script.link, script.source, lake=lake, indexes=Indexes(lake), parts=parts)
            work = replace(work, execute=execute or work.execute)
            definition = script.source.entities()[entity]
            before = state or begin(work, LINKED[entity], definition)
            outcome = do_pass(work, LINKED[entity], definition, before, cursor)
            state, cursor = outcome.committed, outcome.cursor
    fence.release()
    return {stat.path: lake.read(stat.path) for stat in lake.list(entity)}


@pytest.mark.parametrize("entity", LINKED)
def test_tasks_give_the_same_bytes_in_processes_that_were_spawned(
    entity: str, spawned: ProcessPoolExecutor, tmp_path: Path
) -> None:
    tasks: list[Task] = []

    def execute(lake: Lake, given: list[Task]) -> list[Made]:
        tasks.extend(given)
        return list(spawned.map(partial(do, lake), given))

    assert exported(tmp_path / "there", entity, execute) == exported(tmp_path / "here", entity, None)
    assert len(tasks) > 3


@pytest.mark.parametrize("entity", LINKED)
def test_tasks_that_are_done_twice_give_the_same_bytes(entity: str, tmp_path: Path) -> None:
    def execute(lake: Lake, given: list[Task]) -> list[Made]:
        first, again = ([do(lake, task) for task in given] for _ in range(2))
        assert [(made.rows, made.digest) for made in first] == [(made.rows, made.digest) for made in again]
        return again

    assert exported(tmp_path / "there", entity, execute) == exported(tmp_path / "here", entity, None)
