"""Snapshots outside of a pass: of what changed since the last one, and of what lost the one that the manifest names."""

from __future__ import annotations

from collections.abc import Collection

from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.partitions import SNAPSHOT_FOLDER
from toolkit.engine.report import EntityProgress, EntityReport, Phase
from toolkit.engine.snapshot import is_stale, new_snapshots, with_snapshot, without
from toolkit.engine.states import States
from toolkit.engine.ways import Ways
from toolkit.errors import Locked, ToolkitError
from toolkit.lake.protocol import Fence, Lake
from toolkit.model.config import Retention
from toolkit.model.link import EntityState


class Snapshots:
    """The snapshots of a link's entities, by their checkpoints."""

    def __init__(self, lake: Lake, fence: Fence, ways: Ways, states: States) -> None:
        self._lake, self._fence, self._ways, self._states = lake, fence, ways, states

    def take(self, names: Collection[str], retention: Retention) -> tuple[EntityReport, ...]:
        """Snapshot some entities, and return the reports of those where there was something to do."""
        return tuple(report for name in names if (report := self._of(name, retention)) is not None)

    def _of(self, name: str, retention: Retention) -> EntityReport | None:
        if (error := self._states.unsettled.get(name)) is not None:
            return self._ways.failed(name, error)
        state = self._states.committed.get(name)
        if state is None or state.checkpoint.retired is not None:
            return None
        lost = self._lost(state.checkpoint)
        if not (lost or is_stale(state.checkpoint)):
            return None
        try:
            return self._snapshot(without(state.checkpoint, lost), retention)
        except Locked:
            raise
        except ToolkitError as failure:
            return self._ways.failed(name, failure)

    def _lost(self, checkpoint: Checkpoint) -> set[str]:
        """Return which snapshots are named and not there."""
        there = {stat.path for stat in self._lake.list(f"{checkpoint.entity}/{SNAPSHOT_FOLDER}")}
        named = checkpoint.published.files if checkpoint.published else ()
        return {file.path for file in named} - there

    def _snapshot(self, before: Checkpoint, retention: Retention) -> EntityReport:
        now = self._ways.clock()
        begun = before.model_copy(update={"seq": before.seq + 1, "fence": self._fence.number, "pending": ()})
        checkpoint = with_snapshot(begun, now, retention, self._ways.settings.reader_grace)
        self._states.follow(checkpoint)
        self._ways.progress(EntityProgress(before.entity, Phase.DONE))
        return EntityReport(before.entity, EntityState.COMPLETED, snapshots=new_snapshots(before, checkpoint))
