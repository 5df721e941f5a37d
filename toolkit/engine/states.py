"""The state of each entity of a link, as a session knows it, and what a dead engine left of it to be done."""

from __future__ import annotations

from toolkit.engine.checkpoint import Checkpoint, Copy, Move, Newer, entities_among, read_checkpoint
from toolkit.engine.commit import Committed, commit, require_ahead, settled
from toolkit.engine.journal import StatusFile
from toolkit.engine.manifest import ManifestFile
from toolkit.engine.passes import Outcome
from toolkit.engine.progress import read_progress, unfinished
from toolkit.engine.rebuilding import lost_checkpoint
from toolkit.errors import Damaged, Locked, NotFound, ToolkitError
from toolkit.lake.protocol import STATE_FOLDER, Etag, Fence, Lake


class States:
    """The checkpoints of a link's entities, and which of them are in doubt."""

    def __init__(self, lake: Lake, fence: Fence, status: StatusFile, manifest: ManifestFile) -> None:
        self._lake, self._fence, self._status, self._manifest = lake, fence, status, manifest
        self.committed: dict[str, Committed] = {}
        self.cursors: dict[str, str | None] = {}
        """Cursors that moved without rows, and are ahead of their checkpoint."""
        self.doubtful: set[str] = set()
        """Entities whose last pass failed: their checkpoint is read again before the next one."""
        self.unsettled: dict[str, ToolkitError] = {}
        """Why the checkpoint of some of them cannot be read, or its pending steps cannot be done."""
        self.unfinished: set[str] = set()
        """Entities whose last pass may have left its progress."""
        self.mended: list[str] = []
        """Snapshots that recovery made, and no report has told of."""

    def recover(self) -> None:
        """Read what is in the lake, and finish what another engine began."""
        there = [stat.path for stat in self._lake.list(STATE_FOLDER)]
        self.doubtful = {*entities_among(there), *self._manifest.names()}
        self.unfinished = set(unfinished(there))
        self.settle_doubts()
        self._sweep()

    def settle_doubts(self) -> None:
        """Read the checkpoints again that are in doubt, and do what they still ask for."""
        self.unsettled = {}
        for entity in sorted(self.doubtful):
            try:
                self._settle(entity)
            except Locked:
                raise
            except ToolkitError as error:
                self.unsettled[entity] = error
        self.doubtful = set(self.unsettled)

    @property
    def known(self) -> set[str]:
        """The entities that have state, whether or not it can be read."""
        return {*self.committed, *self.unsettled}

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """The checkpoint of each entity that has one that can be read."""
        return {name: state.checkpoint for name, state in self.committed.items()}

    @property
    def retired(self) -> list[str]:
        """The entities that are retired, and not gone yet."""
        return [name for name, checkpoint in self.checkpoints.items() if checkpoint.retired is not None]

    def settled(self, entity: str) -> Checkpoint | None:
        """Return the checkpoint of an entity; None where it has none, or its last steps cannot be done."""
        state = self.committed.get(entity)
        return state.checkpoint if state and entity not in self.unsettled else None

    def heals(self, entity: str) -> bool:
        """Whether what is wrong with an entity's state may be made good."""
        error = self.unsettled.get(entity)
        return isinstance(error, Damaged | NotFound) and not isinstance(error, Newer)

    def commit(self, checkpoint: Checkpoint, expect: Etag) -> None:
        """Commit a checkpoint, and do none of its steps."""
        self.committed[checkpoint.entity] = commit(self._lake, self._fence, checkpoint, expect)

    def follow(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint in the place of the last one, and put its files in their places."""
        entity = checkpoint.entity
        # Readers keep what they have until the files are there.
        self.doubtful.add(entity)
        committed = commit(self._lake, self._fence, checkpoint, self.committed[entity].etag)
        self.committed[entity] = settled(self._lake, self._fence, committed)
        self.doubtful.discard(entity)

    def take(self, entity: str, outcome: Outcome) -> None:
        """Know what a pass did that went well."""
        self.unfinished.discard(entity)
        self.trust(entity)
        self.committed[entity] = outcome.committed
        self.cursors[entity] = outcome.cursor

    def trust(self, entity: str) -> None:
        """Doubt the state of an entity no longer."""
        self.unsettled.pop(entity, None)
        self.doubtful.discard(entity)

    def done(self, entity: str) -> None:
        """Forget the steps of a checkpoint, which are done; it still has them in the lake."""
        self.committed[entity] = _done(self.committed[entity])

    def _settle(self, entity: str) -> None:
        self.cursors.pop(entity, None)
        self.committed.pop(entity, None)
        checkpoint, etag = read_checkpoint(self._lake, entity)
        if checkpoint is None:
            if entity in self._manifest.names():
                raise lost_checkpoint(self._lake, entity)
            return
        require_ahead(self._fence, checkpoint.fence)
        if checkpoint.seq == self._status.journal.settled(entity):
            self.committed[entity] = _done(Committed(checkpoint, etag))
            return
        state = self.committed[entity] = Committed(checkpoint, etag)
        missing = [
            step.to for step in checkpoint.pending if isinstance(step, Copy) and self._lake.stat(step.to) is None
        ]
        self.committed[entity] = settled(self._lake, self._fence, state)
        self.mended += missing

    def _sweep(self) -> None:
        """Remove staged files that no checkpoint and no progress names: nobody else writes while the lock is held."""
        if self.unsettled.keys() - self.committed.keys():
            # Who cannot read a checkpoint does not know what it names.
            return
        pending = {
            step.staged
            for state in self.committed.values()
            for step in state.checkpoint.pending
            if isinstance(step, Move)
        }
        progress = [found for name in sorted(self.unfinished) if (found := read_progress(self._lake, name)[0])]
        named = pending.union(*(each.kept.paths for each in progress))
        for stat in self._lake.list(f"{STATE_FOLDER}/staging"):
            if stat.path not in named:
                self._lake.delete(stat.path)


def _done(state: Committed) -> Committed:
    return Committed(state.checkpoint.model_copy(update={"pending": ()}), state.etag)
