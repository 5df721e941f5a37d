"""What is asked of a Dataverse organization."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from toolkit.doctor.examination import Unasked
from toolkit.doctor.subject import Subject
from toolkit.errors import Finding, Place, Refused, Severity, ToolkitError
from toolkit.model.entity import Entity
from toolkit.model.environment import Registration
from toolkit.project import Clients, DataverseEntry

if TYPE_CHECKING:
    from toolkit.dataverse.client import Client

MOST_SKEW = timedelta(minutes=5)
"""Between two clocks: a token that is not valid yet, or no more, is refused beyond it."""
READERS = 8
"""Entities that are tried at once; the client itself begins with fewer requests."""
TRACKED = "odata.track-changes"

_LEFT = {
    "x-ms-ratelimit-burst-remaining-xrm-requests": "requests",
    "x-ms-ratelimit-time-remaining-xrm-requests": "of execution time",
}
"""https://learn.microsoft.com/power-apps/developer/data-platform/api-limits"""


def signing_in(subject: Subject, clients: Clients) -> str:
    """Sign in as everybody that toolkit.yaml names, and ask the organization who that is."""
    entry = subject.entry
    assert isinstance(entry, DataverseEntry)  # noqa: S101 - it is what has clients
    said = [f"{entry.sign_in.method}: {_who(clients.environment, subject.greeting.answer.json())}"]
    if entry.engine_sign_in is not None:
        answer = clients.engine.get("WhoAmI").json()
        said.append(f"the engine by {entry.engine_sign_in.method}: {_who(clients.engine, answer)}")
    return "; ".join(said)


def _who(client: Client, answer: dict[str, Any]) -> str:
    claims = client.claims()
    names = (("application", "appid"), ("user", "upn"), ("tenant", "tid"))
    told = [f"{word} {claims[name]}" for word, name in names if name in claims]
    return ", ".join([*told, f"user {answer['UserId']}"])


def clock(subject: Subject, _: Clients) -> str | Unasked:
    """Compare this machine's clock with the server's."""
    said = subject.greeting.answer.headers.get("date")
    if said is None:
        return Unasked("the server does not say what time it is")
    skew = subject.greeting.at - parsedate_to_datetime(said)
    seconds = abs(skew.total_seconds())
    words = f"this machine is {seconds:.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} the server"
    if abs(skew) > MOST_SKEW:
        why, fix = (
            "tokens are refused beyond 5 minutes, and times of snapshots are this machine's",
            "set the clock (NTP)",
        )
        raise Refused("DR002", words, where=subject.site.name, why=why, fix=fix)
    return words


def reading(subject: Subject, clients: Clients) -> str | Unasked:
    """Read a row of every linked entity as the engine does: tracked, which needs read at organization level."""
    known = subject.inventory.entities
    entities = [known[name] for name in subject.linked if name in known]
    if not entities:
        return Unasked(subject.none_linked)
    with ThreadPoolExecutor(READERS) as pool:
        found = list(chain.from_iterable(pool.map(lambda entity: _reading(clients.engine, entity), entities)))
    if found:
        raise Refused.of(found)
    return "rows of every linked entity can be read, at organization level where it is tracked"


def _reading(client: Client, entity: Entity) -> list[Finding]:
    from toolkit.dataverse.address import query

    place = Place(client.address.origin, key=entity.name)
    prefer = (*((TRACKED,) if entity.change_tracking else ()), "odata.maxpagesize=1")
    try:
        answer = client.get(query(entity.set_name, {"$select": entity.primary_id}), prefer=prefer)
    except ToolkitError as error:
        fix = error.fix or "give the identity read at organization level"
        return [Finding(error.code, Severity.ERROR, f"{entity.name} cannot be read", place, error.why, fix)]
    if entity.change_tracking and not (answer.next_link or answer.delta_link):
        what, why = f"{entity.name} is read without change tracking", "the answer has neither a next nor a delta link"
        return [Finding("DR009", Severity.ERROR, what, place, why, "look for a proxy that drops the Prefer header")]
    return []


def importing(subject: Subject, clients: Clients) -> str | Unasked:
    """See that the identity may import solutions."""
    from toolkit.dataverse.identity import IMPORT_PRIVILEGES, missing_privileges

    entry = subject.entry
    if isinstance(entry, DataverseEntry) and entry.mode is Registration.LINK_ONLY:
        return Unasked("mode is link-only")
    user = subject.greeting.answer.json()["UserId"]
    lacking = missing_privileges(clients.environment, user, IMPORT_PRIVILEGES)
    fix = "give it a security role that has them, such as System Customizer"
    found = [
        Finding("DR010", Severity.ERROR, f"the identity lacks the privilege {name}", Place(subject.site.name), fix=fix)
        for name in lacking
    ]
    if found:
        raise Refused.of(found)
    return f"the identity has the {len(IMPORT_PRIVILEGES)} privileges that every import needs"


def left(subject: Subject) -> str:
    """Return what the service says is left of its own limits, as a clause; empty where it says nothing."""
    if subject.opened.over_the_web is None:
        return ""
    headers = subject.greeting.answer.headers
    told = [f"{headers[name]} {word}" for name, word in _LEFT.items() if name in headers]
    return f"; the service has left for now: {', '.join(told)}" if told else ""
