"""Metadata of Dataverse becomes entities; what cannot be exported is left out with a reason."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from tests.dataverse.canned import Canned, table
from tests.organization.samples import EVERY, NOTE
from toolkit.dataverse.metadata import Metadata, changed, metadata
from toolkit.model.entity import AttributeType, Entity, Option, TableType

ID = {"LogicalName": "noteid", "AttributeTypeName": {"Value": "UniqueidentifierType"}}
VERSION = {"LogicalName": "versionnumber", "AttributeTypeName": {"Value": "BigIntType"}}


def read(*attributes: Any, **more: object) -> Metadata:
    """Return the metadata of an organization with one table, which has an id, a version and some attributes."""
    canned = Canned()
    found = table(NOTE, **{"Attributes": [ID, VERSION, *attributes], **more})
    canned.say("RetrieveMetadataChanges", {"ServerVersionStamp": "1", "EntityMetadata": [found]})
    return metadata(canned.client)


def one(kind: str, **more: object) -> Any:
    (entity,) = read({"LogicalName": "cts_one", "AttributeTypeName": {"Value": kind}, **more}).entities.values()
    return entity.attribute("cts_one")


def test_entities_come_back_as_they_were_described() -> None:
    assert metadata(Canned(NOTE, EVERY).client).entities == {"note": NOTE, "cts_every": EVERY}


def test_one_request_asks_for_what_is_needed_past_the_caches() -> None:
    canned = Canned(NOTE)
    metadata(canned.client)
    (asked,) = canned.asked
    wanted = json.loads(unquote(asked).partition("?@p1=")[2])
    assert wanted["Properties"]["AllProperties"] is False
    assert "OptionSet" in wanted["AttributeQuery"]["Properties"]["PropertyNames"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("ImageType", "an image, which is read by another request per row"),
        ("FileType", "a file, which is read by another request per row"),
        ("VirtualType", "virtual: it has no value of its own"),
        ("NewType", "its type NewType is not known"),
    ],
)
def test_columns_without_a_value_of_their_own_are_left_out_with_a_reason(kind: str, why: str) -> None:
    found = read({"LogicalName": "entityimage", "AttributeTypeName": {"Value": kind}})
    assert found.entities["note"].left_out == {"entityimage": why}
    assert [each.name for each in found.entities["note"].attributes] == ["noteid", "versionnumber"]


def test_a_column_that_nobody_may_read_is_left_out() -> None:
    found = read({"LogicalName": "x", "AttributeTypeName": {"Value": "StringType"}, "IsValidForRead": False})
    assert found.entities["note"].left_out == {"x": "the platform lets nobody read it"}


def test_a_name_that_belongs_to_another_column_is_none_of_its_own() -> None:
    found = read({"LogicalName": "xname", "AttributeType": "String", "AttributeOf": "x"}).entities["note"]
    assert (len(found.attributes), found.left_out) == (2, {})


def test_the_type_is_told_by_attribute_type_where_the_name_is_missing() -> None:
    found = read({"LogicalName": "x", "AttributeType": "Memo"}).entities["note"].attribute("x")
    assert found is not None
    assert found.type is AttributeType.MEMO


def test_calculated_and_rollup_columns_are_marked() -> None:
    assert [one("StringType", SourceType=each).calculated for each in (0, 1, 2, None)] == [False, True, True, False]


def test_money_has_four_digits_where_the_currency_decides() -> None:
    assert [one("MoneyType", Precision=2, PrecisionSource=each).precision for each in (0, 1, 2)] == [2, 4, 4]


def test_a_boolean_has_the_labels_of_no_and_yes() -> None:
    def label(text: str) -> object:
        return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}

    both = {"TrueOption": {"Value": 1, "Label": label("Yes")}, "FalseOption": {"Value": 0, "Label": label("No")}}
    options = one("BooleanType", OptionSet=both).options
    assert options == (Option(value=0, labels={1033: "No"}), Option(value=1, labels={1033: "Yes"}))


def test_a_global_choice_is_named() -> None:
    choice = {"IsGlobal": True, "Name": "cts_color", "Options": [{"Value": 1, "Label": {"LocalizedLabels": []}}]}
    assert one("PicklistType", OptionSet=choice).global_choice == "cts_color"


def test_a_required_level_and_a_label_are_read() -> None:
    label = {"UserLocalizedLabel": {"Label": "Eins"}, "LocalizedLabels": [{"Label": "One"}]}
    found = one("StringType", RequiredLevel={"Value": "ApplicationRequired"}, DisplayName=label)
    assert (found.required, found.display_name) == (True, "Eins")


def test_the_primary_id_comes_first() -> None:
    canned = Canned(NOTE.model_copy(update={"attributes": NOTE.attributes[::-1]}))
    assert metadata(canned.client).entities["note"].attributes[0].name == "noteid"


@pytest.mark.parametrize(("said", "kind"), [("Elastic", "Elastic"), ("Virtual", "Virtual"), ("", "Standard")])
def test_the_type_of_a_table_is_told(said: str, kind: str) -> None:
    assert read(TableType=said, Attributes=[ID, VERSION]).entities["note"].table_type is TableType(kind)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"EntitySetName": None}, "set_name: Input should be a valid string"),
        ({"Attributes": [VERSION]}, "its primary id cannot be read"),
        ({"Attributes": [ID]}, "its rows have no version"),
    ],
)
def test_a_table_that_cannot_be_exported_is_left_out_with_a_reason(more: dict[str, object], why: str) -> None:
    found = read(**more)
    assert (found.entities, found.left_out) == ({}, {"note": why})


def test_a_stamp_tells_whether_metadata_changed() -> None:
    canned = Canned(NOTE)
    known = metadata(canned.client)
    assert not changed(canned.client, known)
    canned.define(NOTE, changed=True)
    assert changed(canned.client, known)
    assert "@p2='1!x'" in canned.asked[-1]


def test_a_deleted_table_is_a_change() -> None:
    canned = Canned()
    gone = {"DeletedMetadata": {"Keys": ["Entity"], "Values": [["0"]]}, "EntityMetadata": [], "ServerVersionStamp": ""}
    canned.say("RetrieveMetadataChanges(Query=@p1,Client", gone)
    assert changed(canned.client, Metadata("1", {}, {}))


def test_a_stamp_that_the_service_no_longer_knows_is_a_change() -> None:
    canned = Canned()
    canned.refuse("RetrieveMetadataChanges(Query=@p1,Client", "0x80044352")
    assert changed(canned.client, Metadata("1", {}, {}))


def test_an_n_to_n_table_cannot_be_tracked() -> None:
    found = read(ChangeTrackingEnabled=False, CanChangeTrackingBeEnabled={"Value": False}, IsIntersect=True)
    entity: Entity = found.entities["note"]
    assert (entity.change_tracking, entity.can_track, entity.scanned, entity.intersect) == (False, False, True, True)
