"""A Dataverse organization as a source of rows: change tracking over the Web API, a page at a time.

A pass asks for the first page, or follows the link that a cursor holds; each page names the next one, and the last page
of a tracked read the changes since. Links are opaque, and are followed as they were given.

    pass      begins with                       a page resumes at     ends with
    initial   set?$select, track-changes        its next link         the delta link
    delta     the delta link                    its next link         the delta link
    scan      set?$select                       its next link         nothing: only all of it can be read again

The page after the one in work is asked for before that is decoded, and decoded beside it when it comes early; no other
page is under way. A row that was deleted and created again with its id (restored, for instance) comes as a row and as a
tombstone without a version: such a tombstone is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from threading import RLock
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from toolkit.dataverse.address import query
from toolkit.dataverse.client import Client
from toolkit.dataverse.metadata import Metadata, changed, metadata
from toolkit.dataverse.pages import LOOKUP_NAME, Page, Reader, link_ahead, reader
from toolkit.errors import CursorExpired, NotFound, SourceError, ToolkitError
from toolkit.model.base import Frozen
from toolkit.model.entity import Entity, TableType
from toolkit.source.feed import expired, gone, untracked
from toolkit.source.protocol import Batch, Cursor, Deleted
from toolkit.threads import Threads

CURSOR_FORMAT = 1
PAGE_SIZE = 5000
"""The rows of a page; the service gives no more."""
MOST_COUNTED = 5000
"""What ``$count`` says at most, however many rows there are."""
IDS_AT_ONCE = 50
"""How many ids one request looks for, in an address of some 3,000 characters."""
NO_ROW = "0x80040217"
"""Dataverse's code for a row that does not exist."""
IDENTITY_AGE = timedelta(minutes=10)
"""How long the organization's id is taken for granted: it changes only where a copy or a backup replaces it."""


class Place(Frozen):
    """Where a read goes on. ``columns`` are those of the batches, since a link gives what was asked for once."""

    format: int = CURSOR_FORMAT
    organization: str
    entity: str
    columns: tuple[str, ...]
    tracked: bool
    full: bool
    """Whether the link is in the middle of a read of all rows."""
    begun: bool = False
    """Whether the link is in the middle of any read."""
    link: str
    """Empty after all rows of an entity without change tracking."""

    def cursor(self) -> Cursor:
        """Return the place as a cursor."""
        return Cursor(self.model_dump_json())


class DataverseSource:
    """Rows of a Dataverse organization, in pages of ``page_size``. Safe to use from several threads."""

    def __init__(
        self,
        client: Client,
        *,
        page_size: int = PAGE_SIZE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._page_size = page_size
        self._clock = clock
        self._lock = RLock()
        self._metadata: Metadata | None = None
        self._organization: tuple[str, datetime] | None = None

    @property
    def organization(self) -> str:
        """The OrganizationId, from WhoAmI."""
        with self._lock:
            now = self._clock()
            if self._organization is None or now - self._organization[1] >= IDENTITY_AGE:
                with _as_source_errors():
                    self._organization = (self._client.get("WhoAmI").json()["OrganizationId"].lower(), now)
            return self._organization[0]

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions by name, as they are now: one request that only says whether they changed."""
        return self._current().entities

    def count(self, entity: str) -> int:
        """Return how many rows the entity has now. Raises EntityGone.

        More than ``$count`` says are counted page by page; RetrieveTotalRecordCount would be up to a day old.
        """
        definition = self._definition(entity)
        counted = self._counted(definition)
        if counted < MOST_COUNTED:
            return counted
        ids = reader(definition, ())
        first = query(definition.set_name, {"$select": ids.select})
        return sum(page.rows.num_rows for page in self._pages(ids, first, tracked=False))

    def size(self, entity: str) -> int:
        """Return about how many rows the entity has; more than 5,000 as the service counted them within a day."""
        definition = self._definition(entity)
        counted = self._counted(definition)
        if counted < MOST_COUNTED:
            return counted
        with self._asking(definition):
            found = self._client.get(f"RetrieveTotalRecordCount(EntityNames=['{definition.name}'])").json()
        return max(counted, int(found["EntityRecordCountCollection"]["Values"][0]))

    def has(self, entity: str, row_id: str) -> bool:
        """Return whether the entity has a row of that id now. Raises EntityGone."""
        definition = self._definition(entity)
        with self._asking(definition):
            try:
                self._client.get(query(f"{definition.set_name}({row_id})", {"$select": definition.primary_id}))
            except NotFound as error:
                if error.code.lower() == NO_ROW:
                    return False
                raise
        return True

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        """Yield what changed after the cursor, or every row when there is none."""
        definition = self._definition(entity, columns)
        wanted = reader(definition, columns)
        at = self._start(definition, wanted) if after is None else self._place(definition, wanted, after)
        ids = _Ids(definition.primary_id, whole=not (at.full or at.begun))
        for page in self._pages(wanted, at.link, tracked=at.tracked, tombstones=not at.full):
            ids.add(page.rows)
            back = self._existing(definition, ids.doubtful(page.deleted))
            at = _moved(at, page)
            deleted = tuple(Deleted(each) for each in page.deleted if each not in back)
            yield Batch(page.rows, deleted, at.cursor(), page.next_link is None, dear=True)

    def mark(self) -> None:
        """Return None: whether something changed only asking tells."""

    def _start(self, definition: Entity, wanted: Reader) -> Place:
        return Place(
            organization=self.organization,
            entity=definition.name,
            columns=tuple(wanted.schema.names),
            tracked=definition.change_tracking,
            full=True,
            link=query(definition.set_name, {"$select": wanted.select}),
        )

    def _place(self, definition: Entity, wanted: Reader, after: Cursor) -> Place:
        """Return the place that a cursor means. Raises CursorExpired, or SourceError (SRC002)."""
        name = definition.name
        try:
            at = Place.model_validate_json(after)
        except ValidationError as error:
            raise expired(name, "it was not made by this version of the source") from error
        if at.format != CURSOR_FORMAT:
            raise expired(name, f"its format is {at.format}, and this version reads {CURSOR_FORMAT}")
        if (at.organization, at.entity) != (self.organization, name):
            raise expired(name, f"it belongs to {at.entity} of the organization {at.organization}")
        if not at.link and not definition.change_tracking:
            raise untracked(name)
        if not at.link:
            raise expired(name, "change tracking was enabled since")
        if not set(wanted.schema.names) <= set(at.columns):
            raise expired(name, "other columns are read than when it was made")
        return at

    def _pages(self, wanted: Reader, link: str, *, tracked: bool, tombstones: bool = False) -> Iterator[Page]:
        """Yield the pages from a link on. Raises SourceError (SRC011) where a tracked read ends without a link."""
        prefer = self._preferences(wanted, tracked=tracked)
        with closing(Threads("page")) as threads:
            asked = partial(self._asked, threads, wanted, prefer, tombstones=tombstones)
            now, spare = asked(link, BytesIO()), BytesIO()
            while True:
                ahead = now.ahead.result()
                following = asked(ahead, spare) if ahead else None
                page = now.page.result()
                if tracked and not (page.next_link or page.delta_link):
                    raise _without_link(wanted.entity)
                yield page
                if page.next_link is None:
                    return
                if following is None or ahead != page.next_link:
                    # Whatever was asked for may still come into the spare memory.
                    following = asked(page.next_link, BytesIO())
                now, spare = following, now.body

    def _asked(
        self, threads: Threads, wanted: Reader, prefer: Sequence[str], link: str, body: BytesIO, *, tombstones: bool
    ) -> _Coming:
        """Ask for the page behind a link, and read it as soon as it is there."""
        ahead: Future[str | None] = Future()

        def read() -> Page:
            found = None
            try:
                with self._asking(wanted.entity):
                    self._client.fill(body, link, prefer=prefer)
                found = link_ahead(body.getbuffer())
            finally:
                ahead.set_result(found)
            return wanted.read(body.getbuffer(), tombstones=tombstones)

        return _Coming(body, ahead, threads.submit(read))

    def _existing(self, definition: Entity, ids: Sequence[str]) -> frozenset[str]:
        """Return which of some rows there are now."""
        keys, found = reader(definition, ()), set()
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = " or ".join(f"{definition.primary_id} eq {each}" for each in ids[start : start + IDS_AT_ONCE])
            asked = query(definition.set_name, {"$select": keys.select, "$filter": some})
            for page in self._pages(keys, asked, tracked=False):
                found |= {str(each) for each in page.rows.column(definition.primary_id).to_pylist()}
        return frozenset(found)

    def _counted(self, definition: Entity) -> int:
        with self._asking(definition):
            return int(self._client.get(f"{definition.set_name}/$count").content.decode("utf-8-sig"))

    def _preferences(self, wanted: Reader, *, tracked: bool) -> Sequence[str]:
        tracking = ["odata.track-changes"] if tracked else []
        annotations = [f'odata.include-annotations="{LOOKUP_NAME}"'] if wanted.annotated else []
        return (*tracking, f"odata.maxpagesize={self._page_size}", *annotations)

    def _current(self) -> Metadata:
        with self._lock, _as_source_errors():
            if self._metadata is None or changed(self._client, self._metadata):
                self._metadata = metadata(self._client)
            return self._metadata

    def _definition(self, name: str, columns: Sequence[str] | None = None) -> Entity:
        """Return a definition that has the columns, if there is one now. Raises EntityGone, SourceError (SRC010)."""
        with self._lock:
            known = self._metadata.entities.get(name) if self._metadata else None
        if known is None or any(known.attribute(column) is None for column in columns or ()):
            known = self.entities().get(name)
        if known is None:
            raise self._missing(name)
        if known.table_type is not TableType.STANDARD:
            raise _refused(name, f"it is a table of the type {known.table_type}, which has no change tracking")
        return known

    def _missing(self, name: str) -> SourceError:
        why = self._metadata.left_out.get(name) if self._metadata else None
        return gone(name) if why is None else _refused(name, why)

    @contextmanager
    def _asking(self, definition: Entity) -> Iterator[None]:
        """Make of what the client raises the errors of a source, after a look whether the entity is as it was."""
        try:
            yield
        except CursorExpired as error:
            with self._lock:
                self._metadata = None
            raise expired(definition.name, error.why) from error
        except SourceError:
            raise
        except ToolkitError as error:
            now = self.entities().get(definition.name)
            if now is None:
                raise gone(definition.name) from error
            if now != definition:
                raise expired(definition.name, "the entity was changed since") from error
            raise _as_source_error(error) from error


class _Coming(NamedTuple):
    """A page on its way into ``body``. Where the next one is becomes known ahead of what it holds, or never (None)."""

    body: BytesIO
    ahead: Future[str | None]
    page: Future[Page]


class _Ids:
    """The ids of the rows of a read, which tell the tombstones that may be of rows that are there again.

    A read that goes on where another was stopped has not seen all rows (not ``whole``): then any tombstone may be. The
    first read of an entity has no tombstones, and its ids are not kept.
    """

    def __init__(self, name: str, *, whole: bool) -> None:
        self._name = name
        self._whole = whole
        self._seen: list[pa.Array[Any]] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Take note of some rows."""
        if self._whole:
            self._seen.append(rows.column(self._name))

    def doubtful(self, deleted: Sequence[str]) -> Sequence[str]:
        """Return the tombstones that may be of rows that are there again."""
        if not deleted or not self._whole:
            return deleted
        seen = pc.is_in(pa.array(deleted), pa.chunked_array(self._seen))
        return [each for each, is_seen in zip(deleted, seen.to_pylist(), strict=True) if is_seen]


@contextmanager
def _as_source_errors() -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except ToolkitError as error:
        raise _as_source_error(error) from error


def _as_source_error(error: ToolkitError) -> SourceError:
    return SourceError(error.code, error.what, where=error.where, why=error.why, fix=error.fix)


def _moved(at: Place, page: Page) -> Place:
    if page.next_link is not None:
        return at.model_copy(update={"link": page.next_link, "begun": True})
    return at.model_copy(update={"link": page.delta_link or "", "full": False, "begun": False})


def _refused(entity: str, why: str) -> SourceError:
    fix = "take the entity out of the export config"
    return SourceError("SRC010", f"{entity} cannot be exported", where=entity, why=why, fix=fix)


def _without_link(entity: Entity) -> SourceError:
    return SourceError(
        "SRC011",
        f"the last page of {entity.name} says neither how to go on nor what to ask for next",
        where=entity.name,
        why="without its delta link all rows would have to be read again",
        fix="sync again; when it stays, check that nothing between here and Dataverse drops the Prefer header",
    )
