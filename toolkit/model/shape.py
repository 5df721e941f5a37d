"""The shape of an entity's files: what of its rows is written, and in which form; and what follows when it changes.

Plan and engine both ask here, so that a plan says what the engine does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from toolkit.model.base import Frozen
from toolkit.model.config import NEEDED, Condition, LinkedEntity, Mask, Output, Times
from toolkit.model.entity import Entity
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


WORDING = "wording"
"""The aspect of the labels' own words, which belong to the definition and not to the config."""
MASK_KEY = "mask_key"
"""The aspect of the key of hashed columns."""
_APPEND_ONLY = {"columns": Reshape.EVOLVE, "filter": Reshape.COMPARE, WORDING: Reshape.EVOLVE}


def reshape(aspect: str, *, append_only: bool) -> Reshape:
    """Return what a change of an aspect (a field of ``Shape``, WORDING or MASK_KEY) asks.

    Files in place are written anew. Append-only files never are: they hold history, and a label in it is the one that
    the choice had when the row was written.
    """
    return _APPEND_ONLY.get(aspect, Reshape.REFUSE) if append_only else Reshape.REBUILD


def reshaped(before: Shape, after: Shape) -> tuple[str, ...]:
    """Return the aspects in which two shapes differ."""
    return tuple(name for name in Shape.model_fields if getattr(before, name) != getattr(after, name))


class Form(Frozen):
    """A shape with what it stands on, as an engine keeps it: whatever differs here makes other files."""

    shape: Shape = Shape()
    labels: Mapping[str, str] = {}
    """A digest of the labels of each choice that has a column of them."""
    mask_key: str | None = None
    """A fingerprint of the key of hashed columns; None where no column is hashed."""


def reformed(before: Form, after: Form) -> tuple[str, ...]:
    """Return the aspects in which files of one form differ from those of another."""
    return tuple(_reformed(before, after))


def _reformed(before: Form, after: Form) -> Iterator[str]:
    for aspect in reshaped(before.shape, after.shape):
        # Without a choice there is nothing to label.
        if aspect != "labels" or before.labels or after.labels:
            yield aspect
    same_language = before.shape.labels == after.shape.labels
    if same_language and any(after.labels.get(name, digest) != digest for name, digest in before.labels.items()):
        yield WORDING
    if None not in {before.mask_key, after.mask_key} and before.mask_key != after.mask_key:
        yield MASK_KEY


def unmaskable(entity: Entity) -> frozenset[str]:
    """Return the columns that every file of an entity needs as they are: they place a row, or tell which is newer."""
    return NEEDED | {entity.primary_id}
