from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.organization.samples import organization
from tests.server.metadata.calls import LINKED, Api, metadata_api, sample_names
from toolkit.server.call import ODataError
from toolkit.server.metadata.paths import item, read

EVERY = "EntityDefinitions(LogicalName='cts_every')"
CRM = "Microsoft.Dynamics.CRM"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with metadata_api(Path(tmp_path_factory.mktemp("metadata"))) as opened:
        yield opened


def test_entities_are_listed_with_what_is_selected_and_their_id(api: Api) -> None:
    found = api.get("EntityDefinitions?$select=LogicalName,EntitySetName&$filter=ChangeTrackingEnabled+eq+true")
    named = {each["LogicalName"]: each for each in found["value"]}
    assert {"account", "cts_every", "note"} <= named.keys()
    assert "log" not in named
    assert named["note"] == {
        "LogicalName": "note",
        "EntitySetName": "notes",
        "MetadataId": "9a3dee81-d8a8-5fd3-89fe-3b046914a300",
    }


def test_an_entity_is_found_by_its_id_and_by_its_names(api: Api) -> None:
    found = api.get(f"{EVERY}?$select=MetadataId")
    assert api.get(f"EntityDefinitions({found['MetadataId']})")["SchemaName"] == "cts_every"
    assert api.get("EntityDefinitions(SchemaName='Note')")["LogicalName"] == "note"


def test_an_entity_says_where_its_rows_are_and_whether_it_can_be_tracked(api: Api) -> None:
    found = api.get("EntityDefinitions(LogicalName='log')")
    assert found["TableType"] == "Standard"
    assert found["PrimaryIdAttribute"] == "noteid"
    assert found["CanChangeTrackingBeEnabled"] == {
        "Value": False,
        "CanBeChanged": False,
        "ManagedPropertyLogicalName": "canchangetrackingbeenabled",
    }


def test_what_is_not_there_is_a_404_of_the_platform(api: Api) -> None:
    assert api.refused("GET", "EntityDefinitions(LogicalName='nothing')") == (404, "0x80040217")
    assert api.refused("GET", f"{EVERY}/Attributes(LogicalName='nothing')") == (404, "0x80040217")
    assert api.refused("GET", f"{EVERY}/Nothing") == (404, "0x80060888")
    assert api.refused("GET", f"{EVERY}/Attributes/{CRM}.Nothing") == (404, "0x80060888")
    assert api.refused("GET", f"{EVERY}/Attributes(LogicalName='cts_name')/{CRM}.MemoAttributeMetadata")[0] == 404


@pytest.mark.parametrize(
    "query",
    [
        "$select=Nothing",
        "$filter=Nothing eq 1",
        "$filter=LogicalName eq",
        "$filter=LogicalName gt 1",
        "$expand=Nothing",
        "$expand=Attributes($select=MaxLength)",
        "$top=1",
        "$expand=Attributes($top=1)",
    ],
)
def test_a_query_that_nobody_could_answer_is_refused(api: Api, query: str) -> None:
    assert api.refused("GET", f"EntityDefinitions?{query}") == (400, "0x80060888")


def test_a_key_that_cannot_be_read_is_refused(api: Api) -> None:
    assert api.refused("GET", "EntityDefinitions(a=b=c)") == (400, "0x80060888")
    assert api.refused("GET", f"{EVERY}/Attributes(a=b=c)") == (400, "0x80060888")
    assert api.refused("GET", f"{EVERY}/Attributes/(a)") == (404, "0x80060888")
    assert api.refused("GET", f"{EVERY}/Attributes(LogicalName='cts_name')/MetadataId") == (404, "0x80060888")


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("LogicalName eq 'note' or LogicalName eq 'log'", ["log", "note"]),
        ("not (IsCustomEntity eq true) and LogicalName ne 'log' and IsManaged eq true", ["account", "note"]),
        ("CanChangeTrackingBeEnabled/Value eq false and IsIntersect eq false", ["log"]),
        ("LogicalName in ('note','log')", ["log", "note"]),
        ("LogicalName ge 'log' and IsManaged", ["log", "note"]),
        ("MetadataId eq 9A3DEE81-d8a8-5fd3-89fe-3b046914a300", ["note"]),
        ("PrimaryImageAttribute gt 'a'", ["account"]),
        ("OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'None'", ["cts_noteaccount"]),
    ],
)
def test_entities_are_filtered_by_their_properties(api: Api, condition: str, names: list[str]) -> None:
    found = api.get(f"EntityDefinitions?$select=LogicalName&$filter={condition}")["value"]
    assert sample_names(found) == names


def test_a_function_in_a_filter_is_not_supported(api: Api) -> None:
    assert api.refused("GET", "EntityDefinitions?$filter=startswith(LogicalName,'a')") == (501, "SRV001")


def test_attributes_come_with_the_type_that_says_what_they_are(api: Api) -> None:
    found = api.get(f"{EVERY}/Attributes?$select=LogicalName,AttributeType,AttributeTypeName")["value"]
    told = {
        each["LogicalName"]: (
            each.get("@odata.type", "").removeprefix(f"#{CRM}."),
            each["AttributeType"],
            each["AttributeTypeName"]["Value"],
        )
        for each in found
    }
    assert told["cts_multi"] == ("MultiSelectPicklistAttributeMetadata", "Virtual", "MultiSelectPicklistType")
    assert told["cts_customer"] == ("LookupAttributeMetadata", "Customer", "CustomerType")
    assert told["ownerid"] == ("LookupAttributeMetadata", "Owner", "OwnerType")
    assert told["cts_everyid"] == ("UniqueIdentifierAttributeMetadata", "Uniqueidentifier", "UniqueidentifierType")
    assert told["cts_bigint"] == ("BigIntAttributeMetadata", "BigInt", "BigIntType")
    assert told["cts_choicename"] == ("", "Virtual", "VirtualType")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("cts_name", "String", {"MaxLength": 10, "DatabaseLength": 20, "FormatName": {"Value": "Text"}}),
        ("cts_memo", "Memo", {"MaxLength": 2000}),
        ("cts_money", "Money", {"Precision": 2, "PrecisionSource": 0}),
        ("cts_decimal", "Decimal", {"Precision": 10}),
        ("cts_day", "DateTime", {"DateTimeBehavior": {"Value": "DateOnly"}, "Format": "DateOnly"}),
        ("cts_wall", "DateTime", {"DateTimeBehavior": {"Value": "TimeZoneIndependent"}, "Format": "DateAndTime"}),
        ("cts_customer", "Lookup", {"Targets": ["account", "contact"]}),
        ("cts_integer", "Integer", {"MinValue": -2147483648, "MaxValue": 2147483647}),
    ],
)
def test_a_cast_gives_the_properties_of_the_type(api: Api, name: str, kind: str, expected: dict[str, object]) -> None:
    found = api.get(f"{EVERY}/Attributes(LogicalName='{name}')/{CRM}.{kind}AttributeMetadata")
    assert {key: found[key] for key in expected} == expected


def test_a_cast_of_the_set_keeps_what_is_of_the_type_and_may_select_its_properties(api: Api) -> None:
    found = api.get(f"{EVERY}/Attributes/{CRM}.LookupAttributeMetadata?$select=LogicalName,Targets")["value"]
    assert {each["LogicalName"]: each["Targets"] for each in found} == {
        "cts_lookup": ["note"],
        "cts_regarding": ["note", "log"],
        "cts_customer": ["account", "contact"],
        "ownerid": ["systemuser", "team"],
    }
    enums = api.get(f"{EVERY}/Attributes/{CRM}.EnumAttributeMetadata?$select=LogicalName")["value"]
    assert [each["LogicalName"] for each in enums] == ["cts_choice", "cts_multi", "statecode", "statuscode"]


def test_options_are_expanded_with_labels_in_the_user_s_language(api: Api) -> None:
    cast = f"{EVERY}/Attributes/{CRM}.PicklistAttributeMetadata"
    (found,) = api.get(f"{cast}?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet")["value"]
    options = found["OptionSet"]["Options"]
    assert [(each["Value"], each["Label"]["UserLocalizedLabel"]["Label"]) for each in options] == [
        (1, "Option 1"),
        (2, "Option 2"),
    ]
    assert found["GlobalOptionSet"] is None


def test_states_and_statuses_say_how_they_belong_together(api: Api) -> None:
    status = api.get(f"{EVERY}/Attributes(LogicalName='statuscode')/{CRM}.StatusAttributeMetadata/OptionSet")
    assert [(each["Value"], each["State"]) for each in status["Options"]] == [(1, 0), (2, 1)]
    state = api.get(f"{EVERY}/Attributes(LogicalName='statecode')/{CRM}.StateAttributeMetadata/OptionSet")
    assert [each["InvariantName"] for each in state["Options"]] == ["Option 0", "Option 1"]


def test_a_boolean_has_a_true_and_a_false_option(api: Api) -> None:
    cast = f"{EVERY}/Attributes/{CRM}.BooleanAttributeMetadata"
    (found,) = api.get(f"{cast}?$expand=OptionSet($select=TrueOption,FalseOption)")["value"]
    assert found["OptionSet"]["TrueOption"]["Label"]["UserLocalizedLabel"]["Label"] == "Yes"
    assert found["OptionSet"]["FalseOption"]["Value"] == 0


def test_a_way_that_leads_to_nothing_is_answered_without_a_body(api: Api) -> None:
    path = f"{EVERY}/Attributes(LogicalName='cts_choice')/{CRM}.PicklistAttributeMetadata/GlobalOptionSet"
    assert api.call("GET", path).status == 204


def test_attributes_are_expanded_with_a_query_of_their_own(api: Api) -> None:
    found = api.get(
        f"{EVERY}?$select=LogicalName&$expand=Attributes($select=LogicalName;$filter=IsPrimaryName eq true)"
    )
    assert [each["LogicalName"] for each in found["Attributes"]] == ["cts_name"]


def test_the_image_of_an_entity_is_a_column_without_values(api: Api) -> None:
    found = api.get("EntityDefinitions(LogicalName='account')/Attributes(LogicalName='entityimage')")
    assert found["@odata.type"] == f"#{CRM}.ImageAttributeMetadata"
    assert (found["AttributeTypeName"]["Value"], found["IsPrimaryImage"]) == ("ImageType", True)


def test_lookups_are_relationships_of_either_side(api: Api) -> None:
    one = api.get(f"{EVERY}/ManyToOneRelationships")["value"]
    led = {each["ReferencingEntityNavigationPropertyName"]: each["ReferencedEntity"] for each in one}
    assert led == {
        "cts_lookup": "note",
        "cts_regarding_note": "note",
        "cts_regarding_log": "log",
        "cts_customer_account": "account",
        "ownerid": "owner",
    }
    many = api.get("EntityDefinitions(LogicalName='log')/OneToManyRelationships")["value"]
    assert [(each["SchemaName"], each["ReferencingAttribute"]) for each in many] == [
        ("log_cts_every_cts_regarding", "cts_regarding")
    ]


def test_an_intersect_entity_is_an_n_to_n_relationship(api: Api) -> None:
    (found,) = api.get("EntityDefinitions(LogicalName='note')/ManyToManyRelationships")["value"]
    assert (found["Entity1LogicalName"], found["Entity1IntersectAttribute"]) == ("note", "noteid")
    assert (found["Entity2LogicalName"], found["Entity2IntersectAttribute"]) == ("account", "accountid")
    assert found["IntersectEntityName"] == "cts_noteaccount"


def test_relationships_are_found_by_their_name_and_by_their_type(api: Api) -> None:
    (found,) = api.get("RelationshipDefinitions?$filter=SchemaName eq 'note_cts_every_cts_lookup'")["value"]
    assert found["@odata.type"] == f"#{CRM}.OneToManyRelationshipMetadata"
    kind = f"{CRM}.RelationshipType'ManyToManyRelationship'"
    both = api.get(f"RelationshipDefinitions?$select=SchemaName&$filter=RelationshipType eq {kind}")["value"]
    assert [each["SchemaName"] for each in both] == ["cts_noteaccount_association"]
    cast = api.get(f"RelationshipDefinitions/{CRM}.ManyToManyRelationshipMetadata?$select=IntersectEntityName")["value"]
    assert [each["IntersectEntityName"] for each in cast] == ["cts_noteaccount"]


def test_the_service_document_names_the_sets(api: Api) -> None:
    found = api.get("")["value"]
    assert {"name": "notes", "kind": "EntitySet", "url": "notes"} in found


def test_an_address_leads_to_one_thing_or_to_a_set(api: Api) -> None:
    options = f"{EVERY}/Attributes(LogicalName='cts_choice')/{CRM}.PicklistAttributeMetadata/OptionSet(a)"
    assert api.refused("GET", options) == (400, "0x80060888")
    with api.database.read() as connection, pytest.raises(ODataError):
        item(read(connection), "EntityDefinitions")


def test_a_column_that_is_no_choice_has_no_options(api: Api) -> None:
    with api.database.read() as connection:
        column = read(connection).tables["note"].column("title")
    assert column is not None
    assert column.option_set is None


def test_an_intersect_entity_of_other_columns_is_no_relationship(tmp_path: Path) -> None:
    odd = LINKED.model_copy(update={"attributes": (*LINKED.attributes[:2], LINKED.attributes[3])})
    with organization(tmp_path, odd) as database, database.read() as connection:
        assert read(connection).joinings == []
