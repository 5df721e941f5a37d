"""Open the session that a link needs: where files lie decides which."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Protocol

from toolkit.engine.checkpoint import entities_with_state
from toolkit.engine.commit import Outrun
from toolkit.engine.incremental.record import RECORD_PATH
from toolkit.engine.incremental.session import IncrementalSession
from toolkit.engine.report import SyncReport
from toolkit.engine.session import Session
from toolkit.engine.ways import Ways
from toolkit.errors import Refused
from toolkit.lake.protocol import Fence, Holder, Lake
from toolkit.model.config import Layout
from toolkit.model.link import Link
from toolkit.site import Linked
from toolkit.source.protocol import Source

WRITER_LOCK = "writer"
"""The lock of a link's one writer."""


class AnySession(Protocol):
    """What the engine does with a link while it holds the lock."""

    @property
    def fence(self) -> Fence:
        """The lock that is held."""
        ...

    def recover(self) -> None:
        """Finish what another engine began."""
        ...

    def sync(self, link: Link, source: Source, entities: Collection[str] | None, *, scan: bool = False) -> SyncReport:
        """Do one pass over the link; ``entities`` limits it to some, ``scan`` reads those whose time has not come."""
        ...

    def incomplete(self, link: Link) -> tuple[str, ...]:
        """Return the linked entities whose first sync is not complete."""
        ...

    def due(self, link: Link) -> set[str]:
        """Return the linked entities whose snapshot is due, or whose time has come to be read whole."""
        ...

    def snapshot(self, link: Link, entities: Collection[str] | None) -> SyncReport:
        """Snapshot what changed since the last snapshot."""
        ...


@contextmanager
def opened(linked: Linked, holder: Holder, ways: Ways) -> Iterator[AnySession]:
    """Open a session and give its lock back at the end.

    Raises Locked when another holder is at work, and Refused (ENG095) when the lake has files of another layout.
    """
    lake, layout = linked.lake, linked.link.config.output.layout
    kind = IncrementalSession if layout is Layout.INCREMENTAL else Session
    with ThreadPoolExecutor(ways.settings.workers, "part") as parts, ExitStack() as held:
        above = 0
        while True:
            fence = lake.lock(WRITER_LOCK, holder, above)
            held.callback(fence.release)
            _require_layout(lake, layout)
            session: AnySession = kind(lake, fence, ways, parts)
            try:
                session.recover()
                break
            except Outrun as ahead:
                # Who holds the lock is told by numbers that only grow.
                fence.release()
                above = ahead.fence
        yield session


def _require_layout(lake: Lake, layout: Layout) -> None:
    """Refuse a lake that was begun with another layout: its readers follow other files."""
    incremental = layout is Layout.INCREMENTAL
    begun = bool(entities_with_state(lake)) if incremental else lake.stat(RECORD_PATH) is not None
    if begun:
        there = Layout.LIVE if incremental else Layout.INCREMENTAL
        raise Refused(
            "ENG095",
            f"the lake has the layout {there}, and the link {layout}",
            where=lake.location(""),
            why="readers of one layout do not find the rows of the other",
            fix="link to another file system",
        )
