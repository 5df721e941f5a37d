"""Annotations beside values: what a person would read, and which entity a lookup leads to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, cast

import pyarrow as pa

from toolkit.engine.arrays import compute
from toolkit.model.columns import ENTITY_TYPE_SUFFIX
from toolkit.model.entity import CHOICES, LOOKUPS, Attribute, AttributeType, Entity
from toolkit.organization.database import Connection
from toolkit.organization.storage import Column, precision, quoted
from toolkit.server.call import Preferences
from toolkit.server.query.navigation import Navigation, navigations
from toolkit.server.query.properties import property_name
from toolkit.server.query.tables import find
from toolkit.server.rows.rendering import Piece, escaped, optional, plain_decimals, text_of

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
COUNT = "Microsoft.Dynamics.CRM.totalrecordcount"
COUNT_EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
COOKIE = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "Microsoft.Dynamics.CRM.morerecords"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The annotations that a call asks for: patterns like ``*`` or ``Microsoft.Dynamics.CRM.*``, none after ``-``."""

    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, prefer: Preferences) -> Wanted:
        """Read the preference ``odata.include-annotations``."""
        given = prefer.get("odata.include-annotations") or ""
        return cls(tuple(part.strip() for part in given.split(",") if part.strip()))

    def __contains__(self, name: str) -> bool:
        matching = [pattern for pattern in self.patterns if fnmatchcase(name, pattern.removeprefix("-"))]
        return bool(matching) and not any(pattern.startswith("-") for pattern in matching)


NO_ANNOTATIONS = Wanted()


@dataclass(frozen=True, slots=True)
class Annotator:
    """Annotates the properties of an entity's rows with what a call asks for."""

    connection: Connection
    wanted: Wanted
    navigations: tuple[Navigation, ...]

    @classmethod
    def of(cls, connection: Connection, entity: Entity, wanted: Wanted) -> Annotator:
        """Return the annotator of an entity."""
        return cls(connection, wanted, navigations(connection, entity) if NAVIGATION in wanted else ())

    def members(self, rows: pa.RecordBatch, attribute: Attribute) -> Iterator[Iterable[Piece]]:
        """Yield the members that annotate an attribute's property, in the order in which Dataverse writes them."""
        if not self.wanted.patterns:
            return
        values, name = rows.column(attribute.name), property_name(attribute)
        if attribute.type in LOOKUPS:
            types = _types(rows, attribute)
            if NAVIGATION in self.wanted:
                yield optional(f"{name}@{NAVIGATION}", _mapped(types, self._named(attribute)))
            if LOGICAL_NAME in self.wanted:
                yield optional(f"{name}@{LOGICAL_NAME}", escaped(types))
            if FORMATTED in self.wanted:
                yield optional(f"{name}@{FORMATTED}", escaped(names(self.connection, values, types)))
        elif FORMATTED in self.wanted and (readable := shown(attribute, values)) is not None:
            yield optional(f"{name}@{FORMATTED}", escaped(readable))

    def _named(self, attribute: Attribute) -> dict[str, str]:
        """Return the navigation properties of a lookup by target."""
        return {leads.target: leads.name for leads in self.navigations if leads.attribute == attribute}


def _types(rows: pa.RecordBatch, attribute: Attribute) -> Column:
    """Return the entity that each value of a lookup leads to; null where there is no value."""
    if attribute.polymorphic:
        return rows.column(attribute.name + ENTITY_TYPE_SUFFIX)
    target = attribute.targets[0] if attribute.targets else ""
    known = compute.is_valid(rows.column(attribute.name))
    return cast("Column", compute.if_else(known, target, pa.scalar(None, pa.string())))


def names(connection: Connection, ids: Column, types: Column) -> Column:
    """Return the primary names of rows; null for one that is not there."""
    found: dict[str, str | None] = {}
    for entity in compute.unique(types).drop_null().to_pylist():
        of_entity = compute.unique(ids.filter(compute.equal(types, entity))).to_pylist()
        found.update(_names_of(connection, entity, of_entity))
    return _mapped(ids, found)


def _names_of(connection: Connection, entity: str, ids: list[str]) -> dict[str, str | None]:
    table = find(connection, entity)
    if (
        table is None
        or table.definition.primary_name is None
        or table.definition.attribute(table.definition.primary_name) is None
    ):
        return {}
    key, name = quoted([table.definition.primary_id]), quoted([table.definition.primary_name])
    rows = connection.execute(
        f"SELECT {key} AS id, {name} AS name FROM {table.source} WHERE {key} IN (SELECT value FROM json_each(?))",  # noqa: S608 - names of the metadata
        [*table.parameters, json.dumps(ids)],
    )
    return {row["id"]: row["name"] for row in rows}


def _mapped(keys: Column, values: Mapping[str, str | None]) -> Column:
    places = compute.index_in(keys, pa.array(list(values), pa.string()))
    return pa.array(list(values.values()), pa.string()).take(places)


# --- what a person would read ---------------------------------------------------------------------------------------


def shown(attribute: Attribute, values: Column) -> Column | None:
    """Return how values are shown in English; None for an attribute whose values are shown as they are."""
    kind = attribute.type
    if kind in CHOICES or kind is AttributeType.BOOLEAN:
        return _each(values, _labels(attribute))
    if kind in {AttributeType.DECIMAL, AttributeType.MONEY}:
        numbers = _each(plain_decimals(attribute, values), lambda text: format(Decimal(text), ",f"))
        return _dollars(numbers) if kind is AttributeType.MONEY else numbers
    if kind is AttributeType.DOUBLE:
        digits = f",.{precision(attribute)}f"
        return _each(values, lambda number: format(number, digits))
    if kind in {AttributeType.INTEGER, AttributeType.BIGINT}:
        return _each(values, lambda number: format(number, ","))
    return _times(values) if kind is AttributeType.DATETIME else None


def _each(values: Column, form: Callable[[Any], str]) -> Column:
    """Return each value in a form, which is made once for all that are alike."""
    found = values.dictionary_encode()
    return pa.array(map(form, found.dictionary.to_pylist()), pa.string()).take(found.indices)


def _labels(attribute: Attribute) -> Callable[[Any], str]:
    labels = {option.value: option.labels.get(1033) or str(option.value) for option in attribute.options}
    if attribute.type is AttributeType.MULTISELECT:
        return lambda chosen: "; ".join(labels.get(int(each), each) for each in chosen.split(";"))
    return lambda chosen: labels.get(int(chosen), str(chosen))


def _dollars(numbers: Column) -> Column:
    return cast("Column", compute.replace_substring(text_of("$", numbers), "$-", "-$"))


_HOURS = pa.array([str(hour % 12 or 12) for hour in range(24)])
_MINUTES = pa.array([f"{minute:02}" for minute in range(60)])
_HALVES = pa.array(["AM"] * 12 + ["PM"] * 12)


def _times(values: Column) -> Column:
    """Return times as 3/1/2026 12:00 PM, days as 3/1/2026."""
    month, day, year = (part(values).cast(pa.string()) for part in (compute.month, compute.day, compute.year))
    if pa.types.is_date32(values.type):
        return text_of(month, "/", day, "/", year)
    hour, minute = compute.hour(values), compute.minute(values)
    time = _HOURS.take(hour), ":", _MINUTES.take(minute), " ", _HALVES.take(hour)
    return text_of(month, "/", day, "/", year, " ", *time)
