from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.organization.samples import Clock, numbered
from tests.server.served import client, self_signed, served
from toolkit.organization import rows
from toolkit.organization.database import Database
from toolkit.server.call import Answer, Call
from toolkit.server.faults import Drop, Fault

ONE = numbered(1)
WORD = "abc"


class Always:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def next(self, call: Call) -> Fault:  # noqa: ARG002 - the protocol's signature
        return self.fault


def test_a_row_is_read_over_http(database: Database, api: httpx.Client) -> None:
    rows.insert(database, "note", [{"noteid": ONE, "title": "a"}], Clock())
    found = api.get(f"notes({ONE})")
    assert found.headers["OData-Version"] == "4.0"
    assert found.json() == {
        "@odata.context": f"{api.base_url}$metadata#notes/$entity",
        "@odata.etag": 'W/"1"',
        "noteid": ONE,
        "title": "a",
        "createdon": "2026-03-01T12:00:00Z",
        "modifiedon": "2026-03-01T12:00:00Z",
        "versionnumber": 1,
    }


def test_an_unknown_path_says_which_segment_leads_nowhere(api: httpx.Client) -> None:
    found = api.get("nothings")
    assert found.status_code == 404
    assert found.json() == {
        "error": {"code": "0x80060888", "message": "Resource not found for the segment 'nothings'."}
    }


def test_what_is_not_there_is_said_to_be_not_supported(api: httpx.Client) -> None:
    found = api.get("Frobnicate(1)")
    assert (found.status_code, found.json()["error"]["code"]) == (501, "SRV001")


@pytest.mark.parametrize("path", ["/", "/api/data/v8.0/notes", "/elsewhere/api/data/v9.2/notes"])
def test_what_is_not_below_the_api_is_not_found(api: httpx.Client, path: str) -> None:
    assert api.get(f"{api.base_url.copy_with(path=path)}").status_code == 404


def test_a_token_is_asked_for_only_where_one_is_set(database: Database) -> None:
    with served(database, token=WORD) as address, client(address) as api:
        found = [
            api.get("notes", headers={"Authorization": given}).status_code
            for given in ("Bearer abc", "bearer abc", "Bearer abd", "Basic abc", "")
        ]
    assert found == [200, 200, 401, 401, 401]


def test_long_answers_are_compressed_for_who_takes_that(database: Database, api: httpx.Client) -> None:
    rows.insert(database, "note", [{"noteid": numbered(at), "title": "x" * 90} for at in range(1, 20)], Clock())
    packed, plain = (api.get("notes", headers={"Accept-Encoding": each}) for each in ("gzip", "identity"))
    assert (packed.headers.get("Content-Encoding"), plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert packed.json() == plain.json()


def test_a_fault_answers_in_place_of_the_server(database: Database) -> None:
    with served(database, faults=Always(Fault(answer=Answer(503)))) as address, client(address) as api:
        assert api.get("notes").status_code == 503


def test_a_dropped_connection_breaks_off_in_the_body(database: Database) -> None:
    dropping = served(database, faults=Always(Fault(drop=Drop.MIDDLE)))
    with dropping as address, client(address) as api, pytest.raises(httpx.RemoteProtocolError):
        api.get("notes")


def test_https_works_with_a_certificate_of_ones_own(database: Database, tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    with served(database, tls=tls) as address, client(address, tls) as api:
        assert address.startswith("https://127.0.0.1:")
        assert api.get("notes").json()["value"] == []
