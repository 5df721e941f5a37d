"""What can go wrong, by what the caller does next.

    ToolkitError                  root; exit status 1
     +-- Invalid                  input is wrong: carries every finding; nothing was changed
     +-- NotFound                 a named thing does not exist; names the nearest one
     +-- Refused                  a rule of the platform or of this toolkit forbids it
     |    +-- Unsafe              a safety limit forbids it unless named; exit status 4
     +-- Conflict                 the world moved since it was read: read again, then decide
     +-- Locked                   somebody else holds the lock; exit status 6
     +-- Partial                  stopped before the end, run again to go on; exit status 7
     +-- Damaged                  a file of ours, or one that we rely on, cannot be read
     +-- SourceError              the source of rows failed
          +-- Retriable           try again after some seconds
          +-- CursorExpired       the cursor is of no more use: read the entity anew
          +-- EntityGone          the entity no longer exists in the source
          +-- Forbidden           the identity may not read it

A code is stable: upper-case letters of the area and three digits (``BND012``), or Dataverse's own
hexadecimal code where Dataverse has one for the same refusal (``0x8004801c``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Self


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: a file (or an environment, a lake), a line in it and a key path, each optional."""

    path: str = ""
    line: int | None = None
    key: str = ""

    def __str__(self) -> str:
        at = self.path if self.line is None else f"{self.path}:{self.line}"
        return " ".join(part for part in (at, self.key) if part)


class Severity(StrEnum):
    """How bad a finding is. Only an error makes a check fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found: what, where, why, and how to mend it."""

    code: str
    severity: Severity
    what: str
    where: Place = Place()
    why: str = ""
    fix: str = ""


class ToolkitError(Exception):
    """What failed, with a stable code, the place, the reason and the way out."""

    exit_status = 1

    def __init__(self, code: str, what: str, *, where: Place | str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where if isinstance(where, Place) else Place(where)
        self.why = why
        self.fix = fix

    @property
    def findings(self) -> Sequence[Finding]:
        """The error as findings; one, unless a kind of error carries more."""
        return (Finding(self.code, Severity.ERROR, self.what, self.where, self.why, self.fix),)


class Invalid(ToolkitError):
    """Input that breaks rules: every finding at once. Nothing was changed."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._findings = tuple(findings)
        first = next((f for f in self._findings if f.severity is Severity.ERROR), self._findings[0])
        super().__init__(first.code, first.what, where=first.where, why=first.why, fix=first.fix)

    @property
    def findings(self) -> Sequence[Finding]:
        """Everything that was found, in the order of the input."""
        return self._findings


class NotFound(ToolkitError):
    """A name that leads nowhere."""


class Refused(ToolkitError):
    """Forbidden by a rule of Dataverse or of this toolkit; ``of`` makes one that carries several findings."""

    _findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Self:
        """Return a refusal that carries every finding, in the words of the first error among them."""
        every = tuple(findings)
        first = next((f for f in every if f.severity is Severity.ERROR), every[0])
        refused = cls(first.code, first.what, where=first.where, why=first.why, fix=first.fix)
        refused._findings = every
        return refused

    @property
    def findings(self) -> Sequence[Finding]:
        """Everything that forbids it."""
        return self._findings or super().findings


class Unsafe(Refused):
    """Would destroy data or change too much, and was not named."""

    exit_status = 4


class Conflict(ToolkitError):
    """A conditional write met another state than the expected one."""


class Locked(ToolkitError):
    """Somebody else is at work; ``what`` says who, where and since when."""

    exit_status = 6


class Partial(ToolkitError):
    """The work stopped before its end at a consistent point; the same command goes on."""

    exit_status = 7


class Damaged(ToolkitError):
    """A file cannot be read as what it should be."""


class SourceError(ToolkitError):
    """The source of rows could not answer."""


class Retriable(SourceError):
    """A passing fault; ``after`` is the time to wait in seconds."""

    def __init__(
        self, code: str, what: str, *, after: float, where: Place | str = "", why: str = "", fix: str = ""
    ) -> None:
        again = f"try again in {round(after, 1):g} s"
        super().__init__(code, what, where=where, why=why, fix=f"{fix}, or {again}" if fix else again)
        self.after = after


class CursorExpired(SourceError):
    """The source no longer knows the cursor (Dataverse: 0x80044352, also after a change of schema)."""


class EntityGone(SourceError):
    """The entity was deleted in the source."""


class Forbidden(SourceError):
    """The identity lacks the privilege to read the entity."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the known name nearest to ``name``, or all of a few, or nothing."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if names and len(names) <= 12:
        return f"known: {', '.join(names)}"
    return ""
