"""What of an entity is exported: its rows, its columns, and what stands in place of their values.

A shaping is made once for a pass, from the entity's definition, the shape that its config asks for and the key of
hashed columns. It gives the *effective* entity, which is all that the rest of the engine knows, and turns each batch of
the source into one of it: rows are filtered, choices labelled, values masked, column by column in Arrow.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import pyarrow as pa

from toolkit.engine.arrays import Array, compute
from toolkit.engine.columns import VERSION, Column, Kind, columns_of
from toolkit.engine.rows import as_read, naming, row_namer
from toolkit.errors import Refused
from toolkit.model.columns import ENTITY_TYPE_SUFFIX, arrow_type
from toolkit.model.conditions import values_of
from toolkit.model.config import KEY_FIX, NEEDED, Condition, Mask
from toolkit.model.entity import CHOICES, Attribute, AttributeType, Entity
from toolkit.model.shape import Form, Shape, unmaskable
from toolkit.site import MaskKey
from toolkit.source.protocol import Batch, Deleted

LABEL_SUFFIX = "_label"
HASH_LENGTH = 64
"""Characters of a hash: SHA-256 in hex."""
_FINGERPRINT = b"export-to-data-lake-toolkit: mask key"
"""What is hashed to tell one key from another."""

_Make = Callable[[pa.RecordBatch], Array | None]
"""Makes a column of the effective entity from rows of the source; None where they do not have it."""
_Holds = Callable[[pa.RecordBatch], Array]
"""Says of each row whether it is kept: true or false, never null."""


@dataclass(frozen=True, slots=True)
class Shaping:
    """How rows of the source become rows that are exported.

    ``entity`` is the effective entity: masked attributes have the type that they are written as, and labels are
    attributes. ``read`` are the attributes to ask the source for (None: all), ``filtered`` those that the filter needs.
    """

    entity: Entity
    form: Form
    read: tuple[str, ...] | None
    filtered: tuple[str, ...]
    _holds: _Holds | None
    _columns: Mapping[str, _Make] | None
    """The columns of the effective entity of which something is written; None: those of the source as they are."""

    def shaped(self, batch: Batch, *, full: bool) -> Batch:
        """Return what is exported of a batch.

        A row that the filter leaves out counts as deleted, with the row's version, so that one that was exported
        before goes. In a full pass it is simply not there: what is not given goes anyhow.
        """
        rows, deleted = batch.rows, batch.deleted
        if self._holds is not None:
            kept = self._holds(rows)
            if not full:
                deleted = (*deleted, *_tombstones(rows.filter(compute.invert(kept)), self.entity.primary_id))
            rows = rows.filter(kept)
        return replace(batch, rows=self._formed(rows), deleted=deleted)

    def _formed(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        if self._columns is None:
            return rows
        made = {name: make(rows) for name, make in self._columns.items()}
        there = {name: values for name, values in made.items() if values is not None}
        return pa.RecordBatch.from_arrays(list(there.values()), list(there))


def effective(definition: Entity, shape: Shape) -> Entity:
    """Return the effective entity."""
    return _Plan(definition, shape).entity()


def shaping(definition: Entity, shape: Shape, mask_key: MaskKey) -> Shaping:
    """Return how an entity is exported. The key is read only where a column is hashed.

    Raises Refused when the key is not there (ENG071), or when a filter or a mask cannot be applied to the entity as it
    is defined now (ENG073).
    """
    for name in shape.mask:
        if name in unmaskable(definition):
            raise _unfit(definition, name, "every file needs it as it is, so it is never masked")
    key = _key(mask_key, definition.name) if Mask.HASH in shape.mask.values() else b""
    return _Plan(definition, shape, key).shaping()


class _Plan:
    """What is wanted of an entity, and what follows from it."""

    def __init__(self, definition: Entity, shape: Shape, key: bytes = b"") -> None:
        self.definition, self.shape, self.key = definition, shape, key
        wanted = None if shape.columns is None else {*shape.columns, definition.primary_id, *NEEDED}
        self.selected = [each for each in definition.attributes if wanted is None or each.name in wanted]
        names = {attribute.name for attribute in definition.attributes}
        # A column of the entity's own that has such a name stays what it is.
        self.labelled = {
            attribute.name: labels
            for attribute in self.selected
            if (labels := _labels(attribute, shape.labels)) is not None and attribute.name + LABEL_SUFFIX not in names
        }

    def shaping(self) -> Shaping:
        form = Form(
            shape=self.shape,
            labels={name: _digest(labels) for name, labels in self.labelled.items()},
            mask_key=hmac.digest(self.key, _FINGERPRINT, "sha256").hex()[:16] if self.key else None,
        )
        filtered = tuple(dict.fromkeys(condition.column for condition in self.shape.filter))
        return Shaping(self.entity(), form, self._read(), filtered, self._filter(), self._columns())

    def entity(self) -> Entity:
        return self.definition.model_copy(update={"attributes": tuple(self._attributes())})

    @property
    def _as_it_is(self) -> bool:
        return self.shape.columns is None and not self.shape.mask and not self.labelled

    def _attributes(self) -> Iterator[Attribute]:
        """Yield the attributes of the effective entity, each with what stands behind it."""
        for attribute in self.selected:
            mask = self.shape.mask.get(attribute.name)
            yield _hashed(attribute, attribute.name) if mask is Mask.HASH else attribute
            if mask is Mask.HASH and attribute.polymorphic:
                yield _hashed(attribute, attribute.name + ENTITY_TYPE_SUFFIX)
            if attribute.name in self.labelled:
                label = attribute.name + LABEL_SUFFIX
                yield _hashed(attribute, label) if mask is Mask.HASH else _text(attribute, label, None)

    def _read(self) -> tuple[str, ...] | None:
        """Return what the source is asked for: nothing of which nothing is written, and what the filter looks at."""
        if self.shape.columns is None and Mask.NULL not in self.shape.mask.values():
            return None
        written = {each.name for each in self.selected if self.shape.mask.get(each.name) is not Mask.NULL}
        looked_at = {condition.column for condition in self.shape.filter}
        return tuple(each.name for each in self.definition.attributes if each.name in written | looked_at)

    def _columns(self) -> dict[str, _Make] | None:
        return None if self._as_it_is else dict(self._made())

    def _made(self) -> Iterator[tuple[str, _Make]]:
        """Yield how each column is made of which something is written."""
        spelled = {column.name: column for column in columns_of(self.definition)}
        for attribute in self.selected:
            mask = self.shape.mask.get(attribute.name)
            if mask is Mask.NULL:
                continue
            made = {attribute.name: _given(attribute.name)}
            if attribute.polymorphic:
                made[attribute.name + ENTITY_TYPE_SUFFIX] = _given(attribute.name + ENTITY_TYPE_SUFFIX)
            if attribute.name in self.labelled:
                label = attribute.name + LABEL_SUFFIX
                made[label] = _mapped(_given(attribute.name), _labeller(attribute, self.labelled[attribute.name]))
                spelled[label] = Column(name=label, kind=Kind.STRING)
            for name, make in made.items():
                yield name, self._hash(make, spelled[name]) if mask is Mask.HASH else make

    def _hash(self, make: _Make, column: Column) -> _Make:
        key, primary_id = self.key, self.definition.primary_id

        def spelled(rows: pa.RecordBatch) -> Array | None:
            if (values := make(rows)) is None:
                return None
            return as_read(values, column, row_namer(rows, primary_id))

        return _mapped(spelled, lambda text: hmac.digest(key, text.encode(), "sha256").hex())

    def _filter(self) -> _Holds | None:
        every = [self._condition(condition) for condition in self.shape.filter]
        if not every:
            return None
        return lambda rows: reduce(compute.and_, (holds(rows) for holds in every))

    def _condition(self, condition: Condition) -> _Holds:
        attribute = self.definition.attribute(condition.column)
        if attribute is None:
            raise _unfit(self.definition, condition.column, "the entity has no such column any more")
        try:
            return _holds(condition, attribute)
        except ValueError as error:
            raise _unfit(self.definition, condition.column, str(error)) from error


def _unfit(definition: Entity, column: str, why: str) -> Refused:
    return Refused(
        "ENG073",
        f"the config of {definition.name} filters or masks {column}, which cannot be done",
        where=f"{definition.name}.{column}",
        why=why,
        fix="correct the filter or the mask of the config; what was exported stays as it is until then",
    )


# filter


def _holds(condition: Condition, attribute: Attribute) -> _Holds:
    """Return the test of a condition. A comparison with null is false. Raises ValueError for values of another type."""
    kind = arrow_type(attribute)
    values = pa.array(values_of(condition, attribute), kind)
    test = _tests(condition, values)

    def holds(rows: pa.RecordBatch) -> Array:
        with naming(rows, attribute.name):
            found: Array = compute.fill_null(test(rows.column(attribute.name).cast(kind)), False)  # noqa: FBT003 - of null
        return found

    return holds


def _tests(condition: Condition, values: Array) -> Callable[[Array], Array]:
    match condition.comparison:
        case "is_null":
            return lambda column: compute.equal(compute.is_null(column), condition.is_null)
        case "any_of":
            return lambda column: compute.is_in(column, value_set=values)
        case "equals":
            return lambda column: compute.equal(column, values[0])
        case "not_equals":
            return lambda column: compute.not_equal(column, values[0])
        case "at_least":
            return lambda column: compute.greater_equal(column, values[0])
        case _:
            return lambda column: compute.less(column, values[0])


def _tombstones(left: pa.RecordBatch, primary_id: str) -> Iterator[Deleted]:
    ids, versions = left.column(primary_id).to_pylist(), left.column(VERSION).cast(pa.int64()).to_pylist()
    return (Deleted(str(row), version) for row, version in zip(ids, versions, strict=True))


# columns


def _given(name: str) -> _Make:
    return lambda rows: rows.column(name) if name in rows.schema.names else None


def _mapped(make: _Make, spell: Callable[[Any], str | None]) -> _Make:
    """Put a text in the place of each value; equal values are spelled once a batch, and null stays null."""

    def mapped(rows: pa.RecordBatch) -> Array | None:
        if (values := make(rows)) is None:
            return None
        encoded = values.dictionary_encode()
        texts = pa.array([spell(value) for value in encoded.dictionary.to_pylist()], pa.string())
        return texts.take(encoded.indices)

    return mapped


def _text(attribute: Attribute, name: str, length: int | None) -> Attribute:
    """Return an attribute of text. Its name may be longer than that of any attribute of the source."""
    plain = {"type": AttributeType.STRING, "precision": None, "targets": (), "options": (), "global_choice": None}
    return attribute.model_copy(update={**plain, "name": name, "max_length": length})


def _hashed(attribute: Attribute, name: str) -> Attribute:
    return _text(attribute, name, HASH_LENGTH)


# labels


def _labels(attribute: Attribute, language: int | None) -> dict[int, str] | None:
    """Return the labels of a choice in a language by value, or None of an attribute that has no options."""
    if language is None or not attribute.options or attribute.type not in CHOICES | {AttributeType.BOOLEAN}:
        return None
    return {option.value: option.labels[language] for option in attribute.options if language in option.labels}


def _labeller(attribute: Attribute, labels: Mapping[int, str]) -> Callable[[Any], str | None]:
    """Return what spells the label of a value; a boolean is the option 0 or 1."""
    if attribute.type is not AttributeType.MULTISELECT:
        return labels.get
    by_text = {str(value): label for value, label in labels.items()}
    return lambda several: ";".join(by_text.get(one, "") for one in several.split(";")) or None


def _digest(labels: Mapping[int, str]) -> str:
    return hashlib.sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16]


# the key


def _key(mask_key: MaskKey, entity: str) -> bytes:
    """Return the key of hashed columns. Raises Refused (ENG071) when there is none that is good for it."""
    try:
        return mask_key.secret()
    except LookupError as error:
        what = f"columns of {entity} are hashed, and there is no key to do it with"
        raise Refused("ENG071", what, where=entity, why=str(error), fix=KEY_FIX) from error
