"""The ASGI shell: a request becomes a call, and a thread answers it."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from toolkit.server.call import Answer, Call, ODataError, no_resource, query_of
from toolkit.server.control import PREFIX, Control
from toolkit.server.faults import UNAUTHORIZED, UNEXPECTED, Drop, Fault, Faults, NoFaults
from toolkit.server.guard import Guard
from toolkit.server.refusals import refusal
from toolkit.server.routes import dispatch
from toolkit.server.transport import break_off
from toolkit.server.world import World

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_COMPRESSED_FROM = 1024
"""Bytes of a body that are worth compressing."""
_LEVEL = 1
"""Of gzip: on a loopback speed is worth more than size."""


def app(
    world: World,
    *,
    token: str | None = None,
    faults: Faults | None = None,
    control: Control | None = None,
    hosts: Collection[str] | None = None,
) -> Starlette:
    """Return the application. With ``token``, every call has to bring it as its bearer token (401).

    With ``control`` it answers below ``/_toolkit/`` too, and its switches decide on faults. ``hosts`` are the names
    under which the server is reached (None: any).
    """
    decides = faults or (control.switches if control else NoFaults())
    shell = _Shell(world, token, decides, control)
    return Starlette(
        routes=[Route("/{path:path}", shell.answer, methods=METHODS)],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={Exception: _unexpected},
    )


class _Shell:
    def __init__(self, world: World, token: str | None, faults: Faults, control: Control | None) -> None:
        self._world = world
        self._token = token
        self._faults = faults
        self._control = control

    async def answer(self, request: Request) -> Response:
        # The token is looked at before the body is read: a stranger cannot fill the memory.
        if self._token is not None and not _is_bearer(self._token, request.headers):
            return _response(refusal(_unauthorized()))
        path = request.scope["path"]
        if self._control is not None and path.startswith(PREFIX):
            call = await _call(request, path.removeprefix(PREFIX), PREFIX[1:])
            return _response(await run_in_threadpool(self._control.answer, call))
        if (found := _API.fullmatch(path)) is None:
            return _response(refusal(no_resource(path)))
        call = await _call(request, found["path"], f"api/data/{found['version']}/")
        fault = self._faults.next(call) or Fault()
        await asyncio.sleep(fault.wait)
        return await self._outcome(call, fault)

    async def _outcome(self, call: Call, fault: Fault) -> Response:
        if fault.drop is Drop.BEFORE:
            return _BrokenOff()
        answer = fault.answer
        if answer is None:
            answer = await run_in_threadpool(self._answered, call)
        if fault.drop is Drop.AFTER:
            return _BrokenOff()
        return _Torn(answer.body, answer.status) if fault.drop else _response(answer)

    def _answered(self, call: Call) -> Answer:
        return _compressed(dispatch(self._world, call), call)


_API = re.compile("/api/data/(?P<version>v9[.][0-2])/(?P<path>.*)", re.DOTALL)


async def _call(request: Request, path: str, below: str) -> Call:
    """Return the request as a call; its path lies below ``below``."""
    query = query_of(request.scope["query_string"].decode("latin-1"))
    headers = {name.lower(): request.headers.get(name, "") for name in request.headers}
    prefer = ",".join(request.headers.getlist("prefer"))
    base = f"{request.url.scheme}://{request.url.netloc}/{below}"
    return Call(request.method, path, query, {**headers, "prefer": prefer}, await request.body(), base)


def _is_bearer(token: str, headers: Mapping[str, str]) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _unauthorized() -> ODataError:
    return ODataError(401, UNAUTHORIZED, "the bearer token is missing or wrong", headers={"WWW-Authenticate": "Bearer"})


def _compressed(answer: Answer, call: Call) -> Answer:
    if len(answer.body) < _COMPRESSED_FROM or "gzip" not in call.headers.get("accept-encoding", ""):
        return answer
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(answer, body=gzip.compress(answer.body, _LEVEL), headers=headers)


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    # In their own spelling: Microsoft's asynchronous client finds OData-EntityId in no other.
    response.raw_headers += [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()
    ]
    return response


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return _response(refusal(ODataError(500, UNEXPECTED, "An unexpected error occurred.")))


class _Torn(Response):
    """An answer that promises more than it sends; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's signature
        headers = [(b"content-length", str(len(self.body) + 1).encode())]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})


class _BrokenOff(Response):
    """No answer at all: the connection breaks off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's signature
        await break_off(scope, receive)
