"""A page of rows as Dataverse sends it -> Arrow.

A page is one JSON object whose ``value`` holds the rows. It is read as a table of one row by pyarrow's JSON reader with
an explicit schema, ``value`` being a list of structs: so nothing is cut, and no row becomes an object of Python.

    attribute          property                 JSON                        read as
    lookup             _x_value                 guid                        string
    its entity's name  _x_value@...lookup...    string                      string
    decimal, money     x                        number                      decimal128(38, 18), then (38, 10) if exact
    date only          x                        "2026-01-31"                timestamp, then date32
    other datetimes    x                        "2026-01-31T08:30:00Z"      timestamp, with or without the zone
    multi-select       x                        "1,2"                       string, then "1;2"

A tombstone stands among the rows: ``{"@odata.context": ".../$deletedEntity", "id": guid, "reason": "deleted"}``. Its
members are looked for only where some are expected, or where a row has no id: in rows they are missing, and a missing
member costs more than one that is there (all together a ninth of the time: measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from pydantic_core import from_json

from toolkit.errors import SourceError
from toolkit.model.columns import ENTITY_TYPE_SUFFIX, arrow_schema, arrow_type
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, DateTimeBehavior, Entity

LOOKUP_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
"""The annotation that names the entity of a lookup's value."""

_CONTEXT = "@odata.context"
_ID = "id"
_TOMBSTONE = {_CONTEXT: pa.string(), _ID: pa.string()}
"""What a tombstone has and a row has not."""
_LINKS = ("@odata.nextLink", "@odata.deltaLink")
_GUIDS = frozenset({*LOOKUPS, AttributeType.UNIQUEIDENTIFIER})
_DECIMALS = frozenset({AttributeType.DECIMAL, AttributeType.MONEY})
_NEXT_LINK = re.compile(rb'"@odata\.nextLink"\s*:\s*("(?:[^"\\]|\\.)*")')
_TAIL = 32_768
"""How many bytes at the end of a page are searched; a link may have as many as an address."""
_WIDE = pa.decimal128(38, 18)
"""Holds the zeros that some numbers end in; pyarrow refuses digits beyond the scale, whatever they are."""


class Page(NamedTuple):
    """What a page holds. On the last page there is no ``next_link``; of a tracked read it has the ``delta_link``."""

    rows: pa.RecordBatch
    deleted: Sequence[str]
    """Ids in lower case."""
    next_link: str | None
    delta_link: str | None


class _Property(NamedTuple):
    """A property of a row, as it is read, and how its values become those of a column."""

    name: str
    type: pa.DataType
    column: Callable[[Any], Any]


@dataclass(frozen=True)
class Reader:
    """Reads pages of one entity into batches of ``schema``; made by ``reader``."""

    entity: Entity
    schema: pa.Schema
    properties: Sequence[_Property]

    @property
    def select(self) -> str:
        """The properties to ask for, separated by commas."""
        return ",".join(each.name for each in self.properties if "@" not in each.name)

    @property
    def annotated(self) -> bool:
        """Whether the names of lookups' entities have to be asked for."""
        return any("@" in each.name for each in self.properties)

    def read(self, page: bytes | memoryview, *, tombstones: bool = False) -> Page:
        """Return what a page holds; one with tombstones that were not expected takes twice as long.

        Raises SourceError where it is none (DV030, DV031).
        """
        table = self._parsed(page, _TOMBSTONE if tombstones else {})
        value = table.column("value")
        if table.num_rows != 1 or value.null_count:
            raise self._unreadable("it is not one object with a value")
        items = cast("pa.StructArray", pc.list_flatten(value.chunk(0)))
        if not tombstones and items.field(self.entity.primary_id).null_count:
            return self.read(page, tombstones=True)
        rows, deleted = self._parted(items) if tombstones else (items, [])
        next_link, delta_link = (table.column(name)[0].as_py() for name in _LINKS)
        return Page(self._batch(rows), deleted, next_link, delta_link)

    def _parted(self, items: pa.StructArray) -> tuple[pa.StructArray, Sequence[str]]:
        """Return the rows, and the ids of the tombstones."""
        dead = items.field(_CONTEXT).is_valid()
        deleted = items.field(_ID).filter(dead)
        if deleted.null_count:
            raise self._unreadable("a tombstone has no id")
        return items.filter(pc.invert(dead)), [str(each).lower() for each in deleted.to_pylist()]

    def _parsed(self, page: bytes | memoryview, more: Mapping[str, pa.DataType]) -> pa.Table:
        fields = {**more, **{each.name: each.type for each in self.properties}}
        rows = pa.list_(pa.struct([pa.field(name, kind) for name, kind in fields.items()]))
        schema = pa.schema([("value", rows), *((name, pa.string()) for name in _LINKS)])
        try:
            return pj.read_json(
                cast("IO[bytes]", pa.BufferReader(page)),  # nothing is copied
                # One row, so one block; more than one thread does not make it faster (measured).
                read_options=pj.ReadOptions(use_threads=False, block_size=len(page) + 1),
                parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
            )
        except pa.ArrowInvalid as error:
            # The message of the reader holds values.
            raise self._unreadable("it is no JSON, or a value does not fit the type of its column") from error

    def _batch(self, items: pa.StructArray) -> pa.RecordBatch:
        columns = []
        for field, each in zip(self.schema, self.properties, strict=True):
            try:
                column = each.column(items.field(each.name))
            except pa.ArrowInvalid as error:
                raise self._unfit(field.name) from error
            if not field.nullable and column.null_count:
                raise self._unreadable(f"a row has no {field.name}")
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _unreadable(self, why: str) -> SourceError:
        what = f"a page of {self.entity.name} cannot be read"
        return SourceError("DV030", what, where=self.entity.name, why=why, fix=_REPORT)

    def _unfit(self, column: str) -> SourceError:
        return SourceError(
            "DV031",
            f"a value of {self.entity.name}.{column} has more than ten digits after the point",
            where=self.entity.name,
            why="decimals are kept exact, with ten digits",
            fix=f"leave {column} out with the columns of the export config",
        )


_REPORT = "try again; when it stays, run with --debug and report it"


def reader(entity: Entity, columns: Sequence[str] | None = None) -> Reader:
    """Return what reads pages of an entity, with the attributes that ``columns`` names (None: all)."""
    schema = arrow_schema(entity, columns)
    attributes = {each.name: each for each in entity.attributes}
    properties = []
    for name in schema.names:
        attribute = attributes.get(name)
        properties.append(_property(attribute) if attribute else _entity_type(name))
    return Reader(entity, schema, properties)


def link_ahead(page: bytes | memoryview) -> str | None:
    """Return the link to the next page before the page is read: where it stands at the end, as the service puts it.

    A name in quotes is no part of a text, whose quotes are escaped; followed by a colon it is no text as a whole.
    """
    found = _NEXT_LINK.search(page, max(0, len(page) - _TAIL))
    return None if found is None else str(from_json(found[1]))


def property_of(attribute: Attribute) -> str:
    """Return the name under which the Web API knows an attribute's values."""
    return f"_{attribute.name}_value" if attribute.type in LOOKUPS else attribute.name


def _entity_type(column: str) -> _Property:
    lookup = column.removesuffix(ENTITY_TYPE_SUFFIX)
    return _Property(f"_{lookup}_value@{LOOKUP_NAME}", pa.string(), _same)


def _property(attribute: Attribute) -> _Property:
    name, target = property_of(attribute), arrow_type(attribute)
    if attribute.type in _DECIMALS:
        return _Property(name, _WIDE, lambda values: values.cast(target))
    if attribute.type is AttributeType.DATETIME and attribute.behavior is DateTimeBehavior.DATE_ONLY:
        return _Property(name, pa.timestamp("s"), lambda values: values.cast(target))
    if attribute.type in _GUIDS:
        return _Property(name, target, pc.ascii_lower)
    if attribute.type is AttributeType.MULTISELECT:
        return _Property(name, target, lambda values: pc.replace_substring(values, ",", ";"))
    return _Property(name, target, _same)


def _same(values: pa.Array[Any]) -> pa.Array[Any]:
    return values
