"""Mending: live files that are not what was committed are made good, before anything is built on them.

In this order: a snapshot that holds the same content is copied; in place the part is forgotten, and all rows are read
and compared, so that only what is missing is written; append-only every record that can still be read, in the file
and in its snapshots, is kept, and the rest is said to be lost. While rows are missing the checkpoint has no cursor:
the next pass reads all, no snapshot is made, and the manifest says what it said before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from toolkit.engine.checkpoint import Checkpoint, Copy, Healed, Move, Part, Remove, Snapshot, index_path
from toolkit.engine.index import index_bytes, read_index, readable, scan
from toolkit.engine.partitions import SNAPSHOT_FOLDER, part_name, part_of, snapshot_of
from toolkit.engine.salvage import Key, Records
from toolkit.engine.takeover import holds, moves_of_the_log
from toolkit.errors import Severity
from toolkit.lake.protocol import ABSENT, Lake, Staged

_CHANGED = "another program changed or removed the file, or the lake does not hold all that was written to it"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a part: its state and the moves that publish it, or nothing; and what to tell."""

    part: Part | None
    moves: tuple[Move, ...] = ()
    told: Healed | None = None
    whole: bool = True
    """Whether the part holds what was committed."""


class Mender:
    """Mends the parts of one entity. ``run`` is the folder in which files are staged."""

    def __init__(self, lake: Lake, checkpoint: Checkpoint, run: str, now: datetime) -> None:
        self._lake, self._old, self._run, self._now = lake, checkpoint, run, now
        self._moves = {step.path: step for step in checkpoint.pending if isinstance(step, Move)}

    def mended(self, fence: int) -> Checkpoint | None:
        """Return the checkpoint to commit; None where every file holds what was committed."""
        fates = [self._fate(part) for part in (*self._old.parts, *self._strays())]
        if not any(fate.told for fate in fates):
            return None
        whole = all(fate.whole for fate in fates)
        parts = tuple(
            sorted((fate.part for fate in fates if fate.part), key=lambda part: (part.partition, part.number))
        )
        told = tuple(fate.told for fate in fates if fate.told)
        now = {path for part in parts for path in (part.path, part.index)}
        gone = [path for part in self._old.parts for path in (part.path, part.index) if path not in now]
        update = {
            "fence": fence,
            "seq": self._old.seq + 1,
            "parts": parts,
            "healed": (*self._old.healed, *told),
            "pending": (
                *(move for fate in fates for move in fate.moves),
                *moves_of_the_log(self._lake, self._old),
                *(self._copies(parts) if whole else ()),
                *(step for step in self._removes() if whole or not _is_snapshot(step.path)),
                *(Remove(path=path) for path in gone),
            ),
        }
        return self._old.model_copy(update=update if whole else {**update, **self._incomplete()})

    def _incomplete(self) -> dict[str, object]:
        """Return what changes in a checkpoint whose rows must be read anew: readers keep what they have meanwhile."""
        undone = {step.to for step in self._old.pending if isinstance(step, Copy) and self._lake.stat(step.to) is None}
        kept = [snapshot for snapshot in self._old.snapshots if snapshot.path not in undone]
        leaving = [step.path for step in self._removes() if _is_snapshot(step.path)]
        spared = [self._spared(path) for path in leaving if self._lake.stat(path) is not None]
        published = self._old.published
        if published is not None:
            files = tuple(file for file in published.files if file.path not in undone)
            published = published.model_copy(update={"files": files})
        return {
            "cursor": None,
            "published": published,
            "changed": self._old.changed or self._now,
            "snapshot_at": None,
            "snapshots": tuple(sorted((*spared, *kept), key=lambda snapshot: snapshot.second)),
        }

    def _spared(self, path: str) -> Snapshot:
        """Return a snapshot that was to be removed, and that the manifest may still name."""
        partition, number, second = snapshot_of(path) or ("", 0, 0)
        return Snapshot(path=path, partition=partition, number=number, second=second, superseded=self._now)

    def _removes(self) -> Iterator[Remove]:
        return (step for step in self._old.pending if isinstance(step, Remove))

    def _copies(self, parts: tuple[Part, ...]) -> Iterator[Copy]:
        """Yield the snapshots that are still to be made, of the files as they are now."""
        by_path = {part.path: part for part in parts}
        for step in self._old.pending:
            if isinstance(step, Copy) and self._lake.stat(step.to) is None:
                yield step.model_copy(update={"etag": by_path[step.path].etag})

    def _strays(self) -> Iterator[Part]:
        """Yield history that the checkpoint is too old to know, as parts of which nothing is known."""
        known = {part.path for part in self._old.parts} | {step.path for step in self._removes()}
        for stat in self._lake.list(self._old.entity) if self._old.append_only else ():
            place = part_of(stat.path)
            if place is not None and stat.path not in known:
                index = index_path(self._old.entity, part_name(*place), self._old.seq)
                where = {"partition": place[0], "number": place[1], "path": stat.path, "index": index}
                yield Part(**where, etag=stat.etag, size=0, rows=0, digest="")

    # one part

    def _fate(self, part: Part) -> Fate:
        move = self._moves.get(part.path)
        if self._holds(part.path, part):
            return Fate(_with_etag(part, self._etag(part.path)))
        if move is not None and self._holds(move.staged, part):
            etag = self._etag(move.staged)
            return Fate(_with_etag(part, etag), (move.model_copy(update={"etag": etag}),))
        if self._old.append_only and self._is_newer(part):
            return self._salvaged(part)
        if part.snapshot is not None and self._holds(part.snapshot, part):
            return self._restored(part, part.snapshot)
        return self._salvaged(part) if self._old.append_only else self._forgotten(part)

    def _holds(self, path: str, part: Part) -> bool:
        return holds(self._lake, path, part, self._old.columns)

    def _is_newer(self, part: Part) -> bool:
        """Whether the file of a part went on after the checkpoint was written, as after a failover: then it is history.

        What was appended is not what any commit says, but it is whole.
        """
        stat = self._lake.stat(part.path)
        return stat is not None and stat.size > part.size and readable(self._lake, part.path, self._old.columns)

    def _etag(self, path: str) -> str:
        stat = self._lake.stat(path)
        return stat.etag if stat else ABSENT

    def _restored(self, part: Part, snapshot: str) -> Fate:
        with closing(self._lake.stage(self._run, f"{self._name(part)}.csv")) as writer:
            writer.copy(snapshot, 0, part.size)
            staged = writer.seal()
        told = self._told(part, "ENG006", f"{part.path} was damaged or gone, and was made again of {snapshot}")
        return Fate(_with_etag(part, staged.etag), (self._move(staged, part.path),), told)

    def _forgotten(self, part: Part) -> Fate:
        told = self._told(part, "ENG007", f"{part.path} was damaged or gone, and its rows are read anew")
        return Fate(None, (), told, whole=False)

    def _salvaged(self, part: Part) -> Fate:
        records = self._records(part)
        told = self._loss(part, len(records))
        if not records:
            return Fate(None, (), told, whole=False)
        with closing(self._lake.stage(self._run, f"{self._name(part)}.csv")) as writer:
            for record in (self._old.style.head(self._old.columns), *records.values()):
                writer.write(record)
            staged = writer.seal()
        return self._anew(part, staged, told)

    def _loss(self, part: Part, rows: int) -> Healed:
        """Return what to tell of a file of which so many rows are kept."""
        if self._is_newer(part):
            return self._told(
                part, "ENG112", f"{part.path} is newer than its checkpoint, and its {rows:,} rows are kept"
            )
        lost = f"{max(part.rows - rows, 0):,} of {part.rows:,} rows" if part.digest else "an unknown number of rows"
        what = f"{part.path} was damaged or gone: {lost} of partition {part.partition} are lost"
        return self._told(part, "ENG008", f"{what}, as far as the source does not give them again")

    def _told(self, part: Part, code: str, what: str) -> Healed:
        severity = Severity.NOTE if code in {"ENG006", "ENG112"} else Severity.WARNING
        return Healed(at=self._now, code=code, severity=severity, what=what, where=part.path, why=_CHANGED)

    def _records(self, part: Part) -> dict[Key, bytes]:
        """Return the records that can be read: of the file, and of the snapshots that were made of it, newest first."""
        pattern = Records(self._old.columns)
        found: dict[Key, bytes] = {}
        data = self._data(part.path)
        index = read_index(self._data(part.index), part.digest)
        for key, record in (*(pattern.at(data, index) if index else ()), *pattern.within(data)):
            found.setdefault(key, record)
        for snapshot in reversed(self._old.snapshots):
            if (snapshot.partition, snapshot.number) == (part.partition, part.number):
                for key, record in pattern.within(self._data(snapshot.path)):
                    found.setdefault(key, record)
        return found

    def _data(self, path: str) -> bytes:
        return b"" if self._lake.stat(path) is None else self._lake.read(path)

    def _anew(self, part: Part, staged: Staged, told: Healed) -> Fate:
        """Return a part of other content than was committed, with an index of its own."""
        entries = scan(self._lake, staged.path, self._old.columns)
        path = index_path(self._old.entity, part_name(part.partition, part.number), self._old.seq + 1)
        with closing(self._lake.stage(self._run, f"{self._name(part)}.idx")) as writer:
            data, digest = index_bytes(entries, staged.etag, staged.size)
            writer.write(data)
            index = writer.seal()
        update = {
            "etag": staged.etag,
            "size": staged.size,
            "rows": len(entries),
            "digest": digest,
            "index": path,
            "snapshot": None,
        }
        moves = (self._move(staged, part.path), self._move(index, path))
        return Fate(part.model_copy(update=update), moves, told, whole=False)

    def _name(self, part: Part) -> str:
        return part_name(part.partition, part.number)

    def _move(self, staged: Staged, path: str) -> Move:
        return Move.of(staged, path, self._etag(path))


def _with_etag(part: Part, etag: str) -> Part:
    return part.model_copy(update={"etag": etag})


def _is_snapshot(path: str) -> bool:
    return f"/{SNAPSHOT_FOLDER}/" in path
