from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.organization.samples import Clock, numbered
from tests.server.metadata.calls import CTS, LINKED, Api, label, metadata_api, string
from toolkit.model.solution import Package, Solution
from toolkit.model.version import Version
from toolkit.organization import metadata, rows, solutions
from toolkit.organization.solutions import Registered

CRM = "Microsoft.Dynamics.CRM"
NOTE = "EntityDefinitions(LogicalName='note')"
EVERY = "EntityDefinitions(LogicalName='cts_every')"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with metadata_api(tmp_path) as opened:
        yield opened


def gadget(**more: object) -> dict[str, object]:
    """Return the body with which Microsoft's client creates a table."""
    attributes = [
        {
            **string("cts_Name", IsPrimaryName=True, MaxLength=200),
            "@odata.type": f"{CRM}.ComplexStringAttributeMetadata",
        },
        {"@odata.type": f"{CRM}.ComplexDecimalAttributeMetadata", "SchemaName": "cts_Price", "Precision": 3},
    ]
    return {
        "@odata.type": f"{CRM}.ComplexEntityMetadata",
        "SchemaName": "cts_Gadget",
        "DisplayName": label("Gadget"),
        "DisplayCollectionName": label("Gadgets"),
        "OwnershipType": "UserOwned",
        "HasNotes": True,
        "Attributes": attributes,
        **more,
    }


def attribute(api: Api, path: str) -> Any:
    return api.get(path)


def components(api: Api) -> list[tuple[str, str | None, str | None]]:
    with api.database.read() as connection:
        found = solutions.solution(connection, "Mine").components
    return [(each.type, each.schema_name, each.behavior) for each in found]


def schema_version(api: Api, entity: str) -> int:
    with api.database.read() as connection:
        found = metadata.stored(connection, entity)
    assert found is not None
    return found.schema_version


# --- entities


def test_entities_are_created_with_their_attributes_in_a_solution(api: Api) -> None:
    answer = api.call("POST", "CreateEntities?SolutionUniqueName=Mine", {"Entities": [gadget()]})
    (made,) = json.loads(answer.body)["EntityIds"]
    found = api.get(f"EntityDefinitions({made})")
    assert (found["LogicalName"], found["SchemaName"], found["EntitySetName"]) == (
        "cts_gadget",
        "cts_Gadget",
        "cts_gadgets",
    )
    assert (found["PrimaryNameAttribute"], found["PrimaryIdAttribute"]) == ("cts_name", "cts_gadgetid")
    assert found["DisplayCollectionName"]["UserLocalizedLabel"]["Label"] == "Gadgets"
    assert found["HasNotes"] is True
    price = api.get(f"EntityDefinitions({made})/Attributes(LogicalName='cts_price')")
    assert (price["SchemaName"], price["Precision"]) == ("cts_Price", 3)
    assert components(api) == [("1", "cts_gadget", "0")]


def test_what_users_own_has_an_owner_and_what_the_organization_owns_has_none(api: Api) -> None:
    api.done("POST", "EntityDefinitions", gadget())
    api.done("POST", "EntityDefinitions", gadget(SchemaName="cts_Setting", OwnershipType="OrganizationOwned"))
    query = "Attributes?$select=LogicalName&$filter=LogicalName eq 'ownerid'"
    assert len(api.get(f"EntityDefinitions(LogicalName='cts_gadget')/{query}")["value"]) == 1
    assert api.get(f"EntityDefinitions(LogicalName='cts_setting')/{query}")["value"] == []


def test_an_elastic_table_has_a_provider_and_no_change_tracking(api: Api) -> None:
    api.done("POST", "EntityDefinitions", gadget(TableType="Elastic", ChangeTrackingEnabled=True))
    found = api.get("EntityDefinitions(LogicalName='cts_gadget')")
    assert (found["TableType"], found["ChangeTrackingEnabled"]) == ("Elastic", False)
    assert found["DataProviderId"] == "1d9bde74-9ebd-4da9-8ff5-aa74945b9f74"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"SchemaName": "xyz_Gadget"}, (400, "ORG010")),
        ({"SchemaName": "cts_every"}, (400, "ORG060")),
        ({"SchemaName": ""}, (400, "0x80048d19")),
        ({"SchemaName": "cts_a b"}, (400, "0x80048d19")),
        ({"Attributes": []}, (400, "0x80048d19")),
        ({"TableType": "Nothing"}, (400, "0x80048d19")),
        ({"IsActivity": True}, (501, "SRV001")),
    ],
)
def test_an_entity_that_cannot_be_is_refused_and_nothing_is_created(
    api: Api, change: dict[str, object], expected: tuple[int, str]
) -> None:
    before = len(api.get("EntityDefinitions?$select=LogicalName")["value"])
    entities = [gadget(SchemaName="cts_First"), gadget(**change)]
    assert api.refused("POST", "CreateEntities", {"Entities": entities}) == expected
    assert len(api.get("EntityDefinitions?$select=LogicalName")["value"]) == before


def test_entities_are_not_created_without_any_or_in_an_unknown_solution(api: Api) -> None:
    assert api.refused("POST", "CreateEntities", {}) == (400, "0x80048d19")
    assert api.refused("POST", "CreateEntities", {"Entities": []}) == (400, "0x80048d19")
    assert api.refused("POST", "CreateEntities?SolutionUniqueName=No", {"Entities": [gadget()]}) == (404, "ORG050")


def test_an_entity_gets_other_names_and_keeps_languages_that_are_merged(api: Api) -> None:
    api.done("PUT", EVERY, {"DisplayName": label("Alles", 1031)}, mscrm_mergelabels="true")
    api.done(
        "PATCH", EVERY, {"DisplayName": label("Everything"), "Description": label("All")}, mscrm_mergelabels="true"
    )
    found = api.get(EVERY)
    assert [each["Label"] for each in found["DisplayName"]["LocalizedLabels"]] == ["Alles", "Everything"]
    assert found["Description"]["UserLocalizedLabel"]["Label"] == "All"
    api.done("PUT", EVERY, {"DisplayName": label("Everything")})
    assert [each["LanguageCode"] for each in api.get(EVERY)["DisplayName"]["LocalizedLabels"]] == [1033]


def test_change_tracking_is_enabled_for_good_where_it_can_be(api: Api) -> None:
    api.done("POST", "EntityDefinitions", gadget())
    entity = "EntityDefinitions(LogicalName='cts_gadget')"
    assert api.get(entity)["ChangeTrackingEnabled"] is False
    api.done("PUT", entity, {"ChangeTrackingEnabled": True})
    assert api.get(entity)["ChangeTrackingEnabled"] is True
    assert api.refused("PUT", entity, {"ChangeTrackingEnabled": False}) == (400, "ORG065")
    assert api.refused("PUT", "EntityDefinitions(LogicalName='log')", {"ChangeTrackingEnabled": True}) == (
        400,
        "ORG009",
    )


def test_a_custom_entity_is_deleted_out_of_its_solutions_too(api: Api) -> None:
    api.done("POST", "CreateEntities?SolutionUniqueName=Mine", {"Entities": [gadget()]})
    api.done("DELETE", "EntityDefinitions(LogicalName='cts_gadget')")
    assert api.refused("GET", "EntityDefinitions(LogicalName='cts_gadget')")[0] == 404
    assert components(api) == []


def test_an_entity_of_the_platform_or_one_that_is_needed_stays(api: Api) -> None:
    assert api.refused("DELETE", NOTE) == (400, "ORG061")
    api.done("POST", "EntityDefinitions", gadget())
    api.done("POST", "RelationshipDefinitions", one_to_many("cts_gadget"))
    assert api.refused("DELETE", "EntityDefinitions(LogicalName='cts_gadget')") == (400, "0x8004f01f")


# --- attributes


def test_an_attribute_is_created_and_cursors_of_its_entity_expire(api: Api) -> None:
    before = schema_version(api, "note")
    made = api.done("POST", f"{NOTE}/Attributes", string("cts_Code"), mscrm_solutionuniquename="Mine")
    found = api.get(made)
    assert (found["LogicalName"], found["MaxLength"], found["IsCustomAttribute"]) == ("cts_code", 100, True)
    assert schema_version(api, "note") > before
    api.done("POST", f"{NOTE}/Attributes", string("cts_Second"), mscrm_solutionuniquename="Mine")
    assert components(api) == [("1", "note", "1")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"@odata.type": f"{CRM}.MemoAttributeMetadata"}, {"MaxLength": 2000}),
        (
            {"@odata.type": f"#{CRM}.DateTimeAttributeMetadata", "DateTimeBehavior": {"Value": "DateOnly"}},
            {"DateTimeBehavior": {"Value": "DateOnly"}},
        ),
        (
            {"@odata.type": f"{CRM}.IntegerAttributeMetadata", "MinValue": 1, "MaxValue": 5, "Format": "None"},
            {"MinValue": 1, "MaxValue": 5},
        ),
        (
            {"@odata.type": f"{CRM}.DoubleAttributeMetadata", "RequiredLevel": {"Value": "Recommended"}},
            {"AttributeType": "Double"},
        ),
        (
            {
                "@odata.type": f"{CRM}.LookupAttributeMetadata",
                "AttributeTypeName": {"Value": "CustomerType"},
                "Targets": ["account"],
            },
            {"AttributeType": "Customer", "Targets": ["account"]},
        ),
        ({"@odata.type": f"{CRM}.ImageAttributeMetadata"}, {"AttributeType": "Virtual", "IsPrimaryImage": False}),
        ({"@odata.type": f"{CRM}.FileAttributeMetadata"}, {"AttributeTypeName": {"Value": "FileType"}}),
    ],
)
def test_attributes_of_every_kind_are_created(api: Api, body: dict[str, object], expected: dict[str, object]) -> None:
    found = api.get(api.done("POST", f"{NOTE}/Attributes", {"SchemaName": "cts_New", **body}))
    assert {name: found[name] for name in expected} == expected


def test_a_choice_has_its_own_options_or_those_of_a_global_one(api: Api) -> None:
    made = api.done(
        "POST", "GlobalOptionSetDefinitions", {"Name": "cts_Colour", "Options": [{"Value": 1, "Label": label("Red")}]}
    )
    kind = f"{CRM}.PicklistAttributeMetadata"
    bound = {"@odata.type": kind, "SchemaName": "cts_Shade", "GlobalOptionSet@odata.bind": f"/{made}"}
    api.done("POST", f"{NOTE}/Attributes", bound)
    own = {"@odata.type": kind, "SchemaName": "cts_Size", "OptionSet": {"Options": [{"Value": 7, "Label": label("L")}]}}
    api.done("POST", f"{NOTE}/Attributes", own)
    query = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Name)"
    found = api.get(f"{NOTE}/Attributes/{kind}?{query}")["value"]
    assert [each["GlobalOptionSet"] and each["GlobalOptionSet"]["Name"] for each in found] == ["cts_colour", None]
    assert found[0]["OptionSet"] is None
    assert found[1]["OptionSet"]["Options"][0]["Value"] == 7


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (string("xyz_Code"), (400, "ORG010")),
        (string("Title", LogicalName="title"), (400, "ORG010")),
        ({"SchemaName": "cts_Code"}, (501, "SRV001")),
        ({"@odata.type": f"{CRM}.StateAttributeMetadata", "SchemaName": "cts_State"}, (400, "0x80048d19")),
        ({"@odata.type": f"{CRM}.LookupAttributeMetadata", "SchemaName": "cts_A"}, (400, "0x80048d19")),
        ({"@odata.type": f"{CRM}.PicklistAttributeMetadata", "SchemaName": "cts_A"}, (400, "0x80048d19")),
        (
            {
                "@odata.type": f"{CRM}.PicklistAttributeMetadata",
                "SchemaName": "cts_A",
                "OptionSet": {"Options": [{"Label": label("A")}]},
            },
            (501, "SRV001"),
        ),
        (
            {
                "@odata.type": f"{CRM}.PicklistAttributeMetadata",
                "SchemaName": "cts_A",
                "OptionSet": {"Options": [{"Value": 1}, {"Value": 1}]},
            },
            (400, "0x80048d19"),
        ),
        (
            {
                "@odata.type": f"{CRM}.PicklistAttributeMetadata",
                "SchemaName": "cts_A",
                "OptionSet": {"Options": [{"Value": "a"}]},
            },
            (400, "0x80048d19"),
        ),
        (
            {
                "@odata.type": f"{CRM}.PicklistAttributeMetadata",
                "SchemaName": "cts_A",
                "OptionSet": {"IsGlobal": True, "Name": "no"},
            },
            (400, "0x80048d19"),
        ),
        (string("cts_Code", MaxLength=0), (400, "0x80048d19")),
        (
            {"@odata.type": f"{CRM}.IntegerAttributeMetadata", "SchemaName": "cts_A", "MinValue": "a"},
            (400, "0x80048d19"),
        ),
        (
            {
                "@odata.type": f"{CRM}.LookupAttributeMetadata",
                "AttributeTypeName": {"Value": "CustomerType"},
                "SchemaName": "cts_A",
                "Targets": ["no"],
            },
            (404, "ORG008"),
        ),
    ],
)
def test_an_attribute_that_cannot_be_is_refused(api: Api, body: dict[str, object], expected: tuple[int, str]) -> None:
    assert api.refused("POST", f"{NOTE}/Attributes", body) == expected


def test_an_attribute_of_that_name_is_there_already(api: Api) -> None:
    api.done("POST", f"{NOTE}/Attributes", string("cts_Code"))
    file = {"@odata.type": f"{CRM}.FileAttributeMetadata", "SchemaName": "cts_Doc"}
    api.done("POST", f"{NOTE}/Attributes", file)
    assert api.refused("POST", f"{NOTE}/Attributes", string("cts_code")) == (400, "0x80047013")
    assert api.refused("POST", f"{NOTE}/Attributes", file) == (400, "0x80047013")


def test_an_attribute_is_put_back_whole_with_other_values(api: Api) -> None:
    path = f"{EVERY}/Attributes(LogicalName='cts_name')"
    whole = api.get(f"{path}/{CRM}.StringAttributeMetadata")
    before = schema_version(api, "cts_every")
    changed = {
        **whole,
        "MaxLength": 50,
        "RequiredLevel": {"Value": "ApplicationRequired"},
        "FormatName": {"Value": "Email"},
    }
    api.done("PUT", f"EntityDefinitions(LogicalName='cts_every')/Attributes({whole['MetadataId']})", changed)
    found = api.get(path)
    assert (found["MaxLength"], found["RequiredLevel"]["Value"], found["FormatName"]["Value"]) == (
        50,
        "ApplicationRequired",
        "Email",
    )
    assert schema_version(api, "cts_every") > before


def test_the_options_of_a_choice_are_changed_and_its_text_is_not_lost(api: Api) -> None:
    path = f"{EVERY}/Attributes(LogicalName='cts_choice')/{CRM}.PicklistAttributeMetadata"
    api.done("PUT", path, {"OptionSet": {"Options": [{"Value": 9, "Label": label("Nine")}]}})
    assert [each["Value"] for each in api.get(f"{path}/OptionSet")["Options"]] == [9]


def test_values_that_would_no_longer_fit_are_refused(api: Api) -> None:
    assert api.refused("PUT", f"{EVERY}/Attributes(LogicalName='cts_decimal')", {"Precision": 2}) == (400, "ORG062")
    behavior = {"DateTimeBehavior": {"Value": "DateOnly"}}
    assert api.refused("PUT", f"{EVERY}/Attributes(LogicalName='cts_instant')", behavior) == (400, "ORG020")
    assert api.refused("PUT", f"{EVERY}/Attributes(LogicalName='cts_choicename')", {}) == (501, "SRV001")
    assert api.refused("PUT", f"{EVERY}/Attributes", {}) == (501, "SRV001")


def test_a_custom_attribute_is_deleted_with_its_values(api: Api) -> None:
    api.done("POST", f"{NOTE}/Attributes", string("cts_Code"))
    rows.insert(api.database, "note", [{"noteid": numbered(1), "cts_code": "a"}], Clock())
    before = schema_version(api, "note")
    api.done("DELETE", f"{NOTE}/Attributes(LogicalName='cts_code')")
    assert "cts_code" not in (rows.read(api.database, "note", numbered(1)) or {"cts_code": None})
    assert schema_version(api, "note") > before


def test_a_file_column_is_deleted_too(api: Api) -> None:
    file = {"@odata.type": f"{CRM}.FileAttributeMetadata", "SchemaName": "cts_Doc"}
    made = api.done("POST", f"{NOTE}/Attributes", file)
    api.done("DELETE", made)
    assert api.refused("GET", made)[0] == 404


def test_an_attribute_that_the_platform_needs_stays(api: Api) -> None:
    assert api.refused("DELETE", f"{NOTE}/Attributes(LogicalName='title')") == (400, "ORG061")
    assert api.refused("DELETE", f"{EVERY}/Attributes(LogicalName='cts_everyid')") == (400, "ORG061")


# --- keys


def test_a_key_makes_values_unique_until_it_is_deleted(api: Api) -> None:
    made = api.done(
        "POST", f"{EVERY}/Keys", {"SchemaName": "cts_Code", "KeyAttributes": ["cts_name"], "DisplayName": label("Code")}
    )
    (found,) = api.get(f"{EVERY}/Keys")["value"]
    assert (found["LogicalName"], found["KeyAttributes"], found["EntityKeyIndexStatus"]) == (
        "cts_code",
        ["cts_name"],
        "Active",
    )
    for number, name in enumerate(["a", None, None]):
        api.done("POST", "cts_everies", {"cts_everyid": numbered(number), "cts_name": name})
    assert api.refused("POST", "cts_everies", {"cts_everyid": numbered(9), "cts_name": "a"}) == (412, "0x80060892")
    assert api.refused("DELETE", f"{EVERY}/Attributes(LogicalName='cts_name')") == (400, "ORG061")
    assert api.refused("POST", f"{EVERY}/Keys", {"SchemaName": "cts_Code", "KeyAttributes": ["cts_name"]}) == (
        400,
        "ORG060",
    )
    api.done("DELETE", made)
    assert api.get(f"{EVERY}/Keys")["value"] == []


def test_a_key_keeps_its_attributes(api: Api) -> None:
    api.done("POST", f"{EVERY}/Keys", {"SchemaName": "cts_Code", "KeyAttributes": ["cts_integer"]})
    assert api.refused("DELETE", f"{EVERY}/Attributes(LogicalName='cts_integer')") == (400, "0x8004f01f")


def test_a_key_over_values_that_are_there_twice_is_refused(api: Api) -> None:
    same = [{"noteid": numbered(1), "title": "a"}, {"noteid": numbered(2), "title": "a"}]
    rows.insert(api.database, "note", same, Clock())
    key = {"SchemaName": "cts_Title", "KeyAttributes": ["title"]}
    assert api.refused("POST", f"{NOTE}/Keys", key) == (400, "ORG063")


def test_a_key_that_cannot_be_is_refused(api: Api) -> None:
    assert api.refused("POST", f"{NOTE}/Keys", {"SchemaName": "cts_A", "KeyAttributes": ["no"]}) == (404, "ORG064")
    assert api.refused("POST", f"{NOTE}/Keys", {"SchemaName": "cts_A", "KeyAttributes": ["a b"]}) == (400, "0x80048d19")
    assert api.refused("POST", f"{NOTE}/Keys", {"SchemaName": "cts_A"}) == (400, "0x80048d19")


# --- relationships


def one_to_many(target: str = "note") -> dict[str, object]:
    return {
        "@odata.type": f"{CRM}.OneToManyRelationshipMetadata",
        "SchemaName": "cts_target_every",
        "ReferencedEntity": target,
        "ReferencingEntity": "cts_every",
        "CascadeConfiguration": {"Delete": "Cascade"},
        "Lookup": {
            "@odata.type": f"{CRM}.LookupAttributeMetadata",
            "SchemaName": "cts_TargetId",
            "DisplayName": label("Target"),
        },
    }


def many_to_many(second: str = "note") -> dict[str, object]:
    return {
        "@odata.type": f"{CRM}.ManyToManyRelationshipMetadata",
        "SchemaName": "cts_every_note",
        "Entity1LogicalName": "cts_every",
        "Entity2LogicalName": second,
        "IntersectEntityName": "cts_EveryNote",
    }


def test_a_relationship_makes_the_lookup_that_it_needs(api: Api) -> None:
    made = api.done("POST", "RelationshipDefinitions", one_to_many(), mscrm_solutionuniquename="Mine")
    found = api.get(made)
    assert found["ReferencingEntityNavigationPropertyName"] == "cts_TargetId"
    assert found["CascadeConfiguration"]["Delete"] == "Cascade"
    lookup = api.get(f"{EVERY}/Attributes(LogicalName='cts_targetid')")
    assert (lookup["SchemaName"], lookup["Targets"]) == ("cts_TargetId", ["note"])
    assert components(api) == [("1", "cts_every", "1"), ("10", "cts_target_every", "0")]
    api.done("DELETE", made)
    assert api.refused("GET", f"{EVERY}/Attributes(LogicalName='cts_targetid')")[0] == 404
    assert components(api) == [("1", "cts_every", "1")]


def test_an_n_to_n_relationship_makes_its_intersect_entity(api: Api) -> None:
    made = api.done("POST", "RelationshipDefinitions", many_to_many())
    found = api.get("EntityDefinitions(LogicalName='cts_everynote')")
    assert (found["IsIntersect"], found["SchemaName"], found["ChangeTrackingEnabled"]) == (True, "cts_EveryNote", False)
    assert (api.get(made)["Entity1IntersectAttribute"], api.get(made)["Entity2IntersectAttribute"]) == (
        "cts_everyid",
        "noteid",
    )
    assert api.refused("DELETE", EVERY) == (400, "0x8004f01f")
    api.done("DELETE", made)
    assert api.refused("GET", "EntityDefinitions(LogicalName='cts_everynote')")[0] == 404


def test_an_entity_is_joined_with_itself_by_two_columns(api: Api) -> None:
    made = api.done("POST", "RelationshipDefinitions", many_to_many("cts_every"))
    assert api.get(made)["Entity2IntersectAttribute"] == "cts_everyidtwo"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**one_to_many("no")}, (404, "ORG008")),
        ({**one_to_many(), "ReferencingEntity": "no"}, (404, "ORG008")),
        ({**one_to_many(), "SchemaName": "xyz_a"}, (400, "ORG010")),
        (
            {**one_to_many(), "Lookup": {"@odata.type": f"{CRM}.FileAttributeMetadata", "SchemaName": "cts_A"}},
            (400, "0x80048d19"),
        ),
        ({**many_to_many(), "Entity2LogicalName": "no"}, (404, "ORG008")),
        ({**many_to_many(), "IntersectEntityName": "cts_a b"}, (400, "0x80048d19")),
        ({"@odata.type": "Nothing"}, (400, "0x80048d19")),
    ],
)
def test_a_relationship_that_cannot_be_is_refused(api: Api, body: dict[str, object], expected: tuple[int, str]) -> None:
    assert api.refused("POST", "RelationshipDefinitions", body) == expected


def test_a_relationship_of_that_name_is_there_already(api: Api) -> None:
    api.done("POST", "RelationshipDefinitions", one_to_many())
    assert api.refused("POST", "RelationshipDefinitions", {**many_to_many(), "SchemaName": "cts_Target_Every"}) == (
        400,
        "ORG060",
    )


def test_a_relationship_of_the_platform_stays(api: Api) -> None:
    (found,) = api.get("RelationshipDefinitions?$filter=SchemaName eq 'owner_cts_every_ownerid'")["value"]
    assert api.refused("DELETE", f"RelationshipDefinitions({found['MetadataId']})") == (400, "ORG061")


def test_a_change_of_a_relationship_is_not_supported(api: Api) -> None:
    made = api.done("POST", "RelationshipDefinitions", one_to_many())
    assert api.refused("PUT", made, {}) == (501, "SRV001")


def test_an_n_to_n_relationship_of_the_platform_stays(api: Api) -> None:
    with api.database.write() as connection:
        metadata.put(connection, LINKED.model_copy(update={"name": "noteaccount", "custom": False}))
    named = "RelationshipDefinitions(SchemaName='noteaccount_association')"
    assert api.refused("DELETE", named) == (400, "ORG061")


# --- global choices


COLOURS = {"Name": "cts_Colour", "DisplayName": label("Colour"), "Options": [{"Value": 1, "Label": label("Red")}]}


def test_a_global_choice_changes_the_attributes_that_use_it(api: Api) -> None:
    made = api.done("POST", "GlobalOptionSetDefinitions", COLOURS, mscrm_solutionuniquename="Mine")
    assert components(api) == [("9", "cts_colour", "0")]
    shade = {"@odata.type": f"{CRM}.PicklistAttributeMetadata", "SchemaName": "cts_Shade"}
    api.done("POST", f"{NOTE}/Attributes", {**shade, "OptionSet": {"IsGlobal": True, "Name": "cts_Colour"}})
    more = [{"Value": 1, "Label": label("Red")}, {"Value": 2, "Label": label("Blue")}]
    api.done("PUT", made, {"Options": more})
    found = api.get("GlobalOptionSetDefinitions(Name='cts_colour')")
    assert found["DisplayName"]["UserLocalizedLabel"]["Label"] == "Colour"
    with api.database.read() as connection:
        used = metadata.definition(connection, "note").attribute("cts_shade")
    assert used is not None
    assert [option.value for option in used.options] == [1, 2]
    assert api.refused("DELETE", made) == (400, "0x8004f01f")


def test_a_global_choice_that_nothing_uses_is_deleted(api: Api) -> None:
    made = api.done("POST", "GlobalOptionSetDefinitions", COLOURS)
    api.done("DELETE", made)
    assert api.get("GlobalOptionSetDefinitions")["value"] == []


def test_a_global_choice_that_cannot_be_is_refused(api: Api) -> None:
    api.done("POST", "GlobalOptionSetDefinitions", COLOURS)
    assert api.refused("POST", "GlobalOptionSetDefinitions", COLOURS) == (400, "0x80048d19")
    assert api.refused("POST", "GlobalOptionSetDefinitions", {"Name": "xyz_a"}) == (400, "ORG010")
    assert api.refused("POST", "GlobalOptionSetDefinitions", {"Name": "cts_a", "IsGlobal": False}) == (
        400,
        "0x80048d19",
    )
    assert api.refused("DELETE", "GlobalOptionSetDefinitions(Name='no')") == (404, "0x80040217")


# --- solutions


def test_nothing_joins_a_managed_solution(api: Api) -> None:
    with api.database.write() as connection:
        solution = Solution(unique_name="Theirs", version=Version("1.0"), publisher=CTS, package=Package.MANAGED)
        solutions.put(connection, Registered(solution=solution))
    answer = api.call("POST", f"{NOTE}/Attributes", string("cts_Code"), mscrm_solutionuniquename="Theirs")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "0x8004f012")
    assert api.refused("GET", f"{NOTE}/Attributes(LogicalName='cts_code')")[0] == 404
