"""Leases: who may write a path or remove a container until when. A lease is a value; nothing here keeps one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.lake.dfs.facts import Held
from tests.lake.dfs.wire import Refusal, Request


@dataclass(frozen=True, slots=True)
class Lease:
    """The last lease that was taken; the first one of all is nobody's."""

    id: str = ""
    seconds: int = 0
    """For how long it is taken; -1 is for ever."""
    until: datetime | None = None
    """When it ends; None when it does not by itself, or has ended."""
    broken: bool = False

    def state(self, now: datetime) -> str:
        """Return what the service calls the state."""
        if not self.id:
            return "available"
        ended = self.until is not None and now >= self.until
        if self.broken:
            return "broken" if ended else "breaking"
        return "expired" if ended else "leased"

    def headers(self, now: datetime) -> dict[str, str]:
        """Return what the properties of a path say of it."""
        state = self.state(now)
        locked = state in ("leased", "breaking")
        said = {"x-ms-lease-state": state, "x-ms-lease-status": "locked" if locked else "unlocked"}
        kind = {"x-ms-lease-duration": "infinite" if self.seconds < 0 else "fixed"} if state == "leased" else {}
        return {**said, **kind}

    def permit(self, request: Request, now: datetime, holds: Held, header: str = "x-ms-lease-id") -> None:
        """Raise unless a write that gives an id of a lease, or none, may go on."""
        given, more = request.headers.get(header), "WithBlobOperation" if request.half == "blob" else ""
        active = self.state(now) in ("leased", "breaking")
        if active and not given and holds("lease-guards-writes"):
            raise Refusal(412, "LeaseIdMissing", "There is currently a lease and no lease ID was specified.")
        if active and given and given != self.id and holds("lease-id-must-match"):
            raise Refusal(412, f"LeaseIdMismatch{more}", "The lease ID specified did not match the lease ID.")
        if given and not active and holds("lease-id-needs-a-lease"):
            code = "LeaseLost" if given == self.id else f"LeaseNotPresent{more}"
            raise Refusal(412, code, "There is currently no lease.")

    def end(self, now: datetime) -> Lease:
        """Return it broken at once, where it is active."""
        return replace(self, until=now, broken=True) if self.state(now) in ("leased", "breaking") else self


NOBODY = Lease()


def acted(lease: Lease, request: Request, now: datetime, holds: Held) -> tuple[Lease, int, dict[str, str]]:
    """Do what a request asks of a lease: return the lease as it is then, the status and the headers of the answer."""
    action = request.headers.get("x-ms-lease-action", "")
    actions = {"acquire": _acquired, "renew": _renewed, "release": _released, "break": _broken, "change": _changed}
    if action not in actions:
        raise Refusal(400, "InvalidHeaderValue", "x-ms-lease-action is none of the actions")
    return actions[action](lease, request, now, holds)


_Acted = tuple[Lease, int, dict[str, str]]


def _acquired(lease: Lease, request: Request, now: datetime, holds: Held) -> _Acted:
    seconds = int(request.headers.get("x-ms-lease-duration", "0"))
    proposed = request.headers.get("x-ms-proposed-lease-id") or str(uuid.uuid4())
    if seconds != -1 and not 15 <= seconds <= 60 and holds("lease-lasts-15-to-60"):
        raise Refusal(400, "InvalidHeaderValue", "x-ms-lease-duration is 15 to 60, or -1")
    state = lease.state(now)
    own = lease.id == proposed and holds("lease-is-taken-again-by-its-id")
    if state in ("leased", "breaking") and not own and holds("lease-is-exclusive"):
        raise Refusal(409, "LeaseAlreadyPresent", "There is already a lease present.")
    if state == "breaking" and lease.id == proposed:
        raise Refusal(409, "LeaseIsBreakingAndCannotBeAcquired", "The lease is currently in breaking state.")
    taken = _taken(proposed, seconds if holds("lease-ends-by-itself") else -1, now)
    return taken, holds.status("lease-acquire-201"), {"x-ms-lease-id": proposed}


def _taken(id_: str, seconds: int, now: datetime) -> Lease:
    return Lease(id_, seconds, None if seconds < 0 else now + timedelta(seconds=seconds))


def _own(lease: Lease, request: Request, holds: Held) -> None:
    if request.headers.get("x-ms-lease-id") != lease.id and holds("lease-acts-need-the-id"):
        raise Refusal(409, "LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID.")


def _renewed(lease: Lease, request: Request, now: datetime, holds: Held) -> _Acted:
    _own(lease, request, holds)
    if lease.broken and holds("lease-broken-cannot-renew"):
        raise Refusal(409, "LeaseIsBrokenAndCannotBeRenewed", "The lease has been broken explicitly.")
    return _taken(lease.id, lease.seconds, now), holds.status("lease-renew-200"), {"x-ms-lease-id": lease.id}


def _changed(lease: Lease, request: Request, now: datetime, holds: Held) -> _Acted:
    _own(lease, request, holds)
    if lease.state(now) != "leased":
        raise Refusal(409, "LeaseNotPresentWithLeaseOperation", "There is currently no lease.")
    id_ = request.headers.get("x-ms-proposed-lease-id", "")
    return replace(lease, id=id_), 200, {"x-ms-lease-id": id_}


def _released(lease: Lease, request: Request, _: datetime, holds: Held) -> _Acted:
    _own(lease, request, holds)
    return (NOBODY if holds("lease-release-frees") else lease), holds.status("lease-release-200"), {}


def _broken(lease: Lease, request: Request, now: datetime, holds: Held) -> _Acted:
    if not lease.id:
        raise Refusal(409, "LeaseNotPresentWithLeaseOperation", "There is currently no lease.")
    left = timedelta(0) if lease.until is None else max(lease.until - now, timedelta(0))
    asked = request.headers.get("x-ms-lease-break-period")
    period = left if asked is None else timedelta(seconds=int(asked))
    wait = period if lease.until is None else min(period, left)
    return (
        replace(lease, until=now + wait, broken=True),
        holds.status("lease-break-202"),
        {"x-ms-lease-time": str(int(wait.total_seconds()))},
    )
