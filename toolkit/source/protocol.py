"""The source: where rows come from. A change feed per entity, with an opaque cursor.

Rows are Arrow. A batch has one column per attribute asked for, named by logical name, in the types of ``arrow_type``;
a polymorphic lookup is followed by ``<name>_entitytype``. The primary id and ``versionnumber`` are always there and
never null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NewType, Protocol

import pyarrow as pa

from toolkit.model.columns import ENTITY_TYPE_SUFFIX, arrow_schema, arrow_type
from toolkit.model.entity import Entity

__all__ = ["ENTITY_TYPE_SUFFIX", "Batch", "Cursor", "Deleted", "Source", "arrow_schema", "arrow_type"]

Cursor = NewType("Cursor", str)
"""Opaque to everybody but the source that made it."""


class Deleted(NamedTuple):
    """A tombstone. ``version`` is None where the source gives none, as the Web API does."""

    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows and some tombstones of one entity.

    Rows may repeat within and between batches: the newest version wins. A tombstone wins over a row of the same pass
    when its version is absent or greater. ``resume`` is valid once this batch is durable; after the ``final`` batch it
    is the cursor of the next pass.
    """

    rows: pa.RecordBatch
    deleted: tuple[Deleted, ...]
    resume: Cursor
    final: bool
    dear: bool = False
    """Whether it took a request that somebody counts: then it is made durable at once, and never asked for again."""


class Source(Protocol):
    """Where rows come from. Safe to use from several threads, one entity each.

    Failures are kinds of ``SourceError``: Retriable, CursorExpired, EntityGone, Forbidden.
    """

    @property
    def organization(self) -> str:
        """The OrganizationId of whose rows these are."""
        ...

    def entities(self) -> Mapping[str, Entity]:
        """Return the definitions of all entities, by logical name, as they are now."""
        ...

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        """Yield what changed after the cursor, or every row when there is none; the last batch is final.

        ``columns`` are the attributes to read; None means all. At least one batch is yielded, perhaps an empty one.
        """
        ...

    def count(self, entity: str) -> int:
        """Return how many rows the entity has now."""
        ...

    def size(self, entity: str) -> int:
        """Return about how many rows the entity has, for progress and plans: at most one or two requests."""
        ...

    def has(self, entity: str, row_id: str) -> bool:
        """Return whether the entity has a row of that id (a GUID in lower case) now."""
        ...

    def mark(self) -> str | None:
        """Return a mark that is another one after every change of rows or attributes; None where only asking tells.

        It costs no request and next to no time, so that a run can look at it several times a second.
        """
        ...
