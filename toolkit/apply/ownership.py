"""Taking over: an environment whose organization is another one now goes on with the lakes that it has.

A copy of an environment, or one that was made anew, has another OrganizationId. Only a person can say that it takes
the place of the first, and does not stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from toolkit import engine
from toolkit.apply.documents import ENVIRONMENT_LOCK, document_bytes
from toolkit.apply.world import MARKER_PATH, Marker
from toolkit.lake.protocol import Holder
from toolkit.site import LINK_PATH, RECORD_PATH, Linked, Site


def take_over(site: Site, *, clock: Callable[[], datetime], holder: Holder) -> dict[str, tuple[str, ...]]:
    """Let every link of an environment go on with the organization that it has now.

    Returns, by config name, the entities whose rows are compared by the next pass. Done again it goes on where it was
    stopped. Raises Locked, and Refused (ENG003) for a link with incremental folders.
    """
    organization = site.source.organization
    fence = site.state.lock(ENVIRONMENT_LOCK, holder)
    try:
        links = [linked for linked in site.links() if linked.link.active]
        taken = {
            linked.link.config.name: engine.take_over(linked, organization, clock=clock, holder=holder)
            for linked in links
        }
        for linked in links:
            _own(linked, organization, clock())
        _own_record(site, organization)
        return taken
    finally:
        fence.release()


def _own(linked: Linked, organization: str, now: datetime) -> None:
    """Write the organization into the mark of a lake, and then into its link document."""
    link, lake = linked.link, linked.lake
    if link.organization == organization:
        return
    marker = Marker(organization=organization, environment=link.environment, created=now)
    lake.put(MARKER_PATH, document_bytes(marker), "any")
    after = link.model_copy(
        update={"organization": organization, "generation": link.generation + 1, "changed": now},
    )
    lake.put(LINK_PATH, document_bytes(after), linked.etag)


def _own_record(site: Site, organization: str) -> None:
    record, etag = site.record()
    if record is not None and record.organization != organization:
        site.state.put(RECORD_PATH, document_bytes(record.model_copy(update={"organization": organization})), etag)
