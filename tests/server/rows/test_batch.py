from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from typing import NamedTuple

import httpx

from tests.organization.samples import Clock, numbered
from toolkit.organization import rows
from toolkit.organization.database import Database

ONE, TWO = numbered(1), numbered(2)


class Done(NamedTuple):
    status: int
    content_id: str | None
    text: str


def part(line: str, body: str = "", content_id: str = "", **headers: str) -> str:
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    head += f"Content-ID: {content_id}\r\n" if content_id else ""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{head}\r\n{line}\r\n{lines}\r\n{body}\r\n" if body or headers else f"{head}\r\n{line}\r\n"


def multipart(boundary: str, *parts: str) -> str:
    return "".join(f"--{boundary}\r\n{each}" for each in parts) + f"--{boundary}--\r\n"


def changeset(*parts: str) -> str:
    return f'Content-Type: multipart/mixed; boundary="cs"\r\n\r\n{multipart("cs", *parts)}\r\n'


def send(api: httpx.Client, *parts: str, prefer: str = "") -> httpx.Response:
    headers = {"Content-Type": 'multipart/mixed; boundary="b"', "Prefer": prefer}
    return api.post("$batch", content=multipart("b", *parts).encode(), headers=headers)


def done(found: httpx.Response) -> list[Done | list[Done]]:
    kind = found.headers["Content-Type"].encode()
    message = BytesParser().parsebytes(b"Content-Type: " + kind + b"\r\n\r\n" + found.content)
    return [_done(each) for each in _parts(message)]


def _parts(message: Message) -> list[Message]:
    payload = message.get_payload()
    assert isinstance(payload, list)
    return [each for each in payload if isinstance(each, Message)]


def _done(message: Message) -> Done | list[Done]:
    if message.is_multipart():
        return [each for inner in _parts(message) if isinstance(each := _done(inner), Done)]
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    head, _, body = payload.decode().partition("\r\n\r\n")
    return Done(int(head.split()[1]), message["Content-ID"], body.strip())


def test_calls_are_answered_in_their_order(database: Database, api: httpx.Client) -> None:
    rows.insert(database, "note", [{"noteid": ONE, "title": "a \u00e9"}], Clock())
    found = send(
        api,
        part(f"GET {api.base_url}notes({ONE})?$select=title HTTP/1.1"),
        part("GET /api/data/v9.2/notes?$filter=title eq 'a \u00e9'&$select=title HTTP/1.1", accept="application/json"),
        part("POST notes HTTP/1.1", '{"title": "b \u00e9"}', Content_Type="application/json; type=entry"),
        part("GET notes/$count HTTP/1.1"),
    )
    first, second, third, fourth = done(found)
    assert found.status_code == 200
    assert '"title":"a \u00e9"' in str(first)
    assert f'"noteid":"{ONE}"' in str(second)
    assert (third, fourth) == (Done(204, None, ""), Done(200, None, "2"))


def test_the_first_failure_ends_a_batch(database: Database, api: httpx.Client) -> None:
    calls = (part(f"GET notes({ONE}) HTTP/1.1"), part("POST notes HTTP/1.1", "{}"))
    found = send(api, *calls)
    assert (found.status_code, [each.status for each in done(found) if isinstance(each, Done)]) == (400, [404])
    assert rows.count(database, "note") == 0


def test_a_batch_goes_on_when_that_is_preferred(database: Database, api: httpx.Client) -> None:
    calls = (part(f"GET notes({ONE}) HTTP/1.1"), part("POST notes HTTP/1.1", "{}"))
    found = send(api, *calls, prefer="odata.continue-on-error")
    assert (found.status_code, [each.status for each in done(found) if isinstance(each, Done)]) == (200, [404, 204])
    assert rows.count(database, "note") == 1


def test_a_changeset_refers_to_what_it_made(database: Database, api: httpx.Client) -> None:
    found = send(
        api,
        changeset(
            part("POST notes HTTP/1.1", '{"title": "a"}', "1"),
            part("PATCH $1 HTTP/1.1", '{"title": "b"}', "2", If_Match="*"),
            part("POST cts_everies HTTP/1.1", '{"cts_lookup@odata.bind": "$1"}', "3"),
            part("PUT /$1/title HTTP/1.1", '{"value": "c"}', "4"),
        ),
    )
    (every,) = done(found)
    assert [(each.status, each.content_id) for each in every if isinstance(each, Done)] == [
        (204, "1"),
        (204, "2"),
        (204, "3"),
        (204, "4"),
    ]
    # The first id that is made is in the boundary of the answer.
    note, other = (
        rows.read(database, *at) or {} for at in (("note", numbered(0xF002)), ("cts_every", numbered(0xF003)))
    )
    assert (note["title"], other["cts_lookup"]) == ("c", numbered(0xF002))


def test_a_changeset_that_fails_leaves_nothing(database: Database, api: httpx.Client) -> None:
    wrong = changeset(part("POST notes HTTP/1.1", "{}", "1"), part(f"DELETE notes({TWO}) HTTP/1.1", "", "2"))
    right = changeset(part("POST notes HTTP/1.1", f'{{"noteid": "{ONE}"}}', "3"))
    found = send(api, wrong, right, prefer="odata.continue-on-error")
    first, second = done(found)
    assert isinstance(first, Done)
    assert (first.status, first.content_id, "0x80040217" in first.text) == (404, "2", True)
    assert second == [Done(204, "3", "")]
    assert [rows.count(database, "note"), rows.read(database, "note", ONE) is not None] == [1, True]


def test_a_batch_that_cannot_be_read_is_refused(api: httpx.Client) -> None:
    def refusal(*parts: str) -> str:
        found = send(api, *parts)
        assert (found.status_code, found.json()["error"]["code"]) == (400, "0x80048d19")
        return str(found.json()["error"]["message"])

    assert refusal(part("notes")) == "a part of the batch does not begin with a method and an address"
    assert (
        refusal("Content-Type: text/plain\r\n\r\nGET notes HTTP/1.1\r\n") == "every part of a batch is application/http"
    )
    assert refusal(part("POST $batch HTTP/1.1", "x")) == "a batch cannot hold another one"
    assert refusal(changeset(part("GET notes HTTP/1.1"))) == "a changeset holds writes only"
    assert refusal(*[part("GET notes HTTP/1.1")] * 1001) == "the batch holds 1001 calls, and at most 1000 are allowed"
    found = api.post("$batch", content=b"x", headers={"Content-Type": "text/plain"})
    assert found.status_code == 400
