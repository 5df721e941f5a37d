"""Which rows of an entity were exported, in which version: what deletions and whole passes are compared with.

Folders are never read again, so the keys are kept beside them: 25 bytes a row, in runs. Each folder adds a run of what
it holds; a run is merged into the one before it once it is a quarter as long, so that there are few, and a row is
written again a few times in all. A later run is right about an id. A run is a header (JSON, padded with spaces to 256
bytes: format, count, digest), then the columns, one after the other, little-endian: id (16 bytes), version (i64), gone
(u8), sorted by id; each id once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import ValidationError

from toolkit.engine.arrays import Mask, Places
from toolkit.engine.entries import Ids
from toolkit.errors import Damaged
from toolkit.lake.protocol import STATE_FOLDER, Lake
from toolkit.model.base import Frozen

HEADER_BYTES = 256
KEY_BYTES = 16 + 8 + 1
MERGE = 4
"""A run is merged into one that is at most so many times as long."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Ids, sorted and unique, each with its last version and whether the row is gone. Three columns of one length."""

    ids: Ids
    versions: Places
    gone: Mask

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: Places | Mask) -> Keys:
        """Return some keys, by place or by mask."""
        return Keys(self.ids[which], self.versions[which], self.gone[which])

    @property
    def columns(self) -> list[bytes]:
        """The columns as they are written."""
        ids, versions = np.ascontiguousarray(self.ids, "S16"), np.ascontiguousarray(self.versions, "<i8")
        return [ids.tobytes(), versions.tobytes(), np.ascontiguousarray(self.gone, np.uint8).tobytes()]


class LostKeys(Damaged):
    """A run is not there, or is not the one that was written (ENG093)."""


class KeyRun(Frozen):
    """A run of keys in the lake."""

    path: str
    count: int
    digest: str
    """SHA-256 of the columns."""


class _Header(Frozen):
    format: Literal[1] = 1
    count: int
    digest: str


def run_path(entity: str, seq: int) -> str:
    """Return where the run of keys is that commit ``seq`` wrote."""
    return f"{STATE_FOLDER}/{entity}/keys/{seq}.keys"


def rebuilt_path(entity: str, seq: int) -> str:
    """Return where the keys are that a pass before commit ``seq`` made anew."""
    return f"{STATE_FOLDER}/{entity}/keys/{seq}-rebuilt.keys"


def sorted_keys(ids: Ids, versions: Places, gone: Mask) -> Keys:
    """Return keys of unique ids in their order."""
    return Keys(ids, versions, gone).take(np.argsort(ids, kind="stable"))


def joined_keys(several: Sequence[Keys]) -> Keys:
    """Return keys whose ids follow each other, one after the other."""
    return Keys(
        np.concatenate([keys.ids for keys in several]),
        np.concatenate([keys.versions for keys in several]),
        np.concatenate([keys.gone for keys in several]),
    )


def run_file(keys: Keys, path: str) -> tuple[list[bytes], KeyRun]:
    """Return the file of a run in blocks, and what the record says of it."""
    digest = hashlib.sha256()
    for column in (columns := keys.columns):
        digest.update(column)
    run = KeyRun(path=path, count=len(keys), digest=f"sha256:{digest.hexdigest()}")
    header = _Header(count=run.count, digest=run.digest).model_dump_json().encode().ljust(HEADER_BYTES - 1) + b"\n"
    return [header, *columns], run


def read_run(lake: Lake, run: KeyRun) -> Keys:
    """Return the keys of a run. Raises LostKeys when the file is not the one that was written."""
    data = b"" if lake.stat(run.path) is None else lake.read(run.path)
    columns = data[HEADER_BYTES:]
    if not _is_header(data[:HEADER_BYTES], run) or hashlib.sha256(columns).hexdigest() != run.digest.partition(":")[2]:
        raise LostKeys(
            "ENG093",
            f"{run.path} does not hold the keys that were written to it",
            where=lake.location(run.path),
            why="another program changed or removed the file, or an older copy of it was restored",
            fix="restore the file from a backup; or see docs/lake.md, Incremental folders",
        )
    return _keys_from(columns, run.count)


def _is_header(data: bytes, run: KeyRun) -> bool:
    try:
        header = _Header.model_validate_json(data)
    except ValidationError:
        return False
    return (header.count, header.digest) == (run.count, run.digest)


def _keys_from(columns: bytes, count: int) -> Keys:
    return Keys(
        np.frombuffer(columns, "S16", count),
        np.frombuffer(columns, "<i8", count, 16 * count).astype(np.int64),
        np.frombuffer(columns, np.uint8, count, 24 * count).astype(np.bool_),
    )


def merged(older: Keys, newer: Keys) -> Keys:
    """Return the keys of two runs as one: the newer one is right about what both have."""
    both = joined_keys([older, newer])
    order = np.argsort(both.ids, kind="stable")
    ordered = both.ids[order]
    last = np.append(ordered[1:] != ordered[:-1], np.ones(min(len(both), 1), np.bool_))
    return both.take(order[last])


def known(lake: Lake, runs: Sequence[KeyRun], ids: Ids | None) -> Keys:
    """Return the keys of the rows that are exported and not gone: of some ids (sorted, unique), or of all.

    One run is in memory at a time, besides what is returned.
    """
    found = NO_KEYS
    for run in runs:
        keys = read_run(lake, run)
        found = merged(found, keys if ids is None else keys.take(np.isin(keys.ids, ids)))
    return found.take(~found.gone)


def with_new(runs: Sequence[KeyRun], new: Keys, read: Callable[[KeyRun], Keys]) -> tuple[tuple[KeyRun, ...], Keys]:
    """Return the runs that stay, and the keys of the one that comes behind them; the others are merged into it."""
    stay = list(runs)
    while stay and stay[-1].count <= MERGE * len(new):
        new = merged(read(stay.pop()), new)
    # In the first run there is nothing for a gone key to hide.
    return tuple(stay), new if stay else new.take(~new.gone)


def paths(runs: Iterable[KeyRun]) -> set[str]:
    """Return where runs are."""
    return {run.path for run in runs}


NO_KEYS = Keys(np.empty(0, "S16"), np.empty(0, np.int64), np.empty(0, np.bool_))
"""No keys."""
