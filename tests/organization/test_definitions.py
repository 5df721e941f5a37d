from __future__ import annotations

from pathlib import Path

import pytest

from tests.organization.samples import NOTE, ORGANIZATION, UNTRACKED, attribute, options, organization
from toolkit.errors import Finding, Invalid, NotFound, Refused
from toolkit.model.entity import AttributeType, Entity
from toolkit.model.solution import Publisher
from toolkit.organization import definitions, metadata, schema
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions

CONTOSO = Publisher(unique_name="contoso", prefix="cts", option_value_prefix=72_700)

GADGETS = """\
choices:
  cts_colour:
    - {value: 727000000, labels: {1033: Red}}
    - {value: 727000001, labels: {1033: Blue}}
entities:
  - name: cts_gadget
    display_name: Gadget
    primary_name: cts_name
    attributes:
      - {name: cts_name, type: string, max_length: 100}
      - {name: cts_colour, type: choice, global_choice: cts_colour}
      - {name: cts_maker, type: lookup, targets: [account]}
      - {name: cts_category, type: lookup, targets: [cts_category]}
  - name: cts_category
    attributes:
      - {name: cts_name, type: string}
"""

ACCOUNT = NOTE.model_copy(update={"name": "account", "set_name": "accounts"})


def custom(folder: Path, text: str, choices: metadata.Choices | None = None) -> Definitions:
    path = folder / "entities.yaml"
    path.write_text(text)
    return definitions.custom([path], [CONTOSO], {"account": ACCOUNT}, choices or {})


def refused(folder: Path, text: str) -> list[Finding]:
    with pytest.raises(Invalid) as failure:
        custom(folder, text)
    return list(failure.value.findings)


def entity(folder: Path, lines: str) -> list[tuple[str, int | None]]:
    text = f"entities:\n  - name: cts_gadget\n    attributes:\n{lines}"
    return [(finding.code, finding.where.line) for finding in refused(folder, text)]


def stored(database: Database, name: str) -> metadata.Stored:
    with database.read() as connection:
        found = metadata.stored(connection, name)
    assert found is not None
    return found


def columns(database: Database, name: str) -> list[str]:
    with database.read() as connection:
        return [row["name"] for row in connection.execute(f"PRAGMA table_info({metadata.table(name)})")]


def test_the_standard_definitions_are_made_from_the_yaml_beside_them() -> None:
    stale = "run: python -m toolkit.organization.definitions"
    assert definitions.STANDARD.read_text(encoding="utf-8") == definitions.render_standard(), stale


def test_the_standard_entities_cover_every_type() -> None:
    entities = definitions.standard().entities
    types = {attribute.type for entity in entities for attribute in entity.attributes}
    assert len(entities) >= 12
    assert types == set(AttributeType)


def test_both_values_of_every_boolean_have_a_label() -> None:
    booleans = {
        attribute.name: [(option.value, option.labels[1033]) for option in attribute.options]
        for entity in definitions.standard().entities
        for attribute in entity.attributes
        if attribute.type is AttributeType.BOOLEAN
    }
    assert booleans["creditonhold"] == [(0, "No"), (1, "Yes")]
    assert booleans["donotemail"] == [(0, "Allow"), (1, "Do Not Allow")]
    assert {tuple(value for value, _ in options) for options in booleans.values()} == {(0, 1)}


def test_wrong_standard_definitions_are_never_rendered(tmp_path: Path) -> None:
    (tmp_path / "note.yaml").write_text("entities: [{name: note, attributes: [{name: a, type: choice}]}]")
    with pytest.raises(Invalid) as failure:
        definitions.render_standard(tmp_path)
    assert failure.value.code == "ORG016"


def test_every_standard_entity_has_its_table(tmp_path: Path) -> None:
    with schema.create(tmp_path / "organization.sqlite", ORGANIZATION) as database:
        definitions.define(database, definitions.standard())
        with database.read() as connection:
            found = metadata.entities(connection)
        assert found == {entity.name: entity for entity in definitions.standard().entities}
        assert "versionnumber" in columns(database, "account")


def test_a_custom_entity_gets_what_dataverse_gives_each(tmp_path: Path) -> None:
    gadget = custom(tmp_path, GADGETS).entities[0]
    assert (gadget.set_name, gadget.primary_id, gadget.custom) == ("cts_gadgets", "cts_gadgetid", True)
    assert [attribute.name for attribute in gadget.attributes] == [
        "cts_gadgetid",
        "cts_name",
        "cts_colour",
        "cts_maker",
        "cts_category",
        "createdon",
        "createdby",
        "modifiedon",
        "modifiedby",
        "ownerid",
        "owningbusinessunit",
        "statecode",
        "statuscode",
        "importsequencenumber",
        "overriddencreatedon",
        "timezoneruleversionnumber",
        "utcconversiontimezonecode",
        "versionnumber",
    ]


def test_a_global_choice_of_the_file_fills_the_options(tmp_path: Path) -> None:
    colour = custom(tmp_path, GADGETS).entities[0].attribute("cts_colour")
    assert colour is not None
    assert [option.value for option in colour.options] == [727_000_000, 727_000_001]


def test_a_global_choice_of_the_organization_fills_the_options(tmp_path: Path) -> None:
    text = "entities: [{name: cts_a, attributes: [{name: cts_size, type: choice, global_choice: cts_size}]}]"
    known = {"cts_size": attribute("cts_size", "choice", options=options(7)).options}
    size = custom(tmp_path, text, known).entities[0].attribute("cts_size")
    assert size is not None
    assert [option.value for option in size.options] == [7]


def test_what_a_file_says_of_a_system_attribute_stands(tmp_path: Path) -> None:
    text = (
        "entities:\n  - name: cts_a\n    attributes:\n"
        "      - {name: cts_aid, type: uniqueidentifier}\n"
        "      - {name: statuscode, type: status, options: [{value: 5, labels: {1033: Open}, state: 0}]}\n"
    )
    (found,) = custom(tmp_path, text).entities
    status = found.attribute("statuscode")
    assert status is not None
    assert [option.value for option in status.options] == [5]
    assert [attribute.name for attribute in found.attributes].count("cts_aid") == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cts_category", "cts_categories"),
        ("cts_day", "cts_days"),
        ("cts_box", "cts_boxes"),
        ("cts_branch", "cts_branches"),
        ("cts_gadget", "cts_gadgets"),
    ],
)
def test_a_set_name_is_the_plural_that_dataverse_makes(name: str, expected: str) -> None:
    assert definitions.plural(name) == expected


def test_names_without_the_prefix_of_a_publisher_are_all_found(tmp_path: Path) -> None:
    text = "choices:\n  colour: []\nentities:\n  - name: gadget\n    attributes:\n      - {name: size, type: integer}\n"
    found = refused(tmp_path, text)
    assert [(finding.code, finding.where.line) for finding in found] == [("ORG010", 2), ("ORG010", 4), ("ORG010", 6)]
    assert found[0].fix == "known: cts_"


def test_an_entity_twice_is_found(tmp_path: Path) -> None:
    one = "  - {name: cts_a, attributes: [{name: cts_name, type: string}]}\n"
    found = refused(tmp_path, "entities:\n" + one + one)
    assert [(finding.code, finding.where.line) for finding in found] == [("ORG011", 3)]


def test_an_attribute_twice_is_found(tmp_path: Path) -> None:
    line = "      - {name: cts_name, type: string}\n"
    assert entity(tmp_path, line + line) == [("ORG012", 5)]


def test_an_unknown_primary_name_is_found(tmp_path: Path) -> None:
    lines = "      - {name: cts_name, type: string}\n    primary_name: cts_nam\n"
    assert entity(tmp_path, lines) == [("ORG013", 5)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{name: cts_a, type: lookup, targets: [acount]}", "ORG014"),
        ("{name: cts_a, type: lookup}", "ORG014"),
        ("{name: cts_a, type: string, targets: [account]}", "ORG014"),
        ("{name: cts_a, type: choice, global_choice: cts_none}", "ORG015"),
        ("{name: cts_a, type: choice}", "ORG016"),
        ("{name: cts_a, type: boolean, options: [{value: 1, labels: {}}]}", "ORG016"),
        ("{name: cts_a, type: choice, options: [{value: 1, labels: {}}, {value: 1, labels: {}}]}", "ORG017"),
        ("{name: statuscode, type: status, options: [{value: 1, labels: {}, state: 7}]}", "ORG018"),
        ("{name: createdon, type: string}", "ORG019"),
        ("{name: createdon, type: datetime, behavior: DateOnly}", "ORG019"),
        ("{name: cts_a, type: strin}", "DOC012"),
        ("{name: cts_a, typ: string, type: string}", "DOC010"),
    ],
)
def test_a_wrong_attribute_is_found_with_its_line(tmp_path: Path, line: str, code: str) -> None:
    assert entity(tmp_path, f"      - {line}\n") == [(code, 4)]


def test_an_unknown_target_names_the_nearest(tmp_path: Path) -> None:
    text = "entities: [{name: cts_a, attributes: [{name: cts_b, type: lookup, targets: [acount]}]}]"
    assert refused(tmp_path, text)[0].fix == "did you mean 'account'?"


def test_a_lookup_without_targets_is_told_the_key_to_give(tmp_path: Path) -> None:
    (finding,) = refused(tmp_path, "entities: [{name: cts_a, attributes: [{name: cts_b, type: lookup}]}]")
    assert finding.where.key == "entities[0].attributes[0].targets"
    assert finding.fix == "name the entities that it leads to, as in `targets: [account]`"


def test_a_customer_is_an_account_or_a_contact(tmp_path: Path) -> None:
    text = "entities: [{name: cts_a, attributes: [{name: cts_b, type: customer}]}]"
    found = custom(tmp_path, text).entities[0].attribute("cts_b")
    assert found is not None
    assert found.targets == ("account", "contact")


BOTH = """choices:
  colour:
    - {value: red, labels: {1033: Red}}
entities:
  - name: cts_gadget
    change_tracking: maybe
    attributes:
      - {name: size, type: decimal, precision: 99}
      - {name: cts_maker, type: lookup, targets: [acount], behavior: Sometimes}
      - {name: cts_kind, type: choic, global_choice: cts_none}
      - {name: cts_kind, typ: string}
      - {type: string}
      - nonsense
      - {name: cts_state, type: choice}
      - {name: cts_size, type: choice, global_choice: colour}
  - attributes: {}
"""


def test_what_is_wrong_in_form_and_what_is_wrong_in_meaning_are_told_together(tmp_path: Path) -> None:
    assert [(found.where.line, found.code) for found in refused(tmp_path, BOTH)] == [
        (2, "ORG010"),
        (3, "DOC012"),
        (6, "DOC012"),
        (8, "DOC012"),
        (8, "ORG010"),
        (9, "DOC012"),
        (9, "ORG014"),
        (10, "DOC012"),
        (11, "DOC011"),
        (11, "DOC010"),
        (11, "ORG012"),
        (12, "DOC011"),
        (13, "DOC012"),
        (14, "ORG016"),
        (16, "DOC011"),
        (16, "DOC012"),
    ]


@pytest.mark.parametrize(
    "text", ["- a\n", "entities: 5\n", "choices: 5\n", "choices:\n  'a b': []\n", "choices:\n  'a b': [{value: x}]\n"]
)
def test_a_file_of_another_form_is_told_its_form_alone(tmp_path: Path, text: str) -> None:
    assert {finding.code[:3] for finding in refused(tmp_path, text)} == {"DOC"}


def test_several_files_are_one_set_and_told_together(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    first.write_text("entities: [{name: cts_a, attributes: [{name: cts_b, type: lookup, targets: [cts_b]}]}]")
    second.write_text("entities: [{name: cts_b, attributes: [{name: cts_name, type: string}]}]")
    found = definitions.custom([first, second], [CONTOSO], {}, {})
    assert [each.name for each in found.entities] == ["cts_a", "cts_b"]
    second.write_text("entities: [{name: cts_b, attributes: [{name: title, type: string}]}]")
    third.write_text("entities: *no")
    with pytest.raises(Invalid) as failure:
        definitions.custom([first, second, third], [CONTOSO], {}, {})
    assert sorted(Path(each.where.path).name for each in failure.value.findings) == ["b.yaml", "c.yaml"]


def test_defining_twice_changes_nothing(tmp_path: Path) -> None:
    with organization(tmp_path, ACCOUNT) as database:
        gadgets = custom(tmp_path, GADGETS)
        definitions.define(database, gadgets)
        definitions.define(database, gadgets)
        assert stored(database, "cts_gadget").schema_version == 0
        with database.read() as connection:
            assert list(metadata.choices(connection)) == ["cts_colour"]


def test_attributes_are_added_and_none_is_lost(tmp_path: Path) -> None:
    size = attribute("cts_size", "customer", targets=["account", "contact"])
    with organization(tmp_path, NOTE) as database:
        definitions.define(database, with_attributes(size))
        definitions.define(database, Definitions(entities=(NOTE,)))
        found = stored(database, "note")
        assert found.definition.attributes == (*NOTE.attributes, size)
        assert found.schema_version == 1
        assert columns(database, "note")[-2:] == ["cts_size", "cts_size_entitytype"]


def test_change_tracking_stays_on_when_a_file_turns_it_off(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database:
        definitions.define(database, Definitions(entities=(NOTE.model_copy(update={"change_tracking": False}),)))
        assert stored(database, "note").definition.change_tracking
        assert stored(database, "note").schema_version == 0


def test_another_type_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    wrong = (attribute("added", "integer"), attribute("title", "memo"))
    with organization(tmp_path, NOTE) as database:
        with pytest.raises(Refused, match="title would change from string to memo") as refusal:
            definitions.define(database, with_attributes(*wrong))
        assert refusal.value.code == "ORG020"
        assert stored(database, "note").definition == NOTE


def test_another_primary_id_is_refused(tmp_path: Path) -> None:
    other = NOTE.model_copy(update={"primary_id": "title"})
    with organization(tmp_path, NOTE) as database, pytest.raises(Refused, match="primary id") as refusal:
        definitions.define(database, Definitions(entities=(other,)))
    assert refusal.value.code == "ORG020"


def test_tracking_is_enabled_for_good(tmp_path: Path) -> None:
    plain = UNTRACKED.model_copy(update={"can_track": True})
    with organization(tmp_path, plain) as database:
        metadata.track(database, "log")
        metadata.track(database, "log")
        assert stored(database, "log").definition.change_tracking
        assert stored(database, "log").schema_version == 0


def test_tracking_is_refused_where_dataverse_has_none(tmp_path: Path) -> None:
    with organization(tmp_path, UNTRACKED) as database, pytest.raises(Refused) as refusal:
        metadata.track(database, "log")
    assert refusal.value.code == "ORG009"


def test_an_unknown_entity_names_the_nearest(tmp_path: Path) -> None:
    with organization(tmp_path, NOTE) as database, pytest.raises(NotFound) as failure:
        metadata.track(database, "nota")
    assert (failure.value.code, failure.value.fix) == ("ORG008", "did you mean 'note'?")


def with_attributes(*more: object) -> Definitions:
    kept = [found for found in NOTE.attributes if found.name not in {getattr(new, "name", "") for new in more}]
    return Definitions(entities=(Entity.model_validate({**dict(NOTE), "attributes": [*kept, *more]}),))
