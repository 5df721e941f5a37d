"""Conditional requests: what If-Match and its kin say of a path, on both endpoints."""

from __future__ import annotations

from tests.lake.dfs.facts import Held
from tests.lake.dfs.store import Node
from tests.lake.dfs.wire import Refusal, Request

UNKNOWN = ("if-modified-since", "if-unmodified-since", "x-ms-source-if-modified-since", "x-ms-if-tags")
"""Conditions that nothing of ours sends: no fact here says how they are answered."""


def require(request: Request, node: Node | None, holds: Held) -> None:
    """Raise unless a write of a path may go on. ``node`` is None where there is none."""
    _refuse_unknown(request)
    wanted = request.headers.get("if-match")
    if wanted is not None and not _matches(wanted, node) and holds("if-match-on-writes"):
        raise Refusal(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    unwanted = request.headers.get("if-none-match")
    if unwanted is not None and _matches(unwanted, node) and holds("if-none-match-on-writes"):
        raise _there_already(request, unwanted, holds)


def _there_already(request: Request, unwanted: str, holds: Held) -> Refusal:
    if unwanted == "*" and request.method == "PUT":
        exists = "PathAlreadyExists" if request.half == "dfs" else "BlobAlreadyExists"
        return Refusal(409, exists, "The specified path already exists.")
    if request.kind == "flush" and holds("flush-if-none-match-304"):
        return Refusal(304, "ConditionNotMet")
    return Refusal(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")


def require_for_read(request: Request, node: Node, holds: Held) -> None:
    """Raise unless a read of a path may go on."""
    _refuse_unknown(request)
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted is not None and not _matches(wanted, node) and holds("if-match-on-reads"):
        raise Refusal(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    if unwanted is not None and _matches(unwanted, node) and holds("if-none-match-on-reads"):
        raise Refusal(304, "ConditionNotMet")


def require_of_source(request: Request, node: Node, holds: Held) -> None:
    """Raise unless the source of a rename or a copy is the one that was meant."""
    wanted = request.headers.get("x-ms-source-if-match")
    unwanted = request.headers.get("x-ms-source-if-none-match")
    failed = (wanted is not None and not _matches(wanted, node)) or (unwanted is not None and _matches(unwanted, node))
    if failed and holds("source-conditions"):
        raise Refusal(412, "SourceConditionNotMet", "The source condition specified is not met.")


def _refuse_unknown(request: Request) -> None:
    if found := [name for name in UNKNOWN if name in request.headers]:
        raise Refusal(400, "NoFactOfThisServer", f"{found[0]}: no fact here says what the service does")


def _matches(value: str, node: Node | None) -> bool:
    return node is not None and (value == "*" or value.strip('"') == node.etag.strip('"'))
