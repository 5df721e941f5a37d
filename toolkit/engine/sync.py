"""One pass over a link, under its lock."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from toolkit.engine.opening import opened
from toolkit.engine.organizations import other_organization
from toolkit.engine.report import EntityProgress, SyncReport
from toolkit.engine.retry import Patience, patiently
from toolkit.engine.session import Session
from toolkit.engine.settings import DEFAULTS, Settings
from toolkit.engine.ways import Ways
from toolkit.lake.protocol import Holder
from toolkit.site import Linked
from toolkit.source.protocol import Source


def ignore(_: EntityProgress) -> None:
    """Drop progress."""


def never() -> bool:
    """Go on."""
    return False


def sync(
    linked: Linked,
    source: Source,
    *,
    clock: Callable[[], datetime],
    holder: Holder,
    entities: Collection[str] | None = None,
    compare: bool = False,
    progress: Callable[[EntityProgress], None] = ignore,
    stop: Callable[[], bool] = never,
    patience: Patience | None = None,
    settings: Settings = DEFAULTS,
) -> SyncReport:
    """Bring the lake up to the source: one pass per entity, the first snapshots and those that are due, the manifest.

    ``entities`` limits the pass to those names. One that cannot be tracked is read whole when its time has come, and at
    once when it is named. With ``compare`` all rows are read whatever the cursors say, compared by id and version, and
    only what differs is written, while readers keep what they have. A failing entity does not stop the others; its
    report says why. With ``patience`` what fails in passing is tried again as the config's retry policy says. Raises
    Locked when another holder is at work.
    """
    with opened(
        linked, holder, Ways(clock, settings, progress, stop, mask_key=linked.mask_key, compare=compare)
    ) as session:

        def attempt(names: Collection[str] | None) -> SyncReport:
            return session.sync(linked.link, source, names, scan=compare or names is not None)

        if patience is None:
            return attempt(entities)
        return patiently(attempt, entities, linked.link.config.retry, patience)


def take_over(
    linked: Linked, organization: str, *, clock: Callable[[], datetime], holder: Holder, settings: Settings = DEFAULTS
) -> tuple[str, ...]:
    """Let a lake that holds rows of another organization go on with this one; return the entities that it is about.

    Their next pass reads all rows and compares them by id and version, and the source wins. Raises Locked, and Refused
    (ENG003) for incremental folders: the changes of one organization are none of another.
    """
    with opened(linked, holder, Ways(clock, settings, ignore, never)) as session:
        if not isinstance(session, Session):
            if linked.link.organization == organization:
                return ()
            raise other_organization(organization, linked.link, linked.lake)
        return session.take_over(organization)


def snapshot(
    linked: Linked,
    *,
    clock: Callable[[], datetime],
    holder: Holder,
    entities: Collection[str] | None = None,
    progress: Callable[[EntityProgress], None] = ignore,
    settings: Settings = DEFAULTS,
) -> SyncReport:
    """Snapshot now whatever changed since the last snapshot, and write the manifest."""
    with opened(linked, holder, Ways(clock, settings, progress, never)) as session:
        return session.snapshot(linked.link, entities)
