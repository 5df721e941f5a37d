"""Control of a running server: faults, snapshots, reset, and who may ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest

from tests.organization.samples import NOW, Clock, numbered
from tests.server.served import _Direct, ids
from toolkit.errors import Locked
from toolkit.organization import operations, rows, snapshots
from toolkit.organization.database import Database
from toolkit.organization.operations import Kind, SystemJob
from toolkit.server.app import app
from toolkit.server.control import Control
from toolkit.server.faults import parse
from toolkit.server.world import World

WORD = "abc"


@pytest.fixture
def control(database: Database) -> Control:
    return Control(World(database, Clock(), ids()))


@contextmanager
def asking(control: Control, token: str | None = None, **headers: str) -> Iterator[httpx.Client]:
    transport = _Direct(app(control.world, token=token, control=control, hosts={"localhost"}))
    with httpx.Client(transport=transport, base_url="http://localhost:8080/", headers=headers) as opened:
        yield opened


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_faults_are_set_told_and_taken_away(control: Control) -> None:
    control.switches.set(parse(["500:at=1"]))
    with asking(control) as api:
        assert api.get("_toolkit/faults").json() == {"faults": [{"kind": "500", "at": [1]}]}
        wanted = {"faults": [{"kind": "429", "retry_after": 3}]}
        assert api.put("_toolkit/faults", json=wanted).json() == wanted
        assert api.get("api/data/v9.2/notes").headers["Retry-After"] == "3"
        assert api.delete("_toolkit/faults").status_code == 204
        assert api.get("api/data/v9.2/notes").status_code == 200


@pytest.mark.parametrize("body", [{"faults": [{"kind": "x"}]}, {"faults": 1}, {}])
def test_what_is_no_list_of_rules_is_refused_and_the_old_ones_hold(control: Control, body: dict[str, object]) -> None:
    control.switches.set(parse(["500"]))
    with asking(control) as api:
        assert error(api.put("_toolkit/faults", json=body)) == (400, "0x80048d19")
    assert [rule.kind for rule in control.switches.rules] == ["500"]


def test_a_snapshot_is_kept_and_brought_back(database: Database, control: Control) -> None:
    with asking(control) as api:
        assert api.put("_toolkit/snapshots/clean").status_code == 204
        rows.insert(database, "note", [{"noteid": numbered(1)}], Clock())
        assert api.get("_toolkit/snapshots").json() == {"snapshots": ["clean"]}
        assert api.post("_toolkit/reset", json={"to": "clean"}).status_code == 204
        assert rows.count(database, "note") == 0
        assert error(api.post("_toolkit/reset", json={"to": "other"})) == (404, "ORG072")
        assert error(api.put("_toolkit/snapshots/clean")) == (400, "ORG071")


def test_a_reset_without_a_name_goes_back_to_the_beginning(control: Control) -> None:
    with asking(control) as api:
        assert api.post("_toolkit/reset").status_code == 204
        assert error(api.get("api/data/v9.2/notes")) == (404, "0x80060888")
        assert api.get("api/data/v9.2/accounts").json()["value"] == []


def test_nothing_is_reset_under_a_job(database: Database, control: Control) -> None:
    with database.write() as connection:
        operations.put(connection, SystemJob(id=numbered(1), kind=Kind.IMPORT, name="Import", created=NOW))
    with asking(control) as api:
        assert error(api.post("_toolkit/reset")) == (503, "SRV054")


def test_a_job_of_a_snapshot_runs_no_longer(database: Database, control: Control) -> None:
    with database.write() as connection:
        operations.put(connection, SystemJob(id=numbered(1), kind=Kind.IMPORT, name="Import", created=NOW))
    snapshots.save(database, "working")
    with database.write() as connection:
        operations.fail_open(connection, NOW)
    with asking(control) as api:
        for _ in range(2):
            assert api.post("_toolkit/reset", json={"to": "working"}).status_code == 204
        assert api.get(f"api/data/v9.2/asyncoperations({numbered(1)})").json()["statuscode"] == 31


def test_nothing_is_reset_while_a_plan_is_applied(database: Database) -> None:
    def taken() -> AbstractContextManager[object]:
        raise Locked("LAK003", "somebody applies a plan")

    with asking(Control(World(database, Clock(), ids()), exclusive=taken)) as api:
        assert error(api.post("_toolkit/reset")) == (503, "LAK003")


@pytest.mark.parametrize("path", ["_toolkit/", "_toolkit/faults/1", "_toolkit/reset"])
def test_what_is_not_there_is_not_found(control: Control, path: str) -> None:
    with asking(control) as api:
        assert error(api.get(path)) == (404, "0x80060888")


def test_the_control_asks_for_the_token_too(control: Control) -> None:
    with asking(control, token=WORD) as api:
        assert api.get("_toolkit/faults").status_code == 401
        assert api.get("_toolkit/faults", headers={"Authorization": f"Bearer {WORD}"}).status_code == 200


def test_without_a_control_there_is_none(database: Database, api: httpx.Client) -> None:
    assert database.path.exists()
    assert api.get("http://org.example/_toolkit/faults").status_code == 404


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "LOCALHOST:1"])
def test_a_request_for_a_name_of_the_server_is_answered(control: Control, host: str) -> None:
    with asking(control, Host=host) as api:
        assert api.get("api/data/v9.2/notes").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "[::1]:8080", "localhost.evil.example", ""])
def test_a_request_for_another_name_is_refused(control: Control, host: str) -> None:
    with asking(control, Host=host) as api:
        assert error(api.get("api/data/v9.2/notes")) == (403, "SRV061")


def test_a_page_of_another_origin_is_refused(control: Control) -> None:
    with asking(control) as api:
        for origin in ("http://evil.example", "null", "http://localhost:3000"):
            assert error(api.post("_toolkit/reset", headers={"Origin": origin})) == (403, "SRV061")
        assert api.get("_toolkit/faults", headers={"Origin": "http://localhost:8080"}).status_code == 200
