"""A storage account that is served on this machine: the dfs and the blob endpoint, over HTTP or TLS.

``served()`` gives a Storage with an address for each endpoint. They have the form that emulators use, with the name of
the endpoint as the first segment of the path: the SDK finds the blob endpoint of a dfs address by replacing ``.dfs.``.
"""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep

from tests.lake.dfs.blobs import Blobs
from tests.lake.dfs.facts import Held
from tests.lake.dfs.faults import Faults, Kind
from tests.lake.dfs.identity import Identity
from tests.lake.dfs.paths import Paths, http_date
from tests.lake.dfs.signing import CHALLENGE, Door
from tests.lake.dfs.store import Store
from tests.lake.dfs.wire import VERSION, Answer, Refusal, Request, parameters, place
from toolkit.server.serving import Certificate

ACCOUNT = "contososales"
KEY = base64.b64encode(b"a key of the tests, of no account anywhere").decode()
HNS = {"x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2", "x-ms-is-hns-enabled": "true"}
REFUSALS: dict[Kind | None, Refusal] = {
    "busy": Refusal(503, "ServerBusy", "The server is busy.", {"Retry-After": "1"}),
    "throttled": Refusal(429, "TooManyRequests", "Operations per second is over the account limit."),
    "expired": Refusal(401, "InvalidAuthenticationInfo", "The token is expired.", CHALLENGE),
}
PIECES = 4
"""In how many pieces a slow answer comes."""
PAUSE = 0.002
"""Seconds between the pieces of a slow answer."""


def unheard(_: Request) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Asked:
    """A request that came in, and what became of it; ``status`` is 0 when no answer was sent."""

    method: str
    half: str
    path: str
    """``<file system>/<path>``."""
    kind: str
    sent: int
    """Bytes of the body that the client sent."""
    received: int
    """Bytes of the body that the client was sent."""
    status: int
    fault: Kind | None


@dataclass
class Storage:
    """A storage account: what it holds, who may use it, what goes wrong, and what was asked of it."""

    account: str
    key: str
    store: Store
    door: Door
    holds: Held
    information: dict[str, str]
    identity: Identity
    faults: Faults = field(default_factory=Faults)
    requests: list[Asked] = field(default_factory=list)
    look: Callable[[Request], None] = unheard
    """Told of every request before it is answered, while nothing else is done."""
    address: str = ""
    """http://127.0.0.1:PORT, without an endpoint."""

    @property
    def url(self) -> str:
        """The address of the dfs endpoint."""
        return f"{self.address}/{self.account}.dfs.core.windows.net"

    @property
    def identity_url(self) -> str:
        """Where a managed identity gets tokens; as an authority for clients with a secret, ``address`` is it."""
        return f"{self.address}/msi/token"

    @property
    def blob_url(self) -> str:
        """The address of the blob endpoint."""
        return f"{self.address}/{self.account}.blob.core.windows.net"

    def answer(self, request: Request) -> Answer:
        """Answer a request, or say why not."""
        try:
            if f"/{self.account}." not in request.target:
                return self.identity.answer(request)
            with self.store.guard:
                self.look(request)
                self.door(request)
                return self.stamped(self._endpoint(request).answer(request))
        except Refusal as refusal:
            return self.stamped(refusal.answer(request, self.holds))

    def stamped(self, answer: Answer) -> Answer:
        """Return the answer with the headers that all have."""
        headers = {"x-ms-request-id": str(uuid.uuid4()), "x-ms-version": VERSION, "Date": http_date(self.door.now())}
        return replace(answer, headers={**headers, **answer.headers})

    def _endpoint(self, request: Request) -> Paths | Blobs:
        if request.half == "dfs" and not request.query.get("restype"):
            return Paths(self.store, self.holds)
        return Blobs(self.store, self.holds, self.door, self.information)


class _Dropped(Exception):
    """The connection ends here, as a fault asks for."""


class _Handler(BaseHTTPRequestHandler):
    """A connection. Every answer goes out in one piece, unless a fault says otherwise."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    storage: Storage
    secure: bool

    def _serve(self) -> None:
        target, _, query = self.path.partition("?")
        half, file_system, path = place(target)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, half, target, file_system, path, parameters(query), headers, secure=self.secure)
        fault = self.storage.faults.next(request)
        answer: Answer | None = None
        size = int(headers.get("content-length", "0"))
        try:
            answer = self._answer(request, size, fault)
        except _Dropped:
            self._drop()
        received = len(answer.body) if answer else 0
        status = answer.status if answer else 0
        where = f"{file_system}/{path}"
        asked = Asked(self.command, half, where, request.kind, size, received, status, fault)
        self.storage.requests.append(asked)
        if answer:
            self._send(answer, fault)

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names of the base class

    def _answer(self, request: Request, size: int, fault: Kind | None) -> Answer:
        body = self.rfile.read(size // 2 if fault == "reset_request" else size)
        if fault in ("lost_before", "reset_request"):
            raise _Dropped
        if fault in REFUSALS:
            return self.storage.stamped(REFUSALS[fault].answer(request, self.storage.holds))
        answer = self.storage.answer(replace(request, body=body))
        if fault == "lost_after" or (fault == "reset_answer" and not answer.body):
            raise _Dropped
        return answer

    def _send(self, answer: Answer, fault: Kind | None) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer.body, fault)

    def _send_body(self, body: bytes, fault: Kind | None) -> None:
        if fault == "reset_answer":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self._drop()
        elif fault == "slow":
            self._dribble(body)
        else:
            self.wfile.write(body)

    def _dribble(self, body: bytes) -> None:
        step = max(1, -(-len(body) // PIECES))
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            sleep(PAUSE)

    def _drop(self) -> None:
        """End the connection with a reset, as a network does that loses it."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """A thread for each connection. What goes wrong in one is kept, and raised at the end."""

    block_on_close = False
    request_queue_size = 64

    def __init__(self, handler: type[_Handler], context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.errors: list[BaseException] = []
        self._open: set[socket.socket] = set()
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def get_request(self) -> tuple[socket.socket, object]:
        request, address = super().get_request()
        self._open.add(request)
        return request, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close at once: a connection that a fault resets must not end in order first."""
        assert isinstance(request, socket.socket)
        self._open.discard(request)
        request.close()

    def handle_error(self, *_: object) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | ssl.SSLError):
            self.errors.append(error)

    def end(self) -> None:
        """Close every connection, and raise what went wrong in one."""
        self.shutdown()
        self.server_close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if self.errors:
            raise self.errors[0]


@contextmanager
def served(
    *,
    account: str = ACCOUNT,
    key: str = KEY,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    store: Store | None = None,
    off: frozenset[str] = frozenset(),
    tls: Certificate | None = None,
    information: dict[str, str] = HNS,
) -> Iterator[Storage]:
    """Serve a storage account on a free port until the block ends.

    ``clock`` is the time of leases and of writes; clients sign with the time of the day. ``off`` names facts that do
    not hold; ``information`` is what the account says of itself.
    """
    holds = Held(set(off))
    door = Door(account, key, holds, clock)
    storage = Storage(account, key, store or Store(clock), door, holds, information, Identity(door))
    handler = type("Handler", (_Handler,), {"storage": storage, "secure": tls is not None})
    server = _Server(handler, _context(tls) if tls else None)
    storage.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        server.end()
        thread.join()


def _context(tls: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    return context
