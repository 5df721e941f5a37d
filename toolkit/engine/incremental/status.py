"""The status of a link with incremental folders: reads only, takes no lock, asks no source."""

from __future__ import annotations

from dataclasses import replace

from toolkit.engine.checkpoint import form_due
from toolkit.engine.columns import calculated
from toolkit.engine.incremental.folders import CHANGELOG_PATH, opened_at
from toolkit.engine.incremental.ledger import model
from toolkit.engine.incremental.record import Exported, Record, read_record
from toolkit.engine.journal import EntityJournal, read_journal, reason_of, state_of
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.report import EntityStatus, LinkStatus
from toolkit.errors import Damaged
from toolkit.lake.protocol import Lake
from toolkit.model.config import PartitionStrategy
from toolkit.site import Linked


def status(linked: Linked) -> LinkStatus:
    """Return how far each entity of a link is, from its record and the status file, in name order."""
    lake, link = linked.lake, linked.link
    entities = {each.name: each for each in link.config.entities} if link.active else {}
    names = sorted(entities)
    try:
        record, _ = read_record(lake)
    except Damaged as error:
        reason = reason_of(error.findings[0])
        return LinkStatus(
            tuple(_status(name, None, EntityJournal(reason=reason)) for name in names), manifest_current=False
        )
    journal = read_journal(lake).entities
    exported = record.linked if record else {}
    found = (_status(name, exported.get(name), journal.get(name, EntityJournal())) for name in names)
    due = {
        name: form_due(each.checkpoint, entities[name], link.config.output)
        for name, each in exported.items()
        if name in entities
    }
    return LinkStatus(
        tuple(replace(each, form_due=due.get(each.entity, ())) for each in found),
        manifest_current=record is not None and _current(record, lake),
    )


def _current(record: Record, lake: Lake) -> bool:
    """Whether readers see what the record says."""
    heads = {CHANGELOG_PATH: record.open.encode(), MANIFEST_PATH: model(record.linked, {}, lake)}
    return all(lake.stat(path) is not None and lake.read(path) == data for path, data in heads.items())


def _status(name: str, exported: Exported | None, journal: EntityJournal) -> EntityStatus:
    checkpoint = exported.checkpoint if exported else None
    times = (journal.synced, checkpoint.cursor_at if checkpoint else None)
    return EntityStatus(
        name,
        state_of(journal, begun=exported is not None, completed=bool(checkpoint and checkpoint.completed)),
        append_only=True,
        strategy=PartitionStrategy.YEAR,
        rows=exported.rows if exported else 0,
        last_synced=max((at for at in times if at is not None), default=None),
        last_snapshot=opened_at(exported.folder) if exported and exported.folder else None,
        reason=journal.reason,
        schema_changes=checkpoint.schema_changes if checkpoint else (),
        calculated=calculated(checkpoint.columns) if checkpoint else (),
    )
