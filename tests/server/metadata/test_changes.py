from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.server.metadata.calls import Api, metadata_api, sample_names, string
from toolkit.organization import metadata

CRM = "Microsoft.Dynamics.CRM"
NOTE = "EntityDefinitions(LogicalName='note')"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with metadata_api(tmp_path) as opened:
        yield opened


def condition(name: str, operator: str, value: object, kind: str = "System.String") -> dict[str, object]:
    return {"PropertyName": name, "ConditionOperator": operator, "Value": {"Type": kind, "Value": value}}


def path(query: object, stamp: str | None = None, filters: str | None = None) -> str:
    aliases = {"@p1": json.dumps(query)}
    aliases |= {} if stamp is None else {"@p2": f"'{stamp}'"}
    aliases |= {} if filters is None else {"@p3": f"{CRM}.DeletedMetadataFilters'{filters}'"}
    names = {"@p1": "Query", "@p2": "ClientVersionStamp", "@p3": "DeletedMetadataFilters"}
    arguments = ",".join(f"{names[alias]}={alias}" for alias in aliases)
    return f"RetrieveMetadataChanges({arguments})?{urlencode(aliases)}"


def wanted(*names: str, **more: object) -> dict[str, object]:
    return {"Properties": {"AllProperties": False, "PropertyNames": names}, **more}


def names(found: Any) -> list[str]:
    return [each["LogicalName"] for each in found["EntityMetadata"]]


def test_typed_attributes_of_every_table_come_in_one_answer(api: Api) -> None:
    attributes = wanted("LogicalName", "AttributeTypeName", "MaxLength", "Targets", "OptionSet")
    found = api.get(path(wanted("EntitySetName", "Attributes", AttributeQuery=attributes)))
    every = next(each for each in found["EntityMetadata"] if each["LogicalName"] == "cts_every")
    assert every["EntitySetName"] == "cts_everies"
    columns = {each["LogicalName"]: each for each in every["Attributes"]}
    assert columns["cts_name"] == {
        "@odata.type": f"#{CRM}.ComplexStringAttributeMetadata",
        "MetadataId": "119b3ff5-2fd4-50c7-a1d0-093261c48a17",
        "HasChanged": None,
        "LogicalName": "cts_name",
        "AttributeTypeName": {"Value": "StringType"},
        "MaxLength": 10,
    }
    assert columns["cts_lookup"]["Targets"] == ["note"]
    assert [each["Value"] for each in columns["cts_choice"]["OptionSet"]["Options"]] == [1, 2]
    assert columns["cts_boolean"]["OptionSet"]["TrueOption"]["Value"] == 1


def test_the_stamp_is_the_last_change_and_the_time(api: Api) -> None:
    found = api.get(path(wanted("LogicalName")))
    assert found["ServerVersionStamp"] == "5!03/01/2026 12:00:00"
    assert found["DeletedMetadata"] is None


def test_all_properties_are_those_of_relationships_and_keys_too(api: Api) -> None:
    query = {
        "Properties": {"AllProperties": True},
        "Criteria": {"Conditions": [condition("LogicalName", "Equals", "log")]},
    }
    (found,) = api.get(path(query))["EntityMetadata"]
    assert (found["TableType"], found["Keys"]) == ("Standard", [])
    assert found["OneToManyRelationships"][0]["SchemaName"] == "log_cts_every_cts_regarding"
    assert found["Attributes"][0]["IsPrimaryId"] is True


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"Conditions": [condition("LogicalName", "In", ["note", "log"])]}, ["log", "note"]),
        (
            {"Conditions": [condition("IsCustomEntity", "Equals", "true", "System.Boolean")]},
            ["cts_every", "cts_noteaccount"],
        ),
        (
            {"Conditions": [condition("CanChangeTrackingBeEnabled", "Equals", "False", "System.Boolean")]},
            ["cts_noteaccount", "log"],
        ),
        (
            {
                "FilterOperator": "Or",
                "Conditions": [condition("LogicalName", "Equals", "note")],
                "Filters": [{"Conditions": [condition("LogicalName", "Equals", "log")]}],
            },
            ["log", "note"],
        ),
        (
            {
                "FilterOperator": "And",
                "Conditions": [
                    {"PropertyName": "LogicalName", "ConditionOperator": "NotIn", "Value": ["note"]},
                    condition("IsCustomEntity", "NotEquals", "true", "System.Boolean"),
                    condition("LogicalName", "GreaterThan", "b"),
                    condition("MaxLength", "LessThan", "1", "System.Int32"),
                ],
            },
            [],
        ),
        ({"FilterOperator": "Or"}, ["account", "cts_every", "cts_noteaccount", "log", "note"]),
    ],
)
def test_entities_are_those_that_meet_the_criteria(api: Api, criteria: object, expected: list[str]) -> None:
    assert sample_names(api.get(path(wanted("LogicalName", Criteria=criteria)))["EntityMetadata"]) == expected


def test_attributes_meet_criteria_of_their_own(api: Api) -> None:
    criteria = {"Conditions": [condition("AttributeTypeName", "Equals", "MoneyType")]}
    found = api.get(path(wanted("Attributes", AttributeQuery=wanted("Precision", Criteria=criteria))))
    held = {each["LogicalName"]: [a["LogicalName"] for a in each["Attributes"]] for each in found["EntityMetadata"]}
    assert held["cts_every"] == ["cts_money"]
    assert held["note"] == []


def test_only_what_changed_since_a_stamp_comes(api: Api) -> None:
    query = wanted("LogicalName", "Attributes", AttributeQuery=wanted("LogicalName"))
    stamp = api.get(path(query))["ServerVersionStamp"]
    assert names(api.get(path(query, stamp))) == []
    api.done("POST", f"{NOTE}/Attributes", string("cts_Code"))
    (found,) = api.get(path(query, stamp))["EntityMetadata"]
    assert (found["LogicalName"], found["HasChanged"]) == ("note", False)
    assert [(each["LogicalName"], each["HasChanged"]) for each in found["Attributes"]] == [("cts_code", True)]


def test_an_entity_that_is_new_comes_whole(api: Api) -> None:
    query = wanted("LogicalName", "Attributes", AttributeQuery=wanted("LogicalName"))
    stamp = api.get(path(query))["ServerVersionStamp"]
    primary = string("cts_Name", IsPrimaryName=True)
    api.done("POST", "EntityDefinitions", {"SchemaName": "cts_Gadget", "Attributes": [primary]})
    (found,) = api.get(path(query, stamp))["EntityMetadata"]
    assert (found["LogicalName"], found["HasChanged"]) == ("cts_gadget", True)
    assert "cts_name" in {each["LogicalName"] for each in found["Attributes"]}


def test_enabled_tracking_is_a_change_of_the_entity_alone(api: Api) -> None:
    query = wanted("ChangeTrackingEnabled", "Attributes", AttributeQuery=wanted("LogicalName"))
    primary = string("cts_Name", IsPrimaryName=True)
    api.done("POST", "EntityDefinitions", {"SchemaName": "cts_Gadget", "Attributes": [primary]})
    stamp = api.get(path(query))["ServerVersionStamp"]
    metadata.track(api.database, "cts_gadget")
    (found,) = api.get(path(query, stamp))["EntityMetadata"]
    assert (found["HasChanged"], found["ChangeTrackingEnabled"], found["Attributes"]) == (True, True, [])


def test_deleted_metadata_is_told_by_kind(api: Api) -> None:
    made = api.done("POST", f"{NOTE}/Attributes", string("cts_Code"))
    stamp = api.get(path(wanted("LogicalName")))["ServerVersionStamp"]
    api.done("DELETE", made)
    assert api.get(path(wanted("LogicalName"), stamp))["DeletedMetadata"]["Count"] == 0
    found = api.get(path(wanted("LogicalName"), stamp, "All"))["DeletedMetadata"]
    gone = made.rpartition("(")[2].rstrip(")")
    assert found == {"IsReadOnly": False, "Count": 1, "Keys": ["Attribute"], "Values": [[gone]]}
    assert api.get(path(wanted("LogicalName"), stamp, "Entity,Relationship,Label"))["DeletedMetadata"]["Count"] == 0


def test_an_attribute_that_is_there_again_is_no_longer_deleted(api: Api) -> None:
    stamp = api.get(path(wanted("LogicalName")))["ServerVersionStamp"]
    api.done("DELETE", api.done("POST", f"{NOTE}/Attributes", string("cts_Code")))
    api.done("POST", f"{NOTE}/Attributes", string("cts_Code"))
    assert api.get(path(wanted("LogicalName"), stamp, "All"))["DeletedMetadata"]["Count"] == 0


def test_a_stamp_is_of_use_for_90_days(api: Api) -> None:
    query = wanted("LogicalName")
    stamp = api.get(path(query))["ServerVersionStamp"]
    api.clock.move(days=90)
    assert names(api.get(path(query, stamp))) == []
    api.clock.move(seconds=1)
    assert api.refused("GET", path(query, stamp)) == (400, "0x80044352")


def test_a_stamp_of_an_organization_that_was_restored_since_is_of_no_use(api: Api) -> None:
    assert api.refused("GET", path(wanted("LogicalName"), "6!03/01/2026 12:00:00")) == (400, "0x80044352")


@pytest.mark.parametrize(
    "call",
    [
        path(wanted("Nothing")),
        path(wanted("LogicalName", Criteria={"Conditions": [condition("Nothing", "Equals", 1)]})),
        path(wanted("LogicalName", Criteria={"Conditions": [condition("LogicalName", "Like", "a")]})),
        path(wanted("LogicalName"), "nothing"),
        path(wanted("LogicalName"), "1!03/01/2026 12:00:00", "Nothing"),
        "RetrieveMetadataChanges(Query=@p1)?@p1={",
    ],
)
def test_a_query_that_nobody_could_answer_is_refused(api: Api, call: str) -> None:
    assert api.refused("GET", call) == (400, "0x80060888")


def test_without_a_query_there_are_names_alone(api: Api) -> None:
    (found, *_) = api.get("RetrieveMetadataChanges()")["EntityMetadata"]
    assert found == {"MetadataId": "976603f7-7727-5c96-85e5-63aafc9fe338", "HasChanged": None, "LogicalName": "account"}
    assert api.get("RetrieveMetadataChanges(Query=null)")["EntityMetadata"][0] == found
