"""The record as it is in the lake, and what follows each of its commits, until readers see it.

    the files           to their places, the folder's model.json last
    Synapse.log, the root's model.json, changelog.info     what readers look at first, in this order
    what is of no more use goes

Whoever finds a record that names another folder in progress than ``changelog.info`` does the moves once more, so a
folder that was begun is always ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.engine.checkpoint import Checkpoint, Move, Published, PublishedFile
from toolkit.engine.commit import require_ahead
from toolkit.engine.incremental.folders import CHANGELOG_PATH, LOG_PATH, log, model_path
from toolkit.engine.incremental.record import Exported, Record, commit, read_record
from toolkit.engine.manifest import MANIFEST_PATH, entry, manifest
from toolkit.engine.partitions import part_name
from toolkit.engine.schema_history import HISTORY_PATH, schema_history
from toolkit.errors import Conflict, Damaged, NotFound
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Fence, Lake, Staged

_HEADS = (HISTORY_PATH, LOG_PATH, MANIFEST_PATH, CHANGELOG_PATH)

Files = Sequence[PublishedFile]


class Ledger:
    """The record, and whether all that it asks for was done. ``record`` is None before the first commit."""

    def __init__(self, lake: Lake, fence: Fence) -> None:
        self._lake, self._fence = lake, fence
        self._etag = ABSENT
        self._heads: dict[str, tuple[Etag, bytes]] = {}
        """What readers look at first, as it is in the lake."""
        self._known = self._settled = False
        """Whether the record is known, and followed up; neither is once a step failed."""
        self.record: Record | None = None

    def refresh(self) -> None:
        """Read what is in doubt, and do what is still to do."""
        if not self._known:
            self.record, self._etag = read_record(self._lake)
            require_ahead(self._fence, self.record.fence if self.record else 0)
            self._heads = {path: self._head(path) for path in _HEADS}
            self._known, self._settled = True, self.record is None
        if self.record is not None:
            require_ahead(self._fence, self.record.fence)
        if self.record is not None and not self._settled:
            self._known = False
            self._settle(self.record)
            self._known = self._settled = True
            self._sweep()

    def commit(self, record: Record) -> None:
        """Write the record, and do what it asks for."""
        self._known = False
        self._etag = commit(self._lake, self._fence, record, self._etag)
        self.record = record
        self._known, self._settled = True, False
        self.refresh()

    def sweep(self) -> None:
        """Remove what was staged and is not committed: nobody else writes while the lock is held."""
        if self._known:
            self._sweep()

    def _head(self, path: str) -> tuple[Etag, bytes]:
        stat = self._lake.stat(path)
        return (ABSENT, b"") if stat is None else (stat.etag, self._lake.read(path))

    def _settle(self, record: Record) -> None:
        self._fence.check()
        if self._heads[CHANGELOG_PATH][1] != record.open.encode():
            for move in record.moves:
                _publish(self._lake, move)
        history = {name: each.checkpoint.schema_changes for name, each in record.entities.items()}
        self._put(HISTORY_PATH, schema_history(history))
        self._put(LOG_PATH, log(record.folders))
        self._put(MANIFEST_PATH, model(record.linked, {}, self._lake))
        self._put(CHANGELOG_PATH, record.open.encode())
        for path in record.removes:
            self._lake.delete(path)
        for folder in record.leaving:
            self._remove(folder)

    def _put(self, path: str, data: bytes) -> None:
        etag, before = self._heads[path]
        if etag == ABSENT or data != before:
            self._fence.check()
            self._heads[path] = self._lake.put(path, data, etag), data

    def _remove(self, folder: str) -> None:
        """Remove a folder. Without its model.json readers pass it over."""
        self._lake.delete(model_path(folder))
        for stat in list(self._lake.list(folder)):
            self._lake.delete(stat.path)
        self._lake.remove_folder(folder)

    def _sweep(self) -> None:
        for stat in list(self._lake.list(f"{STATE_FOLDER}/staging")):
            self._lake.delete(stat.path)


def model(entities: Mapping[str, Exported], files: Mapping[str, Files], lake: Lake) -> bytes:
    """Return model.json of some entities, with the files that each has in a folder."""
    listed = {name: _listed(each.checkpoint, files.get(name, ())) for name, each in entities.items()}
    return manifest({name: entry(checkpoint, lake.location, part_name) for name, checkpoint in listed.items()})


def _listed(checkpoint: Checkpoint, files: Files) -> Checkpoint:
    if checkpoint.completed is None:
        return checkpoint
    published = Published(
        columns=checkpoint.columns, strategy=checkpoint.strategy, style=checkpoint.style, files=tuple(files)
    )
    return checkpoint.model_copy(update={"published": published})


def _publish(lake: Lake, move: Move) -> None:
    try:
        lake.publish(Staged(move.staged, move.size, Etag(move.etag)), move.path, Etag(move.expect))
    except (NotFound, Conflict):
        _publish_anyhow(lake, move)


def _publish_anyhow(lake: Lake, move: Move) -> None:
    """Publish a file where another one is, or whose etag is another one since the lake was copied."""
    staged, there = lake.stat(move.staged), lake.stat(move.path)
    if staged is not None and staged.size == move.size:
        lake.publish(Staged(move.staged, move.size, staged.etag), move.path, "any")
    elif there is None or there.size != move.size:
        raise Damaged(
            "ENG097",
            f"{move.path} was committed, and its staged file is gone",
            where=lake.location(move.path),
            why="another program removed it, or a backup does not hold all of the lake",
            fix=f"restore the lake from a backup that holds {STATE_FOLDER}/staging",
        )
