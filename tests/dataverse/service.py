"""A service that answers from a script, and a client of it whose time passes only while it sleeps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from toolkit.budget import Budget
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client, Exchange
from toolkit.dataverse.limits import Limits

ADDRESS = Address.parse("https://contoso.crm4.dynamics.com")
BASE = ADDRESS.base
START = datetime(2026, 3, 1, 12, tzinfo=UTC)

Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass(frozen=True)
class Secret:
    token: str
    expires_on: int


@dataclass
class Credential:
    """Gives token-1, token-2, ...; each for an hour of the clock that it is given."""

    clock: Callable[[], datetime]
    scopes: list[str] = field(default_factory=list)

    def get_token(self, *scopes: str, **_options: Any) -> Secret:
        self.scopes += scopes
        return Secret(f"token-{len(self.scopes)}", int(self.clock().timestamp()) + 3600)


class Service:
    """Answers one request after the other; the last step answers all that come after it."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.now = START
        self.exchanges: list[Exchange] = []
        self.credential = Credential(lambda: self.now)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps[0] if len(self.steps) == 1 else self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)

    def client(self, *, limits: Limits | None = None, signed_in: bool = True, budget: Budget | None = None) -> Client:
        return Client(
            ADDRESS,
            self.credential if signed_in else None,
            transport=httpx.MockTransport(self),
            clock=lambda: self.now,
            sleep=self.sleep,
            random=lambda: 1.0,
            limits=limits or Limits(),
            budget=budget,
            on_request=self.exchanges.append,
        )

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url}" for request in self.requests]

    def sent(self, header: str) -> list[str | None]:
        return [request.headers.get(header) for request in self.requests]


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    """Return an answer; an underscore in the name of a header stands for its hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body if body is not None else {}, headers=named)


def error(status: int, code: str, message: str = "no", **headers: str) -> httpx.Response:
    return answer(status, {"error": {"code": code, "message": message}}, **headers)
