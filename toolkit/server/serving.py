"""Serving an organization from this process: a socket, uvicorn, and a way to stop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from toolkit.server.transport import BreakableProtocol


@dataclass(frozen=True, slots=True)
class Certificate:
    """What https needs: the files of a certificate and of its key, in PEM."""

    certificate: Path
    key: Path


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections from now on; port 0 is any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=256)
    # Connections inherit it. asyncio sets it only where a socket names its protocol, and these do not: then every
    # answer waits 40 ms, for the client to acknowledge its head before its body is sent.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(listening: socket.socket, tls: Certificate | None = None) -> str:
    """Return the address of an organization that is served there, as in ``http://127.0.0.1:8080``."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def server(app: Starlette, tls: Certificate | None = None) -> uvicorn.Server:
    """Return a server that runs until its ``should_exit`` is set; in the main thread signals set it."""
    config = uvicorn.Config(
        app,
        http=BreakableProtocol,
        lifespan="off",
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return uvicorn.Server(config)


def serve(app: Starlette, listening: socket.socket, tls: Certificate | None = None) -> None:
    """Serve until SIGINT or SIGTERM comes, in the main thread."""
    with listening, _caught(signal.SIGINT, signal.SIGTERM):
        server(app, tls).run(sockets=[listening])


@contextmanager
def _caught(*signals: signal.Signals) -> Iterator[None]:
    """Let signals stop the server alone: uvicorn raises them again when it has stopped."""
    before = {each: signal.signal(each, lambda *_: None) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def served(app: Starlette, host: str = "127.0.0.1", port: int = 0, tls: Certificate | None = None) -> Iterator[str]:
    """Serve in a thread until the block ends, and give the address."""
    with listen(host, port) as listening:
        running = server(app, tls)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, name="served", daemon=True)
        thread.start()
        try:
            yield address(listening, tls)
        finally:
            running.should_exit = True
            thread.join()
