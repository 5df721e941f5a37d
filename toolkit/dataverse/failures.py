"""An answer that is none, or no answer at all -> an error of the toolkit, with Dataverse's own code where it gives one.

429, 502, 503, 504, a connection that failed   Retriable
0x80044352, whatever the status                CursorExpired
0x8004a104, whatever the status                Retriable: administration mode ends some time
401 (after another token), 403                 Forbidden
404                                            NotFound
412                                            Conflict
other 4xx, 501                                 Refused
other 5xx                                      SourceError
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from toolkit.dataverse.answer import Answer
from toolkit.errors import Conflict, CursorExpired, Forbidden, NotFound, Refused, Retriable, SourceError, ToolkitError

EXPIRED = "0x80044352"
"""A version stamp that is too old, or a table whose metadata has changed since: read all anew."""

DISABLED = "0x8004a104"
"""The organization is disabled: administration mode, a restore, a copy. It ends some time, so that it is waited for.

Observed in other people's logs, with the message of the error OrganizationDisabled; no page of Microsoft's names it.
"""
DISABLED_REST = 300.0
"""Seconds to wait before a disabled organization is asked again."""

PASSING = frozenset({429, 502, 503, 504})
"""The statuses of faults that pass."""

SERVICE_PROTECTION = {
    "0x80072322": "too many requests of one user within 5 minutes",
    "0x80072321": "too much execution time of one user within 5 minutes",
    "0x80072326": "too many requests of one user at once",
}
"""https://learn.microsoft.com/power-apps/developer/data-platform/api-limits"""

_NO_USER = frozenset({"0x80072560", "0x80040225"})
"""The identity is no user of the organization, or one that is disabled."""


class ODataError(NamedTuple):
    """What an error of the Web API says; both empty where the body is none."""

    code: str
    message: str


def odata_error(answer: Answer) -> ODataError:
    """Read ``{"error": {"code", "message"}}``."""
    try:
        error = json.loads(answer.content)["error"]
        return ODataError(str(error.get("code") or ""), str(error.get("message") or ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return ODataError("", "")


def failure(answer: Answer, where: str) -> ToolkitError:
    """Return what an answer of 300 or more means; of a fault that passes see ``passing``."""
    code, message = odata_error(answer)
    why = message or f"HTTP status {answer.status}"
    if code.lower() == EXPIRED:
        return CursorExpired(EXPIRED, "the version stamp has expired", where=where, why=why)
    if code.lower() == DISABLED:
        what = "the organization is disabled for users, as in administration mode"
        return Retriable(DISABLED, what, after=DISABLED_REST, where=where, why=why)
    if answer.status == 403:
        return _forbidden(code, where, why)
    kind, own, what, fix = _KINDS.get(answer.status) or _ranges(answer.status)
    return kind(code or own, what, where=where, why=why, fix=fix)


class _Kind(NamedTuple):
    """The kind of error, its code where Dataverse gives none, what it says, and the way out."""

    kind: type[ToolkitError]
    code: str
    what: str
    fix: str = ""


_KINDS = {
    401: _Kind(
        Forbidden,
        "DV003",
        "the token is not accepted",
        "check sign_in in toolkit.yaml, and that the url is that of the organization",
    ),
    404: _Kind(NotFound, "DV005", "it does not exist"),
    412: _Kind(Conflict, "DV006", "it changed since it was read, or is there already"),
    501: _Kind(Refused, "DV007", "Dataverse refuses the request"),
}


def _ranges(status: int) -> _Kind:
    if status < 400:
        fix = "check the url of the environment in toolkit.yaml"
        return _Kind(Refused, "DV009", "the address leads elsewhere", fix)
    return _KINDS[501] if status < 500 else _Kind(SourceError, "DV008", "Dataverse failed")


def _forbidden(code: str, where: str, why: str) -> Forbidden:
    fix = "give the identity a security role with the privilege, at organization level"
    if code.lower() in _NO_USER or not code:
        fix = "add the identity as an application user of the environment, and give it a security role"
    return Forbidden(code or "DV004", "the identity may not do it", where=where, why=why, fix=fix)


def passing(answer: Answer, where: str, after: float) -> Retriable:
    """Return a fault that passes after some seconds."""
    code, message = odata_error(answer)
    why = SERVICE_PROTECTION.get(code.lower(), message or f"HTTP status {answer.status}")
    what = "Dataverse asks to slow down" if answer.status == 429 else "Dataverse is not available"
    return Retriable(code or ("DV010" if answer.status == 429 else "DV011"), what, after=after, where=where, why=why)


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Return the seconds of ``Retry-After``: a number, or the time until a date; None where there is none to read."""
    said = answer.headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def dropped(error: Exception, where: str, after: float) -> ToolkitError:
    """Return what a connection that failed means. A certificate that is not trusted never passes."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        fix = "name the CA bundle that it needs in SSL_CERT_FILE; checking cannot be turned off"
        return Refused("DV013", "the certificate of the server is not trusted", where=where, why=str(error), fix=fix)
    what = "there is no connection to Dataverse"
    # What is wrong with a request itself is told with its headers: that would be the token.
    said = "" if isinstance(error, httpx.LocalProtocolError) else str(error)
    fix = "check the url in toolkit.yaml, the network and the proxy"
    return Retriable("DV012", what, after=after, where=where, why=said or type(error).__name__, fix=fix)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
