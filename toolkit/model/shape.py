"""The shape of an entity's files: what of its rows is written, and in which form; and what follows when it changes.

Plan and engine both ask here, so that a plan says what the engine does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from toolkit.model.base import Frozen
from toolkit.model.config import Condition, LinkedEntity, Mask, Output, Times
from toolkit.model.names import LogicalName


class Shape(Frozen):
    """What decides the content of an entity's files, in canonical form: equal shapes give equal files."""

    columns: tuple[LogicalName, ...] | None = None
    filter: tuple[Condition, ...] = ()
    mask: Mapping[LogicalName, Mask] = {}
    header: bool = False
    times: Times = Times.SERVICE
    labels: int | None = None


def shape_of(linked: LinkedEntity, output: Output) -> Shape:
    """Return the shape that a config gives an entity. The order of columns and conditions has no meaning."""
    return Shape(
        columns=None if linked.columns is None else tuple(sorted(set(linked.columns))),
        filter=tuple(sorted(set(linked.filter), key=Condition.model_dump_json)),
        mask=linked.mask,
        header=output.header,
        times=output.times,
        labels=output.labels,
    )


class Reshape(StrEnum):
    """What a change of one aspect of a shape asks of the files that are there."""

    EVOLVE = "evolve"
    """Columns are added and dropped, as when the entity's definition changes."""
    COMPARE = "compare"
    """Every row is read and compared with the history; rows that left get delete rows."""
    REBUILD = "rebuild"
    """The files are written anew, aside."""
    REFUSE = "refuse"
    """It cannot be done: the history would hold the old form."""


_APPEND_ONLY = {"columns": Reshape.EVOLVE, "filter": Reshape.COMPARE}


def reshape(aspect: str, *, append_only: bool) -> Reshape:
    """Return what a change of an aspect (a field of ``Shape``) asks.

    Files in place are written anew. Append-only files never are: they hold history.
    """
    return _APPEND_ONLY.get(aspect, Reshape.REFUSE) if append_only else Reshape.REBUILD


def reshaped(before: Shape, after: Shape) -> tuple[str, ...]:
    """Return the aspects in which two shapes differ."""
    return tuple(name for name in Shape.model_fields if getattr(before, name) != getattr(after, name))
