"""The commands that serve an environment, keep its state and bring it back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run, prepare
from tests.organization.samples import NOW, numbered
from toolkit.organization import operations
from toolkit.organization.database import Database
from toolkit.organization.operations import Kind, SystemJob


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("made"), "init", "env create dev", "env seed dev --rows account=3")


@pytest.fixture
def dev(made: Path, run: Run, tmp_path: Path) -> Run:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return run


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def asked(port: int, seen: list[httpx.Response], **headers: str) -> threading.Thread:
    """Ask a server for its accounts once it answers, then stop it."""

    def ask() -> None:
        with httpx.Client(transport=httpx.HTTPTransport(retries=20), headers=headers) as api:
            seen.append(api.get(f"http://127.0.0.1:{port}/api/data/v9.2/accounts/$count"))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_serve_answers_until_it_is_stopped(dev: Run) -> None:
    port, seen = free_port(), list[httpx.Response]()
    asking = asked(port, seen)
    result = dev("env", "serve", "dev", "--port", str(port))
    asking.join()
    assert result.stdout == f"dev is served at http://127.0.0.1:{port}/api/data/v9.2/ (Ctrl-C stops)\n"
    assert (result.exit_code, result.stderr, seen[0].text) == (0, "stopped\n", "3")


def test_serve_tells_of_jobs_that_died_with_another_server(dev: Run, tmp_path: Path) -> None:
    job = SystemJob(id=numbered(1), kind=Kind.IMPORT, name="Import", created=NOW)
    with Database(tmp_path / "environments/dev/organization.sqlite") as database, database.write() as connection:
        operations.put(connection, job)
    port = free_port()
    asking = asked(port, [])
    result = dev("env", "serve", "dev", "--port", str(port))
    asking.join()
    assert result.stderr == "1 job of a server that died: failed\nstopped\n"


def test_serve_asks_for_the_token_of_a_variable_and_does_not_print_it(
    dev: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "abc-123")
    port, seen = free_port(), list[httpx.Response]()
    asking = asked(port, seen)
    result = dev("env", "serve", "dev", "--port", str(port), "--token", "WORD", "--format", "json")
    asking.join()
    assert json.loads(result.stdout) == {"environment": "dev", "url": f"http://127.0.0.1:{port}", "token": True}
    assert seen[0].status_code == 401
    assert "abc-123" not in result.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--host", "0.0.0.0"), "SRV050"),  # noqa: S104 - what is refused
        (("--token", "NOT_SET"), "SRV051"),
        (("--fault", "430"), "SRV052"),
        (("--key", "k.pem"), "give --certificate and --key together"),
        (("--token", "A", "--token-file", "b"), "give --token or --token-file, not both"),
    ],
)
def test_serve_refuses_what_cannot_be(dev: Run, options: tuple[str, ...], says: str) -> None:
    result = dev("env", "serve", "dev", "--port", "0", *options)
    assert result.exit_code in {1, 2}
    assert says in result.stderr


def test_a_snapshot_is_kept_listed_and_brought_back(dev: Run) -> None:
    assert dev("env", "snapshot", "dev").stdout == "no snapshots; see: toolkit env snapshot dev NAME\n"
    assert dev("env", "snapshot", "dev", "clean").stdout == "kept dev as clean\n"
    dev("env", "seed", "dev", "--rows", "account=5", "--seed", "2")
    assert json.loads(dev("env", "snapshot", "dev", "--format", "json").stdout) == [{"snapshot": "clean"}]
    assert dev("env", "reset", "dev", "--to", "clean", "--yes").stdout == "reset dev to clean\n"
    shown = json.loads(dev("env", "show", "dev", "--format", "json").stdout)
    assert {each["entity"]: each["rows"] for each in shown["entities"]}["account"] == 3


def test_reset_goes_back_to_the_beginning_after_a_yes(dev: Run) -> None:
    assert dev("env", "reset", "dev").stderr.startswith("error[CLI003]")
    assert dev("env", "reset", "dev", answer="n\n").exit_code == 1
    assert dev("env", "reset", "dev", answer="y\n").exit_code == 0
    shown = json.loads(dev("env", "show", "dev", "--format", "json").stdout)
    assert {each["rows"] for each in shown["entities"]} == {0}
