"""What a pass starts from: the last checkpoint, and what the definition and the link of now ask of its files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from toolkit.engine.checkpoint import Checkpoint, Part, anew
from toolkit.engine.columns import Column, Evolution, columns_of, evolve
from toolkit.engine.schema_history import SchemaChange, changes_of, returned
from toolkit.engine.shape import Shaping, shaping
from toolkit.engine.style import Style
from toolkit.engine.work import Mode, Work, mode_of
from toolkit.errors import Refused
from toolkit.model.config import LinkedEntity
from toolkit.model.entity import Entity
from toolkit.model.shape import Form, Reshape, reformed, reshape, shape_of


@dataclass(frozen=True, slots=True)
class Basis:
    """What a pass starts from. ``now`` is when it begins."""

    old: Checkpoint
    mode: Mode
    shaping: Shaping
    evolution: Evolution
    changes: tuple[SchemaChange, ...]
    now: datetime
    rebuild: bool
    """Whether the parts are of no more use, so that all are written anew."""
    compares: bool
    """Whether every row is read, since that was asked for, or since the filter is another one."""

    @property
    def entity(self) -> Entity:
        """The definition, as it is exported."""
        return self.shaping.entity

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the files after the pass."""
        return self.evolution.columns

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that the pass goes on with."""
        return () if self.rebuild else self.old.parts

    @property
    def style(self) -> Style:
        """How the files are written."""
        return Style.of(self.shaping.form.shape)


def basis_of(work: Work, linked: LinkedEntity, entity: Entity, old: Checkpoint) -> Basis:
    """Return what a pass starts from. Raises Refused for what cannot be done to the files (ENG002, ENG004, ENG072)."""
    mode = mode_of(linked, entity)
    if entity.name not in work.history_ended:
        _require_history_kept(old, mode)
    history = old.append_only and mode.append_only
    shaped = shaping(entity, shape_of(linked, work.output), work.mask_key)
    ways = _ways(old, shaped.form, history=history)
    fresh = old.completed is None or Reshape.REBUILD in ways
    evolution = evolve(columns_of(shaped.entity) if fresh else old.columns, shaped.entity)
    if history:
        _require_one_spelling(old, evolution.retyped)
    now = work.clock()
    return Basis(
        old=old,
        mode=mode,
        shaping=shaped,
        evolution=evolution,
        changes=(*returned(old.schema_changes, now), *changes_of(evolution, old.columns, now)),
        now=now,
        rebuild=_must_rebuild(old, mode, again=bool(evolution.retyped) or Reshape.REBUILD in ways),
        compares=work.compare or Reshape.COMPARE in ways,
    )


def _ways(old: Checkpoint, form: Form, *, history: bool) -> set[Reshape]:
    """Return what another form asks of the files that are there. Raises Refused where it cannot be done (ENG072)."""
    other = reformed(old.form, form) if old.completed else ()
    ways = {aspect: reshape(aspect, append_only=history) for aspect in other}
    if refused := [aspect.replace("_", " ") for aspect, way in ways.items() if way is Reshape.REFUSE]:
        raise Refused(
            "ENG072",
            f"{old.entity} is append-only, and its history was written with other {' and '.join(refused)}",
            where=old.entity,
            why="append-only files are never written anew, so the history would hold the old form",
            fix=f"put the config back as it was; or {anew(old.entity)}",
        )
    return set(ways.values())


def _must_rebuild(old: Checkpoint, mode: Mode, *, again: bool) -> bool:
    """Whether the parts are of no more use: they have another form, or one of them holds history and the other not."""
    return old.completed is not None and (again or old.append_only != mode.append_only)


def _require_one_spelling(old: Checkpoint, retyped: tuple[str, ...]) -> None:
    if retyped and old.completed is not None:
        raise Refused(
            "ENG004",
            f"{', '.join(retyped)} of {old.entity} has another type now, and its history has values of the old one",
            where=old.entity,
            why="append-only files are never written anew, and a column holds values of one spelling",
            fix=anew(old.entity),
        )


def _require_history_kept(old: Checkpoint, mode: Mode) -> None:
    if old.append_only and not mode.append_only and old.completed is not None:
        raise Refused(
            "ENG002",
            f"{old.entity} is append-only, and its history would be lost in place",
            where=old.entity,
            fix=f"link it append-only again; or {anew(old.entity)}",
        )
