"""What went wrong, in Dataverse's form: ``{"error": {"code": "0x80040217", "message": "..."}}``."""

from __future__ import annotations

from toolkit.errors import Conflict, Invalid, Locked, NotFound, Refused, ToolkitError
from toolkit.server.call import Answer, ODataError

_STATUS: tuple[tuple[type[ToolkitError], int], ...] = (
    (Invalid, 400),
    (Refused, 400),
    (NotFound, 404),
    (Conflict, 412),
    (Locked, 503),
)
"""The status of an error that brings none; what is left is no fault of the client's."""
_STATUS_OF_CODE = {"0x80040217": 404, "0x80040237": 412, "0x80044352": 400, "0x80060892": 412}
"""Where Dataverse answers a code with a status of its own."""


def refusal(error: ToolkitError) -> Answer:
    """Return an error as the answer that tells of it, with every finding in its message."""
    headers = error.headers if isinstance(error, ODataError) else {}
    told = {"error": {"code": error.code, "message": _message(error)}}
    return Answer.json(told, status_of(error), headers)


def status_of(error: ToolkitError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, ODataError):
        return error.status
    known = _STATUS_OF_CODE.get(error.code)
    return known or next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _message(error: ToolkitError) -> str:
    if isinstance(error, Invalid):
        return "; ".join(finding.what for finding in error.findings)
    return ". ".join(part for part in (error.what, error.why) if part)
