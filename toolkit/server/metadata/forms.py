"""The metadata of an organization as JSON: each type with its properties, and how each of them is made.

The names are those of Dataverse's metadata types (Microsoft.Dynamics.CRM.EntityMetadata and the others). A property
that is not here is not served; ``$select`` of it is refused, as of one that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias

from toolkit.model.entity import Attribute, DateTimeBehavior, Option, TableType
from toolkit.model.solution import Localized
from toolkit.organization import metadata_ids
from toolkit.organization.details import BASE_LANGUAGE, Key
from toolkit.organization.storage import precision
from toolkit.server.metadata.view import Column, Joining, OptionSet, Relation, Table

JSON: TypeAlias = Any

NAMESPACE = "Microsoft.Dynamics.CRM"

_INTEGERS = (-(2**31), 2**31 - 1)
_DECIMALS = (-100_000_000_000, 100_000_000_000)
_MONEY = (-922_337_203_685_477, 922_337_203_685_477)
_TEXT_LENGTH, _MEMO_LENGTH = 4000, 1_048_576
"""The longest texts that Dataverse has, told where an attribute gives no length."""
_DATA_PROVIDERS = {
    TableType.STANDARD: None,
    TableType.ELASTIC: "1d9bde74-9ebd-4da9-8ff5-aa74945b9f74",
    TableType.VIRTUAL: "7015a531-cc0d-4537-b5f2-c882a1eb65ad",
}
"""Ids of the providers of rows: of elastic tables, and the one for OData v4 of virtual ones (inferred)."""
_NEVER_WRITTEN = frozenset(
    {"createdby", "createdon", "modifiedby", "modifiedon", "owningbusinessunit", "versionnumber"}
)
_CASCADE = {
    "Assign": "NoCascade",
    "Delete": "RemoveLink",
    "Merge": "NoCascade",
    "Reparent": "NoCascade",
    "Share": "NoCascade",
    "Unshare": "NoCascade",
    "Archive": "NoCascade",
    "RollupView": "NoCascade",
}


# --- parts that many types have ---------------------------------------------------------------------------------------


def label(names: Localized, owner: str, part: str) -> JSON:
    """Return texts as a Label; the user's language is the base language, or else the first one."""
    localized = [_localized(text, language, owner, part) for language, text in sorted(names.items()) if text]
    user = next((each for each in localized if each["LanguageCode"] == BASE_LANGUAGE), next(iter(localized), None))
    return {"LocalizedLabels": localized, "UserLocalizedLabel": user}


def _localized(text: str, language: int, owner: str, part: str) -> JSON:
    return {
        "Label": text,
        "LanguageCode": language,
        "IsManaged": False,
        "MetadataId": metadata_ids.label_id(owner, part, language),
        "HasChanged": None,
    }


def _managed_property(name: str, value: JSON, *, changeable: bool = True) -> JSON:
    return {"Value": value, "CanBeChanged": changeable, "ManagedPropertyLogicalName": name}


def _always(**values: JSON) -> Mapping[str, Callable[[Any], JSON]]:
    """Return properties that are the same for all."""
    return {name: partial(_same, value) for name, value in values.items()}


def _same(value: JSON, _: object) -> JSON:
    return value


def _changeable(**names: str) -> Mapping[str, Callable[[Any], JSON]]:
    """Return managed properties that are true, by the logical names of their settings."""
    return _always(**{name: _managed_property(setting, value=True) for name, setting in names.items()})


# --- entities ---------------------------------------------------------------------------------------------------------


def _entity_names(table: Table) -> Localized:
    return {**table.detail.labels, BASE_LANGUAGE: table.entity.display_name}


def _collection_names(table: Table) -> Localized:
    return table.detail.collection_names or {BASE_LANGUAGE: f"{table.entity.display_name or table.schema_name}s"}


def _can_track(table: Table) -> JSON:
    can = table.entity.can_track or table.entity.change_tracking
    return _managed_property("canchangetrackingbeenabled", can, changeable=can)


ENTITY: Mapping[str, Callable[[Table], JSON]] = {
    "MetadataId": lambda table: table.id,
    **_always(HasChanged=None),
    "LogicalName": lambda table: table.name,
    "SchemaName": lambda table: table.schema_name,
    "EntitySetName": lambda table: table.entity.set_name,
    "LogicalCollectionName": lambda table: table.entity.set_name,
    "CollectionSchemaName": lambda table: table.entity.set_name,
    "DisplayName": lambda table: label(_entity_names(table), table.id, "DisplayName"),
    "DisplayCollectionName": lambda table: label(_collection_names(table), table.id, "DisplayCollectionName"),
    "Description": lambda table: label(table.detail.descriptions, table.id, "Description"),
    "PrimaryIdAttribute": lambda table: table.entity.primary_id,
    "PrimaryNameAttribute": lambda table: table.entity.primary_name,
    "PrimaryImageAttribute": lambda table: "entityimage" if table.column("entityimage") else None,
    "ChangeTrackingEnabled": lambda table: table.entity.change_tracking,
    "CanChangeTrackingBeEnabled": _can_track,
    "TableType": lambda table: table.entity.table_type.value,
    "DataProviderId": lambda table: _DATA_PROVIDERS[table.entity.table_type],
    **_always(DataSourceId=None, ExternalName=None),
    "OwnershipType": lambda table: "None" if table.entity.intersect else table.detail.ownership,
    "HasNotes": lambda table: table.detail.has_notes,
    "HasActivities": lambda table: table.detail.has_activities,
    "IsActivity": lambda table: table.entity.primary_id == "activityid",
    "IsActivityParty": lambda table: table.name == "activityparty",
    "IsIntersect": lambda table: table.entity.intersect,
    "IsCustomEntity": lambda table: table.entity.custom,
    "IsManaged": lambda table: not table.entity.custom,
    **_always(IsPrivate=False, IsLogicalEntity=False, IsBPFEntity=False, IsChildEntity=False),
    "IsValidForAdvancedFind": lambda table: not table.entity.intersect,
    **_changeable(IsCustomizable="iscustomizable", IsRenameable="isrenameable"),
    "IsAuditEnabled": lambda _: _managed_property("canmodifyauditsettings", value=False),
    "CanCreateAttributes": lambda table: _managed_property("cancreateattributes", not table.entity.intersect),
    **_always(IntroducedVersion="1.0.0.0"),
}


# --- attributes -------------------------------------------------------------------------------------------------------


def _column_names(column: Column) -> Localized:
    return {**column.detail.labels, BASE_LANGUAGE: column.stored.display_name}


def _required_level(column: Column) -> JSON:
    found = column.attribute
    if column.name == column.table.entity.primary_id:
        value = "SystemRequired"
    elif found is not None and found.required:
        value = "ApplicationRequired"
    else:
        value = "Recommended" if column.detail.recommended else "None"
    return _managed_property("canmodifyrequirementlevelsettings", value, changeable=value != "SystemRequired")


def _of(column: Column) -> str | None:
    return None if isinstance(column.stored, Attribute) else column.stored.of


def _written(column: Column) -> bool:
    return column.attribute is not None and column.name not in _NEVER_WRITTEN


ATTRIBUTE: Mapping[str, Callable[[Column], JSON]] = {
    "MetadataId": lambda column: column.id,
    **_always(HasChanged=None),
    "LogicalName": lambda column: column.name,
    "SchemaName": lambda column: column.schema_name,
    "EntityLogicalName": lambda column: column.table.name,
    "AttributeType": lambda column: column.kind.type,
    "AttributeTypeName": lambda column: {"Value": column.kind.type_name},
    "AttributeOf": _of,
    "ColumnNumber": lambda column: column.table.columns.index(column) + 1,
    "DisplayName": lambda column: label(_column_names(column), column.id, "DisplayName"),
    "Description": lambda column: label(column.detail.descriptions, column.id, "Description"),
    "RequiredLevel": _required_level,
    "SourceType": lambda column: None if column.attribute is None else 0,
    "IsPrimaryId": lambda column: column.name == column.table.entity.primary_id,
    "IsPrimaryName": lambda column: column.name == column.table.entity.primary_name,
    "IsCustomAttribute": lambda column: column.custom,
    "IsManaged": lambda column: not column.custom,
    "IsLogical": lambda column: _of(column) is not None,
    "IsValidForCreate": _written,
    "IsValidForUpdate": lambda column: _written(column) and column.name != column.table.entity.primary_id,
    **_always(IsValidForRead=True),
    "IsValidODataAttribute": lambda column: column.attribute is not None,
    **_always(IsFilterable=False, IsRetrievable=True, IsSearchable=False, IsSecured=False, IsRequiredForForm=False),
    **_changeable(IsCustomizable="iscustomizable", IsRenameable="isrenameable"),
    "IsAuditEnabled": lambda _: _managed_property("canmodifyauditsettings", value=False),
    **_changeable(IsValidForAdvancedFind="canmodifysearchsettings"),
    **_always(
        DeprecatedVersion=None,
        ExternalName=None,
        InheritsFrom=None,
        LinkedAttributeId=None,
        IntroducedVersion="1.0.0.0",
    ),
}


def _attribute(read: Callable[[Attribute], JSON]) -> Callable[[Column], JSON]:
    """Return a property that only a column with values has."""
    return lambda column: None if column.attribute is None else read(column.attribute)


def _bounds(low: float, high: float) -> Mapping[str, Callable[[Column], JSON]]:
    return {
        "MinValue": lambda column: low if column.detail.minimum is None else column.detail.minimum,
        "MaxValue": lambda column: high if column.detail.maximum is None else column.detail.maximum,
    }


def _format(usual: str) -> Callable[[Column], JSON]:
    return lambda column: column.detail.format or usual


def _format_name(column: Column) -> JSON:
    return {"Value": column.detail.format or "Text"}


def _length(longest: int) -> Mapping[str, Callable[[Column], JSON]]:
    return {
        "MaxLength": _attribute(lambda attribute: attribute.max_length or longest),
        # Two bytes for a character.
        "DatabaseLength": _attribute(lambda attribute: 2 * (attribute.max_length or longest)),
        "Format": lambda column: column.detail.format or "Text",
        "FormatName": _format_name,
        **_always(ImeMode="Auto", IsLocalizable=False),
    }


def _date_format(column: Column) -> str:
    found = column.attribute
    days = found is not None and found.behavior is DateTimeBehavior.DATE_ONLY
    return column.detail.format or ("DateOnly" if days else "DateAndTime")


_PRECISION = _attribute(precision)
_ENUM: Mapping[str, Callable[[Column], JSON]] = {**_always(DefaultFormValue=-1)}
_CALCULATED: Mapping[str, Callable[[Column], JSON]] = {**_always(FormulaDefinition=""), **_always(SourceTypeMask=0)}

TYPED: Mapping[str, Mapping[str, Callable[[Column], JSON]]] = {
    "String": {**_length(_TEXT_LENGTH), **_always(YomiOf=None), **_always(AutoNumberFormat=""), **_CALCULATED},
    "Memo": _length(_MEMO_LENGTH),
    "Integer": {**_bounds(*_INTEGERS), "Format": _format("None"), **_CALCULATED},
    "BigInt": {**_always(MinValue=-(2**63)), **_always(MaxValue=2**63 - 1)},
    "Decimal": {**_bounds(*_DECIMALS), "Precision": _PRECISION, **_always(ImeMode="Auto"), **_CALCULATED},
    "Double": {**_bounds(*_DECIMALS), "Precision": _PRECISION, **_always(ImeMode="Auto")},
    "Money": {
        **_bounds(*_MONEY),
        "Precision": _PRECISION,
        **_always(PrecisionSource=0, CalculationOf=None, IsBaseCurrency=False, ImeMode="Auto"),
        **_CALCULATED,
    },
    "Boolean": {**_always(DefaultValue=False), **_CALCULATED},
    "Picklist": {
        **_ENUM,
        **_always(ParentPicklistLogicalName=None, ChildPicklistLogicalNames=[]),
        **_CALCULATED,
    },
    "MultiSelectPicklist": {**_ENUM, **_CALCULATED},
    "State": _ENUM,
    "Status": _ENUM,
    "Lookup": {"Targets": _attribute(lambda attribute: list(attribute.targets)), **_always(Format="None")},
    "DateTime": {
        "Format": _date_format,
        "DateTimeBehavior": _attribute(lambda attribute: {"Value": attribute.behavior.value}),
        "CanChangeDateTimeBehavior": lambda _: _managed_property("canchangedatetimebehavior", value=False),
        **_always(ImeMode="Auto"),
        **_CALCULATED,
    },
    "UniqueIdentifier": {},
    "Image": {"IsPrimaryImage": lambda column: column.name == "entityimage", **_always(MaxSizeInKB=10_240)},
    "File": {**_always(MaxSizeInKB=32_768)},
    "": {},
}
"""By the type's name without ``AttributeMetadata``; empty is AttributeMetadata itself."""

ENUMS = frozenset({"Picklist", "MultiSelectPicklist", "State", "Status"})
"""What derives from EnumAttributeMetadata."""


# --- option sets ------------------------------------------------------------------------------------------------------


def option(found: Option, option_set: OptionSet) -> JSON:
    """Return a value of a choice; the states of statuses and the first status of a state stand with it."""
    return {
        **_option_type(found, option_set),
        "Value": found.value,
        "Label": label(found.labels, option_set.id, str(found.value)),
        "Description": label({}, option_set.id, ""),
        "Color": None,
        "IsManaged": False,
        "ExternalValue": "",
        "ParentValues": [],
        "Tag": None,
        "IsHidden": False,
        "MetadataId": None,
        "HasChanged": None,
    }


def _option_type(found: Option, option_set: OptionSet) -> JSON:
    match option_set.kind:
        case "Status":
            return {"@odata.type": f"#{NAMESPACE}.StatusOptionMetadata", "State": found.state, "TransitionData": None}
        case "State":
            name = next(iter(found.labels.values()), "")
            return {"@odata.type": f"#{NAMESPACE}.StateOptionMetadata", "InvariantName": name}
        case _:
            return {}


def _boolean_option(value: int) -> Callable[[OptionSet], JSON]:
    def made(option_set: OptionSet) -> JSON:
        found = next((each for each in option_set.options if each.value == value), None)
        return option(found or Option(value=value, labels={BASE_LANGUAGE: ("No", "Yes")[value]}), option_set)

    return made


_ANY_OPTION_SET: Mapping[str, Callable[[OptionSet], JSON]] = {
    "MetadataId": lambda option_set: option_set.id,
    **_always(HasChanged=None),
    "Name": lambda option_set: option_set.name,
    "IsGlobal": lambda option_set: option_set.is_global,
    "IsCustomOptionSet": lambda option_set: option_set.custom,
    "IsManaged": lambda option_set: not option_set.custom,
    "OptionSetType": lambda option_set: option_set.kind,
    "DisplayName": lambda option_set: label(option_set.display_names, option_set.id, "DisplayName"),
    "Description": lambda option_set: label({}, option_set.id, "Description"),
    **_changeable(IsCustomizable="iscustomizable"),
    **_always(ExternalTypeName=None, IntroducedVersion="1.0.0.0"),
}
OPTION_SET: Mapping[str, Callable[[OptionSet], JSON]] = {
    **_ANY_OPTION_SET,
    **_always(ParentOptionSetName=None),
    "Options": lambda option_set: [option(each, option_set) for each in option_set.options],
}
BOOLEAN_OPTION_SET: Mapping[str, Callable[[OptionSet], JSON]] = {
    **_ANY_OPTION_SET,
    "TrueOption": _boolean_option(1),
    "FalseOption": _boolean_option(0),
}


# --- relationships and keys -------------------------------------------------------------------------------------------

_ANY_RELATIONSHIP: Mapping[str, Callable[[Relation | Joining], JSON]] = {
    "MetadataId": lambda relationship: relationship.id,
    **_always(HasChanged=None, IsValidForAdvancedFind=True, SecurityTypes="Append"),
    **_changeable(IsCustomizable="iscustomizable"),
    **_always(IntroducedVersion="1.0.0.0"),
}
ONE_TO_MANY: Mapping[str, Callable[[Any], JSON]] = {
    **_ANY_RELATIONSHIP,
    "SchemaName": lambda relation: relation.schema_name,
    **_always(RelationshipType="OneToManyRelationship"),
    "IsCustomRelationship": lambda relation: relation.column.custom,
    "IsManaged": lambda relation: not relation.column.custom,
    "ReferencedEntity": lambda relation: relation.target,
    "ReferencedAttribute": lambda relation: relation.target_key,
    "ReferencingEntity": lambda relation: relation.column.table.name,
    "ReferencingAttribute": lambda relation: relation.column.name,
    "ReferencingEntityNavigationPropertyName": lambda relation: relation.navigation,
    "ReferencedEntityNavigationPropertyName": lambda relation: relation.schema_name,
    "CascadeConfiguration": lambda relation: {**_CASCADE, **relation.cascade},
    **_always(IsHierarchical=False, EntityKey=None),
}
MANY_TO_MANY: Mapping[str, Callable[[Any], JSON]] = {
    **_ANY_RELATIONSHIP,
    "SchemaName": lambda joining: joining.both.schema_name,
    **_always(RelationshipType="ManyToManyRelationship"),
    "IsCustomRelationship": lambda joining: joining.table.entity.custom,
    "IsManaged": lambda joining: not joining.table.entity.custom,
    "Entity1LogicalName": lambda joining: joining.both.entity1,
    "Entity1IntersectAttribute": lambda joining: joining.both.attribute1,
    "Entity1NavigationPropertyName": lambda joining: joining.both.schema_name,
    "Entity2LogicalName": lambda joining: joining.both.entity2,
    "Entity2IntersectAttribute": lambda joining: joining.both.attribute2,
    "Entity2NavigationPropertyName": lambda joining: joining.both.schema_name,
    "IntersectEntityName": lambda joining: joining.table.name,
}
KEY: Mapping[str, Callable[[Any], JSON]] = {
    "MetadataId": lambda pair: _key_id(*pair),
    **_always(HasChanged=None),
    "SchemaName": lambda pair: pair[1].schema_name,
    "LogicalName": lambda pair: pair[1].name,
    "EntityLogicalName": lambda pair: pair[0].name,
    "KeyAttributes": lambda pair: list(pair[1].attributes),
    **_always(EntityKeyIndexStatus="Active"),
    "DisplayName": lambda pair: label({BASE_LANGUAGE: pair[1].display_name}, _key_id(*pair), "DisplayName"),
    **_always(AsyncJob=None, IsManaged=False, IsSynchronous=True),
    **_changeable(IsCustomizable="iscustomizable"),
    **_always(IntroducedVersion="1.0.0.0"),
}


def _key_id(table: Table, key: Key) -> str:
    return metadata_ids.key_id(table.name, key.name)


# --- things of the metadata -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Type:
    """A type of metadata: its properties, and what it leads to; ``bases`` are the types that it derives from."""

    name: str
    properties: Mapping[str, Callable[[Any], JSON]]
    leads_to: Mapping[str, Callable[[Any], Item | list[Item] | None]]
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """Something that the metadata tells of: nothing of it is made before it is asked for."""

    type: Type
    subject: Any

    def value(self, name: str) -> JSON:
        """Return a property of its type."""
        return self.type.properties[name](self.subject)

    def led_to(self, name: str) -> Item | list[Item] | None:
        """Return what a navigation property of its type leads to."""
        return self.type.leads_to[name](self.subject)

    def is_a(self, name: str) -> bool:
        """Whether its type is the named one or derives from it."""
        return name == self.type.name or name in self.type.bases

    @property
    def full(self) -> JSON:
        """All of its properties."""
        return {name: made(self.subject) for name, made in self.type.properties.items()}


def entity_item(table: Table) -> Item:
    """Return an EntityMetadata."""
    return Item(ENTITY_TYPE, table)


def attribute_item(column: Column) -> Item:
    """Return the metadata of a column in its own type."""
    return Item(attribute_type(column.kind.metadata), column)


def option_set_item(option_set: OptionSet | None) -> Item | None:
    """Return an OptionSetMetadata, of a boolean a BooleanOptionSetMetadata."""
    if option_set is None:
        return None
    return Item(BOOLEAN_OPTION_SET_TYPE if option_set.kind == "Boolean" else OPTION_SET_TYPE, option_set)


def relation_items(relations: Iterable[Relation]) -> list[Item]:
    """Return 1:N relationships."""
    return [Item(ONE_TO_MANY_TYPE, relation) for relation in relations]


def joining_items(joinings: Iterable[Joining]) -> list[Item]:
    """Return N:N relationships."""
    return [Item(MANY_TO_MANY_TYPE, joining) for joining in joinings]


@cache
def attribute_type(name: str) -> Type:
    """Return the type of the metadata of columns, by its name without ``AttributeMetadata``."""
    options = name in ENUMS or name == "Boolean"
    leads_to = {"OptionSet": _local_options, "GlobalOptionSet": _global_options} if options else {}
    bases = (_ATTRIBUTES, *(("EnumAttributeMetadata",) if name in ENUMS else ()))
    return Type(f"{name}AttributeMetadata", {**ATTRIBUTE, **TYPED[name]}, leads_to, bases if name else ())


def _local_options(column: Column) -> Item | None:
    """Return the values of the column's own choice; those of a global one are in GlobalOptionSet (inferred)."""
    found = column.option_set
    return None if found is None or found.is_global else option_set_item(found)


def _global_options(column: Column) -> Item | None:
    return option_set_item(column.global_option_set)


_ATTRIBUTES = "AttributeMetadata"
OPTION_SET_TYPE = Type("OptionSetMetadata", OPTION_SET, {}, ("OptionSetMetadataBase",))
BOOLEAN_OPTION_SET_TYPE = Type("BooleanOptionSetMetadata", BOOLEAN_OPTION_SET, {}, ("OptionSetMetadataBase",))
ONE_TO_MANY_TYPE = Type("OneToManyRelationshipMetadata", ONE_TO_MANY, {}, ("RelationshipMetadataBase",))
MANY_TO_MANY_TYPE = Type("ManyToManyRelationshipMetadata", MANY_TO_MANY, {}, ("RelationshipMetadataBase",))
KEY_TYPE = Type("EntityKeyMetadata", KEY, {})
ENTITY_TYPE = Type(
    "EntityMetadata",
    ENTITY,
    {
        "Attributes": lambda table: [attribute_item(column) for column in table.columns],
        "ManyToOneRelationships": lambda table: relation_items(table.lookups),
        "OneToManyRelationships": lambda table: relation_items(table.leading_here),
        "ManyToManyRelationships": lambda table: joining_items(table.joined),
        "Keys": lambda table: [Item(KEY_TYPE, pair) for pair in table.keys],
    },
)
BASES: Mapping[str, Type] = {
    "OptionSetMetadataBase": Type("OptionSetMetadataBase", _ANY_OPTION_SET, {}),
    "RelationshipMetadataBase": Type(
        "RelationshipMetadataBase", {name: ONE_TO_MANY[name] for name in ONE_TO_MANY if name in MANY_TO_MANY}, {}
    ),
    "EnumAttributeMetadata": Type(
        "EnumAttributeMetadata",
        {**ATTRIBUTE, **_ENUM},
        {"OptionSet": _local_options, "GlobalOptionSet": _global_options},
        (_ATTRIBUTES,),
    ),
}
"""Types that have no things of their own."""
TYPES: Mapping[str, Type] = {
    each.name: each
    for each in (
        ENTITY_TYPE,
        KEY_TYPE,
        ONE_TO_MANY_TYPE,
        MANY_TO_MANY_TYPE,
        OPTION_SET_TYPE,
        BOOLEAN_OPTION_SET_TYPE,
        *BASES.values(),
        *(attribute_type(kind) for kind in TYPED),
    )
}
"""All types by name."""
