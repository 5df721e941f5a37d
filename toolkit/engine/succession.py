"""The checkpoints of an entity, one after another: the first one, those after a pass, and that of one that is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from toolkit.engine.basis import Basis
from toolkit.engine.checkpoint import Checkpoint, Move, Part, Remove, index_path
from toolkit.engine.columns import columns_of
from toolkit.engine.commit import Committed, commit
from toolkit.engine.delete_log import Logged
from toolkit.engine.partitions import live_path, part_name
from toolkit.engine.place import Target
from toolkit.engine.schema_history import ChangeKind, SchemaChange, with_changes
from toolkit.engine.shape import effective, shaping
from toolkit.engine.splice import Made
from toolkit.engine.work import Work, mode_of
from toolkit.lake.protocol import ABSENT
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.entity import Entity
from toolkit.model.shape import shape_of


def begin(work: Work, linked: LinkedEntity, entity: Entity) -> Committed:
    """Write the first checkpoint of an entity, so that the manifest lists it before its first sync is complete."""
    first = first_checkpoint(work, linked, entity)
    work.lake.create_folder(entity.name)
    return commit(work.lake, work.fence, first, ABSENT)


def first_checkpoint(work: Work, linked: LinkedEntity, entity: Entity) -> Checkpoint:
    """Return the checkpoint with which an entity begins."""
    mode, shape = mode_of(linked, entity), shape_of(linked, work.output)
    return Checkpoint(
        entity=entity.name,
        fence=work.fence.number,
        organization=work.organization,
        generation=work.generation,
        began=work.clock(),
        columns=columns_of(effective(entity, shape)),
        form=shaping(entity, shape, work.mask_key).form,
        append_only=mode.append_only,
        strategy=mode.strategy,
    )


def with_dropped(old: Checkpoint, fence: int, now: datetime) -> Checkpoint:
    """Return the checkpoint of an entity that the source no longer has."""
    change = SchemaChange(at=now, change=ChangeKind.ENTITY_DROPPED)
    update = {"fence": fence, "seq": old.seq + 1, "pending": ()}
    return old.model_copy(update={**update, "schema_changes": with_changes(old.schema_changes, (change,))})


def moved(work: Work, basis: Basis, cursor: str) -> Checkpoint:
    """Return the checkpoint with its cursor moved, and nothing else begun."""
    old, now = basis.old, basis.now
    return old.model_copy(
        update={
            "fence": work.fence.number,
            "seq": old.seq + 1,
            "cursor": cursor,
            "cursor_at": now,
            "columns": basis.columns,
            "schema_changes": with_changes(old.schema_changes, basis.changes),
            "form": basis.shaping.form,
            "changed": old.changed or (now if basis.columns != old.columns else None),
            "pending": tuple(_carried(old, old.parts)),
            "healed": tuple(each for each in old.healed if now - each.at < work.settings.healed_age),
        }
    )


def following(
    work: Work, basis: Basis, cursor: str, made: Sequence[tuple[Target, Made]], log: Logged | None
) -> Checkpoint:
    """Return the checkpoint after a pass that wrote parts, with what is to be published."""
    old, mode = basis.old, basis.mode
    parts = _parts(basis, made)
    return moved(work, basis, cursor).model_copy(
        update={
            "append_only": mode.append_only,
            "strategy": mode.strategy,
            "parts": parts,
            "completed": old.completed or basis.now,
            "changed": old.changed or basis.now,
            "delete_log": log.log if log else old.delete_log,
            "pending": (
                *_moves(old, made),
                *((log.move,) if log else ()),
                *_removes(old, parts),
                *_carried(old, parts),
            ),
        }
    )


def repartitioned(
    old: Checkpoint, strategy: PartitionStrategy, fence: int, now: datetime, made: Sequence[tuple[Target, Made]]
) -> Checkpoint:
    """Return the checkpoint after all parts were cut anew: the rows are the same, and so is the cursor."""
    parts = _in_order(part for target, result in made if (part := _part(old, target, result)))
    return old.model_copy(
        update={
            "fence": fence,
            "seq": old.seq + 1,
            "strategy": strategy,
            "parts": parts,
            "changed": old.changed or now,
            "pending": (*_moves(old, made), *_removes(old, parts), *_carried(old, parts)),
        }
    )


def _parts(basis: Basis, made: Sequence[tuple[Target, Made]]) -> tuple[Part, ...]:
    """Return the parts that stay and those that were written, in their order."""
    touched = {(target.partition, target.number) for target, _ in made}
    kept = [part for part in basis.parts if (part.partition, part.number) not in touched]
    new = [part for target, result in made if (part := _part(basis.old, target, result))]
    return _in_order((*kept, *new))


def _in_order(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (part.partition, part.number)))


def _part(old: Checkpoint, target: Target, made: Made) -> Part | None:
    if made.part is None:
        return None
    return Part(
        partition=target.partition,
        number=target.number,
        path=live_path(old.entity, target.partition, target.number),
        etag=made.part.etag,
        size=made.part.size,
        rows=made.rows,
        digest=made.digest,
        index=_index(old, target),
    )


def _index(old: Checkpoint, target: Target) -> str:
    return index_path(old.entity, part_name(target.partition, target.number), old.seq + 1)


def _moves(old: Checkpoint, made: Sequence[tuple[Target, Made]]) -> Iterator[Move]:
    """Yield what brings each staged file to its place."""
    etags = {part.path: part.etag for part in old.parts}
    for target, result in made:
        if result.part is not None and result.index is not None:
            path = live_path(old.entity, target.partition, target.number)
            yield Move.of(result.part, path, etags.get(path, ABSENT))
            yield Move.of(result.index, _index(old, target))


def _removes(old: Checkpoint, parts: tuple[Part, ...]) -> Iterator[Remove]:
    """Yield what the parts before this pass had and those after it have not."""
    now = _files(parts)
    return (Remove(path=path) for part in old.parts for path in (part.path, part.index) if path not in now)


def _carried(old: Checkpoint, parts: tuple[Part, ...]) -> Iterator[Remove]:
    """Yield what a healing asked to be removed, and was not yet: the manifest comes first."""
    now = _files(parts)
    return (step for step in old.pending if isinstance(step, Remove) and step.path not in now)


def _files(parts: tuple[Part, ...]) -> set[str]:
    return {path for part in parts for path in (part.path, part.index)}
