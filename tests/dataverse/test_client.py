"""The client: what it sends, what it waits for, what it repeats, and what it says when there is no answer."""

import gzip
import re
import ssl
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from threading import Event

import httpx
import pytest

from tests.dataverse.service import ADDRESS, BASE, Service, answer, error
from toolkit.budget import Budget
from toolkit.dataverse.answer import Answer
from toolkit.dataverse.client import Client, not_done
from toolkit.dataverse.limits import Limits
from toolkit.errors import (
    Conflict,
    CursorExpired,
    Forbidden,
    NotFound,
    Refused,
    Retriable,
    SourceError,
    ToolkitError,
)


class Torn(httpx.SyncByteStream):
    """A body whose connection breaks behind some bytes."""

    def __init__(self, some: bytes) -> None:
        self._some = some

    def __iter__(self) -> Iterator[bytes]:
        yield self._some
        raise httpx.ReadError("gone")


# what is sent


def test_a_read_says_who_asks_for_what() -> None:
    service = Service(answer())
    service.client().get("accounts?$select=name", prefer=["odata.track-changes", "odata.maxpagesize=10"], strong=True)
    headers = service.requests[0].headers
    assert service.asked == [f"GET {BASE}accounts?$select=name"]
    assert headers["Authorization"] == "Bearer token-1"
    assert headers["Prefer"] == "odata.track-changes,odata.maxpagesize=10"
    assert (headers["Consistency"], headers["OData-Version"], headers["Accept-Encoding"]) == ("Strong", "4.0", "gzip")
    assert service.credential.scopes == ["https://contoso.crm4.dynamics.com/.default"]


def test_without_a_credential_no_token_is_sent() -> None:
    service = Service(answer())
    service.client(signed_in=False).get("WhoAmI")
    assert service.sent("Authorization") == [None]


def test_a_write_is_json_with_its_own_headers() -> None:
    service = Service(answer(204, OData_EntityId=f"{BASE}accounts(1)"))
    found = service.client().send("post", "/accounts", {"name": "A"}, headers={"MSCRM.SolutionUniqueName": "S"})
    request = service.requests[0]
    assert (request.content, request.headers["Content-Type"]) == (b'{"name":"A"}', "application/json")
    assert request.headers["MSCRM.SolutionUniqueName"] == "S"
    assert found.entity_id == f"{BASE}accounts(1)"


def test_no_cookie_is_kept_so_that_requests_spread() -> None:
    service = Service(answer(Set_Cookie="ARRAffinity=1; Path=/; Domain=contoso.crm4.dynamics.com"))
    client = service.client()
    client.get("WhoAmI")
    client.get("WhoAmI")
    assert service.sent("Cookie") == [None, None]


# what comes back


def test_numbers_with_a_point_stay_exact() -> None:
    raw = httpx.Response(200, content=b'{"value": 1234567890123456789.0123456789, "n": 9007199254740993}')
    assert Service(raw).client().get("x").json() == {
        "value": Decimal("1234567890123456789.0123456789"),
        "n": 9007199254740993,
    }


def test_a_zipped_answer_is_unzipped() -> None:
    raw = httpx.Response(200, content=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})
    assert Service(raw).client().get("x").json() == {"a": 1}


def test_a_body_takes_the_place_of_what_was_in_the_memory_that_it_is_given() -> None:
    cut_off = httpx.Response(200, stream=Torn(b"[1, 2, 3"))
    service = Service(answer(503, body=[0]), cut_off, answer(body=[4]))
    body = BytesIO(b"what was there before")
    service.client().fill(body, "accounts")
    assert (body.getvalue(), [each.size for each in service.exchanges]) == (b"[4]", [3, 0, 3])


def test_a_refusal_is_none_of_what_memory_was_given_for() -> None:
    body = BytesIO(b"before")
    with pytest.raises(NotFound):
        Service(error(404, "0x80040217")).client().fill(body, "accounts")
    assert body.getvalue() == b"before"


def test_links_are_followed_byte_by_byte_with_the_same_preferences() -> None:
    next_link = f"{BASE}accounts?$select=name&$skiptoken=%253Ccookie%2520page=%25222%2522%253E"
    delta_link = f"{BASE}accounts?$deltatoken=919042%2108%2f22%2f2017%2008%3a10%3a44"
    service = Service(answer(body={"@odata.nextLink": next_link}), answer(body={"@odata.deltaLink": delta_link}))
    pages = list(service.client().pages("accounts?$select=name", prefer=["odata.track-changes"]))
    assert pages[-1].delta_link == delta_link
    assert [request.url.raw_path.decode() for request in service.requests] == [
        "/api/data/v9.2/accounts?$select=name",
        next_link.removeprefix(ADDRESS.origin),
    ]
    assert service.sent("Prefer") == ["odata.track-changes", "odata.track-changes"]


def test_a_link_to_another_server_is_followed_at_our_own() -> None:
    service = Service(answer(body={"@odata.nextLink": "https://evil.example/api/data/v9.2/accounts?a=%2f"}), answer())
    list(service.client().pages("accounts"))
    assert service.asked[1] == f"GET {BASE}accounts?a=%2f"


def test_a_link_to_something_else_than_the_web_api_is_not_followed() -> None:
    service = Service(answer(body={"@odata.nextLink": "https://contoso.crm4.dynamics.com/accounts"}))
    with pytest.raises(Refused) as caught:
        list(service.client().pages("accounts"))
    assert (caught.value.code, len(service.requests)) == ("DV015", 1)


def test_the_body_that_is_no_object_has_no_links() -> None:
    assert Service(answer(body=[1])).client().get("x").next_link is None


def test_what_is_printed_of_an_answer_holds_no_rows_and_no_headers() -> None:
    found = Service(answer(body={"name": "secret"}, Set_Cookie="secret")).client().get("x")
    assert repr(found) == "Answer(status=200)"


def test_each_request_is_told_without_its_query() -> None:
    service = Service(answer(body=[1]), httpx.ReadError("gone"), answer())
    client = service.client()
    client.get("accounts?$filter=name eq 'secret'")
    client.get("accounts")
    told = [(each.method, each.path, each.status, each.size) for each in service.exchanges]
    path = f"{BASE}accounts"
    assert told == [("GET", path, 200, 3), ("GET", path, None, 0), ("GET", path, 200, 2)]


# faults that pass


def test_a_429_is_waited_for_as_long_as_it_says() -> None:
    service = Service(error(429, "0x80072322", Retry_After="17"), answer())
    service.client().get("accounts")
    assert (service.slept, len(service.requests)) == ([17.0], 2)


def test_retry_after_may_be_a_date() -> None:
    service = Service(answer(503, Retry_After="Sun, 01 Mar 2026 12:00:42 GMT"), answer())
    service.client().get("accounts")
    assert service.slept == [42.0]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_without_retry_after_the_waits_double(status: int) -> None:
    service = Service(*[answer(status, Retry_After="soon")] * 3, answer())
    service.client().get("accounts")
    assert service.slept == [1.0, 2.0, 4.0]


def test_the_waits_are_capped_and_jittered() -> None:
    service = Service(answer(503))
    client = Client(
        ADDRESS,
        None,
        transport=httpx.MockTransport(service),
        clock=lambda: service.now,
        sleep=service.sleep,
        random=lambda: 0.0,
        limits=Limits(attempts=6, longest=3.0),
    )
    with pytest.raises(Retriable):
        client.get("accounts")
    assert service.slept == [0.5, 1.0, 1.5, 1.5, 1.5]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("0x80072322", "too many requests of one user within 5 minutes"),
        ("0x80072321", "too much execution time of one user within 5 minutes"),
        ("0x80072326", "too many requests of one user at once"),
        ("", "slow down"),
    ],
)
def test_a_wait_beyond_patience_is_told_with_its_length(code: str, why: str) -> None:
    service = Service(error(429, code, "slow down", Retry_After="301"))
    with pytest.raises(Retriable) as caught:
        service.client().get("accounts")
    assert (caught.value.code, caught.value.why, caught.value.after) == (code or "DV010", why, 301.0)
    assert service.slept == []


def test_a_request_is_sent_a_limited_number_of_times() -> None:
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(Retriable) as caught:
        service.client(limits=Limits(attempts=3)).get("accounts")
    assert (caught.value.code, len(service.requests), service.slept) == ("DV012", 3, [1.0, 2.0])


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"), httpx.ReadError("")])
def test_a_read_whose_connection_broke_is_repeated(failure: Exception) -> None:
    service = Service(failure, answer(body={"a": 1}))
    assert service.client().get("accounts").json() == {"a": 1}


def test_an_address_that_never_answered_is_given_up_soon() -> None:
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(Retriable) as caught:
        service.client().get("accounts")
    assert service.slept == [1.0, 2.0, 4.0]
    assert caught.value.fix == "check the url in toolkit.yaml, the network and the proxy, or try again in 8 s"


def test_a_server_that_answered_before_is_waited_for_longer() -> None:
    service = Service(answer(), httpx.ConnectError("refused"))
    client = service.client()
    client.get("accounts")
    with pytest.raises(Retriable):
        client.get("accounts")
    assert len(service.slept) == 7


def test_what_is_wrong_with_a_header_is_told_without_the_header() -> None:
    service = Service(httpx.LocalProtocolError("Illegal header value b'Bearer a secret'"))
    with pytest.raises(ToolkitError) as caught:
        service.client().get("accounts")
    assert (caught.value.code, caught.value.why) == ("DV012", "LocalProtocolError")


def test_a_certificate_that_is_not_trusted_is_no_passing_fault() -> None:
    untrusted = httpx.ConnectError("certificate verify failed")
    untrusted.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    service = Service(untrusted)
    with pytest.raises(Refused) as caught:
        service.client().get("accounts")
    assert (caught.value.code, len(service.requests)) == ("DV013", 1)
    assert "SSL_CERT_FILE" in caught.value.fix


# what is repeated


def test_a_post_that_was_turned_away_is_sent_again() -> None:
    service = Service(error(429, "0x80072322", Retry_After="1"), httpx.ConnectError("refused"), answer(401), answer())
    service.client().send("POST", "accounts", {})
    assert len(service.requests) == 4


@pytest.mark.parametrize("fault", [answer(502), answer(503), answer(504), httpx.ReadError("cut")])
def test_a_post_whose_fate_is_unknown_is_not_sent_again(fault: httpx.Response | Exception) -> None:
    service = Service(fault)
    with pytest.raises(ToolkitError) as caught:
        service.client().send("POST", "accounts", {})
    assert (caught.value.code, len(service.requests)) == ("DV014", 1)


def test_a_post_is_taken_as_done_when_its_caller_finds_that_it_was() -> None:
    service, found = Service(httpx.ReadError("cut")), Answer(204, {}, b"")
    assert service.client().send("POST", "accounts", {}, done=lambda: found) is found
    assert (len(service.requests), service.slept) == (1, [1.0])


def test_a_post_is_sent_again_when_its_caller_finds_that_it_was_not_done() -> None:
    service = Service(httpx.ReadError("cut"), answer(body={"a": 1}))
    assert service.client().send("POST", "ExportSolution", {}, done=not_done).json() == {"a": 1}


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_what_may_be_done_twice_is_repeated(method: str) -> None:
    service = Service(answer(502), answer(204))
    assert service.client().send(method, "accounts(1)", {}).status == 204


def test_a_repeated_delete_that_finds_nothing_was_done() -> None:
    service = Service(httpx.ReadError("cut"), error(404, "0x80040217"))
    assert service.client().send("DELETE", "accounts(1)").status == 404


def test_a_first_delete_that_finds_nothing_is_an_error() -> None:
    with pytest.raises(NotFound):
        Service(error(404, "0x80040217")).client().send("DELETE", "accounts(1)")


# tokens


def test_a_token_that_is_not_accepted_is_replaced_once() -> None:
    service = Service(answer(401), answer(401))
    with pytest.raises(Forbidden) as caught:
        service.client().get("WhoAmI")
    assert (caught.value.code, service.sent("Authorization")) == ("DV003", ["Bearer token-1", "Bearer token-2"])


def test_a_token_is_kept_until_five_minutes_before_its_end() -> None:
    service = Service(answer())
    client = service.client()
    for seconds in (0, 3299, 2):
        service.sleep(seconds)
        client.get("WhoAmI")
    assert service.sent("Authorization") == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_without_a_credential_a_401_is_told_at_once() -> None:
    service = Service(answer(401))
    with pytest.raises(Forbidden):
        service.client(signed_in=False).get("WhoAmI")
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [answer(401), answer(403), answer(500), answer(503), answer(404), httpx.ReadError("cut"), httpx.ConnectError("no")],
)
def test_no_error_and_no_repr_holds_a_token(fault: httpx.Response | Exception) -> None:
    service = Service(fault)
    client, row = service.client(limits=Limits(attempts=2)), {"name": "a secret value"}
    with pytest.raises(ToolkitError) as caught:
        client.send("POST", "accounts", row)
    told = "".join(traceback.format_exception(caught.value)) + repr((caught.value.findings, client, vars(client)))
    assert service.sent("Authorization")[0] == "Bearer token-1"
    assert not re.search(r"token-\d|a secret value", told)


# refusals


@pytest.mark.parametrize(
    ("raw", "kind", "code"),
    [
        (error(400, "0x80044352"), CursorExpired, "0x80044352"),
        (error(410, "0X80044352"), CursorExpired, "0x80044352"),
        (error(400, "0x80060888"), Refused, "0x80060888"),
        (answer(400), Refused, "DV007"),
        (error(403, "0x80040220"), Forbidden, "0x80040220"),
        (answer(403), Forbidden, "DV004"),
        (error(404, "0x80040217"), NotFound, "0x80040217"),
        (answer(404), NotFound, "DV005"),
        (error(412, "0x80060882"), Conflict, "0x80060882"),
        (answer(501), Refused, "DV007"),
        (error(500, "0x80040216"), SourceError, "0x80040216"),
        (httpx.Response(500, text="<html>"), SourceError, "DV008"),
        (answer(302, Location="https://login.example.com"), Refused, "DV009"),
    ],
)
def test_a_refusal_keeps_its_code_and_becomes_its_kind(
    raw: httpx.Response, kind: type[ToolkitError], code: str
) -> None:
    service = Service(raw)
    with pytest.raises(ToolkitError) as caught:
        service.client().get("accounts?$filter=name eq 'secret'")
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert (str(caught.value.where), len(service.requests)) == (f"{BASE}accounts", 1)


@pytest.mark.parametrize(
    ("code", "fix"), [("0x80072560", "add the identity as an application user"), ("0x80040220", "give the identity")]
)
def test_a_403_says_what_the_identity_lacks(code: str, fix: str) -> None:
    with pytest.raises(Forbidden) as caught:
        Service(error(403, code)).client().get("accounts")
    assert caught.value.fix.startswith(fix)


# limits


def test_the_budget_is_waited_for() -> None:
    service = Service(answer())
    client = service.client(budget=Budget(2, lambda: service.now))
    for _ in range(3):
        client.get("accounts")
    assert service.slept == [60.0]


def test_a_budget_that_is_used_up_for_hours_is_told() -> None:
    service = Service(answer())
    client = service.client(budget=Budget(None, lambda: service.now, per_day=1))
    client.get("accounts")
    with pytest.raises(Retriable) as caught:
        client.get("accounts")
    assert (caught.value.code, caught.value.after) == ("DV016", 86400.0)


def test_good_answers_widen_the_gate_and_a_429_halves_it() -> None:
    service = Service(*[answer()] * 9, error(429, "0x80072326", Retry_After="1"), answer())
    client, widths = service.client(), []
    for _ in range(10):
        client.get("accounts")
        widths.append(client.width)
    assert widths == [2, 3, 3, 3, 4, 4, 4, 4, 5, 2]


def test_no_more_requests_are_under_way_than_the_gate_lets_through() -> None:
    inside, most, go = [0], [0], Event()

    def slow(_: httpx.Request) -> httpx.Response:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        go.wait(0.02)
        inside[0] -= 1
        return answer()

    client = Service(slow).client(limits=Limits(first=2, most=2))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: client.get("accounts"), range(12)))
    assert most == [2]


def test_a_client_closes_its_connections() -> None:
    with Service(answer()).client() as client:
        client.get("WhoAmI")
    with pytest.raises(RuntimeError, match="closed"):
        client.get("WhoAmI")
