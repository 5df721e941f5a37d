"""The standard entities are what Microsoft's public table reference lists, as far as a machine can tell."""

from collections import Counter
from pathlib import Path

import pytest

from toolkit import documents
from toolkit.model.entity import CHOICES, LOOKUPS, Attribute, AttributeType, DateTimeBehavior, Entity
from toolkit.organization.definition_file import DefinitionFile
from toolkit.organization.definitions import FOLDER

FILES = sorted(FOLDER.glob("*.yaml"))

ATTRIBUTES = {
    "account": 144,
    "accountleads": 9,
    "activityparty": 21,
    "annotation": 26,
    "appaction": 56,
    "businessunit": 74,
    "contact": 189,
    "email": 101,
    "incident": 94,
    "lead": 160,
    "msdyn_knowledgeinteractioninsight": 26,
    "opportunity": 119,
    "phonecall": 48,
    "product": 60,
    "queue": 42,
    "quote": 94,
    "systemuser": 131,
    "task": 47,
    "team": 32,
    "transactioncurrency": 22,
}

OTHER_TABLES = """
activitypointer appmodule appointment asyncoperation bookableresource bookableresourcebooking
bookableresourcebookingheader bookableresourcecategoryassn bookableresourcecharacteristic bookableresourcegroup
bulkoperation calendar campaign campaignactivity campaignresponse canvasapp channelaccessprofile
channelaccessprofilerule channelaccessprofileruleitem chat commitment competitor contract contractdetail convertrule
duplicaterule emailserverprofile entitlement entitlementchannel entitlementtemplate entity equipment externalparty fax
goal incidentresolution invoice kbarticle knowledgearticle knowledgebaserecord letter list mailbox
mobileofflineprofile msdyn_iotalert msdyn_leadkpiitem msdyn_opportunitykpiitem msdyn_predictivescore msdyn_segment
opportunityclose orderclose organization position pricelevel quoteclose recurringappointmentmaster resourcespec
routingrule routingruleitem salesorder service serviceappointment sharepointdocument site sla slakpiinstance
socialactivity socialprofile subject teamtemplate template territory uom uomschedule webresource workflow
"""
"""Tables of the reference that lookups lead to and that an embedded organization does not have."""


def read(path: Path) -> DefinitionFile:
    return documents.as_model(documents.load(path), DefinitionFile)


@pytest.fixture(scope="module")
def files() -> dict[str, DefinitionFile]:
    return {path.stem: read(path) for path in FILES}


@pytest.fixture(scope="module")
def entities(files: dict[str, DefinitionFile]) -> dict[str, Entity]:
    found = (definition for file in files.values() for definition in file.entities)
    return {definition.name: Entity.model_validate(definition.model_dump()) for definition in found}


@pytest.fixture(scope="module")
def attributes(entities: dict[str, Entity]) -> list[tuple[str, Attribute]]:
    return [(f"{entity.name}.{one.name}", one) for entity in entities.values() for one in entity.attributes]


def test_a_file_holds_the_entity_of_its_name(files: dict[str, DefinitionFile]) -> None:
    assert {stem: [entity.name for entity in file.entities] for stem, file in files.items()} == {
        name: [name] for name in ATTRIBUTES
    }


def test_each_entity_has_the_attributes_of_the_reference(entities: dict[str, Entity]) -> None:
    assert {name: len(entity.attributes) for name, entity in entities.items()} == ATTRIBUTES


def test_no_attribute_is_there_twice(entities: dict[str, Entity]) -> None:
    counts = Counter((entity.name, one.name) for entity in entities.values() for one in entity.attributes)
    assert [name for name, count in counts.items() if count > 1] == []


def test_the_primary_id_comes_first(entities: dict[str, Entity]) -> None:
    first = {name: entity.attributes[0] for name, entity in entities.items()}
    assert {name: one.name for name, one in first.items()} == {n: e.primary_id for n, e in entities.items()}
    assert {(one.type, one.required) for one in first.values()} == {(AttributeType.UNIQUEIDENTIFIER, True)}


def test_the_primary_name_is_a_string_attribute(entities: dict[str, Entity]) -> None:
    named = {entity.name: entity.attribute(entity.primary_name or "") for entity in entities.values()}
    assert [name for name, one in named.items() if one is None or one.type is not AttributeType.STRING] == []


def test_set_names_are_those_of_the_web_api(entities: dict[str, Entity]) -> None:
    irregular = {name: entity.set_name for name, entity in entities.items() if entity.set_name != f"{name}s"}
    assert irregular == {
        "accountleads": "accountleadscollection",
        "activityparty": "activityparties",
        "opportunity": "opportunities",
        "transactioncurrency": "transactioncurrencies",
    }


def test_every_type_of_attribute_occurs(attributes: list[tuple[str, Attribute]]) -> None:
    assert {one.type for _, one in attributes} == set(AttributeType)


def test_datetimes_occur_in_all_three_behaviors(entities: dict[str, Entity]) -> None:
    named = {
        ("account", "createdon"),
        ("contact", "birthdate"),
        ("msdyn_knowledgeinteractioninsight", "msdyn_timestamp"),
    }
    found = {name: one.behavior for entity, name in named if (one := entities[entity].attribute(name))}
    assert found == {
        "createdon": DateTimeBehavior.USER_LOCAL,
        "birthdate": DateTimeBehavior.DATE_ONLY,
        "msdyn_timestamp": DateTimeBehavior.TIME_ZONE_INDEPENDENT,
    }


def test_two_entities_have_no_createdon(entities: dict[str, Entity]) -> None:
    assert {name for name, entity in entities.items() if not entity.has_createdon} == {"accountleads", "activityparty"}


def test_every_entity_has_a_row_version_and_all_others_their_dates(entities: dict[str, Entity]) -> None:
    types = {name: {one.name: one.type for one in entity.attributes} for name, entity in entities.items()}
    assert {name for name, by in types.items() if by["versionnumber"] is not AttributeType.BIGINT} == set()
    assert {name for name, by in types.items() if "modifiedon" not in by} == {"accountleads", "activityparty"}


def test_change_tracking_is_off_where_it_can_be_enabled_and_where_it_cannot(entities: dict[str, Entity]) -> None:
    off = {name: entity.can_track for name, entity in entities.items() if not entity.change_tracking}
    assert off == {"accountleads": False, "annotation": True, "queue": True}
    assert [name for name, entity in entities.items() if entity.intersect] == ["accountleads"]


def test_lookups_lead_to_tables_that_exist(
    entities: dict[str, Entity], attributes: list[tuple[str, Attribute]]
) -> None:
    targets = {target for _, one in attributes for target in one.targets}
    assert targets - entities.keys() == set(OTHER_TABLES.split())


def test_lookups_and_only_lookups_have_targets(attributes: list[tuple[str, Attribute]]) -> None:
    assert [name for name, one in attributes if bool(one.targets) is not (one.type in LOOKUPS)] == []
    assert {one.targets for _, one in attributes if one.type is AttributeType.CUSTOMER} == {("account", "contact")}
    assert {one.targets for _, one in attributes if one.type is AttributeType.OWNER} == {("systemuser", "team")}


def test_the_regarding_of_an_activity_leads_to_many_entities(entities: dict[str, Entity]) -> None:
    for activity in ("task", "phonecall", "email"):
        regarding = entities[activity].attribute("regardingobjectid")
        assert regarding is not None
        assert regarding.polymorphic
        assert {"account", "contact", "incident", "lead", "opportunity", "quote"} <= set(regarding.targets)


def test_choices_have_options_of_their_own_or_a_global_choice(
    files: dict[str, DefinitionFile], attributes: list[tuple[str, Attribute]]
) -> None:
    known = {name for file in files.values() for name in file.choices}
    of_choices = [(name, one) for name, one in attributes if one.type in CHOICES]
    assert [name for name, one in of_choices if bool(one.options) is (one.global_choice is not None)] == []
    assert {one.global_choice for _, one in of_choices if one.global_choice} == known


def test_no_option_value_is_there_twice(
    files: dict[str, DefinitionFile], attributes: list[tuple[str, Attribute]]
) -> None:
    lists = [one.options for _, one in attributes]
    lists += [options for file in files.values() for options in file.choices.values()]
    values = [[option.value for option in options] for options in lists]
    assert [each for each in values if len(set(each)) != len(each)] == []


def test_a_global_choice_is_defined_in_one_file(files: dict[str, DefinitionFile]) -> None:
    counts = Counter(name for file in files.values() for name in file.choices)
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_status_belongs_to_a_state_of_its_entity(entities: dict[str, Entity]) -> None:
    for entity in entities.values():
        states = {
            option.value for one in entity.attributes if one.type is AttributeType.STATE for option in one.options
        }
        reasons = [option for one in entity.attributes if one.type is AttributeType.STATUS for option in one.options]
        assert {option.state for option in reasons} == states, entity.name


def test_only_a_status_names_a_state(attributes: list[tuple[str, Attribute]]) -> None:
    named = {one.type for _, one in attributes if any(option.state is not None for option in one.options)}
    assert named == {AttributeType.STATUS}


def test_limits_are_those_of_the_type(attributes: list[tuple[str, Attribute]]) -> None:
    texts = {AttributeType.STRING, AttributeType.MEMO}
    numbers = {AttributeType.DECIMAL, AttributeType.DOUBLE, AttributeType.MONEY}
    assert [name for name, one in attributes if (one.max_length is not None) is not (one.type in texts)] == []
    assert [name for name, one in attributes if (one.precision is not None) is not (one.type in numbers)] == []


def test_every_label_is_english_and_not_empty(attributes: list[tuple[str, Attribute]]) -> None:
    labels = [option.labels for _, one in attributes for option in one.options]
    assert {tuple(each) for each in labels} == {(1033,)}
    assert [each for each in labels if not each[1033].strip()] == []


@pytest.mark.parametrize(
    ("entity", "attribute", "expected"),
    [
        ("account", "name", Attribute(name="name", type=AttributeType.STRING, max_length=160, required=True)),
        ("account", "revenue_base", Attribute(name="revenue_base", type=AttributeType.MONEY, precision=4)),
        ("contact", "address2_name", Attribute(name="address2_name", type=AttributeType.STRING, max_length=100)),
        ("incident", "influencescore", Attribute(name="influencescore", type=AttributeType.DOUBLE, precision=2)),
        ("lead", "need", Attribute(name="need", type=AttributeType.CHOICE, global_choice="need")),
        ("systemuser", "address1_fax", Attribute(name="address1_fax", type=AttributeType.STRING, max_length=64)),
    ],
)
def test_some_attributes_as_the_reference_has_them(
    entities: dict[str, Entity], entity: str, attribute: str, expected: Attribute
) -> None:
    found = entities[entity].attribute(attribute)
    assert found is not None
    assert found.model_copy(update={"display_name": ""}) == expected
