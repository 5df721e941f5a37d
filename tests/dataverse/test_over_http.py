"""The client over real HTTP: connections, certificates, tokens, and a line that breaks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from tests.organization.samples import organization
from tests.server.served import self_signed, served
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client, Exchange
from toolkit.dataverse.limits import Limits
from toolkit.errors import Forbidden, Refused, Retriable, ToolkitError
from toolkit.organization.database import Database
from toolkit.server.call import Answer, Call
from toolkit.server.faults import Drop, Fault
from toolkit.sign_in.credential import credential
from toolkit.sign_in.method import SignIn

QUICK = Limits(backoff=0.001)


class Script:
    """What happens to the calls, one after the other; then nothing more."""

    def __init__(self, *faults: Fault | None) -> None:
        self.faults, self.calls = list(faults), list[Call]()

    def next(self, call: Call) -> Fault | None:
        self.calls.append(call)
        return self.faults.pop(0) if self.faults else None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with organization(tmp_path) as opened:
        yield opened


def test_a_certificate_is_trusted_when_the_environment_names_its_bundle(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    certificate = self_signed(tmp_path)
    with served(database, tls=certificate) as url:
        with Client(Address.parse(url), None, limits=QUICK) as client, pytest.raises(Refused) as caught:
            client.get("notes")
        assert caught.value.code == "DV013"
        monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
        with Client(Address.parse(url), None) as client:
            assert client.get("notes").json()["value"] == []


def test_a_token_that_was_replaced_is_read_anew_after_a_401(database: Database) -> None:
    variables = {"HELD": "old"}
    sign_in = SignIn(method="token", variable="HELD")
    wanted = "new"
    with served(database, token=wanted) as url:
        address = Address.parse(url)
        who = credential(sign_in, address, folder=Path(), variables=variables.get)
        with Client(address, who, limits=QUICK) as client:
            with pytest.raises(Forbidden):
                client.get("notes")
            variables["HELD"] = wanted
            assert client.get("notes").status == 200


@pytest.mark.parametrize("when", Drop)
def test_an_answer_that_breaks_off_is_asked_for_again(database: Database, when: Drop) -> None:
    script = Script(Fault(drop=when), None)
    with served(database, faults=script) as url, Client(Address.parse(url), None, limits=QUICK) as client:
        assert client.get("notes").json()["value"] == []
    assert len(script.calls) == 2


@pytest.mark.parametrize("when", [Drop.BEFORE, Drop.AFTER])
def test_a_post_whose_answer_is_lost_is_not_sent_again(database: Database, when: Drop) -> None:
    script = Script(Fault(drop=when))
    with (
        served(database, faults=script) as url,
        Client(Address.parse(url), None, limits=QUICK) as client,
        pytest.raises(ToolkitError) as caught,
    ):
        client.send("POST", "notes", {"title": "once"})
    assert (caught.value.code, len(script.calls)) == ("DV014", 1)


def test_a_server_that_is_not_there_is_told(database: Database) -> None:
    with served(database) as url:
        pass
    few = Limits(attempts=2, backoff=0.001)
    with Client(Address.parse(url), None, limits=few) as client, pytest.raises(Retriable) as caught:
        client.get("notes")
    assert caught.value.code == "DV012"


def test_answers_come_zipped_and_are_counted_unzipped(database: Database) -> None:
    body = json.dumps({"value": ["x" * 5000]}).encode()
    zipped = Answer(200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, gzip.compress(body))
    exchanges: list[Exchange] = []
    with (
        served(database, faults=Script(Fault(answer=zipped))) as url,
        Client(Address.parse(url), None, on_request=exchanges.append) as client,
    ):
        assert client.get("notes").content == body
    assert [each.size for each in exchanges] == [len(body)]


def test_links_reach_the_server_as_they_were_given(database: Database) -> None:
    script, link = Script(Fault(answer=Answer(200, {}, b"{}"))), "notes?$deltatoken=1%2108%2f22%2f2017%2b8"
    with served(database, faults=script) as url, Client(Address.parse(url), None) as client:
        client.get(f"{url}/api/data/v9.2/{link}")
    assert script.calls[0].query == {"$deltatoken": "1!08/22/2017+8"}
