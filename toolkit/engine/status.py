"""The status of a link: reads only, takes no lock, asks no source."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.engine.checkpoint import Checkpoint, entities_with_state, read_checkpoint
from toolkit.engine.journal import EntityJournal, read_journal
from toolkit.engine.manifest import MANIFEST_PATH, manifest
from toolkit.engine.report import EntityStatus, LinkStatus
from toolkit.lake.protocol import Lake
from toolkit.model.config import LinkedEntity
from toolkit.model.link import EntityState
from toolkit.site import Linked


def status(linked: Linked) -> LinkStatus:
    """Return how far each entity of a link is, from its checkpoints and the status file, in name order."""
    lake, link = linked.lake, linked.link
    checkpoints = _checkpoints(lake)
    journal = read_journal(lake).entities
    entities = sorted(link.config.entities, key=lambda each: each.name) if link.active else []
    return LinkStatus(
        tuple(_status(each, checkpoints.get(each.name), journal.get(each.name)) for each in entities),
        manifest_current=_manifest_current(lake, checkpoints),
    )


def _checkpoints(lake: Lake) -> Mapping[str, Checkpoint]:
    read = (read_checkpoint(lake, entity)[0] for entity in entities_with_state(lake))
    return {checkpoint.entity: checkpoint for checkpoint in read if checkpoint is not None}


def _manifest_current(lake: Lake, checkpoints: Mapping[str, Checkpoint]) -> bool:
    if lake.stat(MANIFEST_PATH) is None:
        return False
    return lake.read(MANIFEST_PATH) == manifest(checkpoints.values(), lake.location)


def _status(linked: LinkedEntity, checkpoint: Checkpoint | None, journal: EntityJournal | None) -> EntityStatus:
    state = _state(checkpoint, journal)
    reason = journal.reason if journal else ""
    if checkpoint is None or checkpoint.retired is not None:
        return EntityStatus(linked.name, state, linked.append_only, linked.strategy, reason=reason)
    return EntityStatus(
        linked.name,
        state,
        checkpoint.append_only,
        checkpoint.strategy,
        rows=checkpoint.rows,
        last_synced=(journal and journal.synced) or checkpoint.cursor_at,
        last_snapshot=checkpoint.snapshot_at,
        snapshots=len(checkpoint.snapshots),
        changed_since_snapshot=checkpoint.changed,
        reason=reason,
    )


def _state(checkpoint: Checkpoint | None, journal: EntityJournal | None) -> EntityState:
    if journal is not None and journal.reason:
        return EntityState.FAILED
    if checkpoint is None or checkpoint.retired is not None:
        return EntityState.NOT_STARTED
    return EntityState.COMPLETED if checkpoint.completed else EntityState.IN_PROGRESS
