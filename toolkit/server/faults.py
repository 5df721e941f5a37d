"""What goes wrong on purpose: faults of a server, as tests and users' own trials ask for them.

A rule says what happens, to which calls, and how often: ``429:rate=0.05,retry_after=1,path=accounts*``. Several rules
may hold at once: each counts the calls that its path fits, and of those that hit, waits add up and the first other
one decides.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Protocol

from pydantic import Field, ValidationError

from toolkit.errors import Finding, Invalid, Place, Severity
from toolkit.model.base import Frozen
from toolkit.server.call import Answer, Call

UNAUTHORIZED = "0x80048306"
"""Dataverse's code for a caller that it does not know."""
UNEXPECTED = "0x80040216"
"""Dataverse's code for a failure of its own."""
_OVERTIME = (
    "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of 300 "
    "seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later."
)
LIMITS: Mapping[str, tuple[str, str]] = {
    "requests": ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
    "time": ("0x80072321", _OVERTIME),
    "concurrency": ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
}
"""The codes of Dataverse's service protection limits, by what is limited, with its words."""


class Drop(StrEnum):
    """When a connection breaks off."""

    BEFORE = "before"
    """Before anything is done."""
    AFTER = "after"
    """When all is done, without an answer."""
    MIDDLE = "middle"
    """In the middle of the answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call: it waits, then another answer is given in its place, or the connection drops."""

    wait: float = 0.0
    """Seconds."""
    answer: Answer | None = None
    drop: Drop | None = None


class Faults(Protocol):
    """Decides on each call."""

    def next(self, call: Call) -> Fault | None:
        """Return what happens to a call, or None for nothing."""
        ...


class NoFaults:
    """Nothing goes wrong."""

    def next(self, call: Call) -> Fault | None:  # noqa: ARG002 - the protocol's signature
        """Return None."""
        return None


Kind = Literal["401", "429", "500", "502", "503", "504", "drop", "slow"]


class Rule(Frozen):
    """One fault, and when it happens: at a rate, at some of the calls by number, else at every one."""

    kind: Kind
    path: str = "*"
    """A pattern of the path below the API, with ``*`` and ``?``."""
    method: str = "*"
    rate: Annotated[float, Field(gt=0, le=1)] | None = None
    at: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of calls, counted from 1 among those that the path and the method fit."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How often at most; None: for ever."""
    seed: int = 0
    """The same seed hits the same calls."""
    retry_after: Annotated[int, Field(ge=0, le=3600)] = 1
    """Seconds that a 429 or a 503 asks to wait."""
    limit: Literal["requests", "time", "concurrency"] = "requests"
    """Which limit a 429 says was exceeded."""
    when: Drop = Drop.BEFORE
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """How long a slow answer waits."""

    def fits(self, call: Call) -> bool:
        """Whether a call is one of those that the rule counts."""
        return fnmatchcase(call.path, self.path) and fnmatchcase(call.method, self.method.upper())

    @property
    def fault(self) -> Fault:
        """What happens."""
        if self.kind == "slow":
            return Fault(wait=self.seconds)
        if self.kind == "drop":
            return Fault(drop=self.when)
        return Fault(answer=_ANSWERS[self.kind](self))


def _throttled(rule: Rule) -> Answer:
    return _error(429, *LIMITS[rule.limit], {"Retry-After": str(rule.retry_after)})


def _expired(_rule: Rule) -> Answer:
    message = "The requested resource requires authentication."
    return _error(401, UNAUTHORIZED, message, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _failed(_rule: Rule) -> Answer:
    return _error(500, UNEXPECTED, "An unexpected error occurred.")


def _gateway(rule: Rule) -> Answer:
    """Return what stands before Dataverse says: it is no JSON."""
    later = {"Retry-After": str(rule.retry_after)} if rule.kind == "503" else {}
    page = f"<html><body><h1>{rule.kind}</h1></body></html>"
    return Answer(int(rule.kind), {"Content-Type": "text/html", **later}, page.encode())


_ANSWERS = {"401": _expired, "429": _throttled, "500": _failed, "502": _gateway, "503": _gateway, "504": _gateway}


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer.json({"error": {"code": code, "message": message}}, status, headers)


class _Counted:
    """A rule with what it has seen."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._random = random.Random(rule.seed)  # noqa: S311 - faults are to come again with the same seed
        self._calls = 0
        self._hits = 0

    def hits(self, call: Call) -> bool:
        """Count a call, and return whether the rule hits it."""
        if not self.rule.fits(call):
            return False
        self._calls += 1
        hit = self._drawn() and (self.rule.times is None or self._hits < self.rule.times)
        self._hits += hit
        return hit

    def _drawn(self) -> bool:
        if self.rule.at:
            return self._calls in self.rule.at
        return self.rule.rate is None or self._random.random() < self.rule.rate


class Switches:
    """Faults by rules that can be changed while the server runs. Safe to use from several threads."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._lock = threading.Lock()
        self._counted = [_Counted(rule) for rule in rules]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that hold now."""
        with self._lock:
            return tuple(counted.rule for counted in self._counted)

    def set(self, rules: Iterable[Rule]) -> None:
        """Let other rules hold from now on; they count from the beginning."""
        counted = [_Counted(rule) for rule in rules]
        with self._lock:
            self._counted = counted

    def next(self, call: Call) -> Fault | None:
        """Return what happens to a call, or None for nothing."""
        with self._lock:
            hit = [counted.rule.fault for counted in self._counted if counted.hits(call)]
        if not hit:
            return None
        decided = next((fault for fault in hit if fault.answer or fault.drop), Fault())
        return Fault(sum(fault.wait for fault in hit), decided.answer, decided.drop)


def parse(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Read rules like ``drop:at=3/5,when=after,path=accounts*``. Raises Invalid (SRV052) with every mistake."""
    found: list[Finding] = []
    rules: list[Rule] = []
    for text in texts:
        try:
            rules.append(Rule.model_validate(_tree(text)))
        except ValidationError as error:
            found.extend(_findings(text, error))
    if found:
        raise Invalid(found)
    return tuple(rules)


def _tree(text: str) -> dict[str, object]:
    kind, _, rest = text.partition(":")
    pairs = (part.partition("=") for part in rest.split(",") if part)
    tree: dict[str, object] = {key.strip(): value.strip() for key, _, value in pairs}
    if isinstance(at := tree.get("at"), str):
        tree["at"] = at.split("/")
    return {**tree, "kind": kind.strip()}


def _findings(text: str, error: ValidationError) -> Iterator[Finding]:
    for each in error.errors(include_url=False, include_input=False):
        key = str(each["loc"][0]) if each["loc"] else ""
        fix = "write it like 429:rate=0.05,retry_after=1 or drop:at=3/5,when=after,path=accounts*"
        yield Finding("SRV052", Severity.ERROR, f"{text} says no fault", Place(key=key), each["msg"], fix)
