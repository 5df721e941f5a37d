"""The lock of an environment, by the command line."""

import json
import os
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import START, Run
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Fence, Holder


def lock(folder: Path, host: str, process: int) -> Fence:
    state = FolderLake(folder / "environments" / "dev")
    return state.lock("environment", Holder("bob@lab", host, process, START, "toolkit import Lake.zip"))


def test_nobody_holds_the_lock_of_an_environment_at_rest(dev: Run) -> None:
    result = dev("unlock")
    assert (result.exit_code, result.stdout) == (0, "dev is not locked\n")


def test_a_second_command_is_told_who_is_at_work_since_when_and_what_for(dev: Run, tmp_path: Path) -> None:
    fence = lock(tmp_path, "elsewhere", 4711)
    result = dev("lake", "link", "--account", "contosodev", "--entity", "account")
    assert result.exit_code == 6
    assert "is locked by bob@lab on elsewhere, process 4711, since 2026-03-01 12:00:00Z" in result.stderr
    assert "why: it does: toolkit import Lake.zip" in result.stderr
    fence.release()


def test_a_holder_that_lives_on_this_host_keeps_it(dev: Run, tmp_path: Path) -> None:
    fence = lock(tmp_path, socket.gethostname(), os.getpid())
    result = dev("unlock", "--yes")
    assert (result.exit_code, "error[CLI090] dev is locked by bob@lab" in result.stderr) == (6, True)
    assert f"stop process {os.getpid()}" in result.stderr
    fence.check()
    fence.release()


def test_the_lock_of_another_host_is_broken_after_a_yes(dev: Run, tmp_path: Path) -> None:
    fence = lock(tmp_path, "elsewhere", 4711)
    assert "error[CLI003]" in dev("unlock").stderr
    result = dev("unlock", answer="y\n")
    assert (result.exit_code, "dev is locked by bob@lab on elsewhere, process 4711" in result.stdout) == (0, True)
    assert result.stdout.endswith("broke the lock of dev\n")
    with pytest.raises(Exception, match="was lost or given back"):
        fence.check()
    assert dev("lake", "link", "--account", "contosodev", "--entity", "account").exit_code == 0


def test_who_held_it_is_told_to_programs(dev: Run, tmp_path: Path) -> None:
    fence = lock(tmp_path, "elsewhere", 4711)
    told = json.loads(dev("unlock", "--yes", "--format", "json").stdout)
    assert (told["unlocked"], told["holder"]["purpose"]) == (True, "toolkit import Lake.zip")
    fence.release()


def test_a_process_of_this_host_that_is_gone_holds_nothing_for_good(dev: Run, tmp_path: Path) -> None:
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    fence = lock(tmp_path, socket.gethostname(), gone)
    assert dev("unlock", "--yes").exit_code == 0
    fence.release()


def test_the_lock_of_an_apply_says_command_solution_and_plan(dev: Run, tmp_path: Path) -> None:
    dev("lake", "link", "--account", "contosodev", "--entity", "account")
    held = json.loads((tmp_path / "environments/dev/_toolkit/lock/environment.json").read_text())
    command, plan = held["purpose"].split(", ")
    assert command == "toolkit lake link --account contosodev --entity account"
    assert plan.startswith("plan sha256:")
