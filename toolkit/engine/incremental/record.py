"""The record of a link with incremental folders: how far every entity is, and which folders there are.

It lies in the lake at ``_toolkit/incremental.json`` and is only ever replaced on condition of its old etag; that write
is the commit of a folder, with the cursors of all entities that the folder covers. What follows a commit is written in
it: files to move to their places, in their order, files to remove, folders to remove. Each step may be done any number
of times. ``changelog.info`` is written behind the moves, so it names ``open`` only once they are done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from toolkit.engine.checkpoint import Checkpoint, Move, Newer
from toolkit.engine.incremental.keys import KeyRun
from toolkit.errors import Damaged
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Fence, Lake
from toolkit.model.base import Frozen
from toolkit.model.names import LogicalName
from toolkit.site import format_of

RECORD_PATH = f"{STATE_FOLDER}/incremental.json"
RECORD_FORMAT = 1


class Exported(Frozen):
    """What is known of an entity: its checkpoint, which has no files, and the keys of what was exported.

    An entity that was taken off keeps its keys: should it be linked again, the rows that went meanwhile get delete
    rows. ``folder`` is the last one that holds something of the entity, ``rows`` counts those that are not gone.
    """

    checkpoint: Checkpoint
    keys: tuple[KeyRun, ...] = ()
    rows: int = 0
    folder: str | None = None
    linked: bool = True


class Record(Frozen):
    """The content of ``_toolkit/incremental.json``. ``seq`` counts commits."""

    format: Literal[1] = 1
    fence: int
    seq: int = 0
    organization: str
    open: str
    """The folder in progress."""
    folders: tuple[str, ...] = ()
    """Those that are closed, oldest first."""
    trimmed: bool = False
    """Whether earlier ones were removed."""
    closed: datetime | None = None
    """When the last one was closed."""
    tables: str = ""
    """A digest of the choice metadata that the folder in progress was opened with."""
    entities: Mapping[LogicalName, Exported] = {}
    moves: tuple[Move, ...] = ()
    removes: tuple[str, ...] = ()
    """State files that the last commit left behind."""
    leaving: tuple[str, ...] = ()
    """Folders that are no longer kept."""

    def following(self, fence: Fence, entities: Mapping[str, Exported], removes: tuple[str, ...] = ()) -> Record:
        """Return the record after a commit that closes no folder."""
        update = {"seq": self.seq + 1, "fence": fence.number, "entities": entities}
        return self.model_copy(update={**update, "moves": (), "removes": removes, "leaving": ()})

    @property
    def linked(self) -> dict[str, Exported]:
        """The entities that are linked, in name order."""
        return {name: each for name, each in sorted(self.entities.items()) if each.linked}


def read_record(lake: Lake) -> tuple[Record | None, Etag]:
    """Return the record with its etag, or None and ABSENT.

    Raises Newer (ENG092), and Damaged when it cannot be read (ENG091).
    """
    stat = lake.stat(RECORD_PATH)
    if stat is None:
        return None, ABSENT
    data, where = lake.read(RECORD_PATH), lake.location(RECORD_PATH)
    try:
        return Record.model_validate_json(data), stat.etag
    except ValidationError as error:
        # A newer format fails validation in ways that would mislead.
        if (found := format_of(data)) > RECORD_FORMAT:
            what = f"the record of the incremental folders has format {found}, and this toolkit reads {RECORD_FORMAT}"
            raise Newer("ENG092", what, where=where, fix="use the newer toolkit that wrote it") from error
        raise Damaged(
            "ENG091",
            "the record of the incremental folders cannot be read",
            where=where,
            why=str(error.errors(include_url=False)[0]["msg"]),
            fix="restore the file from a backup; or link to another file system, which is filled from the beginning",
        ) from error


def commit(lake: Lake, fence: Fence, record: Record, expect: Etag) -> Etag:
    """Write the record on condition that nobody else did since it was read. Raises Conflict, and Locked."""
    fence.check()
    return lake.put(RECORD_PATH, record.model_dump_json(indent=1).encode(), expect)
