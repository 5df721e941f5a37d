"""What the benchmarks work on: an account of 60 columns in an embedded organization, a lake, sets of changes.

Everything is made from fixed seeds, and kept in a folder for the rounds of one run:

    organization.sqlite   the seeded organization
    lake/                 the lake after the initial sync; rounds work on copies made of hard links
    changes/<set>.arrow   changed and new rows as the source types them
    changes/<set>.csv     the same rows as the engine spells them, for peers that know text only
    changes/<set>.ids     the ids that are deleted, a line each
"""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.engine.arrays import Array, compute, contents
from toolkit.engine.columns import columns_of
from toolkit.engine.rows import format_rows
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import ABSENT, Holder, Lake
from toolkit.model.config import ExportConfig, LinkedEntity, Storage
from toolkit.model.entity import Entity
from toolkit.model.environment import Organization
from toolkit.model.link import Link
from toolkit.model.version import Version
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.organization.definitions import define, standard
from toolkit.organization.schema import create
from toolkit.site import Linked
from toolkit.source.embedded import EmbeddedSource
from toolkit.source.protocol import Batch, Cursor, Deleted, Source

COLUMNS = 60
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECENT = datetime(2025, 12, 1, tzinfo=UTC)
"""The last three months begin here; the days of March are in it too."""
HOLDER = Holder("bench", platform.node(), os.getpid(), NOW)
SETS = ("scattered", "recent")
SHARES = {"updates": 0.01, "deletes": 0.005, "inserts": 0.005}
"""Of all rows, in each set of changes."""
ORGANIZATION = Organization(
    id="00000000-0000-0000-0000-0000000000aa",
    unique_name="bench",
    environment="bench",
    region="westeurope",
    tenant="00000000-0000-0000-0000-0000000000bb",
    version=Version("9.2.24014.185"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one run."""

    folder: Path

    @property
    def organization(self) -> Path:
        return self.folder / "organization.sqlite"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def changes(self, which: str, kind: str) -> Path:
        return self.folder / "changes" / f"{which}.{kind}"


def account() -> Entity:
    """Return the shipped account with its first 60 columns; those that every table has are among them."""
    entity = next(entity for entity in standard().entities if entity.name == "account")
    always = {entity.primary_id, "createdon", "modifiedon", "versionnumber"}
    rest = [attribute.name for attribute in entity.attributes if attribute.name not in always]
    kept = always | set(rest[: COLUMNS - len(always)])
    return entity.model_copy(update={"attributes": tuple(a for a in entity.attributes if a.name in kept)})


def small(number: int) -> Entity:
    """Return one of many entities with few columns."""
    entity = account()
    kept = [a for a in entity.attributes if a.name in {"accountid", "name", "createdon", "versionnumber"}]
    name = f"cts_small{number:03d}"
    renamed = [a.model_copy(update={"name": f"{name}id"}) if a.name == "accountid" else a for a in kept]
    update = {"name": name, "set_name": f"{name}s", "primary_id": f"{name}id", "primary_name": "name", "custom": True}
    return entity.model_copy(update={**update, "attributes": tuple(renamed)})


def created(path: Path, entities: Sequence[Entity]) -> Database:
    """Return a new organization with these entities, without rows."""
    database = create(path, ORGANIZATION)
    define(database, Definitions(choices=standard().choices, entities=tuple(entities)))
    return database


def opened(place: Place) -> Database:
    return Database(place.organization)


def linked(lake: Lake, *entities: str) -> Linked:
    config = ExportConfig(
        id="653ae937-c02f-ed11-9db1-0022482dfdbf",
        name="bench",
        storage=Storage(account="bench"),
        entities=tuple(LinkedEntity(name=name) for name in entities),
    )
    link = Link(
        generation=1,
        environment="bench",
        organization=ORGANIZATION.id,
        config=config,
        account="bench",
        file_system="bench",
        created=NOW,
        changed=NOW,
    )
    return Linked(link, ABSENT, lake)


def lake_at(folder: Path) -> FolderLake:
    return FolderLake(folder)


class Replay:
    """A source that gives a set of changes from memory: what a pass costs, without what a source costs."""

    def __init__(self, entity: Entity, rows: Sequence[pa.RecordBatch], deleted: Sequence[str]) -> None:
        self._entity = entity
        self._rows = rows
        self._deleted = tuple(Deleted(row) for row in deleted)

    @property
    def organization(self) -> str:
        return ORGANIZATION.id

    def entities(self) -> Mapping[str, Entity]:
        return {self._entity.name: self._entity}

    def count(self, entity: str) -> int:  # noqa: ARG002 - the protocol's
        return sum(batch.num_rows for batch in self._rows)

    def size(self, entity: str) -> int:
        return self.count(entity)

    def has(self, entity: str, row_id: str) -> bool:  # noqa: ARG002 - the protocol's
        return any(row_id in batch.column(self._entity.primary_id).to_pylist() for batch in self._rows)

    def mark(self) -> None:
        return None

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:  # noqa: ARG002 - the protocol's
        for batch in self._rows:
            yield Batch(batch, (), Cursor("replayed"), final=False)
        yield Batch(self._rows[0].slice(0, 0), self._deleted, Cursor("replayed"), final=True)


def replay(place: Place, which: str) -> Source:
    """Return a source that gives a set of changes."""
    return Replay(account(), _batches(place, which), place.changes(which, "ids").read_text().split())


def nothing(place: Place, which: str) -> Source:
    """Return a source that gives none of a set of changes."""
    return Replay(account(), [_batches(place, which)[0].slice(0, 0)], ())


def _batches(place: Place, which: str) -> list[pa.RecordBatch]:
    with pa.ipc.open_file(str(place.changes(which, "arrow"))) as file:
        return [file.get_batch(at) for at in range(file.num_record_batches)]


def make_changes(place: Place, source: EmbeddedSource) -> None:
    """Write both sets of changes. Each row is in one of them at most once."""
    place.changes("scattered", "ids").parent.mkdir(exist_ok=True)
    created = [batch.rows.column("createdon") for batch in source.changes("account", ["createdon"], None)]
    share = sum(compute.sum(_recent(times)).as_py() or 0 for times in created) / sum(map(len, created))
    drawn = {"scattered": _Drawn("scattered", 1.0), "recent": _Drawn("recent", share)}
    for batch in source.changes("account", None, None):
        for which in SETS:
            drawn[which].draw(batch.rows)
    for which in SETS:
        drawn[which].write(place)


def _recent(created: Array) -> Array:
    recent: Array = compute.greater_equal(created, pa.scalar(RECENT, pa.timestamp("us", "UTC")))
    return recent


class _Drawn:
    """A set of changes while it is drawn."""

    def __init__(self, which: str, share: float) -> None:
        self._which = which
        self._share = share
        """Of all rows, that it is drawn from: a set changes as many rows as the other."""
        self._random = np.random.default_rng(SETS.index(which))
        self._version = 10**12
        self._rows: list[pa.RecordBatch] = []
        self._deleted: list[str] = []

    def draw(self, rows: pa.RecordBatch) -> None:
        if self._which == "recent":
            rows = rows.filter(_recent(rows.column("createdon")))
        lot = self._random.random(rows.num_rows) * self._share
        update, delete, insert = SHARES["updates"], SHARES["deletes"], SHARES["inserts"]
        self._rows.append(self._changed(rows.filter(pa.array(lot < update)), new=False))
        self._rows.append(self._changed(rows.filter(pa.array((lot >= update) & (lot < update + insert))), new=True))
        gone = rows.filter(pa.array((lot >= update + insert) & (lot < update + insert + delete)))
        self._deleted += [str(row) for row in gone.column("accountid").to_pylist()]

    def _changed(self, rows: pa.RecordBatch, *, new: bool) -> pa.RecordBatch:
        versions = np.arange(self._version, self._version + rows.num_rows)
        self._version += rows.num_rows
        columns: dict[str, Any] = {
            **dict(zip(rows.schema.names, rows.columns, strict=True)),
            "versionnumber": versions,
        }
        if new:
            columns["accountid"] = [self._guid() for _ in range(rows.num_rows)]
        return pa.RecordBatch.from_pydict(columns, rows.schema)

    def _guid(self) -> str:
        text = self._random.bytes(16).hex()
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def write(self, place: Place) -> None:
        rows = pa.Table.from_batches(self._rows).combine_chunks()
        file = str(place.changes(self._which, "arrow"))
        with pa.OSFile(file, "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows, max_chunksize=50_000)
        columns = columns_of(account())
        with place.changes(self._which, "csv").open("wb") as text:
            for batch in rows.to_batches(max_chunksize=50_000):
                text.write(contents(format_rows(batch, columns, "accountid", NOW).text))
        place.changes(self._which, "ids").write_text("\n".join(self._deleted))
