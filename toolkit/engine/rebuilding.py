"""Rebuilding: the checkpoint of an entity from its files, when it is gone or cannot be read.

The columns come from model.json and the definition, the parts from a scan of the live files, what is published from
model.json again. A file that is not what it should be counts as damaged, and is mended as such (``mending``). The
checkpoint has no cursor: all rows are read and compared by id and version, so what is left out costs a longer pass,
and nothing else. Readers keep what model.json says until the next snapshot is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from toolkit.engine.checkpoint import (
    Checkpoint,
    Healed,
    Part,
    Published,
    PublishedFile,
    Remove,
    Snapshot,
    checkpoint_path,
    restore_or_anew,
)
from toolkit.engine.columns import DATA_TYPES, Column, evolve
from toolkit.engine.entries import NOTHING, Entries
from toolkit.engine.index import digest_of, scan
from toolkit.engine.journal import read_journal
from toolkit.engine.manifest import MANIFEST_PATH, entries_in
from toolkit.engine.partitions import SNAPSHOT_FOLDER, part_name, part_of, snapshot_of
from toolkit.engine.salvage import width_of
from toolkit.errors import Damaged, Severity
from toolkit.lake.protocol import STATE_FOLDER, Lake, Stat
from toolkit.model.config import PartitionStrategy
from toolkit.model.entity import Entity

_NAME_LENGTH = {PartitionStrategy.YEAR: 4, PartitionStrategy.MONTH: 7}
_SEQ = re.compile(r"\.(\d+)\.idx$")
HEAD = 1 << 20
"""Bytes of a file in which its first record is looked for."""


def left_behind(lake: Lake, entity: str) -> bool:
    """Whether an entity without a checkpoint has live files, or readers: then it is not a new one."""
    return any(part_of(stat.path) for stat in lake.list(entity)) or entity in entries_in(_manifest(lake))


def lost_checkpoint(lake: Lake, entity: str) -> Damaged:
    """Return the error that an entity has files or readers, and no checkpoint (ENG035)."""
    return Damaged(
        "ENG035",
        f"the checkpoint of {entity} is gone",
        where=lake.location(checkpoint_path(entity)),
        why="another program removed it, or a backup does not hold all of the lake",
        fix="toolkit sync: it makes the checkpoint anew of the files",
    )


def rebuilt(lake: Lake, first: Checkpoint, definition: Entity, now: datetime) -> Checkpoint:
    """Return the checkpoint of an entity from its files; ``first`` is that with which it would begin.

    Raises Damaged (ENG034) when the files hold history, and the entity is exported in place.
    """
    name = first.entity
    entry = json.loads(entries_in(_manifest(lake)).get(name, "null"))
    snapshots = tuple(sorted(_snapshots(lake, name), key=lambda snapshot: snapshot.second))
    found = [(stat, *place) for stat in lake.list(name) if (place := part_of(stat.path))]
    fits = _NAME_LENGTH[first.strategy]
    live = [(stat, partition, number) for stat, partition, number in found if len(partition) == fits]
    columns = _columns(lake, entry, [stat.path for stat, _, _ in live], definition, first)
    seq = 1 + max(_seqs(lake, name), default=0)
    checkpoint = first.model_copy(update={"columns": columns, "seq": seq, "snapshots": snapshots})
    scanner = _Scanner(lake, checkpoint)
    parts = tuple(scanner.parts(live))
    completed = _completed(entry) or (now if parts else None)
    known = {path for part in parts for path in (part.path, part.index)}
    misfits = [stat.path for stat, partition, _ in found if len(partition) != fits and scanner.is_spare(stat.path)]
    others = [*misfits, *_indexes(lake, name)]
    return checkpoint.model_copy(
        update={
            "parts": parts,
            "published": _published(lake, entry, columns, snapshots) if _completed(entry) else None,
            "completed": completed,
            "changed": now if completed else None,
            "second": max((snapshot.second for snapshot in snapshots), default=0),
            "pending": tuple(Remove(path=path) for path in others if path not in known),
            "healed": (_told(lake, name, parts, now),),
        }
    )


def _told(lake: Lake, name: str, parts: Sequence[Part], now: datetime) -> Healed:
    where = checkpoint_path(name)
    why = "damaged" if lake.stat(where) is not None else "gone"
    rows = sum(part.rows for part in parts)
    return Healed(
        at=now,
        code="ENG033",
        severity=Severity.WARNING,
        what=f"the checkpoint of {name} was {why}, and was made anew of its files, with {rows:,} rows",
        where=where,
        why="all rows are read and compared; readers keep what they have meanwhile",
    )


def _manifest(lake: Lake) -> bytes:
    return lake.read(MANIFEST_PATH) if lake.stat(MANIFEST_PATH) is not None else b""


def _indexes(lake: Lake, name: str) -> list[str]:
    return [stat.path for stat in lake.list(f"{STATE_FOLDER}/{name}/index")]


def _seqs(lake: Lake, name: str) -> Iterator[int]:
    """Yield the numbers of commits that are known to have been."""
    yield read_journal(lake).settled(name) or 0
    yield from (int(match[1]) for path in _indexes(lake, name) if (match := _SEQ.search(path)))


def _snapshots(lake: Lake, name: str) -> Iterator[Snapshot]:
    for stat in lake.list(f"{name}/{SNAPSHOT_FOLDER}"):
        if place := snapshot_of(stat.path):
            partition, number, second = place
            yield Snapshot(path=stat.path, partition=partition, number=number, second=second)


# what model.json says


def _completed(entry: Mapping[str, Any] | None) -> datetime | None:
    """Return when the initial sync was complete, in either spelling of a time."""
    annotations = {each["name"]: each["value"] for each in (entry or {}).get("annotations", ())}
    if annotations.get("Athena:InitialSyncState") != "Completed":
        return None
    text = annotations.get("Athena:InitialSyncDataCompletedTime", "")
    try:
        return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromisoformat(text)


def _columns(
    lake: Lake, entry: Mapping[str, Any] | None, live: Sequence[str], definition: Entity, first: Checkpoint
) -> tuple[Column, ...]:
    """Return the columns that the live files have: those that readers know, or with the ones added since."""
    if entry is None:
        return first.columns
    now = {column.name: column for column in first.columns}
    known = tuple(_column(attribute, now.get(attribute["name"])) for attribute in entry["attributes"])
    later = evolve(known, definition)
    widths = {width_of(lake.read(path, 0, HEAD)) for path in live}
    return later.columns if len(later.columns) in widths and not later.retyped else known


def _column(attribute: Mapping[str, Any], now: Column | None) -> Column:
    kind = next(kind for kind, name in DATA_TYPES.items() if name == attribute["dataType"])
    if now is not None and DATA_TYPES[now.kind] == attribute["dataType"]:
        return now
    length = attribute["maxLength"]
    return Column(name=attribute["name"], kind=kind, length=None if length < 0 else length, dropped=now is None)


def _published(
    lake: Lake, entry: Mapping[str, Any] | None, columns: tuple[Column, ...], snapshots: Sequence[Snapshot]
) -> Published | None:
    if entry is None:
        return None
    named = {each["location"] for each in entry["partitions"]}
    granularity = next(each["value"] for each in entry["annotations"] if each["name"] == "Athena:PartitionGranularity")
    return Published(
        columns=columns[: len(entry["attributes"])],
        strategy=PartitionStrategy(granularity),
        files=tuple(
            PublishedFile(partition=each.partition, number=each.number, path=each.path)
            for each in snapshots
            if lake.location(each.path) in named
        ),
    )


# the live files


class _Scanner:
    """Makes parts of live files. What does not fit gets a digest that no file has, so that it is mended."""

    def __init__(self, lake: Lake, checkpoint: Checkpoint) -> None:
        self._lake, self._checkpoint = lake, checkpoint
        self._ids = NOTHING.ids

    def parts(self, live: Sequence[tuple[Stat, str, int]]) -> Iterator[Part]:
        indexes = _indexes(self._lake, self._checkpoint.entity)
        for stat, partition, number in sorted(live, key=lambda each: each[1:]):
            entries = self._entries(stat.path)
            start = f"{STATE_FOLDER}/{self._checkpoint.entity}/index/{part_name(partition, number)}."
            yield Part(
                partition=partition,
                number=number,
                path=stat.path,
                etag=stat.etag,
                size=stat.size,
                rows=0 if entries is None else len(entries),
                digest="" if entries is None else digest_of(entries),
                index=max((path for path in indexes if path.startswith(start)), default=f"{start}0.idx"),
            )

    def is_spare(self, path: str) -> bool:
        """Whether a file of another strategy has rows that are read anew, and no history; what cannot be read stays."""
        try:
            entries = scan(self._lake, path, self._checkpoint.columns)
        except Damaged:
            return False
        return self._checkpoint.append_only or _require_no_history(self._checkpoint.entity, path, entries)

    def _entries(self, path: str) -> Entries | None:
        checkpoint = self._checkpoint
        if width_of(self._lake.read(path, 0, HEAD)) != len(checkpoint.columns):
            return None
        try:
            entries = scan(self._lake, path, checkpoint.columns)
        except Damaged:
            return None
        return entries if checkpoint.append_only or self._alone(path, entries) else None

    def _alone(self, path: str, entries: Entries) -> bool:
        """Whether none of the ids is in another part: a commit may have been published in part."""
        _require_no_history(self._checkpoint.entity, path, entries)
        if np.isin(entries.ids, self._ids).any():
            return False
        self._ids = np.concatenate([self._ids, entries.ids])
        return True


def _require_no_history(entity: str, path: str, entries: Entries) -> bool:
    if not entries.deletes.any() and len(np.unique(entries.ids)) == len(entries):
        return True
    raise Damaged(
        "ENG034",
        f"{path} holds history, and {entity} is exported in place",
        where=path,
        why="its checkpoint is damaged or gone, and without it the history would be lost",
        fix=f"link it append-only; or {restore_or_anew(entity)}",
    )
