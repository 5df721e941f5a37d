"""Snapshots and their retention, as a change of the checkpoint: which files are copied, named, and no longer kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from toolkit.engine.checkpoint import Checkpoint, Copy, Part, Published, PublishedFile, Remove, Snapshot
from toolkit.engine.partitions import snapshot_path
from toolkit.model.config import Retention


def is_due(checkpoint: Checkpoint, now: datetime, interval: timedelta) -> bool:
    """Whether a snapshot is due: the first one at once, then when something changed and the interval is over."""
    if checkpoint.completed is None or checkpoint.mending:
        return False
    if checkpoint.published is None or checkpoint.snapshot_at is None:
        return True
    return checkpoint.changed is not None and now - checkpoint.snapshot_at >= interval


def is_stale(checkpoint: Checkpoint) -> bool:
    """Whether a change was committed that no snapshot holds."""
    unpublished = checkpoint.changed is not None or checkpoint.published is None
    return checkpoint.completed is not None and not checkpoint.mending and unpublished


def without(checkpoint: Checkpoint, lost: Collection[str]) -> Checkpoint:
    """Return the checkpoint without snapshots that are gone: the next one then holds the parts that they were of."""
    parts = (part.model_copy(update={"snapshot": None}) if part.snapshot in lost else part for part in checkpoint.parts)
    kept = tuple(snapshot for snapshot in checkpoint.snapshots if snapshot.path not in lost)
    return checkpoint.model_copy(update={"parts": tuple(parts), "snapshots": kept})


def with_snapshot(checkpoint: Checkpoint, now: datetime, retention: Retention, grace: timedelta) -> Checkpoint:
    """Return the checkpoint with a snapshot of every part that changed, and without those that are kept no longer.

    ``grace`` is how long a snapshot stays that is no longer named, whatever the retention says.
    """
    second = max(int(now.timestamp()), checkpoint.second + 1)
    parts = tuple(_held(part, checkpoint.entity, second) for part in checkpoint.parts)
    made = tuple(part for part, before in zip(parts, checkpoint.parts, strict=True) if before.snapshot is None)
    published = Published(
        columns=checkpoint.columns,
        strategy=checkpoint.strategy,
        style=checkpoint.style,
        files=tuple(PublishedFile(partition=p.partition, number=p.number, path=p.snapshot or "") for p in parts),
    )
    snapshots = (*_superseded(checkpoint.snapshots, published, now), *(_snapshot(part, second) for part in made))
    kept, dropped = _retained(snapshots, _excess(snapshots, published, retention.keep), now, retention, grace)
    return checkpoint.model_copy(
        update={
            "parts": parts,
            "snapshots": kept,
            "published": published,
            "changed": None,
            "snapshot_at": now,
            "second": second if made else checkpoint.second,
            "pending": (
                *checkpoint.pending,
                *(Copy(path=part.path, etag=part.etag, to=part.snapshot or "") for part in made),
                *(Remove(path=snapshot.path) for snapshot in dropped),
            ),
        }
    )


def new_snapshots(before: Checkpoint, after: Checkpoint) -> tuple[str, ...]:
    """Return the paths of the snapshots that a checkpoint has and the one before has not."""
    known = {snapshot.path for snapshot in before.snapshots}
    return tuple(snapshot.path for snapshot in after.snapshots if snapshot.path not in known)


def _held(part: Part, entity: str, second: int) -> Part:
    if part.snapshot is not None:
        return part
    path = snapshot_path(entity, part.partition, part.number, second)
    return part.model_copy(update={"snapshot": path})


def _snapshot(part: Part, second: int) -> Snapshot:
    return Snapshot(path=part.snapshot or "", partition=part.partition, number=part.number, second=second)


def _superseded(snapshots: tuple[Snapshot, ...], published: Published, now: datetime) -> tuple[Snapshot, ...]:
    named = {file.path for file in published.files}
    return tuple(
        snapshot if snapshot.path in named or snapshot.superseded else snapshot.model_copy(update={"superseded": now})
        for snapshot in snapshots
    )


def _excess(snapshots: tuple[Snapshot, ...], published: Published, keep: int) -> set[str]:
    """Return the paths of the snapshots beyond the number that is kept.

    Of a part that is no more, as after another strategy, those stay that were made with one of the last snapshots.
    """
    live = {(file.partition, file.number) for file in published.files}
    oldest = min(sorted({snapshot.second for snapshot in snapshots})[-keep:], default=0)
    of_part: dict[tuple[str, int], list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        of_part[snapshot.partition, snapshot.number].append(snapshot)
    return {
        snapshot.path
        for part, those in of_part.items()
        for snapshot in (those[:-keep] if part in live else those)
        if part in live or snapshot.second < oldest
    }


def _retained(
    snapshots: tuple[Snapshot, ...], excess: Collection[str], now: datetime, retention: Retention, grace: timedelta
) -> tuple[tuple[Snapshot, ...], tuple[Snapshot, ...]]:
    """Return which snapshots stay and which go: of those in excess the old ones at which there is no reader."""
    gone = {
        snapshot.path
        for snapshot in snapshots
        if snapshot.path in excess
        and snapshot.superseded is not None
        and now - snapshot.superseded > grace
        and not _young(snapshot, now, retention)
    }
    return (
        tuple(snapshot for snapshot in snapshots if snapshot.path not in gone),
        tuple(snapshot for snapshot in snapshots if snapshot.path in gone),
    )


def _young(snapshot: Snapshot, now: datetime, retention: Retention) -> bool:
    """Whether a snapshot is younger than the days for which all are kept."""
    return now.timestamp() - snapshot.second < (retention.keep_days or 0) * timedelta(days=1).total_seconds()
