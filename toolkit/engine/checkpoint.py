"""The checkpoint of an entity: the commit record of its passes (docs/formats.md).

It lies in the lake at ``_toolkit/<entity>/checkpoint.json`` and is only ever replaced on condition of its old etag;
that write is the commit. What follows a commit (publishing staged files, making snapshots, removing what is of no
more use) is written in it as ``pending``, in order, and each step may be done any number of times; so whoever reads
the checkpoint can finish what a dead engine began.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from toolkit.engine.columns import CREATED, Column
from toolkit.engine.schema_history import SchemaChange
from toolkit.engine.style import Style
from toolkit.errors import Damaged, Finding, Place, Severity
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Lake, Staged
from toolkit.model.base import Frozen
from toolkit.model.config import LinkedEntity, Output, PartitionStrategy
from toolkit.model.names import LogicalName
from toolkit.model.shape import Form, reshaped, shape_of
from toolkit.site import format_of

CHECKPOINT_FORMAT = 1
INDEX_SUFFIX = ".idx"


REPAIR = "toolkit repair makes it good, or the next toolkit sync that has to do with it"
"""What to do about a live file that is not what was written."""


class Part(Frozen):
    """A live file: part ``number`` of a partition (0 is the first)."""

    partition: str
    number: int = 0
    path: str
    etag: str
    size: int
    rows: int
    digest: str
    """The digest of its index."""
    index: str
    """The path of its index."""
    snapshot: str | None = None
    """The snapshot of this content; None while no snapshot holds it."""


class Snapshot(Frozen):
    """A snapshot file that is kept: of which part, made when, and since when another is named in its place."""

    path: str
    partition: str
    number: int = 0
    second: int
    superseded: datetime | None = None


class Move(Frozen):
    """Publish a staged file at ``path``, in the place of the file with the etag ``expect`` (empty: of none)."""

    kind: Literal["move"] = "move"
    staged: str
    size: int
    etag: str
    path: str
    expect: str

    @classmethod
    def of(cls, staged: Staged, path: str, expect: str = ABSENT) -> Move:
        """Return the step that publishes a staged file."""
        return cls(staged=staged.path, size=staged.size, etag=staged.etag, path=path, expect=expect)


class Copy(Frozen):
    """Make a snapshot of the file at ``path``, whose etag is ``etag``."""

    kind: Literal["copy"] = "copy"
    path: str
    etag: str
    to: str


class Remove(Frozen):
    """Remove a file, after the manifest was written."""

    kind: Literal["remove"] = "remove"
    path: str


Step = Annotated[Move | Copy | Remove, Field(discriminator="kind")]


class PublishedFile(Frozen):
    """A snapshot that model.json names, and the part it is of."""

    partition: str
    number: int = 0
    path: str


class Published(Frozen):
    """What model.json says of an entity: it changes as a whole, with a snapshot."""

    columns: tuple[Column, ...]
    strategy: PartitionStrategy
    style: Style = Style()
    files: tuple[PublishedFile, ...] = ()


class DeleteLog(Frozen):
    """The last file of an entity's delete log: part ``number`` of a month, of ``size`` bytes."""

    path: str
    month: str
    number: int = 0
    size: int
    etag: str


class Healed(Frozen):
    """Damage that was found and made good: when, and what to tell of it."""

    at: datetime
    code: str
    severity: Severity
    what: str
    where: str
    why: str

    @property
    def finding(self) -> Finding:
        """What to tell people."""
        return Finding(self.code, self.severity, self.what, Place(self.where), self.why)


class Retired(Frozen):
    """The entity is no longer linked: since when, and whether its data is kept (moved away) or deleted."""

    at: datetime
    keep: bool


class Checkpoint(Frozen):
    """The state of an entity after its last commit. ``seq`` counts commits."""

    format: Literal[1] = 1
    entity: LogicalName
    fence: int
    seq: int = 0
    organization: str
    """The OrganizationId that the rows come from."""
    generation: int = 0
    """The generation of the link at which the entity began; 0 in checkpoints that do not say."""
    began: datetime | None = None
    """When it began."""
    cursor: str | None = None
    """Where the next pass begins; None before the first sync is complete, and while rows are read anew."""
    cursor_at: datetime | None = None
    columns: tuple[Column, ...] = ()
    schema_changes: tuple[SchemaChange, ...] = ()
    """How the columns changed since the initial sync, oldest first."""
    form: Form = Form()
    """What of the entity is in the files, and in which form."""
    append_only: bool
    strategy: PartitionStrategy
    parts: tuple[Part, ...] = ()
    """By partition and number."""
    snapshots: tuple[Snapshot, ...] = ()
    """Oldest first."""
    published: Published | None = None
    completed: datetime | None = None
    """When the data of the initial sync was complete."""
    changed: datetime | None = None
    """The time of the oldest committed change that no snapshot holds."""
    snapshot_at: datetime | None = None
    """The time of the last snapshot; its names carry a second of their own, which never goes back."""
    second: int = 0
    delete_log: DeleteLog | None = None
    pending: tuple[Step, ...] = ()
    retired: Retired | None = None
    healed: tuple[Healed, ...] = ()
    """What was made good of late."""

    @property
    def mending(self) -> bool:
        """Whether rows are missing that the next pass reads anew. Until then readers keep what they have."""
        return self.completed is not None and self.cursor is None and self.retired is None

    @property
    def style(self) -> Style:
        """The form of the live files."""
        return Style.of(self.form.shape)

    @property
    def rows(self) -> int:
        """Rows in the live files."""
        return sum(part.rows for part in self.parts)


def form_due(checkpoint: Checkpoint, linked: LinkedEntity, output: Output) -> tuple[str, ...]:
    """Return in which aspects of form the files of an entity are not yet as its config says."""
    return reshaped(checkpoint.form.shape, shape_of(linked, output)) if checkpoint.completed else ()


def files_due(checkpoint: Checkpoint, linked: LinkedEntity, output: Output) -> tuple[str, ...]:
    """Return in which aspects live files are not yet as their config says: those of form, mode, strategy."""
    if checkpoint.completed is None:
        return ()
    # Without createdon an entity is append-only whatever its config says.
    append_only = linked.append_only or not any(column.name == CREATED for column in checkpoint.columns)
    mode = ("mode",) if checkpoint.append_only != append_only else ()
    cut = () if append_only or mode or checkpoint.strategy is linked.strategy else ("strategy",)
    return (*form_due(checkpoint, linked, output), *mode, *cut)


def checkpoint_path(entity: str) -> str:
    """Return where the checkpoint of an entity is."""
    return f"{STATE_FOLDER}/{entity}/checkpoint.json"


def index_path(entity: str, part: str, seq: int) -> str:
    """Return where the index of a part is that commit ``seq`` wrote."""
    return f"{STATE_FOLDER}/{entity}/index/{part}.{seq}{INDEX_SUFFIX}"


class Newer(Damaged):
    """A checkpoint of a newer format than this toolkit knows (ENG032): it is left as it is."""


def read_checkpoint(lake: Lake, entity: str) -> tuple[Checkpoint | None, Etag]:
    """Return the checkpoint of an entity with its etag, or None and ABSENT.

    Raises Newer (ENG032), and Damaged when it cannot be read (ENG031).
    """
    path = checkpoint_path(entity)
    stat = lake.stat(path)
    if stat is None:
        return None, ABSENT
    data = lake.read(path)
    try:
        return Checkpoint.model_validate_json(data), stat.etag
    except ValidationError as error:
        where = lake.location(path)
        # A newer format fails validation in ways that would mislead.
        if (found := format_of(data)) > CHECKPOINT_FORMAT:
            raise _newer(entity, where, found) from error
        why = str(error.errors(include_url=False)[0]["msg"])
        what = f"the checkpoint of {entity} cannot be read"
        raise Damaged("ENG031", what, where=where, why=why, fix=restore_or_anew(entity)) from error


def _newer(entity: str, where: str, found: int) -> Newer:
    what = f"the checkpoint of {entity} has format {found}, and this toolkit reads up to {CHECKPOINT_FORMAT}"
    return Newer("ENG032", what, where=where, fix="use the newer toolkit that wrote it")


def anew(entity: str) -> str:
    """Return how an entity begins anew."""
    return f"toolkit entity remove {entity}, then toolkit entity add {entity}: it is synced anew, and the old data kept"


def restore_or_anew(entity: str) -> str:
    """Return what to do about a file of an entity that is of no more use."""
    return f"restore the file from a backup; or {anew(entity)}"


def entities_with_state(lake: Lake) -> tuple[str, ...]:
    """Return the entities that have a checkpoint, in name order."""
    return entities_among(stat.path for stat in lake.list(STATE_FOLDER))


def entities_among(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the entities whose checkpoints are among some paths, in their order."""
    tail = "/checkpoint.json"
    return tuple(path.split("/")[1] for path in paths if path.endswith(tail) and path.count("/") == 2)


def highest_generation(lake: Lake) -> int:
    """Return the highest generation of a link at which an entity of the lake began; 0 where none did, or none says."""
    found = [0]
    for entity in entities_with_state(lake):
        with suppress(Damaged):
            checkpoint, _ = read_checkpoint(lake, entity)
            found += [checkpoint.generation] if checkpoint else []
    return max(found)
