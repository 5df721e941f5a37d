"""An organization that is served on this machine, for tests of the server and of every client."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette

from tests.organization.samples import Clock, numbered
from toolkit.organization.database import Database
from toolkit.server.app import app
from toolkit.server.faults import Faults
from toolkit.server.serving import Certificate
from toolkit.server.serving import served as served_app
from toolkit.server.world import World


def ids(first: int = 0xF001) -> Callable[[], str]:
    """Return a maker of ids that count up."""
    numbers = count(first)
    return lambda: numbered(next(numbers))


def world(database: Database, clock: Callable[[], datetime] | None = None) -> World:
    return World(database, clock or Clock(), ids())


@contextmanager
def served(
    database: Database,
    *,
    clock: Callable[[], datetime] | None = None,
    token: str | None = None,
    faults: Faults | None = None,
    tls: Certificate | None = None,
) -> Iterator[str]:
    """Serve an organization on a free port until the block ends, and give its address: http://127.0.0.1:PORT."""
    with served_app(app(world(database, clock), token=token, faults=faults), tls=tls) as address:
        yield address


@contextmanager
def direct(database: Database, **more: Any) -> Iterator[httpx.Client]:
    """Give a client that asks the application itself: what a socket would add is tested elsewhere."""
    served_world = world(database, more.pop("clock", None))
    transport = _Direct(app(served_world, **more))
    with httpx.Client(transport=transport, base_url="http://org.example/api/data/v9.2/") as opened:
        yield opened


class _Direct(httpx.BaseTransport):
    def __init__(self, application: Starlette) -> None:
        self._inner = httpx.ASGITransport(application)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = b"".join([chunk async for chunk in response.stream])
        return httpx.Response(response.status_code, headers=response.headers, content=body)


@contextmanager
def client(address: str, tls: Certificate | None = None) -> Iterator[httpx.Client]:
    """Give a plain client whose paths are those below the API."""
    verify = ssl.create_default_context(cafile=str(tls.certificate)) if tls else True
    with httpx.Client(base_url=f"{address}/api/data/v9.2/", verify=verify, timeout=30) as opened:
        yield opened


def self_signed(folder: Path) -> Certificate:
    """Make a certificate for 127.0.0.1 and localhost that nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made
