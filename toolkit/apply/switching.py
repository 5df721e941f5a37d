"""The end of a move: once all of a link is in its new lake, the link of the old one ends.

Both go on until then: the old lake for its readers, the new one to be filled. One conditional write of the old link
document is the switch; whoever finds a move complete may do it, and only one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from toolkit import engine
from toolkit.apply.documents import document_bytes, ended, forget_lake
from toolkit.engine import SyncReport
from toolkit.errors import Conflict
from toolkit.model.link import EntityState
from toolkit.site import LINK_PATH, Linked, Site


def switch(links: Sequence[Linked], clock: Callable[[], datetime]) -> tuple[Linked, ...]:
    """End the links whose config is complete in another lake now, and return them as they are then.

    Their data is still to be retired by the engine. A link that somebody else changes at the moment goes on.
    """
    switched = []
    for new, old in moves(links):
        if complete(new):
            with suppress(Conflict):
                switched.append(_ended(new, old, clock()))
    return tuple(switched)


def moves(links: Sequence[Linked]) -> Iterator[tuple[Linked, Linked]]:
    """Yield the moves that are under way: the new link and the old one."""
    live = {linked.link.address: linked for linked in links if linked.link.active}
    for linked in live.values():
        replaces = linked.link.replaces
        if replaces is not None and (old := live.get(replaces.address)) is not None:
            yield linked, old


def complete(linked: Linked) -> bool:
    """Whether every entity of a link is synced, in the form that the link asks for, and readers are told."""
    found = engine.status(linked)
    done = all(entity.state is EntityState.COMPLETED and not entity.form_due for entity in found.entities)
    return done and found.manifest_current


def _ended(new: Linked, old: Linked, now: datetime) -> Linked:
    keep = new.link.replaces is None or new.link.replaces.keep
    link = ended(old.link, old.link.generation + 1, keep=keep)
    link = link.model_copy(update={"moved_to": new.link.address, "changed": now})
    return replace(old, link=link, etag=old.lake.put(LINK_PATH, document_bytes(link), old.etag))


def forget_ended(site: Site, linked: Linked, report: SyncReport) -> bool:
    """Take a link off the environment's record when it has ended and its data is retired; say whether it has.

    A record that somebody else changes at the same moment is left for the next time.
    """
    if linked.link.active or report.failed or report.stopped or report.lingering:
        return False
    with suppress(Conflict):
        forget_lake(site, linked.link.address)
    return True
