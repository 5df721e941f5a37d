"""Serving an environment: who may reach it, one server at a time, and a clean end."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from tests.organization.samples import NOW, Clock, numbered
from tests.server.served import ids, self_signed
from toolkit.apply.documents import ENVIRONMENT_LOCK
from toolkit.errors import Locked, NotFound, Refused
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Holder
from toolkit.organization import operations
from toolkit.organization.database import Database
from toolkit.organization.operations import Kind, SystemJob
from toolkit.server import hosting
from toolkit.server.faults import parse
from toolkit.server.hosting import Reach
from toolkit.server.serving import Certificate
from toolkit.server.world import World

ME = Holder("ada@lab", "lab", 1, NOW)
ANYWHERE = Reach(port=0)


@pytest.fixture
def state(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "state")


@pytest.fixture
def world(database: Database) -> World:
    return World(database, Clock(), ids())


def stop_when(url: str, seen: list[int]) -> threading.Thread:
    """Ask a server until it answers, then end it as a terminal or an init system does."""

    def ask() -> None:
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as api:
            seen.append(api.get(f"{url}/api/data/v9.2/WhoAmI").status_code)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_a_server_answers_until_a_signal_comes(world: World, state: FolderLake) -> None:
    before, seen = signal.getsignal(signal.SIGTERM), list[int]()
    with hosting.hosted(world, state, ME, ANYWHERE, parse(["503:at=1"])) as server:
        asking = stop_when(server.url, seen)
        server.run()
    asking.join()
    assert seen == [503]
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_one_server_at_a_time_serves_an_environment(world: World, state: FolderLake) -> None:
    with hosting.hosted(world, state, ME, ANYWHERE, ()):
        with pytest.raises(Locked) as refusal, hosting.hosted(world, state, ME, ANYWHERE, ()):
            pass
        assert refusal.value.code == "SRV053"
    with hosting.hosted(world, state, ME, ANYWHERE, ()) as server:
        assert server.interrupted == 0


def test_jobs_of_a_server_that_died_are_failed(database: Database, world: World, state: FolderLake) -> None:
    with database.write() as connection:
        operations.put(connection, SystemJob(id=numbered(1), kind=Kind.IMPORT, name="Import", created=NOW))
    with hosting.hosted(world, state, ME, ANYWHERE, ()) as server:
        assert server.interrupted == 1
    with database.read() as connection:
        assert operations.open_jobs(connection) == ()


def test_a_port_that_is_taken_is_told(world: World, state: FolderLake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused) as refusal, hosting.hosted(world, state, ME, Reach(port=port), ()):
            pass
    assert refusal.value.code == "SRV055"
    with hosting.hosted(world, state, ME, ANYWHERE, ()) as server:
        assert server.url.startswith("http://127.0.0.1:")


# --- who may reach it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_this_machine_needs_no_token(host: str) -> None:
    reach = Reach(host)
    reach.check()
    assert list(reach.findings()) == []
    assert reach.hosts is not None
    assert {"localhost", host} <= reach.hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "server.example"])  # noqa: S104 - what is refused
def test_others_need_one(host: str) -> None:
    with pytest.raises(Refused) as refusal:
        Reach(host).check()
    assert refusal.value.code == "SRV050"
    reach = Reach(host, token="abc")  # noqa: S106 - a word for a test
    reach.check()
    assert [finding.code for finding in reach.findings()] == ["SRV057"]
    assert reach.hosts is None


def test_with_a_certificate_the_token_is_not_in_the_clear(tmp_path: Path) -> None:
    reach = Reach("10.0.0.1", token="abc", tls=self_signed(tmp_path))  # noqa: S106 - a word for a test
    reach.check()
    assert list(reach.findings()) == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_is_none_is_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "certificate.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Refused) as refusal:
        Reach(tls=Certificate(file, file)).check()
    assert refusal.value.code == "SRV056"


def test_a_token_is_read_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc\n")
    assert hosting.token_of(None, None, {}) is None
    assert hosting.token_of("WORD", None, {"WORD": "abc"}) == "abc"
    assert hosting.token_of(None, file, {}) == "abc"


@pytest.mark.parametrize("value", [None, "", "\u00e4", "a\nb"])
def test_what_is_no_token_is_refused_and_not_told(value: str | None) -> None:
    with pytest.raises(NotFound) as refusal:
        hosting.token_of("WORD", None, {} if value is None else {"WORD": value})
    assert (refusal.value.code, refusal.value.what) == ("SRV051", "there is no token in WORD")


# --- reset beside a server --------------------------------------------------------------------------------------------


@pytest.fixture
def job(database: Database) -> SystemJob:
    open_ = SystemJob(id=numbered(1), kind=Kind.IMPORT, name="Import", created=NOW)
    with database.write() as connection:
        operations.put(connection, open_)
    return open_


@pytest.mark.usefixtures("job")
def test_of_an_environment_that_nobody_serves_old_jobs_count_for_nothing(database: Database, state: FolderLake) -> None:
    with hosting.unserved(state, ME, database), pytest.raises(Locked):
        state.lock(ENVIRONMENT_LOCK, ME)


@pytest.mark.usefixtures("job")
def test_of_an_environment_that_is_served_jobs_are_waited_for(database: Database, state: FolderLake) -> None:
    serving = state.lock(hosting.SERVER_LOCK, ME)
    with pytest.raises(Locked) as refusal, hosting.unserved(state, ME, database):
        pass
    assert refusal.value.code == "SRV054"
    serving.release()
    state.lock(ENVIRONMENT_LOCK, ME).release()
