"""Who may talk to a server without a token: programs on this machine, and no web page that a browser shows.

A page can name 127.0.0.1 under a host name of its own (DNS rebinding), or send requests there without reading the
answer. The first is told by its ``Host``, the second by its ``Origin``.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from toolkit.server.call import ODataError
from toolkit.server.refusals import refusal

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of this machine; others are refused where a server listens on it alone."""
STRANGER = "SRV061"


class Guard:
    """Refuses requests for other hosts than ``hosts`` (None: any), and those that a page of another origin sends."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None = None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with 403."""
        why = self._why_not(Headers(scope=scope)) if scope["type"] == "http" else ""
        if not why:
            await self._app(scope, receive, send)
            return
        answer = refusal(ODataError(403, STRANGER, why))
        await Response(answer.body, answer.status, dict(answer.headers))(scope, receive, send)

    def _why_not(self, headers: Headers) -> str:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return "the host of the request is not one of this server"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "the request comes from a web page of another origin"
        return ""


def _name(host: str) -> str:
    """Return a host without its port; an address of IPv6 keeps its brackets."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
