"""``$batch``: many calls in one request; a changeset does all or none.

Source: Microsoft's page "Execute batch operations using the Web API".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from toolkit.server.call import BAD_PAYLOAD, Answer, Call, bad_request, query_of
from toolkit.server.world import World

MOST = 1000
"""Calls of one batch. Source: Dataverse's limit."""
CONTINUE = "odata.continue-on-error"
_API = re.compile(r"(?:https?://[^/]+)?/api/data/v9[.][0-2]/", re.IGNORECASE)
_LINE = re.compile(r"([A-Z]+) (.+?)(?: HTTP/\d[.]\d)?", re.DOTALL)
_REFERENCE = re.compile(rb'(@odata[.](?:bind|id)"\s*:\s*")/?[$]([^"/()]+)')
"""A content id in a body, in the place of an address."""

Dispatch = Callable[[World, Call], Answer]


@dataclass(frozen=True, slots=True)
class Part:
    """A call of a batch, with its content id where it has one."""

    call: Call
    content_id: str | None = None

    def referring(self, made: dict[str, str]) -> Part:
        """Return the part with content ids of earlier parts replaced by the addresses of what these made."""
        call = self.call
        named, slash, rest = call.path.lstrip("/").removeprefix("$").partition("/")
        path = call.path
        if call.path.lstrip("/").startswith("$") and named in made:
            path = made[named].removeprefix(call.base) + slash + rest
        body = _REFERENCE.sub(
            lambda found: found[1] + made.get(found[2].decode(), found[0].decode()).encode(), call.body
        )
        return replace(self, call=replace(call, path=path, body=body))


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a part."""

    answer: Answer
    content_id: str | None = None


class _FailedError(Exception):
    """Undoes a changeset."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done


def run(world: World, call: Call, dispatch: Dispatch) -> Answer:
    """Answer every call of a batch; without the preference to go on, none after the first that fails."""
    items = list(_items(call))
    _check(items)
    boundary = f"batchresponse_{world.new_id()}"
    parts: list[bytes] = []
    failed = False
    for item in items:
        done = _one(world, item, dispatch) if isinstance(item, Part) else _changeset(world, item, dispatch)
        failed |= _is_failure(done)
        parts.append(_text_of(done, f"changesetresponse_{world.new_id()}"))
        if failed and CONTINUE not in call.prefer:
            break
    status = 400 if failed and CONTINUE not in call.prefer else 200
    headers = {"Content-Type": f"multipart/mixed; boundary={boundary}", "OData-Version": "4.0"}
    return Answer(status, headers, _multipart(parts, boundary))


def _one(world: World, part: Part, dispatch: Dispatch) -> Done:
    return Done(dispatch(world, part.call), part.content_id)


def _changeset(world: World, parts: Sequence[Part], dispatch: Dispatch) -> list[Done] | Done:
    """Return what came of all parts, or of the one that undid them."""
    try:
        with world.write():
            return list(_all(world, parts, dispatch))
    except _FailedError as error:
        return error.done


def _all(world: World, parts: Sequence[Part], dispatch: Dispatch) -> Iterator[Done]:
    made: dict[str, str] = {}
    for part in parts:
        done = _one(world, part.referring(made), dispatch)
        if _is_failure(done):
            raise _FailedError(done)
        if part.content_id is not None and (address := done.answer.headers.get("OData-EntityId")):
            made[part.content_id] = address
        yield done


def _is_failure(done: list[Done] | Done) -> bool:
    return isinstance(done, Done) and done.answer.status >= 400


def _check(items: list[Part | list[Part]]) -> None:
    parts = [part for item in items for part in (item if isinstance(item, list) else [item])]
    if not parts:
        raise bad_request("the batch holds no calls", BAD_PAYLOAD)
    if len(parts) > MOST:
        raise bad_request(f"the batch holds {len(parts)} calls, and at most {MOST} are allowed", BAD_PAYLOAD)
    if any(part.call.path == "$batch" for part in parts):
        raise bad_request("a batch cannot hold another one", BAD_PAYLOAD)
    if any(part.call.method == "GET" for item in items if isinstance(item, list) for part in item):
        raise bad_request("a changeset holds writes only", BAD_PAYLOAD)


# --- reading --------------------------------------------------------------------------------------------------------


def _items(call: Call) -> Iterator[Part | list[Part]]:
    kind = call.headers.get("content-type", "")
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode("latin-1", "replace") + b"\r\n\r\n" + call.body)
    for part in _parts(message):
        if part.get_content_maintype() == "multipart":
            yield [_part(call, each) for each in _parts(part)]
        else:
            yield _part(call, part)


def _parts(message: Message) -> list[Message]:
    if not message.is_multipart():
        raise bad_request("the body is no multipart/mixed with the boundary that its Content-Type gives", BAD_PAYLOAD)
    return [part for part in message.get_payload() if isinstance(part, Message)]


def _part(call: Call, message: Message) -> Part:
    """Read ``PATCH accounts(...) HTTP/1.1`` with its headers and body."""
    payload = message.get_payload(decode=True)
    if message.get_content_type() != "application/http" or not isinstance(payload, bytes):
        raise bad_request("every part of a batch is application/http", BAD_PAYLOAD)
    head, _, body = payload.lstrip().replace(b"\r\n", b"\n").partition(b"\n\n")
    line, *lines = head.decode().rstrip("\n").split("\n")
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise bad_request("a part of the batch does not begin with a method and an address", BAD_PAYLOAD)
    pairs = (each.partition(":") for each in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    address = urlsplit(_API.sub("", found[2].strip(), count=1))
    inner = Call(
        found[1], unquote(address.path).lstrip("/"), query_of(address.query), headers, body.rstrip(b"\n"), call.base
    )
    return Part(inner, message.get("Content-ID"))


# --- writing --------------------------------------------------------------------------------------------------------


def _text_of(done: list[Done] | Done, boundary: str) -> bytes:
    """Return a part of the answer; a changeset is parts within one."""
    if isinstance(done, Done):
        return _http(done)
    inner = _multipart([_http(each) for each in done], boundary)
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode() + inner


def _http(done: Done) -> bytes:
    answer = done.answer
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    head += [f"Content-ID: {done.content_id}"] if done.content_id is not None else []
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"
    lines = [*head, "", status, *(f"{name}: {value}" for name, value in answer.headers.items()), "", ""]
    return "\r\n".join(lines).encode() + answer.body


def _multipart(parts: Sequence[bytes], boundary: str) -> bytes:
    start = f"--{boundary}\r\n".encode()
    return b"".join(start + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
