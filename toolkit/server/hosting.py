"""Serving an environment of a project: who may reach it, what is done before, and what after.

One server at a time serves an environment, so that jobs which are open when it begins are those of a server that died.
Other processes may work on the organization meanwhile.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from socket import socket

from toolkit.apply.documents import ENVIRONMENT_LOCK
from toolkit.errors import Finding, Locked, NotFound, Refused, Severity
from toolkit.lake.protocol import Fence, Holder, Lake
from toolkit.organization import operations
from toolkit.organization.database import Database
from toolkit.server.app import app
from toolkit.server.control import Control, refuse_jobs
from toolkit.server.faults import Rule, Switches
from toolkit.server.guard import LOOPBACK
from toolkit.server.serving import Certificate, address, listen, serve
from toolkit.server.world import World

SERVER_LOCK = "server"
_PATIENCE = 30.0
"""Seconds that jobs get to end when the server stops."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a server listens, and what a client needs to know."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: any that is free."""
    token: str | None = None
    tls: Certificate | None = None

    @property
    def local(self) -> bool:
        """Whether only programs on this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check(self) -> None:
        """Raise Refused for what others can reach without a token (SRV050), or for useless files (SRV056)."""
        if not self.local and self.token is None:
            raise Refused(
                "SRV050",
                f"{self.host} can be reached from other machines",
                why="whoever reaches the server can read and change everything in the environment",
                fix="add --token VARIABLE or --token-file FILE, or leave --host out",
            )
        if self.tls is not None:
            _check_certificate(self.tls)

    def findings(self) -> Iterator[Finding]:
        """Yield what is allowed and not wise."""
        if not self.local and self.tls is None:
            what = "the token goes over the network in the clear"
            fix = "add --certificate FILE and --key FILE"
            yield Finding("SRV057", Severity.WARNING, what, why="the server speaks http", fix=fix)

    @property
    def hosts(self) -> frozenset[str] | None:
        """The names under which clients reach it; None for any."""
        return LOOPBACK | {self.host} if self.local else None


@dataclass(frozen=True, slots=True)
class Hosted:
    """A server that listens already; ``interrupted`` jobs were left by one that died."""

    url: str
    interrupted: int
    _run: Callable[[], None]

    def run(self) -> None:
        """Serve until a signal comes."""
        self._run()


@contextmanager
def hosted(world: World, state: Lake, holder: Holder, reach: Reach, rules: tuple[Rule, ...]) -> Iterator[Hosted]:
    """Listen, and give the server; jobs get time to end when the block does.

    Raises Locked (SRV053) where the environment is served already, or Refused (SRV050, SRV055, SRV056).
    """
    reach.check()
    fence = _served(state, holder)
    try:
        with world.write() as connection:
            interrupted = operations.fail_open(connection, world.clock())
        control = Control(world, Switches(rules), lambda: alone(state, holder))
        with _listening(reach) as listening:
            application = app(world, token=reach.token, control=control, hosts=reach.hosts)
            url = address(listening, reach.tls)
            yield Hosted(url, interrupted, lambda: serve(application, listening, reach.tls))
        world.background.finish(_PATIENCE)
    finally:
        fence.release()


@contextmanager
def alone(state: Lake, holder: Holder) -> Iterator[None]:
    """Lock the environment against whoever applies a plan to it. Raises Locked."""
    fence = state.lock(ENVIRONMENT_LOCK, holder)
    try:
        yield
    finally:
        fence.release()


@contextmanager
def unserved(state: Lake, holder: Holder, database: Database) -> Iterator[None]:
    """Lock the environment; of one that is served, Locked (SRV054) is raised while a job runs."""
    with alone(state, holder), ExitStack() as held:
        try:
            held.callback(state.lock(SERVER_LOCK, holder).release)
        except Locked:
            refuse_jobs(database)
        yield


def _served(state: Lake, holder: Holder) -> Fence:
    try:
        return state.lock(SERVER_LOCK, holder)
    except Locked as error:
        raise Locked(
            "SRV053",
            "the environment is served already",
            where=error.where,
            why=error.what,
            fix="use that server, or stop it first",
        ) from error


def _listening(reach: Reach) -> socket:
    try:
        return listen(reach.host, reach.port)
    except OSError as error:
        raise Refused(
            "SRV055",
            f"port {reach.port} of {reach.host} cannot be listened on",
            why=error.strerror or str(error),
            fix="choose another one with --port; 0 takes any that is free",
        ) from error


def _check_certificate(tls: Certificate) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise Refused(
            "SRV056",
            "the certificate and its key cannot be used",
            where=str(tls.certificate),
            why=error.strerror or str(error),
            fix="give both files in PEM, the key without a password",
        ) from error


def token_of(variable: str | None, file: Path | None, variables: Mapping[str, str]) -> str | None:
    """Return the token in an environment variable or in a file; None where neither is named.

    Raises NotFound (SRV051) where there is none, or it holds what no header can.
    """
    if variable is None and file is None:
        return None
    where = str(file) if variable is None else variable
    token = file.read_text().strip() if file is not None else variables.get(where, "")
    if not token or not token.isascii() or not token.isprintable():
        raise NotFound(
            "SRV051",
            f"there is no token in {where}",
            where=where,
            why="a token is printable ASCII" if token else "it is not set, or empty",
            fix="put a token there, such as the output of: openssl rand -hex 32",
        )
    return token
