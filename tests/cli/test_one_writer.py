"""Real processes that want the same lake: one writes, the others are told who does."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from socket import gethostname

import pytest

from tests.cli.conftest import Run
from tests.cli.starters import Started, start

STARTERS, ROUNDS = 20, 10


@pytest.fixture
def linked(run: Run, tmp_path: Path) -> Path:
    """A folder whose environment dev exports one entity."""
    for command in (
        "init",
        "env create dev --account contosodev",
        "import core --env dev --yes",
        "env seed dev --rows account=20 --seed 1",
        "lake link --account contosodev --entity account=Year --name contosodev",
    ):
        assert run(*command.split()).exit_code == 0
    return tmp_path


def running(several: list[Started], but: int) -> list[Started]:
    """Wait until all but so many ended, and return those."""
    until = time.monotonic() + 60
    while (left := [each for each in several if each.process.is_alive()]) and len(left) > but:
        assert time.monotonic() < until, f"{len(left)} still run"
        left[0].process.join(0.05)
    return left


def test_of_twenty_that_start_at_once_one_writes_and_the_others_are_told_who(linked: Path) -> None:
    for _ in range(ROUNDS):
        several = start(linked, "run", "--env", "dev", "--every", "0.1", count=STARTERS)
        (winner,) = running(several, but=1)
        losers = [each.end() for each in several if each is not winner]
        assert {each.status for each in losers} == {6}
        told = {re.sub(r"since .*Z", "since then", _locked_by(each.output)) for each in losers}
        assert told == {f"{_me()}, process {winner.pid}, since then"}
        winner.send(signal.SIGTERM)
        assert winner.end().status == 0


def _locked_by(output: str) -> str:
    match = re.search(r"is locked by (.*)", output)
    assert match, output
    return match[1]


def _me() -> str:
    return f"{getuser()}@{gethostname()} on {gethostname()}"


def test_the_lock_of_a_killed_writer_is_free(linked: Path) -> None:
    (dead,) = start(linked, "run", "--env", "dev", "--every", "0.1")
    _wait_for(lambda: str(dead.pid) in _holder(linked))
    dead.send(signal.SIGKILL)
    dead.end()
    (next_one,) = start(linked, "sync", "--env", "dev")
    assert next_one.end().status == 0


def test_a_paused_writer_whose_lock_was_taken_comes_back_without_harm(linked: Path, run: Run) -> None:
    (paused,) = start(linked, "run", "--env", "dev", "--every", "0.1")
    _wait_for(lambda: any(linked.glob("lakes/*/*/account/Snapshot/*.csv")) and _named(linked) > 0)
    paused.send(signal.SIGSTOP)
    (lock,) = linked.glob("lakes/*/*/_toolkit/lock/writer.lock")
    lock.unlink()
    assert run("env", "seed", "dev", "--rows", "account=5", "--seed", "2").exit_code == 0
    (heir,) = start(linked, "sync", "--env", "dev")
    assert heir.end().status == 0
    assert run("env", "seed", "dev", "--rows", "account=5", "--seed", "3").exit_code == 0
    paused.send(signal.SIGCONT)
    _wait_for(lambda: len(set(_ids(linked))) == 30 or not paused.process.is_alive())
    paused.send(signal.SIGTERM)
    paused.end()
    (last,) = start(linked, "sync", "--env", "dev")
    assert last.end().status == 0
    assert len(_ids(linked)) == len(set(_ids(linked))) == 30


def _ids(folder: Path) -> list[str]:
    """Return the ids in the live files, in which a record may have several lines."""
    text = "".join(file.read_text() for file in folder.glob("lakes/*/*/account/*.csv"))
    return re.findall(r'^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=,"\d)', text, re.MULTILINE)


def _named(folder: Path) -> int:
    manifests = folder.glob("lakes/*/*/model.json")
    return sum(len(entity["partitions"]) for path in manifests for entity in json.loads(path.read_text())["entities"])


def _holder(folder: Path) -> str:
    (document,) = folder.glob("lakes/*/*/_toolkit/lock/writer.json")
    return document.read_text()


def _wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)
