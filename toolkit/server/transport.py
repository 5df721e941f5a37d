"""A connection that the application can break off: what a dropped connection looks like to a client."""

from __future__ import annotations

from asyncio import BaseTransport, Transport
from typing import cast

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_ABORT = "abort"


class BreakableProtocol(H11Protocol):
    """uvicorn's protocol, which hands the application a way to break off its connection."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Remember how to break off."""
        self.app_state = {**self.app_state, _ABORT: cast("Transport", transport).abort}
        super().connection_made(cast("Transport", transport))


async def break_off(scope: Scope, receive: Receive) -> None:
    """Break off the connection of a request, and wait until it is gone. Raises ConnectionAbortedError without one."""
    abort = scope.get("state", {}).get(_ABORT)
    if abort is None:
        raise ConnectionAbortedError
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass
