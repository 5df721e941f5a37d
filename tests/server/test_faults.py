"""Faults on demand: which calls they hit, and what a client sees."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import httpx
import pytest

from tests.organization.samples import numbered
from tests.server.served import client, direct, served
from toolkit.errors import Invalid
from toolkit.organization import rows
from toolkit.organization.database import Database
from toolkit.server.call import Call
from toolkit.server.faults import Fault, Rule, Switches, parse

NEW = {"noteid": numbered(1), "title": "new"}


def call(path: str = "notes", method: str = "GET") -> Call:
    return Call(method, path, {}, {}, b"", "")


def hits(rule: str, calls: int, path: str = "notes", method: str = "GET") -> list[int]:
    """Return the numbers of the calls that a rule hits."""
    switches = Switches(parse([rule]))
    return [number for number in range(1, calls + 1) if switches.next(call(path, method)) is not None]


@pytest.fixture
def switches() -> Switches:
    return Switches()


@pytest.fixture
def api(database: Database, switches: Switches) -> Iterator[httpx.Client]:
    with direct(database, faults=switches) as opened:
        yield opened


# --- which calls ------------------------------------------------------------------------------------------------------


def test_a_rule_without_more_hits_every_call() -> None:
    assert hits("500", 3) == [1, 2, 3]


def test_a_rule_hits_calls_by_number() -> None:
    assert hits("drop:at=2/5", 6) == [2, 5]


def test_a_rate_hits_its_share_and_the_same_calls_again() -> None:
    found = hits("429:rate=0.05,seed=3", 2000)
    assert found == hits("429:rate=0.05,seed=3", 2000)
    assert found != hits("429:rate=0.05,seed=4", 2000)
    assert 70 <= len(found) <= 130


def test_a_rule_stops_after_some_times() -> None:
    assert hits("503:times=2", 5) == [1, 2]


def test_a_path_and_a_method_are_patterns_and_only_what_fits_is_counted() -> None:
    switches = Switches(parse(["500:path=note*,method=post,at=2"]))
    paths = [("GET", "notes"), ("POST", "notes"), ("POST", "accounts"), ("POST", "notes(1)")]
    assert [switches.next(call(path, method)) is not None for method, path in paths] == [False, False, False, True]


def test_waits_add_up_and_the_first_other_rule_decides() -> None:
    switches = Switches(parse(["slow:seconds=0.5", "slow:seconds=1", "503", "500"]))
    fault = switches.next(call())
    assert fault is not None
    assert fault.answer is not None
    assert (fault.wait, fault.answer.status) == (1.5, 503)


def test_new_rules_count_from_the_beginning() -> None:
    switches = Switches(parse(["500:at=2"]))
    assert switches.next(call()) is None
    switches.set(parse(["500:at=2"]))
    assert switches.next(call()) is None
    assert switches.next(call()) is not None


@pytest.mark.parametrize(
    ("text", "keys"),
    [("430", {"kind"}), ("429:rate=2,at=0", {"rate", "at"}), ("drop:when=later", {"when"}), ("500:x=1", {"x"})],
)
def test_what_is_no_rule_is_told_at_once(text: str, keys: set[str]) -> None:
    with pytest.raises(Invalid) as failure:
        parse(["500", text])
    assert {finding.where.key for finding in failure.value.findings} == keys
    assert {finding.code for finding in failure.value.findings} == {"SRV052"}


# --- what a client sees -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "code"), [("requests", "0x80072322"), ("time", "0x80072321"), ("concurrency", "0x80072326")]
)
def test_each_limit_has_its_code(switches: Switches, api: httpx.Client, limit: str, code: str) -> None:
    switches.set(parse([f"429:limit={limit},retry_after=7"]))
    found = api.get("notes")
    assert (found.status_code, found.headers["Retry-After"], found.json()["error"]["code"]) == (429, "7", code)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_answers_with_html(switches: Switches, api: httpx.Client, status: int) -> None:
    switches.set(parse([str(status)]))
    found = api.get("notes")
    assert (found.status_code, found.headers["Content-Type"]) == (status, "text/html")


def test_an_expired_token_is_a_401(switches: Switches, api: httpx.Client) -> None:
    switches.set(parse(["401:at=1"]))
    found = api.get("notes")
    assert (found.status_code, found.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert api.get("notes").status_code == 200


def test_a_failure_of_the_platform_has_its_form(switches: Switches, api: httpx.Client) -> None:
    switches.set(parse(["500"]))
    assert api.get("notes").json() == {"error": {"code": "0x80040216", "message": "An unexpected error occurred."}}


def test_a_slow_answer_is_right(switches: Switches, api: httpx.Client) -> None:
    switches.set([Rule(kind="slow", seconds=0.2)])
    before = monotonic()
    assert api.get("notes").json()["value"] == []
    assert monotonic() - before >= 0.2


def test_a_connection_breaks_off_before_anything_is_done(database: Database) -> None:
    dropping = Switches(parse(["drop:method=POST"]))
    with served(database, faults=dropping) as address, client(address) as api:
        with pytest.raises(httpx.TransportError):
            api.post("notes", json=NEW)
        assert rows.count(database, "note") == 0
        assert api.get("notes").status_code == 200


def test_a_connection_breaks_off_after_all_is_done(database: Database) -> None:
    dropping = Switches(parse(["drop:when=after,method=POST"]))
    with served(database, faults=dropping) as address, client(address) as api:
        with pytest.raises(httpx.TransportError):
            api.post("notes", json=NEW)
        assert rows.count(database, "note") == 1


def test_without_a_server_that_can_break_off_the_application_says_so(switches: Switches, api: httpx.Client) -> None:
    switches.set(parse(["drop"]))
    with pytest.raises(ConnectionAbortedError):
        api.get("notes")


def test_nothing_goes_wrong_by_itself() -> None:
    assert Switches().next(call()) is None
    assert Fault() == Fault(0.0, None, None)
