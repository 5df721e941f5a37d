"""What is wrong with rows before they are written: checked column by column in Arrow, never row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import Finding, Place, Severity
from toolkit.model.columns import ENTITY_TYPE_SUFFIX
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, Entity
from toolkit.organization.storage import Column, precision

GUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
INTEGER_MIN, INTEGER_MAX = pa.scalar(-(2**31), pa.int64()), pa.scalar(2**31 - 1, pa.int64())


def findings(entity: Entity, rows: pa.RecordBatch) -> Iterator[Finding]:
    """Yield one finding for each rule and column that rows break, with the first such row and how many there are."""
    check = _Check(entity, rows)
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    for attribute in entity.attributes:
        if attribute.name in columns:
            yield from check.column(attribute, columns[attribute.name])
    yield from check.key()
    yield from check.status()


@dataclass(frozen=True, slots=True)
class _Check:
    entity: Entity
    rows: pa.RecordBatch

    def column(self, attribute: Attribute, values: Column) -> Iterator[Finding]:
        """Yield what is wrong in the column of an attribute."""
        match attribute.type:
            case AttributeType.STRING | AttributeType.MEMO:
                yield from self._length(attribute, values)
            case AttributeType.INTEGER:
                wrong = pc.or_(pc.less(values, INTEGER_MIN), pc.greater(values, INTEGER_MAX))
                yield from self._found("ORG023", attribute.name, wrong, "is no 32-bit integer")
            case AttributeType.DECIMAL | AttributeType.MONEY:
                yield from self._digits(attribute, values)
            case AttributeType.CHOICE | AttributeType.STATE | AttributeType.STATUS:
                yield from self._options(attribute, values)
            case AttributeType.MULTISELECT:
                yield from self._selection(attribute, values)
            case AttributeType.UNIQUEIDENTIFIER | AttributeType.LOOKUP | AttributeType.CUSTOMER | AttributeType.OWNER:
                foreign = pc.invert(pc.match_substring_regex(values, GUID))
                yield from self._found("ORG027", attribute.name, foreign, "is no GUID")
                yield from self._target(attribute, values)
            case AttributeType.BIGINT | AttributeType.DOUBLE | AttributeType.BOOLEAN | AttributeType.DATETIME:
                return

    def key(self) -> Iterator[Finding]:
        """Yield what is wrong with the ids: none, or twice in these rows."""
        name = self.entity.primary_id
        if name not in self.rows.schema.names:
            yield _finding(self.entity.name, "ORG029", f"{name} is missing, and every row needs its id", name)
            return
        ids = self.rows.column(name)
        yield from self._found("ORG029", name, pc.is_null(ids), "is missing, and every row needs its id")
        if len(ids.unique()) < len(ids):
            yield _finding(self.entity.name, "ORG030", f"{name} is the same in several rows", name)

    def status(self) -> Iterator[Finding]:
        """Yield statuses that do not belong to the state beside them."""
        kinds = {attribute.type: attribute for attribute in self.entity.attributes}
        status, state = kinds.get(AttributeType.STATUS), kinds.get(AttributeType.STATE)
        if status is None or state is None or not {status.name, state.name} <= set(self.rows.schema.names):
            return
        owners = {option.value: option.state for option in status.options}
        places = pc.index_in(self.rows.column(status.name), pa.array(list(owners), pa.int64()))
        expected = pc.take(pa.array(list(owners.values()), pa.int64()), places)
        wrong = pc.not_equal(expected, self.rows.column(state.name))
        yield from self._found("ORG025", status.name, wrong, f"does not belong to its {state.name}")

    def _length(self, attribute: Attribute, values: Column) -> Iterator[Finding]:
        if attribute.max_length is not None:
            lengths = pc.utf8_length(cast("pa.StringArray", values))
            wrong = pc.greater(lengths, pa.scalar(attribute.max_length, pa.int32()))
            yield from self._found("ORG022", attribute.name, wrong, f"is longer than {attribute.max_length} characters")

    def _digits(self, attribute: Attribute, values: Column) -> Iterator[Finding]:
        digits = precision(attribute)
        wrong = pc.not_equal(pc.round(values, digits), values)
        yield from self._found("ORG026", attribute.name, wrong, f"has more than {digits} digits after the point")

    def _options(self, attribute: Attribute, values: Column) -> Iterator[Finding]:
        wrong = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, _values(attribute))))
        yield from self._found("ORG024", attribute.name, wrong, "is not one of the options")

    def _selection(self, attribute: Attribute, values: Column) -> Iterator[Finding]:
        parts = pc.split_pattern(values, ";")
        known = pc.cast(_values(attribute), pa.string())
        foreign = pc.invert(pc.is_in(pc.list_flatten(parts), known))
        rows = pc.filter(pc.list_parent_indices(parts), foreign)
        wrong = pc.is_in(pa.array(range(len(values)), pa.int64()), rows)
        yield from self._found("ORG024", attribute.name, wrong, "is not one of the options")

    def _target(self, attribute: Attribute, values: Column) -> Iterator[Finding]:
        name = attribute.name + ENTITY_TYPE_SUFFIX
        if not attribute.polymorphic or attribute.type not in LOOKUPS:
            return
        if name not in self.rows.schema.names:
            yield from self._found(
                "ORG028", name, pc.is_valid(values), "is missing beside a lookup of several entities"
            )
            return
        known = pc.is_in(self.rows.column(name), pa.array(attribute.targets, pa.string()))
        wrong = pc.and_(pc.is_valid(values), pc.invert(known))
        yield from self._found("ORG028", name, wrong, f"is none of {', '.join(attribute.targets)}")

    def _found(self, code: str, column: str, wrong: Column, why: str) -> Iterator[Finding]:
        return broken(self.entity.name, code, column, wrong, why)


def broken(entity: str, code: str, column: str, wrong: Column, why: str, *, fix: str = "") -> Iterator[Finding]:
    """Yield a finding when some of ``wrong`` (booleans, a row each) is true."""
    count = pc.sum(wrong).as_py() or 0
    if count:
        first = pc.index(wrong, True).as_py()
        others = f", and in {count - 1} rows more" if count > 1 else ""
        yield _finding(entity, code, f"{column} in row {first} {why}{others}", f"[{first}].{column}", fix)


def _finding(entity: str, code: str, what: str, key: str, fix: str = "") -> Finding:
    return Finding(code, Severity.ERROR, f"{entity}: {what}", Place(entity, key=key), fix=fix)


def _values(attribute: Attribute) -> Column:
    return pa.array([option.value for option in attribute.options], pa.int64())
