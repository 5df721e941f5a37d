"""The metadata of a Dataverse organization -> entities, in one request.

``RetrieveMetadataChanges`` gives the typed attributes of every table at once, and a stamp with which a later call
tells what changed since. What cannot be exported is left out with a reason:

    attributes  image, file, virtual, party list, calendar rules, managed property; names that belong to another
                attribute (AttributeOf); what is not valid for read
    tables      without an entity set, a primary id or a row version
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from toolkit.dataverse.address import query
from toolkit.dataverse.client import Client
from toolkit.errors import CursorExpired
from toolkit.model.entity import Attribute, AttributeType, DateTimeBehavior, Entity, Option, TableType

VERSION = "versionnumber"

_TYPES: Mapping[str, AttributeType] = {
    "StringType": AttributeType.STRING,
    "EntityNameType": AttributeType.STRING,
    "MemoType": AttributeType.MEMO,
    "IntegerType": AttributeType.INTEGER,
    "BigIntType": AttributeType.BIGINT,
    "DecimalType": AttributeType.DECIMAL,
    "DoubleType": AttributeType.DOUBLE,
    "MoneyType": AttributeType.MONEY,
    "BooleanType": AttributeType.BOOLEAN,
    "PicklistType": AttributeType.CHOICE,
    "MultiSelectPicklistType": AttributeType.MULTISELECT,
    "StateType": AttributeType.STATE,
    "StatusType": AttributeType.STATUS,
    "LookupType": AttributeType.LOOKUP,
    "CustomerType": AttributeType.CUSTOMER,
    "OwnerType": AttributeType.OWNER,
    "DateTimeType": AttributeType.DATETIME,
    "UniqueidentifierType": AttributeType.UNIQUEIDENTIFIER,
}
"""By ``AttributeTypeName.Value``, which tells apart what ``AttributeType`` calls Virtual."""

_NO_COLUMNS: Mapping[str, str] = {
    "ImageType": "an image, which is read by another request per row",
    "FileType": "a file, which is read by another request per row",
    "VirtualType": "virtual: it has no value of its own",
    "PartyListType": "a list of rows of activityparty, which can be exported as an entity",
    "CalendarRulesType": "a list of rows of another entity",
    "ManagedPropertyType": "a managed property",
}

_TABLE = (
    "LogicalName",
    "EntitySetName",
    "PrimaryIdAttribute",
    "PrimaryNameAttribute",
    "DisplayName",
    "ChangeTrackingEnabled",
    "CanChangeTrackingBeEnabled",
    "IsIntersect",
    "IsCustomEntity",
    "TableType",
    "Attributes",
)
_ATTRIBUTE = (
    "LogicalName",
    "AttributeType",
    "AttributeTypeName",
    "AttributeOf",
    "IsValidForRead",
    "SourceType",
    "DisplayName",
    "RequiredLevel",
    "MaxLength",
    "Precision",
    "PrecisionSource",
    "DateTimeBehavior",
    "Targets",
    "OptionSet",
)
MONEY_DIGITS = 4
"""What money has after the point at most, where the organization or the currency decides."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The tables of an organization by logical name, as they were at ``stamp``."""

    stamp: str
    entities: Mapping[str, Entity]
    left_out: Mapping[str, str]
    """The tables that cannot be exported, and why."""


def metadata(client: Client) -> Metadata:
    """Read the metadata of all tables, past the caches of the service."""
    answer = _asked(client, _query(_TABLE, _ATTRIBUTE))
    found = {each["LogicalName"]: _table(each) for each in answer["EntityMetadata"]}
    return Metadata(
        answer["ServerVersionStamp"],
        {name: each for name, each in found.items() if isinstance(each, Entity)},
        {name: each for name, each in found.items() if isinstance(each, str)},
    )


def changed(client: Client, since: Metadata) -> bool:
    """Whether metadata changed since; also where the service no longer knows, after 90 days."""
    try:
        answer = _asked(client, _query(("LogicalName", "Attributes"), ("LogicalName",)), since.stamp)
    except CursorExpired:
        return True
    deleted = (answer.get("DeletedMetadata") or {}).get("Values") or ()
    return bool(answer["EntityMetadata"]) or any(deleted)


def _asked(client: Client, wanted: Mapping[str, Any], stamp: str | None = None) -> Any:  # noqa: ANN401 - any JSON value
    parameters = {"@p1": to_json(wanted).decode()}
    if stamp is None:
        path = query("RetrieveMetadataChanges(Query=@p1)", parameters)
    else:
        quoted = stamp.replace("'", "''")
        path = query("RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)", {**parameters, "@p2": f"'{quoted}'"})
    return client.get(path, strong=True).json()


def _query(table: Sequence[str], attribute: Sequence[str]) -> Mapping[str, Any]:
    return {"Properties": _properties(table), "AttributeQuery": {"Properties": _properties(attribute)}}


def _properties(names: Sequence[str]) -> Mapping[str, Any]:
    return {"AllProperties": False, "PropertyNames": names}


def _table(found: Mapping[str, Any]) -> Entity | str:
    """Return a table as an entity, or why it is left out."""
    read = {each["LogicalName"]: each for each in found["Attributes"] if each.get("AttributeOf") is None}
    left_out = {name: why for name, each in read.items() if (why := _unreadable(each))}
    try:
        entity = _entity(found, [_attribute(each) for name, each in read.items() if name not in left_out], left_out)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return _lack(entity) or entity


def _lack(entity: Entity) -> str:
    """Return why a table has no rows that can be exported; empty where it has."""
    if entity.attribute(entity.primary_id) is None:
        return "its primary id cannot be read"
    if entity.table_type is TableType.STANDARD and entity.attribute(VERSION) is None:
        return "its rows have no version"
    return ""


def _entity(found: Mapping[str, Any], attributes: Sequence[Attribute], left_out: Mapping[str, str]) -> Entity:
    tracked, key = bool(found.get("ChangeTrackingEnabled")), found.get("PrimaryIdAttribute")
    return Entity(
        name=found["LogicalName"],
        display_name=_label(found.get("DisplayName")),
        set_name=found.get("EntitySetName") or None,
        primary_id=key,
        primary_name=found.get("PrimaryNameAttribute") or None,
        change_tracking=tracked,
        can_track=tracked or bool(_value(found.get("CanChangeTrackingBeEnabled"))),
        intersect=bool(found.get("IsIntersect")),
        table_type=_table_type(found.get("TableType")),
        custom=bool(found.get("IsCustomEntity")),
        attributes=tuple(sorted(attributes, key=lambda each: each.name != key)),
        left_out=left_out,
    )


def _table_type(said: str | None) -> TableType:
    return TableType(said) if said in set(TableType) else TableType.STANDARD


def _unreadable(found: Mapping[str, Any]) -> str:
    """Return why a column cannot be exported; empty where it can be."""
    spelled = _type_name(found)
    if spelled not in _TYPES:
        return _NO_COLUMNS.get(spelled, f"its type {spelled} is not known")
    return "the platform lets nobody read it" if found.get("IsValidForRead") is False else ""


def _attribute(found: Mapping[str, Any]) -> Attribute:
    options, choice = _options(found.get("OptionSet"))
    return Attribute(
        name=found["LogicalName"],
        type=_TYPES[_type_name(found)],
        display_name=_label(found.get("DisplayName")),
        max_length=found.get("MaxLength") or None,
        precision=_precision(found),
        behavior=_value(found.get("DateTimeBehavior")) or DateTimeBehavior.USER_LOCAL,
        targets=tuple(found.get("Targets") or ()),
        options=options,
        global_choice=choice,
        required=_value(found.get("RequiredLevel")) in {"ApplicationRequired", "SystemRequired"},
        calculated=bool(found.get("SourceType")),
    )


def _type_name(found: Mapping[str, Any]) -> str:
    return _value(found.get("AttributeTypeName")) or f"{found.get('AttributeType')}Type"


def _precision(found: Mapping[str, Any]) -> int | None:
    """Return the digits after the point: the attribute's own, unless the organization or the currency decides."""
    return MONEY_DIGITS if found.get("PrecisionSource") else found.get("Precision")


def _options(found: Mapping[str, Any] | None) -> tuple[tuple[Option, ...], str | None]:
    """Return the options of a choice, and the name of the global choice that they come from."""
    if found is None:
        return (), None
    both = [found[key] for key in ("FalseOption", "TrueOption") if found.get(key)]
    options = tuple(_option(each) for each in found.get("Options") or both)
    return options, found.get("Name") if found.get("IsGlobal") else None


def _option(found: Mapping[str, Any]) -> Option:
    labels = {each["LanguageCode"]: each["Label"] for each in (found.get("Label") or {}).get("LocalizedLabels") or ()}
    return Option(value=found["Value"], labels=labels, state=found.get("State"))


def _label(found: Mapping[str, Any] | None) -> str:
    """Return a label in the language of the user, or in the first one that it has."""
    labels = [(found or {}).get("UserLocalizedLabel"), *((found or {}).get("LocalizedLabels") or ())]
    return next((each["Label"] for each in labels if each and each.get("Label")), "")


def _value(found: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a managed property, or of another object that holds nothing else."""
    return (found or {}).get("Value")
