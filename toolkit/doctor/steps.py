"""What is asked of every environment."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from datetime import timedelta
from importlib.metadata import version

from toolkit import __version__
from toolkit.doctor import over_the_web
from toolkit.doctor.examination import Step, Unasked, all_or_none
from toolkit.doctor.storage import accounts
from toolkit.doctor.subject import Subject
from toolkit.engine.settings import DEFAULTS
from toolkit.errors import Finding, Place, Refused, Severity
from toolkit.lake.probing import probe
from toolkit.model.entity import Entity
from toolkit.model.environment import Registration
from toolkit.model.solution import CORE_SOLUTION
from toolkit.model.version import Version
from toolkit.project import Clients, DataverseEntry
from toolkit.site import RECORD_PATH

LEAST_VERSION = Version("9.2")
"""Of an organization: the Web API that is asked."""
_NOBODY = "00000000-0000-0000-0000-000000000000"
POLLS_A_DAY = timedelta(days=1) / DEFAULTS.idle_poll
"""How often a run polls an entity that never changes."""


def _by_kind(
    embedded: str | Callable[[Subject], str | Unasked], web: Callable[[Subject, Clients], str | Unasked]
) -> Callable[[Subject], str | Unasked]:
    """Return a step with a word of its own for embedded environments."""

    def ask(subject: Subject) -> str | Unasked:
        if (clients := subject.opened.over_the_web) is not None:
            return web(subject, clients)
        return embedded if isinstance(embedded, str) else embedded(subject)

    return ask


def versions(subject: Subject) -> str:
    """Say which versions work together. The organization must have the Web API that is asked."""
    organization = subject.inventory.organization
    ours = f"toolkit {__version__}, Python {platform.python_version()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("azure-identity", "httpx", "pyarrow"))
    if organization.version < LEAST_VERSION:
        what = f"the organization has version {organization.version}, and {LEAST_VERSION} is the least"
        raise Refused("DR001", what, where=subject.site.name, fix="have the environment updated")
    return f"{ours}, {libraries}; organization {organization.version}"


def organization(subject: Subject) -> str:
    """Say which organization answers."""
    found = subject.inventory.organization
    return f"{found.unique_name} ({found.id}), {found.region}, tenant {found.tenant}"


def state(subject: Subject) -> str:
    """Read the environment's record, and try the place where it lies."""
    record, _ = subject.site.record()
    probe(subject.site.state, subject.new_id())
    names = ", ".join(f"{lake.account}/{lake.file_system}" for lake in record.lakes) if record else ""
    return f"{subject.site.state.location(RECORD_PATH)} names {names or 'no lake yet'}; its folder can be written"


def links(subject: Subject) -> str:
    """Read every link document."""
    found = [finding for broken in subject.broken for finding in broken.error.findings]
    return all_or_none(found, f"linked entities: {', '.join(subject.linked) or 'none yet'}")


def tracking(subject: Subject) -> str | Unasked:
    """See that the linked entities exist and are tracked, and that what changed is kept long enough."""
    days = subject.inventory.change_tracking_expiry_days
    kept = f"what changed is kept for {days} days"
    if days < 1:
        why = "what changed must be kept until the next pass, else every pass reads all rows anew"
        fix = "set expirechangetrackingindays of the organization; 7 is the default"
        raise Refused("DR003", kept, where=subject.site.name, why=why, fix=fix)
    if not subject.linked:
        return f"{kept}; {subject.none_linked}"
    scanned = [name for name, entity in _defined(subject).items() if entity.scanned]
    read_whole = f"; read whole from time to time: {', '.join(scanned)}" if scanned else ""
    return all_or_none(_tracking_findings(subject), f"it is on wherever it can be; {kept}{read_whole}")


def _defined(subject: Subject) -> dict[str, Entity]:
    known = subject.inventory.entities
    return {name: known[name] for name in subject.linked if name in known}


def _tracking_findings(subject: Subject) -> Iterable[Finding]:
    defined = _defined(subject)
    for name in subject.linked:
        place = Place(subject.site.name, key=name)
        if (entity := defined.get(name)) is None:
            fix = f"toolkit entity remove {name}, or bring the entity back"
            yield Finding("DR004", Severity.ERROR, f"the linked entity {name} does not exist", place, fix=fix)
        elif entity.can_track and not entity.change_tracking:
            what, why = f"change tracking of {name} is off", "its changes cannot be read without it"
            yield Finding("DR005", Severity.ERROR, what, place, why, f"toolkit entity track {name}")


def reading_here(subject: Subject) -> str | Unasked:
    """Read of every linked entity of an organization on this machine."""
    if not subject.linked:
        return Unasked(subject.none_linked)
    for name in _defined(subject):
        subject.site.source.has(name, _NOBODY)
    return "rows of every linked entity can be read"


def core(subject: Subject) -> str | Unasked:
    """See that export configs can be kept: their table comes with the Core solution."""
    if subject.inventory.registration is Registration.LINK_ONLY:
        return Unasked("mode is link-only")
    if CORE_SOLUTION in subject.inventory.solutions:
        return f"{CORE_SOLUTION} {subject.inventory.solutions[CORE_SOLUTION].version} is installed"
    real = isinstance(subject.entry, DataverseEntry)
    fix = "toolkit import core"
    if real:
        fix = "get it from AppSource (a served one: toolkit import core), or set mode: link-only in toolkit.yaml"
    why = "an export config is a row of its table"
    raise Refused("DR006", f"{CORE_SOLUTION} is not installed", where=subject.site.name, why=why, fix=fix)


def budget(subject: Subject) -> str:
    """See that the requests that are allowed do for the linked entities, even if nothing ever changes."""
    entities, entry = len(subject.linked), subject.entry
    minute = entry.requests_per_minute
    day = entry.requests_per_day if isinstance(entry, DataverseEntry) else None
    need_day, need_minute = int(entities * POLLS_A_DAY), int(entities * POLLS_A_DAY / 1440) + 1
    why = f"linked entities that never change are polled {need_day:,} times a day"
    fix = "raise it in toolkit.yaml; a smaller budget makes the lakes late"
    found = [
        Finding("DR007", Severity.ERROR, f"{name} is {limit:,}, and {need:,} is the least", Place(name), why, fix)
        for name, limit, need in (("requests_per_minute", minute, need_minute), ("requests_per_day", day, need_day))
        if limit is not None and limit < need
    ]
    limits = [f"{number:,} a {span}" for number, span in ((minute, "minute"), (day, "day")) if number is not None]
    return all_or_none(found, f"{' and '.join(limits) or 'no limit'}; {why}{over_the_web.left(subject)}")


def lakes(subject: Subject) -> str | Unasked:
    """Create, write, rename, read and delete a file in every linked lake."""
    for each in subject.links:
        probe(each.lake, subject.new_id())
    places = [f"{each.link.config.storage.account}/{each.link.file_system}" for each in subject.links]
    return (
        f"a file was written, renamed, read and deleted in {', '.join(places)}"
        if places
        else Unasked(subject.none_linked)
    )


STEPS = (
    Step("sign-in", _by_kind("an embedded environment asks nobody to sign in", over_the_web.signing_in)),
    Step("organization", organization, ("sign-in",)),
    Step("versions", versions, ("organization",)),
    Step("clock", _by_kind("it is this machine's", over_the_web.clock), ("sign-in",)),
    Step("state", state),
    Step("links", links, ("state",)),
    Step("change tracking", tracking, ("organization", "state")),
    Step("reading rows", _by_kind(reading_here, over_the_web.reading), ("organization", "state")),
    Step("importing", _by_kind("an embedded environment lets everybody import", over_the_web.importing), ("sign-in",)),
    Step("Core solution", core, ("organization",)),
    Step("requests", budget, ("sign-in", "state")),
    Step("accounts", accounts, ("organization", "state")),
    Step("lakes", lakes, ("state",)),
)
