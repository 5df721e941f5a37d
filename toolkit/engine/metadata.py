"""The metadata files that the service writes beside the rows: what the columns are, and what their codes mean.

    OptionsetMetadata/*.csv                                    choices, states, reasons and lookups of all entities
    Microsoft.Athena.TrickleFeedService/<entity>-model.json    the manifest of one entity
    Microsoft.Athena.TrickleFeedService/<entity>-EntityMetadata.json    its attributes, and its rows of the CSV files

Pure functions of definitions and checkpoints. The tables and their fields are those of public readers
(docs/formats.md). The JSON is plain ASCII on one line, since one documented reader decodes it as Windows-1252 and
others take each line for a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.columns import ID, IS_DELETE, SINK_CREATED, SINK_MODIFIED
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, Entity, Option
from toolkit.source.protocol import ENTITY_TYPE_SUFFIX

CHOICES_FOLDER = "OptionsetMetadata"
SERVICE_FOLDER = "Microsoft.Athena.TrickleFeedService"

Value = str | int | bool | None
Row = tuple[Value, ...]

_LABEL = "LocalizedLabel"
_LABELLED = ("IsUserLocalizedLabel", "LocalizedLabelLanguageCode", _LABEL)


@dataclass(frozen=True, slots=True)
class Table:
    """An array of ``-EntityMetadata.json``, and the CSV file that has the rows of all entities (empty: none has)."""

    array: str
    file: str
    fields: tuple[str, ...]


ATTRIBUTES = Table(
    "AttributeMetadata",
    "",
    (
        "EntityName",
        "AttributeName",
        "AttributeType",
        "AttributeTypeCode",
        "Version",
        "Timestamp",
        "MetadataId",
        "Precision",
        "MaxLength",
    ),
)
OPTIONS = Table("OptionSetMetadata", "OptionsetMetadata", ("EntityName", "OptionSetName", "Option", *_LABELLED))
GLOBAL_OPTIONS = Table(
    "GlobalOptionSetMetadata",
    "GlobalOptionsetMetadata",
    ("OptionSetName", "Option", *_LABELLED, "GlobalOptionSetName", "EntityName"),
)
STATES = Table("StateMetadata", "StateMetadata", ("EntityName", "State", *_LABELLED))
STATUSES = Table("StatusMetadata", "StatusMetadata", ("EntityName", "State", "Status", *_LABELLED))
TARGETS = Table(
    "TargetMetadata", "TargetMetadata", ("EntityName", "AttributeName", "ReferencedEntity", "ReferencedAttribute")
)
TABLES = (ATTRIBUTES, OPTIONS, GLOBAL_OPTIONS, STATES, STATUSES, TARGETS)

Described = Mapping[str, tuple[Row, ...]]
"""The rows of one entity, by array."""

_TYPES: Mapping[AttributeType, tuple[str, int]] = {
    AttributeType.BOOLEAN: ("Boolean", 0),
    AttributeType.CUSTOMER: ("Customer", 1),
    AttributeType.DATETIME: ("DateTime", 2),
    AttributeType.DECIMAL: ("Decimal", 3),
    AttributeType.DOUBLE: ("Double", 4),
    AttributeType.INTEGER: ("Integer", 5),
    AttributeType.LOOKUP: ("Lookup", 6),
    AttributeType.MEMO: ("Memo", 7),
    AttributeType.MONEY: ("Money", 8),
    AttributeType.OWNER: ("Owner", 9),
    AttributeType.CHOICE: ("Picklist", 11),
    AttributeType.STATE: ("State", 12),
    AttributeType.STATUS: ("Status", 13),
    AttributeType.STRING: ("String", 14),
    AttributeType.UNIQUEIDENTIFIER: ("Uniqueidentifier", 15),
    AttributeType.MULTISELECT: ("MultiSelectPicklist", 17),
    AttributeType.BIGINT: ("BigInt", 18),
}
"""Names and numbers of Dataverse's AttributeTypeCode; readers know a multi-select by its name, and 17 is Virtual."""
_ENTITY_NAME = ("EntityName", 20)
_SIZED = frozenset({AttributeType.DECIMAL, AttributeType.DOUBLE, AttributeType.MONEY})
_NO_ATTRIBUTES = frozenset({ID, SINK_CREATED, SINK_MODIFIED, IS_DELETE})


def model_path(entity: str) -> str:
    """Return where the manifest of one entity is."""
    return f"{SERVICE_FOLDER}/{entity}-model.json"


def description_path(entity: str) -> str:
    """Return where the description of one entity is."""
    return f"{SERVICE_FOLDER}/{entity}-EntityMetadata.json"


def table_path(table: Table) -> str:
    """Return where the rows of all entities are."""
    return f"{CHOICES_FOLDER}/{table.file}.csv"


METADATA_FORMAT = 1
"""The form of all these files: part of ``made_of``, so that a toolkit that writes another form writes them anew."""


def made_of(checkpoint: Checkpoint, entity: Entity, primary_ids: Mapping[str, str]) -> str:
    """Return a digest of everything that the rows of an entity are made of: a tenth of the work of making them."""
    state = checkpoint.model_dump_json(include={"entity", "organization", "began", "columns", "schema_changes"})
    shown = ",".join(sorted(_shown(checkpoint)))
    targets = sorted({target for each in entity.attributes for target in each.targets})
    keys = ",".join(f"{target}={primary_ids.get(target, '')}" for target in targets)
    return sha256("\n".join((str(METADATA_FORMAT), state, shown, entity.model_dump_json(), keys)).encode()).hexdigest()


# --- what is said of an entity --------------------------------------------------------------------------------------


def _shown(checkpoint: Checkpoint) -> frozenset[str]:
    """Return the columns that the files have, and those that the files of readers still have."""
    published = checkpoint.published.columns if checkpoint.published else ()
    return frozenset(column.name for column in (*checkpoint.columns, *published)) - _NO_ATTRIBUTES


def left(checkpoint: Checkpoint, entity: Entity) -> frozenset[str]:
    """Return the columns that the files have and the definition has not: those that were dropped."""
    known = {each.name for each in entity.attributes}
    known |= {each.name + ENTITY_TYPE_SUFFIX for each in entity.attributes if each.polymorphic}
    return _shown(checkpoint) - known


def described(
    checkpoint: Checkpoint, entity: Entity, primary_ids: Mapping[str, str], before: Described | None = None
) -> Described:
    """Return the rows of an entity, for the attributes that its files have.

    ``primary_ids`` has the primary id of every entity that is known. Of columns that are ``left`` what was said
    ``before`` stays, since older rows still have their values.
    """
    names = _shown(checkpoint)
    shown = [attribute for attribute in entity.attributes if attribute.name in names]
    rows = {
        ATTRIBUTES.array: (row for each in shown for row in _attribute(checkpoint, each)),
        OPTIONS.array: (row for each in shown for row in _options(entity.name, each)),
        GLOBAL_OPTIONS.array: (row for each in shown for row in _global_options(entity.name, each)),
        STATES.array: (row for each in shown for row in _states(entity.name, each)),
        STATUSES.array: (row for each in shown for row in _statuses(entity.name, each)),
        TARGETS.array: (row for each in shown for row in _targets(entity.name, each, primary_ids)),
    }
    dropped = left(checkpoint, entity)
    kept = {table.array: _kept(table, dropped, before) for table in TABLES}
    return {array: (*found, *kept[array]) for array, found in rows.items()}


def _kept(table: Table, dropped: frozenset[str], before: Described | None) -> Iterator[Row]:
    of = next((at for at, field in enumerate(table.fields) if field in {"AttributeName", "OptionSetName"}), None)
    if before is not None and of is not None:
        yield from (row for row in before[table.array] if row[of] in dropped)


def _attribute(checkpoint: Checkpoint, attribute: Attribute) -> Iterator[Row]:
    precision = attribute.precision if attribute.type in _SIZED else None
    yield _attribute_row(checkpoint, attribute.name, _TYPES[attribute.type], precision, attribute.max_length)
    if attribute.polymorphic:
        yield _attribute_row(checkpoint, attribute.name + ENTITY_TYPE_SUFFIX, _ENTITY_NAME, None, None)


def _attribute_row(
    checkpoint: Checkpoint, name: str, kind: tuple[str, int], precision: int | None, length: int | None
) -> Row:
    """Return what is said of an attribute; its version counts what became of it, its time is that of the last change.

    No source gives Dataverse's own MetadataId; ours is the same as long as organization, entity and name are.
    """
    changes = [change.at for change in checkpoint.schema_changes if change.column == name]
    since = changes[-1] if changes else checkpoint.began
    identity = str(uuid5(NAMESPACE_OID, f"{checkpoint.organization}/{checkpoint.entity}.{name}"))
    return (checkpoint.entity, name, *kind, 1 + len(changes), _time(since), identity, precision, length)


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _options(entity: str, attribute: Attribute) -> Iterator[Row]:
    if _is_choice(attribute) and attribute.global_choice is None:
        for option in attribute.options:
            yield from ((entity, attribute.name, option.value, *label) for label in _labels(option))


def _global_options(entity: str, attribute: Attribute) -> Iterator[Row]:
    if _is_choice(attribute) and (choice := attribute.global_choice) is not None:
        for option in attribute.options:
            yield from ((attribute.name, option.value, *label, choice, entity) for label in _labels(option))


def _is_choice(attribute: Attribute) -> bool:
    """Whether the options are those of a choice or a boolean; states and their reasons have tables of their own."""
    return attribute.type not in {AttributeType.STATE, AttributeType.STATUS}


def _states(entity: str, attribute: Attribute) -> Iterator[Row]:
    if attribute.type is AttributeType.STATE:
        for option in attribute.options:
            yield from ((entity, option.value, *label) for label in _labels(option))


def _statuses(entity: str, attribute: Attribute) -> Iterator[Row]:
    if attribute.type is AttributeType.STATUS:
        for option in attribute.options:
            yield from ((entity, option.state, option.value, *label) for label in _labels(option))


def _targets(entity: str, attribute: Attribute, primary_ids: Mapping[str, str]) -> Iterator[Row]:
    if attribute.type in LOOKUPS:
        yield from ((entity, attribute.name, target, primary_ids.get(target)) for target in attribute.targets)


def _labels(option: Option) -> Iterator[Row]:
    """Yield the labels of an option by language. None is marked as that of a user: the export has no user."""
    yield from ((False, language, label) for language, label in sorted(option.labels.items()))


TABLE_PATHS = tuple(table_path(table) for table in TABLES if table.file)


# --- bytes ----------------------------------------------------------------------------------------------------------


def description(rows: Described) -> bytes:
    """Return ``<entity>-EntityMetadata.json``."""
    arrays = {table.array: [dict(zip(table.fields, row, strict=True)) for row in rows[table.array]] for table in TABLES}
    return json.dumps(arrays, separators=(",", ":")).encode()


def described_in(data: bytes) -> Described:
    """Return the rows of ``<entity>-EntityMetadata.json``; none when it cannot be read."""
    try:
        arrays: dict[str, list[dict[str, Any]]] = json.loads(data)
        return {
            table.array: tuple(tuple(row[field] for field in table.fields) for row in arrays[table.array])
            for table in TABLES
        }
    except (ValueError, KeyError, TypeError):
        return {table.array: () for table in TABLES}


def tables(entities: Iterable[Described]) -> Iterator[tuple[str, bytes]]:
    """Yield the CSV files with the rows of some entities, each by its path; one without rows is empty."""
    known = list(entities)
    for table in TABLES:
        if table.file:
            lines = (_line(table, row) for rows in known for row in rows[table.array])
            yield table_path(table), "".join(lines).encode()


def _line(table: Table, row: Row) -> str:
    return ",".join(_spelled(field, value) for field, value in zip(table.fields, row, strict=True)) + "\n"


def _spelled(field: str, value: Value) -> str:
    """Spell a value. Labels are quoted as all text is; names are bare, since one public reader splits at commas."""
    if value is None:
        return ""
    if field == _LABEL:
        return '"{}"'.format(str(value).replace("\r\n", "\n").replace('"', '""'))
    return str(value)
