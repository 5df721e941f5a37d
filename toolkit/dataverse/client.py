"""The client of the Web API: one request, and all that it takes to get an answer.

A fault that passes is waited for: 429 by all threads of the client, for as long as the service says; 502, 503, 504 and
a connection that failed with waits that double. A token that is not accepted is replaced once. What is sent again is
what may be sent again: a POST only when it certainly was not done, or when its caller can find out.
"""

from __future__ import annotations

import json
import os
import random as randomness
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import httpx

from toolkit import __version__
from toolkit.budget import Budget
from toolkit.dataverse.address import Address
from toolkit.dataverse.answer import Answer
from toolkit.dataverse.failures import PASSING, dropped, failure, passing, retry_after
from toolkit.dataverse.gate import Gate
from toolkit.dataverse.limits import DEFAULTS, Limits
from toolkit.dataverse.tokens import Tokens
from toolkit.errors import Refused, Retriable, ToolkitError
from toolkit.sign_in.token import TokenCredential

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "User-Agent": f"export-to-data-lake-toolkit/{__version__}",
}

_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Failures of a request of which not one byte was sent."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it went: without its query, which may hold values of rows. ``status`` is None without answer."""

    method: str
    path: str
    status: int | None
    seconds: float
    size: int
    """Bytes of the answer, unzipped."""


def ignore(_: Exchange) -> None:
    """Do nothing about a request."""


def not_done() -> Answer | None:
    """Say that it was not done: for an action that changes nothing, or nothing more the second time."""


class Client:
    """A client of one organization. Safe to use from several threads, which share its waits and its limits.

    Every failure is a ToolkitError (see ``failures``). Links are opaque: they are followed as they were given, but at
    the organization's own address, since the token goes with them.
    """

    def __init__(
        self,
        address: Address,
        credential: TokenCredential | None,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = randomness.random,
        limits: Limits = DEFAULTS,
        budget: Budget | None = None,
        on_request: Callable[[Exchange], None] = ignore,
    ) -> None:
        self.address = address
        self.budget = budget or Budget(None, clock)
        self._tokens = Tokens(credential, address.scope, clock) if credential is not None else None
        self._http = _http(address, transport, limits)
        self._gate = Gate(limits, clock, sleep)
        self._clock, self._sleep, self._random, self._limits = clock, sleep, random, limits
        self._on_request = on_request
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def width(self) -> int:
        """How many requests may be under way at once now."""
        return self._gate.width

    def claims(self) -> Mapping[str, Any]:
        """Return what the token in use says about whom it is for (``Tokens.claims``); empty without a credential."""
        return self._tokens.claims() if self._tokens else {}

    def get(self, path_or_link: str, *, prefer: Sequence[str] = (), strong: bool = False) -> Answer:
        """Read. ``path_or_link`` is a path below the base, its query percent-encoded (``address.query``), or a link.

        ``strong`` reads metadata past the caches of the service, which may be 30 seconds old.
        """
        return self._sent(_Call("GET", self._url(path_or_link), _read_headers(prefer, strong=strong)))

    def fill(self, body: BytesIO, link: str, *, prefer: Sequence[str] = ()) -> None:
        """Read into ``body``, which then holds nothing else. Its memory is used again.

        For bodies of many MB that come one after the other: new memory for each would take as long as receiving it.
        """
        self._sent(_Call("GET", self._url(link), _read_headers(prefer, strong=False), into=body))

    def look(self, path_or_link: str, *, prefer: Sequence[str] = ()) -> Answer:
        """Read, and take a refusal for an answer too: to see how the service refuses."""
        call = _Call("GET", self._url(path_or_link), _read_headers(prefer, strong=False), refusals=True)
        return self._sent(call)

    def pages(self, path: str, *, prefer: Sequence[str] = ()) -> Iterator[Answer]:
        """Read page by page, with the same preferences on each."""
        link: str | None = path
        while link is not None:
            answer = self.get(link, prefer=prefer)
            yield answer
            link = answer.next_link

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - any JSON value
        *,
        headers: Mapping[str, str] | None = None,
        done: Callable[[], Answer | None] | None = None,
    ) -> Answer:
        """Write: POST, PATCH, PUT or DELETE, with a JSON body unless it is None.

        PATCH, PUT and DELETE mean the same when they are done twice, so they are repeated; a row that is gone at a
        repeated DELETE was deleted. A POST whose fate is not known (the connection broke, 502, 503, 504) is an error
        (DV014), unless ``done`` finds out: it is asked before each repeat and returns an answer to take in its stead,
        or None, which has it sent again.
        """
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        sent = {**({} if content is None else {"Content-Type": "application/json"}), **(headers or {})}
        return self._sent(_Call(method.upper(), self._url(path), sent, content, done))

    def _url(self, path_or_link: str) -> str:
        if "://" not in path_or_link.partition("?")[0]:
            return self.address.base + path_or_link.removeprefix("/")
        if (own := self.address.own(path_or_link)) is None:
            why = "a link of an answer does not lead to the Web API"
            raise Refused("DV015", "the link is not followed", where=self.address.origin, why=why)
        return own

    def _sent(self, call: _Call) -> Answer:
        while (answer := self._tried(call)) is None:
            pass
        return answer

    def _tried(self, call: _Call) -> Answer | None:
        """Make one attempt; None asks for the next one, and has waited for it."""
        call.attempts += 1
        token = self._tokens.current() if self._tokens else None
        try:
            answer = self._exchanged(call, token)
        except httpx.TransportError as error:
            return self._unanswered(call, error)
        if answer.status < 300 or call.gone_as_wanted(answer):
            self._gate.went_well()
            return answer
        if answer.status in PASSING:
            return self._passed_over(call, answer)
        if answer.status == 401 and self._tokens and token and not call.renewed:
            call.renewed = True
            self._tokens.refuse(token)
            return None
        if call.refusals:
            return answer
        raise failure(answer, call.where)

    def _exchanged(self, call: _Call, token: str | None) -> Answer:
        headers = call.headers if token is None else {**call.headers, "Authorization": f"Bearer {token}"}
        self._pay(call)
        with self._gate.through():
            begun, status, size = time.perf_counter(), None, 0
            try:
                with self._http.stream(call.method, call.url, headers=headers, content=call.content) as response:
                    content, size = _received(response, call.into)
                self._answered, status = True, response.status_code
            finally:
                self._on_request(Exchange(call.method, call.where, status, time.perf_counter() - begun, size))
        return Answer(status, dict(response.headers.items()), content)

    def _pay(self, call: _Call) -> None:
        """Wait until the budget has a request to give; when that takes longer than patience lasts, say so."""
        while (rest := self.budget.take()) > 0:
            if rest > self._limits.patience:
                what = "the requests of this environment are used up for now"
                why = "requests_per_minute or requests_per_day of toolkit.yaml"
                raise Retriable("DV016", what, after=rest, where=call.where, why=why)
            self._sleep(rest)

    def _passed_over(self, call: _Call, answer: Answer) -> Answer | None:
        after = self._after(call, answer)
        error = passing(answer, call.where, after)
        if answer.status != 429:
            return self._uncertain(call, error)
        self._gate.slow_down(after)
        self._rest(call, error)
        return None

    def _unanswered(self, call: _Call, cause: httpx.TransportError) -> Answer | None:
        error = dropped(cause, call.where, self._backoff(call))
        if not isinstance(error, Retriable):
            raise error from cause
        if not isinstance(cause, _NOT_REACHED):
            return self._uncertain(call, error)
        self._rest(call, error)
        return None

    def _uncertain(self, call: _Call, error: Retriable) -> Answer | None:
        """Wait after a request that may have been done, and find out whether it was, where that makes a difference."""
        if call.once:
            raise _fate_unknown(call, error) from error
        call.perhaps_done = True
        self._rest(call, error)
        return call.done() if call.done else None

    def _rest(self, call: _Call, error: Retriable) -> None:
        call.waited += error.after
        most = self._limits.attempts if self._answered else min(self._limits.attempts, self._limits.greetings)
        if call.attempts >= most or call.waited > self._limits.patience:
            raise error
        self._sleep(error.after)

    def _after(self, call: _Call, answer: Answer) -> float:
        said = retry_after(answer, self._clock())
        return self._backoff(call) if said is None else said

    def _backoff(self, call: _Call) -> float:
        """Return a wait that doubles with each attempt, and that no two callers share."""
        most = min(self._limits.longest, self._limits.backoff * 2.0 ** (call.attempts - 1))
        return most * (0.5 + self._random() / 2)


@dataclass(slots=True)
class _Call:
    """One request and what became of its attempts."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None
    done: Callable[[], Answer | None] | None = None
    into: BytesIO | None = None
    """Where the body of a good answer goes."""
    refusals: bool = False
    """Whether a refusal is an answer."""
    attempts: int = 0
    waited: float = 0.0
    renewed: bool = False
    perhaps_done: bool = False

    @property
    def where(self) -> str:
        """What was asked, without the query."""
        return self.url.partition("?")[0]

    @property
    def once(self) -> bool:
        """Whether doing it twice makes a difference, and nobody can tell whether it was done."""
        return self.method == "POST" and self.done is None

    def gone_as_wanted(self, answer: Answer) -> bool:
        """Whether a repeated DELETE finds that an attempt before it was done."""
        return self.method == "DELETE" and self.perhaps_done and answer.status == 404


def _received(response: httpx.Response, into: BytesIO | None) -> tuple[bytes, int]:
    """Return the body and its size; a good one goes into a buffer, where there is one."""
    if into is None or not response.is_success:
        content = response.read()
        return content, len(content)
    into.seek(0)
    for piece in response.iter_bytes():
        into.write(piece)
    into.truncate()
    return b"", into.tell()


def _fate_unknown(call: _Call, error: Retriable) -> ToolkitError:
    return ToolkitError(
        "DV014",
        f"whether {call.method} was done is not known",
        where=call.where,
        why=f"{error.what}: {error.why}",
        fix="look at the environment, then run the command again",
    )


def _read_headers(prefer: Sequence[str], *, strong: bool) -> dict[str, str]:
    headers = {"Prefer": ",".join(prefer)} if prefer else {}
    return {**headers, "Consistency": "Strong"} if strong else headers


def _http(address: Address, transport: httpx.BaseTransport | None, limits: Limits) -> httpx.Client:
    # Nothing on loopback goes through a proxy of the environment, which would read a token of plain http.
    outside = not address.loopback
    return httpx.Client(
        headers=HEADERS,
        # Without the affinity cookie requests spread over the web servers of the organization, as the service advises.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        verify=_trusted() if address.encrypted and transport is None else True,
        trust_env=outside,
        timeout=httpx.Timeout(limits.read, connect=limits.connect, pool=None),
        limits=httpx.Limits(max_connections=limits.most, max_keepalive_connections=limits.most, keepalive_expiry=60.0),
        transport=transport,
    )


def _trusted() -> ssl.SSLContext:
    """Return whom to trust: the CA bundles that the environment names, as httpx and requests do, else certifi's."""
    named = filter(None, map(os.environ.get, ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")))
    if not (bundles := list(dict.fromkeys(named))):
        return httpx.create_ssl_context()
    context = ssl.create_default_context(cafile=bundles[0])
    for bundle in bundles[1:]:
        context.load_verify_locations(bundle)
    return context
