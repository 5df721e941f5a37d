"""The status of a link: reads only, takes no lock, asks no source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.engine.checkpoint import Checkpoint, Newer, entities_with_state, files_due, read_checkpoint
from toolkit.engine.columns import calculated
from toolkit.engine.incremental.record import Exported, read_record
from toolkit.engine.incremental.status import status as incremental_status
from toolkit.engine.journal import EntityJournal, read_journal, reason_of, state_of
from toolkit.engine.manifest import MANIFEST_PATH, entries_in, manifest, shown
from toolkit.engine.rebuilding import left_behind, lost_checkpoint
from toolkit.engine.report import EntityStatus, LinkStatus
from toolkit.errors import Damaged
from toolkit.lake.protocol import Lake
from toolkit.model.config import Layout, LinkedEntity, Output
from toolkit.model.link import EntityState
from toolkit.site import Linked


def checkpoint_of(linked: Linked, entity: str) -> Checkpoint | None:
    """Return the checkpoint of an entity, or None where it has none. Raises Damaged."""
    if linked.link.config.output.layout is Layout.INCREMENTAL:
        exported = exported_of(linked, entity)
        return exported.checkpoint if exported else None
    return read_checkpoint(linked.lake, entity)[0]


def exported_of(linked: Linked, entity: str) -> Exported | None:
    """Return what is known of an entity in incremental folders, or None where there is nothing. Raises Damaged."""
    record, _ = read_record(linked.lake)
    return record.linked.get(entity) if record else None


def status(linked: Linked) -> LinkStatus:
    """Return how far each entity of a link is, from its checkpoints and the status file, in name order."""
    lake, link = linked.lake, linked.link
    if link.config.output.layout is Layout.INCREMENTAL:
        return incremental_status(linked)
    read = dict(_read(lake))
    journal = read_journal(lake).entities
    entities = sorted(link.config.entities, key=lambda each: each.name) if link.active else []
    without = [each.name for each in entities if each.name not in read]
    read |= {name: lost_checkpoint(lake, name) for name in without if left_behind(lake, name)}
    return LinkStatus(
        tuple(_status(each, link.config.output, read.get(each.name), journal.get(each.name)) for each in entities),
        manifest_current=_manifest_current(lake, read),
    )


def _read(lake: Lake) -> Iterator[tuple[str, Checkpoint | Damaged]]:
    """Yield the checkpoint of each entity with state, or why it cannot be read."""
    for entity in entities_with_state(lake):
        try:
            checkpoint, _ = read_checkpoint(lake, entity)
        except Damaged as error:
            yield entity, error
            continue
        if checkpoint is not None:
            yield entity, checkpoint


def _manifest_current(lake: Lake, read: Mapping[str, Checkpoint | Damaged]) -> bool:
    if lake.stat(MANIFEST_PATH) is None:
        return False
    data = lake.read(MANIFEST_PATH)
    before = entries_in(data)
    kept = {name: before[name] for name, each in read.items() if isinstance(each, Damaged) and name in before}
    checkpoints = [each for each in read.values() if isinstance(each, Checkpoint) and each.retired is None]
    return data == manifest({each.entity: shown(each, before, lake.location) for each in checkpoints} | kept)


def _status(
    linked: LinkedEntity, output: Output, read: Checkpoint | Damaged | None, journal: EntityJournal | None
) -> EntityStatus:
    if isinstance(read, Damaged):
        anew = "" if isinstance(read, Newer) else "; the next sync makes it anew"
        reason = f"{reason_of(read.findings[0])}{anew}"
        return EntityStatus(linked.name, EntityState.FAILED, linked.append_only, linked.strategy, reason=reason)
    checkpoint = None if read is None or read.retired is not None else read
    state = state_of(journal, begun=checkpoint is not None, completed=bool(checkpoint and checkpoint.completed))
    reason = journal.reason if journal else ""
    if checkpoint is None:
        return EntityStatus(linked.name, state, linked.append_only, linked.strategy, reason=reason)
    # The status file may be older than the last commit.
    times = (journal.synced if journal else None, checkpoint.cursor_at)
    return EntityStatus(
        linked.name,
        state,
        checkpoint.append_only,
        checkpoint.strategy,
        rows=checkpoint.rows,
        last_synced=max((at for at in times if at is not None), default=None),
        last_snapshot=checkpoint.snapshot_at,
        snapshots=len(checkpoint.snapshots),
        changed_since_snapshot=checkpoint.changed,
        scanned=journal.scanned if journal else None,
        reason=reason,
        schema_changes=checkpoint.schema_changes,
        healed=tuple(each.finding for each in checkpoint.healed),
        form_due=files_due(checkpoint, linked, output),
        calculated=calculated(checkpoint.columns),
    )
