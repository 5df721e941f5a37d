"""The metadata files beside the rows: what they say, when they are written, and that public readers can read them."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from tests.engine.world import ORGANIZATION, TEAM, Clock, World, attribute, link, linked_entity
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.journal import read_journal
from toolkit.engine.metadata import TABLES, described_in, description, made_of
from toolkit.errors import Retriable
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.entity import Attribute, AttributeType, Entity, Option
from toolkit.source.protocol import Source
from toolkit.source.scripted import ScriptedSource

NO_YES = (Option(value=0, labels={1033: "No"}), Option(value=1, labels={1033: "Yes"}))
SIZES = (
    Option(value=1, labels={1036: 'dit "petit", vraiment', 1033: "Small"}),
    Option(value=2, labels={1033: "Large\r\nor larger"}),
)
CHANNELS = (Option(value=7, labels={1033: "Web"}),)
TASK = Entity(
    name="task",
    set_name="tasks",
    primary_id="activityid",
    attributes=(
        attribute("activityid", AttributeType.UNIQUEIDENTIFIER),
        attribute("subject", AttributeType.STRING, max_length=200),
        attribute("size", AttributeType.CHOICE, options=SIZES),
        attribute("channel", AttributeType.CHOICE, options=CHANNELS, global_choice="cts_channel"),
        attribute("billed", AttributeType.BOOLEAN, options=NO_YES),
        attribute("rate", AttributeType.DECIMAL, precision=4),
        attribute("ownerid", AttributeType.OWNER, targets=("systemuser", "teammembership")),
        attribute("statecode", AttributeType.STATE, options=(Option(value=0, labels={1033: "Open"}),)),
        attribute("statuscode", AttributeType.STATUS, options=(Option(value=5, labels={1033: "New"}, state=0),)),
        attribute("createdon", AttributeType.DATETIME),
        attribute("versionnumber", AttributeType.BIGINT),
    ),
)
FOLDER = "Microsoft.Athena.TrickleFeedService"


@pytest.fixture
def tasks() -> World:
    """A task and the N:N table, synced."""
    return new_tasks()


def new_tasks() -> World:
    clock = Clock()
    source = ScriptedSource([TASK, TEAM], clock=clock, organization=ORGANIZATION)
    world = World(source, MemoryLake(clock=clock), clock, link(linked_entity("task"), linked_entity("teammembership")))
    source.insert("task", subject="a")
    world.sync()
    return world


def task(*more: Attribute, without: str = "") -> Entity:
    kept = tuple(each for each in TASK.attributes if each.name != without)
    return TASK.model_copy(update={"attributes": (*kept, *more)})


def said(world: World, entity: str = "task") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.lake.read(f"{FOLDER}/{entity}-EntityMetadata.json"))
    return found


def lines(world: World, name: str) -> list[str]:
    return world.text(f"OptionsetMetadata/{name}.csv").splitlines()


def table(world: World, name: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(world.text(f"OptionsetMetadata/{name}.csv"), newline="")))


def test_options_have_all_their_labels_by_language(tasks: World) -> None:
    assert table(tasks, "OptionsetMetadata") == [
        ["task", "size", "1", "False", "1033", "Small"],
        ["task", "size", "1", "False", "1036", 'dit "petit", vraiment'],
        ["task", "size", "2", "False", "1033", "Large\nor larger"],
        ["task", "billed", "0", "False", "1033", "No"],
        ["task", "billed", "1", "False", "1033", "Yes"],
    ]


def test_duckdb_and_polars_read_labels_with_quotes_and_line_ends(tasks: World, tmp_path: Path) -> None:
    path = tmp_path / "options.csv"
    path.write_bytes(tasks.lake.read("OptionsetMetadata/OptionsetMetadata.csv"))
    names = next(each for each in TABLES if each.file == "OptionsetMetadata").fields
    columns = dict.fromkeys(names, "VARCHAR") | {"Option": "BIGINT", "IsUserLocalizedLabel": "BOOLEAN"}
    relation = duckdb.read_csv(str(path), header=False, columns=columns, auto_detect=False, quotechar='"')
    labels = ["Small", 'dit "petit", vraiment', "Large\nor larger", "No", "Yes"]
    assert [(row[2], row[3], row[5]) for row in relation.fetchall()] == [
        (option, False, label) for option, label in zip([1, 1, 2, 0, 1], labels, strict=True)
    ]
    frame = pl.read_csv(path, has_header=False, schema=dict.fromkeys(names, pl.String))
    assert frame["LocalizedLabel"].to_list() == labels


def test_a_reader_that_splits_lines_at_commas_finds_entity_and_column(tasks: World) -> None:
    split = [line.split(",") for line in lines(tasks, "GlobalOptionsetMetadata")]
    assert [(fields[6], fields[0]) for fields in split] == [("task", "channel")]


def test_global_choices_states_and_reasons_have_tables_of_their_own(tasks: World) -> None:
    assert lines(tasks, "GlobalOptionsetMetadata") == ['channel,7,False,1033,"Web",cts_channel,task']
    assert lines(tasks, "StateMetadata") == ['task,0,False,1033,"Open"']
    assert lines(tasks, "StatusMetadata") == ['task,0,5,False,1033,"New"']


def test_a_lookup_names_every_entity_that_it_may_lead_to_and_its_key_where_that_is_known(tasks: World) -> None:
    assert lines(tasks, "TargetMetadata") == [
        "task,ownerid,systemuser,",
        "task,ownerid,teammembership,teammembershipid",
    ]


def test_an_attribute_is_described_as_dataverse_does(tasks: World) -> None:
    attributes = {each["AttributeName"]: each for each in said(tasks)["AttributeMetadata"]}
    assert attributes["rate"] == {
        "EntityName": "task",
        "AttributeName": "rate",
        "AttributeType": "Decimal",
        "AttributeTypeCode": 3,
        "Version": 1,
        "Timestamp": "2026-03-01T12:00:00Z",
        "MetadataId": "777ce124-e201-58aa-a453-426ec295f48c",
        "Precision": 4,
        "MaxLength": None,
    }
    assert {name: each["AttributeType"] for name, each in attributes.items()} == {
        "activityid": "Uniqueidentifier",
        "subject": "String",
        "size": "Picklist",
        "channel": "Picklist",
        "billed": "Boolean",
        "rate": "Decimal",
        "ownerid": "Owner",
        "ownerid_entitytype": "EntityName",
        "statecode": "State",
        "statuscode": "Status",
        "createdon": "DateTime",
        "versionnumber": "BigInt",
    }


def test_the_rows_of_an_entity_stand_in_its_own_file_too_on_one_line_of_ascii(tasks: World) -> None:
    found = said(tasks)
    assert list(found) == [each.array for each in TABLES]
    assert found["OptionSetMetadata"][0] == {
        "EntityName": "task",
        "OptionSetName": "size",
        "Option": 1,
        "IsUserLocalizedLabel": False,
        "LocalizedLabelLanguageCode": 1033,
        "LocalizedLabel": "Small",
    }
    tasks.source.define(
        task(attribute("mood", AttributeType.CHOICE, options=(Option(value=1, labels={1033: "\u00e9"}),)))
    )
    tasks.sync()
    data = tasks.lake.read(f"{FOLDER}/task-EntityMetadata.json")
    assert (data.isascii(), data.count(b"\n")) == (True, 0)
    assert said(tasks)["OptionSetMetadata"][-1]["LocalizedLabel"] == "\u00e9"


def test_the_manifest_of_an_entity_says_what_the_manifest_of_all_says(tasks: World) -> None:
    own = json.loads(tasks.lake.read(f"{FOLDER}/task-model.json"))
    assert own == {**tasks.manifest(), "entities": [tasks.entity("task")]}


def test_every_column_of_a_polymorphic_lookup_stands_in_all_files(tasks: World) -> None:
    own = json.loads(tasks.lake.read(f"{FOLDER}/task-model.json"))
    assert "ownerid_entitytype" in [each["name"] for each in own["entities"][0]["attributes"]]
    assert "ownerid_entitytype" in tasks.columns("task")
    assert "ownerid_entitytype" in [each["AttributeName"] for each in said(tasks)["AttributeMetadata"]]


def test_metadata_is_there_before_the_manifest_that_needs_it() -> None:
    clock = Clock()
    source = ScriptedSource([TASK], clock=clock, organization=ORGANIZATION)
    lake = MemoryLake(clock=clock)
    World(source, lake, clock, link(linked_entity("task"))).sync()
    written = [call.path for call in lake.calls if call.operation == "put"]
    lists_it = written.index("model.json", written.index("_toolkit/task/checkpoint.json"))
    assert {path for path in written[:lists_it] if path != "model.json" and not path.startswith("_toolkit/")} == {
        f"{FOLDER}/task-EntityMetadata.json",
        f"{FOLDER}/task-model.json",
        *(f"OptionsetMetadata/{each.file}.csv" for each in TABLES if each.file),
    }


def test_a_pass_that_finds_nothing_new_neither_writes_nor_reads_a_file_of_metadata(tasks: World) -> None:
    lake = tasks.reopen()
    tasks.sync()
    told = ("OptionsetMetadata", FOLDER)
    assert [call for call in lake.calls if call.operation == "put"] == []
    assert [call.operation for call in lake.calls if call.path.startswith(told)] == ["list", "list"]


def test_a_new_label_is_written_though_no_row_changed(tasks: World) -> None:
    renamed = attribute("billed", AttributeType.BOOLEAN, options=(Option(value=1, labels={1033: "Paid"}),))
    tasks.source.define(task(renamed, without="billed"))
    tasks.sync()
    assert lines(tasks, "OptionsetMetadata")[-1] == 'task,billed,1,False,1033,"Paid"'


def test_labels_of_a_dropped_column_stay_since_older_rows_have_its_values(tasks: World) -> None:
    before = sorted(table(tasks, "OptionsetMetadata"))
    tasks.source.define(task(without="size"))
    tasks.reopen()
    tasks.sync()
    tasks.reopen()
    tasks.sync()
    assert sorted(table(tasks, "OptionsetMetadata")) == before
    assert [each["AttributeName"] for each in said(tasks)["AttributeMetadata"]].count("size") == 1


def test_a_column_that_is_no_longer_chosen_is_described_as_long_as_readers_have_it(tasks: World) -> None:
    tasks.relink(linked_entity("task", columns=("subject",)), linked_entity("teammembership"))
    tasks.clock.forward(minutes=10)
    tasks.sync()
    assert "size" in tasks.columns("task")
    assert ["task", "size", "1", "False", "1033", "Small"] in table(tasks, "OptionsetMetadata")
    tasks.snapshot()
    tasks.sync()
    assert "size" not in tasks.columns("task")
    assert table(tasks, "OptionsetMetadata") == []


def test_the_version_of_an_attribute_counts_what_became_of_it(tasks: World) -> None:
    tasks.clock.forward(minutes=10)
    tasks.source.define(task(attribute("subject", AttributeType.STRING, max_length=400), without="subject"))
    tasks.sync()
    (subject,) = (each for each in said(tasks)["AttributeMetadata"] if each["AttributeName"] == "subject")
    assert (subject["Version"], subject["Timestamp"], subject["MaxLength"]) == (2, "2026-03-01T12:10:00Z", 400)


def test_what_was_said_of_an_entity_that_the_source_dropped_stays(tasks: World) -> None:
    before = said(tasks)
    tasks.source.drop("task")
    tasks.reopen()
    tasks.sync()
    assert said(tasks) == before
    assert len(table(tasks, "OptionsetMetadata")) == 5


def test_what_was_said_of_an_entity_with_a_damaged_checkpoint_stays(tasks: World) -> None:
    before = tasks.text("OptionsetMetadata/OptionsetMetadata.csv")
    tasks.lake.put("_toolkit/task/checkpoint.json", b"{", "any")
    tasks.source.define(TEAM.model_copy(update={"display_name": "Team"}))
    tasks.reopen()
    tasks.sync()
    assert tasks.text("OptionsetMetadata/OptionsetMetadata.csv") == before


class Silent:
    """A source that cannot give its definitions now."""

    def __init__(self, source: ScriptedSource) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def entities(self) -> Any:
        raise Retriable("SRC009", "busy", after=1)


def test_nothing_is_taken_back_while_the_source_is_silent(tasks: World) -> None:
    before = {path: tasks.lake.read(path) for path in tasks.paths("OptionsetMetadata") + tasks.paths(FOLDER)}
    tasks.reopen()
    silent: Source = Silent(tasks.source)
    tasks.sync(silent)
    assert {path: tasks.lake.read(path) for path in before} == before


def test_an_entity_that_is_no_longer_linked_leaves_the_files(tasks: World) -> None:
    tasks.relink(linked_entity("teammembership"))
    tasks.sync()
    assert lines(tasks, "OptionsetMetadata") == []
    assert tasks.paths(FOLDER) == [
        f"{FOLDER}/teammembership-EntityMetadata.json",
        f"{FOLDER}/teammembership-model.json",
    ]


def test_an_entity_that_is_taken_off_and_added_again_is_described_again(tasks: World) -> None:
    before = said(tasks)["OptionSetMetadata"]
    tasks.relink(linked_entity("teammembership"))
    tasks.sync()
    tasks.relink(linked_entity("task"), linked_entity("teammembership"))
    tasks.sync()
    assert said(tasks)["OptionSetMetadata"] == before


def test_a_file_that_another_program_removed_is_written_again(tasks: World) -> None:
    tasks.lake.delete("OptionsetMetadata/StateMetadata.csv")
    tasks.lake.put(f"{FOLDER}/task-model.json", b"{}", "any")
    tasks.reopen()
    tasks.sync()
    assert lines(tasks, "StateMetadata") == ['task,0,False,1033,"Open"']
    assert json.loads(tasks.lake.read(f"{FOLDER}/task-model.json"))["name"] == "cdm"


def test_what_is_written_is_read_again_as_it_was(tasks: World) -> None:
    data = tasks.lake.read(f"{FOLDER}/task-EntityMetadata.json")
    assert description(described_in(data)) == data


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"AttributeMetadata": [{}]}'])
def test_a_file_that_cannot_be_read_says_nothing(data: bytes) -> None:
    assert not any(described_in(data).values())


def changed_definitions(world: World) -> None:
    """A label, a column and a size change, and an entity leaves."""
    world.clock.forward(minutes=90)
    longer = attribute("subject", AttributeType.STRING, max_length=400)
    mood = attribute("mood", AttributeType.CHOICE, options=CHANNELS)
    kept = tuple(each for each in TASK.attributes if each.name not in {"subject", "size"})
    world.source.define(TASK.model_copy(update={"attributes": (*kept, longer, mood)}))
    world.relink(linked_entity("task"))


def files(world: World) -> dict[str, bytes]:
    state = ["_toolkit/schema-history.json"]
    return {path: world.lake.read(path) for path in [*world.paths(), *state]}


def disturbed(call: int, kind: Kind) -> World | None:
    """The world after a crash in a call of the pass that meets the change; None when it makes fewer calls."""
    world = new_tasks()
    changed_definitions(world)
    world.reopen().fail(call, kind)
    with suppress(Crashed):
        world.sync()
        return None
    world.reopen()
    world.sync()
    return world


@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_metadata_and_history_are_those_of_an_undisturbed_pass_whatever_call_the_engine_dies_in(kind: Kind) -> None:
    undisturbed = new_tasks()
    changed_definitions(undisturbed)
    undisturbed.sync()
    for call in count(1):
        world = disturbed(call, kind)
        if world is None:
            break
        assert files(world) == files(undisturbed), call
    assert call > 10


def test_what_a_file_is_made_of_is_known_by_a_digest_of_definition_columns_and_keys(tasks: World) -> None:
    known = read_journal(tasks.lake).written[f"{FOLDER}/task-EntityMetadata.json"]
    checkpoint, _ = read_checkpoint(tasks.lake, "task")
    assert checkpoint is not None
    keys = {"teammembership": "teammembershipid"}
    assert known.made_of == made_of(checkpoint, TASK, keys)
    assert known.made_of != made_of(checkpoint, TASK, {})
    assert known.made_of != made_of(checkpoint, task(without="size"), keys)
