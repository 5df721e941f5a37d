"""The ASGI shell: a request becomes a call, and a thread answers it."""

from __future__ import annotations

import asyncio
import gzip
import hmac
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from toolkit.server.call import Answer, Call, ODataError, no_resource
from toolkit.server.faults import Fault, Faults, NoFaults
from toolkit.server.refusals import refusal
from toolkit.server.routes import dispatch
from toolkit.server.world import World

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_COMPRESSED_FROM = 1024
"""Bytes of a body that are worth compressing."""
_LEVEL = 1
"""Of gzip: on a loopback speed is worth more than size."""


def app(world: World, *, token: str | None = None, faults: Faults | None = None) -> Starlette:
    """Return the application. With ``token``, every call has to bring it as its bearer token (401)."""
    shell = _Shell(world, token, faults or NoFaults())
    return Starlette(
        routes=[Route("/{path:path}", shell.answer, methods=METHODS)], exception_handlers={Exception: _unexpected}
    )


class _Shell:
    def __init__(self, world: World, token: str | None, faults: Faults) -> None:
        self._world = world
        self._token = token
        self._faults = faults

    async def answer(self, request: Request) -> Response:
        call = await _call(request)
        if call is None:
            return _response(refusal(no_resource(request.url.path)))
        fault = self._faults.next(call) or Fault()
        await asyncio.sleep(fault.wait)
        answer = fault.answer
        if answer is None:
            answer = await run_in_threadpool(self._answered, call)
        return _Dropped(answer.body) if fault.drop else _response(answer)

    def _answered(self, call: Call) -> Answer:
        if self._token is not None and not _is_bearer(self._token, call.headers):
            return refusal(_unauthorized())
        return _compressed(dispatch(self._world, call), call)


async def _call(request: Request) -> Call | None:
    """Return the request as a call, or None when it does not lie below the API."""
    head, api, tail = request.scope["path"].partition("/api/data/")
    version, _, path = tail.partition("/")
    if head or not api or version not in {"v9.0", "v9.1", "v9.2"}:
        return None
    query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.lower(): request.headers.get(name, "") for name in request.headers}
    prefer = ",".join(request.headers.getlist("prefer"))
    base = f"{request.url.scheme}://{request.url.netloc}/api/data/{version}/"
    return Call(request.method, path, query, {**headers, "prefer": prefer}, await request.body(), base)


def _is_bearer(token: str, headers: Mapping[str, str]) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _unauthorized() -> ODataError:
    return ODataError(401, UNAUTHORIZED, "the bearer token is missing or wrong", headers={"WWW-Authenticate": "Bearer"})


UNAUTHORIZED = "0x80048306"
"""Dataverse's code for a caller that it does not know."""
UNEXPECTED = "0x80040216"
"""Dataverse's code for a defect of its own."""


def _compressed(answer: Answer, call: Call) -> Answer:
    if len(answer.body) < _COMPRESSED_FROM or "gzip" not in call.headers.get("accept-encoding", ""):
        return answer
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(answer, body=gzip.compress(answer.body, _LEVEL), headers=headers)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return _response(refusal(ODataError(500, UNEXPECTED, "An unexpected error occurred.")))


class _Dropped(Response):
    """An answer that promises more than it sends; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's signature
        headers = [(b"content-length", str(len(self.body) + 1).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
