"""What clients send to create and change metadata -> our definitions.

The forms are EntityMetadata, AttributeMetadata and the others, or the Complex ones that CreateEntities takes. What is
left out has Dataverse's default; what we do not keep is passed over, as Dataverse does with what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from toolkit.model.entity import CHOICES, Attribute, AttributeType, Option
from toolkit.model.solution import Localized
from toolkit.organization import metadata
from toolkit.organization.definitions import NO_YES
from toolkit.organization.details import (
    BASE_LANGUAGE,
    AttributeDetail,
    EntityDetail,
    Key,
    OneToMany,
    Unstored,
    UnstoredKind,
)
from toolkit.server.call import BAD_PAYLOAD, ODataError, bad_request, not_supported
from toolkit.server.metadata.forms import JSON, NAMESPACE
from toolkit.server.metadata.view import KINDS

_TYPES: Mapping[str, AttributeType | UnstoredKind] = {
    kind.metadata: each for each, kind in KINDS.items() if kind.metadata and each is not AttributeType.OWNER
} | {"Lookup": AttributeType.LOOKUP}
_NEVER_CREATED = frozenset(
    {AttributeType.STATE, AttributeType.STATUS, AttributeType.OWNER, AttributeType.UNIQUEIDENTIFIER}
)
"""What every entity gets by itself, and no client creates."""
_LENGTHS = {AttributeType.STRING: 100, AttributeType.MEMO: 2000}
"""The lengths that Dataverse gives where a client gives none."""


@dataclass(frozen=True, slots=True)
class NewAttribute:
    """An attribute as a client describes it: one with values, or an image, file or virtual column."""

    stored: Attribute | Unstored
    detail: AttributeDetail
    primary_name: bool


# --- attributes -------------------------------------------------------------------------------------------------------


def attribute(body: JSON, choices: metadata.Choices, choice_ids: Mapping[str, str]) -> NewAttribute:
    """Read the metadata of a new attribute; ``choice_ids`` are the names of global choices by MetadataId.

    Raises ODataError: 400 for what cannot be, 501 for a type that is not supported.
    """
    kind = _kind(body)
    schema_name = required(body, "SchemaName")
    name = str(body.get("LogicalName") or schema_name).lower()
    if isinstance(kind, UnstoredKind):
        column = Unstored(name=name, kind=kind, display_name=text(body.get("DisplayName")), schema_name=schema_name)
        return NewAttribute(column, AttributeDetail(schema_name=schema_name), primary_name=False)
    options, choice = _options(body, kind, choices, choice_ids)
    values = {
        "name": name,
        "type": kind,
        "max_length": _LENGTHS.get(kind),
        "options": options,
        "global_choice": choice,
        "targets": tuple(body.get("Targets") or ()),
        **_changes(body, kind),
    }
    detail = changed_detail(AttributeDetail(schema_name=schema_name), body, replace=True)
    return NewAttribute(_attribute(values), detail, bool(body.get("IsPrimaryName")))


def changed(old: Attribute, body: JSON, choices: metadata.Choices) -> Attribute:
    """Return an attribute with the changes of a body; what that leaves out stays as it is."""
    values = old.model_dump()
    if old.type in {*CHOICES, AttributeType.BOOLEAN} and old.global_choice is None and body.get("OptionSet"):
        values["options"] = _options(body, old.type, choices, {})[0]
    return _attribute({**values, **_changes(body, old.type)})


def changed_detail(old: AttributeDetail, body: JSON, *, replace: bool) -> AttributeDetail:
    """Return what is kept of an attribute with the changes of a body; ``replace``: languages left out are dropped."""
    others = {} if replace else dict(old.labels)
    changes: dict[str, object] = {}
    if "DisplayName" in body:
        given = localized(body["DisplayName"])
        changes["labels"] = {**others, **{code: name for code, name in given.items() if code != BASE_LANGUAGE}}
    if "Description" in body:
        changes["descriptions"] = {**({} if replace else old.descriptions), **localized(body["Description"])}
    if "RequiredLevel" in body:
        changes["recommended"] = inner(body["RequiredLevel"]) == "Recommended"
    if kept := inner(body.get("FormatName")) or body.get("Format"):
        changes["format"] = str(kept)
    changes |= {field: _number(body[name]) for name, field in _BOUNDS.items() if body.get(name) is not None}
    return old.model_copy(update=changes)


_BOUNDS = {"MinValue": "minimum", "MaxValue": "maximum"}


def _kind(body: JSON) -> AttributeType | UnstoredKind:
    name = type_name(body)
    found = name.removeprefix("Complex").removesuffix("AttributeMetadata")
    if not name.endswith("AttributeMetadata") or (found not in _TYPES):
        raise not_supported(f"creation of an attribute of the type {name or 'that is missing in @odata.type'}")
    kind = _TYPES[found]
    if kind is AttributeType.LOOKUP and inner(body.get("AttributeTypeName")) == "CustomerType":
        kind = AttributeType.CUSTOMER
    if kind in _NEVER_CREATED:
        raise bad_request(f"an attribute of the type {found} cannot be created", BAD_PAYLOAD)
    return kind


def _changes(body: JSON, kind: AttributeType) -> dict[str, object]:
    """Return the fields of an attribute that a body gives."""
    changes: dict[str, object] = {}
    if "DisplayName" in body:
        changes["display_name"] = text(body["DisplayName"])
    if "RequiredLevel" in body:
        changes["required"] = inner(body["RequiredLevel"]) in {"ApplicationRequired", "SystemRequired"}
    if kind in _LENGTHS and body.get("MaxLength") is not None:
        changes["max_length"] = body["MaxLength"]
    if kind in {AttributeType.DECIMAL, AttributeType.DOUBLE, AttributeType.MONEY} and body.get("Precision") is not None:
        changes["precision"] = body["Precision"]
    if kind is AttributeType.DATETIME and inner(body.get("DateTimeBehavior")):
        changes["behavior"] = inner(body["DateTimeBehavior"])
    return changes


def _attribute(values: Mapping[str, object]) -> Attribute:
    try:
        return Attribute.model_validate(values)
    except ValidationError as error:
        raise wrong(error) from error


def wrong(error: ValidationError) -> ODataError:
    """Return the refusal of values that a definition cannot have."""
    told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False))
    return bad_request(told, BAD_PAYLOAD)


# --- options ----------------------------------------------------------------------------------------------------------


def _options(
    body: JSON, kind: AttributeType, choices: metadata.Choices, choice_ids: Mapping[str, str]
) -> tuple[tuple[Option, ...], str | None]:
    """Return the values of a choice or a boolean, and the global choice that they come from."""
    if kind not in {*CHOICES, AttributeType.BOOLEAN}:
        return (), None
    option_set = body.get("OptionSet") or {}
    bound = body.get("GlobalOptionSet@odata.bind") or body.get("OptionSet@odata.bind")
    if bound is not None or option_set.get("IsGlobal"):
        name = _choice_name(str(bound), choice_ids) if bound is not None else str(option_set.get("Name", "")).lower()
        if name not in choices:
            raise bad_request(f"there is no global choice {name}", BAD_PAYLOAD)
        return choices[name], name
    found = options(option_set)
    if not found and kind is not AttributeType.BOOLEAN:
        raise bad_request("a choice needs options, or GlobalOptionSet@odata.bind", BAD_PAYLOAD)
    return found or NO_YES, None


def _choice_name(bound: str, choice_ids: Mapping[str, str]) -> str:
    """Return the global choice of ``/GlobalOptionSetDefinitions(<id>)``, by its id or ``Name='...'``."""
    key = bound.partition("(")[2].rstrip(")")
    return choice_ids.get(key.lower()) or key.removeprefix("Name=").strip("'").lower()


def options(option_set: JSON) -> tuple[Option, ...]:
    """Return the options of an option set, of a boolean those of false and true."""
    both = [option_set[name] for name in ("FalseOption", "TrueOption") if option_set.get(name)]
    given = option_set.get("Options") or both
    if missing := [each for each in given if each.get("Value") is None]:
        raise not_supported(f"{len(missing)} options without a Value, for which Dataverse chooses one,")
    values = [each["Value"] for each in given]
    if len(set(values)) < len(values):
        raise bad_request("a value of an option is there twice", BAD_PAYLOAD)
    return tuple(Option(value=o["Value"], labels=localized(o.get("Label")), state=o.get("State")) for o in given)


# --- entities, relationships, keys ------------------------------------------------------------------------------------


def entity_detail(body: JSON, old: EntityDetail, *, replace: bool) -> EntityDetail:
    """Return what is kept of an entity with the changes of a body; ``replace``: languages left out are dropped."""
    changes: dict[str, object] = {}
    for name, field in {"DisplayCollectionName": "collection_names", "Description": "descriptions"}.items():
        if name in body:
            kept: Localized = {} if replace else getattr(old, field)
            changes[field] = {**kept, **localized(body[name])}
    if "DisplayName" in body:
        given = localized(body["DisplayName"])
        others = {} if replace else old.labels
        changes["labels"] = {**others, **{code: name for code, name in given.items() if code != BASE_LANGUAGE}}
    changes |= {field: bool(body[name]) for name, field in _FLAGS.items() if body.get(name) is not None}
    if body.get("OwnershipType") in {"UserOwned", "OrganizationOwned"}:
        changes["ownership"] = body["OwnershipType"]
    return old.model_copy(update=changes)


_FLAGS = {"HasNotes": "has_notes", "HasActivities": "has_activities"}


def key(body: JSON) -> Key:
    """Read a new alternate key."""
    attributes = tuple(name.lower() for name in body["KeyAttributes"])
    if not attributes:
        raise bad_request("a key needs KeyAttributes", BAD_PAYLOAD)
    try:
        return Key(
            schema_name=required(body, "SchemaName"), attributes=attributes, display_name=text(body.get("DisplayName"))
        )
    except ValidationError as error:
        raise wrong(error) from error


def one_to_many(body: JSON, lookup: NewAttribute) -> OneToMany:
    """Read a new 1:N relationship, whose lookup was read already."""
    cascade = {name: str(value) for name, value in (body.get("CascadeConfiguration") or {}).items() if name[:1] != "@"}
    return OneToMany(
        schema_name=required(body, "SchemaName"),
        attribute=lookup.stored.name,
        target=required(body, "ReferencedEntity").lower(),
        cascade=cascade,
    )


# --- parts ------------------------------------------------------------------------------------------------------------


def required(body: JSON, name: str) -> str:
    """Return a text that a body has to have. Raises ODataError (400)."""
    found = body.get(name)
    if not isinstance(found, str) or not found.strip():
        raise bad_request(f"{name} is missing", BAD_PAYLOAD)
    return found.strip()


def type_name(body: JSON) -> str:
    """Return the type that a body says it has, without its namespace; empty where it says none."""
    return str(body.get("@odata.type", "")).lstrip("#").removeprefix(f"{NAMESPACE}.")


def inner(found: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the value of a managed property, or None."""
    return found.get("Value") if isinstance(found, dict) else None


def localized(label: JSON) -> dict[int, str]:
    """Return the texts of a Label by language; a text that is empty in a language is left out."""
    labels: Sequence[JSON] = (label or {}).get("LocalizedLabels") or ()
    user = (label or {}).get("UserLocalizedLabel")
    given = [*labels, *([user] if user and not labels else [])]
    return {int(each["LanguageCode"]): str(each["Label"]) for each in given if each.get("Label")}


def text(label: JSON) -> str:
    """Return a Label's text in the base language, or in the first one that it has."""
    found = localized(label)
    return found.get(BASE_LANGUAGE) or next(iter(found.values()), "")


def _number(found: JSON) -> Decimal:
    try:
        return Decimal(str(found))
    except InvalidOperation as error:
        raise bad_request("MinValue and MaxValue are numbers", BAD_PAYLOAD) from error
