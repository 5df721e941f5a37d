"""Steps that ask, one after the other, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from toolkit.errors import Finding, Refused, ToolkitError


class Described(Protocol):
    """What is examined."""

    @property
    def described(self) -> str:
        """What it is, in a sentence."""
        ...


S = TypeVar("S", bound=Described)


class Outcome(StrEnum):
    """What came of a step."""

    OK = "ok"
    FAIL = "fail"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """A step that was done, or left out: what was found, and the findings where it failed."""

    name: str
    outcome: Outcome
    said: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Unasked:
    """Why a step has nothing to ask."""

    why: str


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """A question. ``ask`` returns what was found, or raises a ToolkitError with all that is wrong.

    ``needs`` are the names of steps without which there is no answer.
    """

    name: str
    ask: Callable[[S], str | Unasked]
    needs: tuple[str, ...] = ()


def all_or_none(findings: Iterable[Finding], said: str) -> str:
    """Return what was found where nothing is wrong. Raises Refused with every finding."""
    if found := list(findings):
        raise Refused.of(found)
    return said


def otherwise(what: str) -> Refused:
    """Return the refusal for a fact that does not hold."""
    return Refused("DR020", what, fix="please report it: the documents say otherwise, and nobody could try it before")


OPENING = "toolkit.yaml"
"""The first step: everything else needs it."""


def examine(opened: Callable[[], S], steps: Sequence[Step[S]]) -> Iterator[Check]:
    """Yield the outcome of each step, in their order. What is not a ToolkitError is a defect, and is raised."""
    failed: set[str] = set()
    try:
        subject = opened()
    except ToolkitError as error:
        yield _failed(OPENING, error)
        yield from (_unasked(step.name, (OPENING,)) for step in steps)
        return
    yield Check(OPENING, Outcome.OK, subject.described)
    for step in steps:
        check = _asked(step, subject, failed)
        if check.outcome is Outcome.FAIL or failed & {*step.needs}:
            failed.add(step.name)
        yield check


def passed(checks: Iterable[Check]) -> bool:
    """Whether nothing failed."""
    return all(check.outcome is not Outcome.FAIL for check in checks)


def _asked(step: Step[S], subject: S, failed: set[str]) -> Check:
    if lacking := [name for name in step.needs if name in failed]:
        return _unasked(step.name, lacking)
    try:
        said = step.ask(subject)
    except ToolkitError as error:
        return _failed(step.name, error)
    return Check(step.name, Outcome.NOT_CHECKED, said.why) if isinstance(said, Unasked) else _fine(step.name, said)


def _fine(name: str, said: str) -> Check:
    return Check(name, Outcome.OK, said)


def _unasked(name: str, lacking: Sequence[str]) -> Check:
    return Check(name, Outcome.NOT_CHECKED, f"it needs: {', '.join(lacking)}")


def _failed(name: str, error: ToolkitError) -> Check:
    findings = tuple(error.findings)
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return Check(name, Outcome.FAIL, f"{findings[0].what}{more}", findings)


class Trial(Described, Protocol):
    """What makes something of its own to try things on, and deletes it."""

    cleaned: bool
    """Whether deleting was tried."""

    def clean(self) -> str:
        """Delete it, and return what is deleted. Raises Refused with what is left."""
        ...


T = TypeVar("T", bound=Trial)


def tried(trial: T, steps: Sequence[Step[T]]) -> Generator[Check]:
    """Yield the outcome of each step of a trial. Whatever happens, what it made is deleted at the end."""
    try:
        yield from examine(lambda: trial, steps)
    finally:
        # After the last step there is nothing left to do; after an interruption this is what deletes.
        if not trial.cleaned:
            trial.clean()
