import json
import re
from typing import Any

import pytest
from hypothesis import given, settings

from tests.bundle.build import CONFIG, configs
from toolkit.bundle import wire
from toolkit.documents import as_model, parse
from toolkit.documents.document import Document
from toolkit.errors import Invalid
from toolkit.model.config import (
    Cloud,
    Condition,
    Endpoints,
    ExportConfig,
    LinkedEntity,
    Mask,
    Output,
    PartitionStrategy,
    RetryPolicy,
)

IDENTITY = {"id": CONFIG.id, "name": CONFIG.name}


def read(text: str) -> ExportConfig:
    return as_model(Document("a", IDENTITY | wire.tree(text), {(): 1}), ExportConfig)


def schema(**changes: Any) -> str:
    return json.dumps({"StorageAccountName": "contosolake"} | changes)


@given(configs)
@settings(max_examples=40, deadline=None)
def test_every_config_reads_back_as_it_was(config: ExportConfig) -> None:
    tree = wire.tree(wire.written(config))
    assert as_model(Document("a", rest(config) | tree, {(): 1}), ExportConfig) == config


def rest(config: ExportConfig) -> dict[str, Any]:
    return {name: str(getattr(config, name)) for name in ("id", "name", "customizable", "state", "status")}


def test_the_keys_stand_in_the_order_of_the_platform() -> None:
    assert list(json.loads(wire.written(CONFIG))) == [
        "SubscriptionId",
        "ResourceGroupName",
        "StorageAccountName",
        "BlobEndpoint",
        "QueueEndpoint",
        "TableEndpoint",
        "FileEndpoint",
        "FileSystemEndpoint",
        "SqlODEndpoint",
        "WorkspaceDevEndpoint",
        "Entities",
        "RetryPolicy",
        "DestinationType",
        "WriteDeleteLog",
        "IsOdiEnabled",
        "SchedulerIntervalInMinutes",
    ]


OPTIONS = CONFIG.model_copy(
    update={
        "output": Output(header=True, labels=1033),
        "entities": (
            LinkedEntity(
                name="account",
                columns=("name", "revenue"),
                filter=(Condition(column="revenue", at_least="1.10"), Condition(column="name", is_null=False)),
                mask={"name": Mask.HASH},
            ),
        ),
    }
)


def test_what_the_platform_has_no_key_for_is_one_more_key() -> None:
    raw = json.loads(wire.written(OPTIONS))
    assert raw["ToolkitOptions"] == {"output": {"header": True, "labels": 1033}}
    assert raw["Entities"][0]["ToolkitOptions"] == {
        "columns": ["name", "revenue"],
        "filter": [{"column": "revenue", "at_least": "1.10"}, {"column": "name", "is_null": False}],
        "mask": {"name": "hash"},
    }


def test_options_that_become_defaults_leave_no_key() -> None:
    text = wire.rewritten(wire.written(OPTIONS), OPTIONS, CONFIG)
    assert "ToolkitOptions" not in text
    assert read(text) == CONFIG


@pytest.mark.parametrize("options", ['"x"', "[1]", '{"storage":{"account":"evil"}}', '{"Entities":[]}'])
def test_options_never_hide_what_the_platform_has_a_key_for(options: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(f'{{"StorageAccountName":"contosolake","ToolkitOptions":{options}}}')
    assert [finding.code for finding in raised.value.findings] == ["DOC010"]


def test_a_number_in_the_options_stays_as_it_is_written() -> None:
    tree = wire.tree(schema(Entities=[{"Type": "a", "ToolkitOptions": {"filter": [{"column": "x", "below": 0}]}}]))
    assert tree["entities"][0]["filter"] == [{"column": "x", "below": "0"}]


def test_absent_and_null_keys_are_defaults() -> None:
    assert read(schema(Entities=None, RetryPolicy=None, IsDefault=None)) == read(schema())
    assert read(schema()).interval_minutes == 60


@pytest.mark.parametrize(
    ("wire_form", "strategy"), [(0, "Year"), (1, "Month"), (2, "HalfMonth"), ("FiveDay", "FiveDay")]
)
def test_strategies_are_read_by_name_or_number(wire_form: object, strategy: str) -> None:
    config = read(schema(Entities=[{"Type": "account", "PartitionStrategy": wire_form}]))
    assert config.entities == (LinkedEntity(name="account", partition_strategy=PartitionStrategy(strategy)),)


def test_the_destination_is_read_by_name_or_number() -> None:
    assert read(schema(DestinationType=4)).destination == read(schema(DestinationType="Adls")).destination == "Adls"


def test_unknown_keys_are_kept_as_they_are_written() -> None:
    text = '{"StorageAccountName":"contosolake","Z":1.10,"A":{"b": [1, 2]},"Entities":[{"Type":"a","S":"x"}]}'
    config = read(text)
    assert dict(config.extra) == {"Z": "1.10", "A": '{"b": [1, 2]}'}
    assert dict(config.entities[0].extra) == {"S": '"x"'}


def test_the_workspace_is_read_from_its_endpoint() -> None:
    config = read(
        schema(
            WorkspaceDevEndpoint="https://synapse.dev.azuresynapse.net",
            SqlODEndpoint="synapse-ondemand.sql.azuresynapse.net",
        )
    )
    assert (config.storage.workspace, config.storage.endpoints) == ("synapse", None)


def test_the_cloud_is_read_from_the_endpoints() -> None:
    endpoint = "https://contosolake.dfs.core.usgovcloudapi.net/"
    assert read(schema(FileSystemEndpoint=endpoint)).storage.cloud is Cloud.US_GOV


def test_endpoints_of_another_account_are_kept() -> None:
    storage = read(schema(BlobEndpoint="https://other.blob.core.windows.net/")).storage
    assert storage.endpoints == Endpoints(
        blob="https://other.blob.core.windows.net/",
        queue="https://contosolake.queue.core.windows.net/",
        table="https://contosolake.table.core.windows.net/",
        file="https://contosolake.file.core.windows.net/",
        file_system="https://contosolake.dfs.core.windows.net/",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[]", "it is no JSON object"),
        ('{"a":1,"a":2}', "a key stands twice in one object"),
        ('{"a":NaN}', "NaN is no JSON"),
        ('{"a":1} x', "Extra data: line 1 column 9 (char 8)"),
        ('{"a":' + "[" * 40 + "]" * 40 + "}", "it is longer than 4194304 characters or deeper than 32 levels"),
    ],
)
def test_what_is_no_json_object_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        wire.tree(text)


def test_wrong_shapes_are_left_for_the_model_to_refuse() -> None:
    assert wire.tree(schema(Entities="x", RetryPolicy=[1]))["entities"] == '"x"'
    assert wire.tree(schema(Entities=[1]))["entities"] == ["1"]


TEMPLATE = """\
{ "Odd": 1.10, "StorageAccountName": "contosolake", "DestinationType": 4,
  "Entities": [{"Type": "account", "PartitionStrategy": 1, "Settings": {"x": 1}}, {"Type": "contact"}],
  "RetryPolicy": {"MaxRetryCount": 12, "IntervalInSeconds": 5, "New": true}, "IsDefault": null }"""
WAS = read(TEMPLATE)


def rewritten(**changes: object) -> str:
    return wire.rewritten(TEMPLATE, WAS, WAS.model_copy(update=changes))


def test_an_equal_config_leaves_the_text() -> None:
    assert rewritten() == TEMPLATE


def test_a_changed_value_leaves_the_raw_form_of_the_others() -> None:
    raw = wire.raw_object(rewritten(interval_minutes=30))
    assert raw == {**wire.raw_object(TEMPLATE), "SchedulerIntervalInMinutes": "30"}
    assert list(raw)[:3] == ["Odd", "StorageAccountName", "DestinationType"]


def test_a_new_entity_takes_the_form_of_the_others() -> None:
    added = LinkedEntity(name="lead", partition_strategy=PartitionStrategy.YEAR)
    items = list(wire.raw_items(wire.raw_object(rewritten(entities=(*WAS.entities, added)))["Entities"]))
    assert items == [
        '{"Type":"account","PartitionStrategy":1,"Settings":{"x": 1}}',
        '{"Type":"contact"}',
        '{"Type":"lead","PartitionStrategy":0,"RecordCountPerBlock":125,"AppendOnlyMode":false}',
    ]


def test_a_changed_strategy_keeps_the_numeric_form() -> None:
    yearly = WAS.entities[0].model_copy(update={"partition_strategy": PartitionStrategy.YEAR})
    items = list(wire.raw_items(wire.raw_object(rewritten(entities=(yearly,)))["Entities"]))
    assert items == ['{"Type":"account","PartitionStrategy":0,"Settings":{"x": 1}}']


def test_a_changed_retry_policy_keeps_its_unknown_keys() -> None:
    raw = wire.raw_object(rewritten(retry=RetryPolicy(max_count=3)))
    assert raw["RetryPolicy"] == '{"MaxRetryCount":3,"IntervalInSeconds":5,"New":true}'


def test_what_is_null_is_written_like_what_is_not_there() -> None:
    text = schema(RetryPolicy=None, Entities=None)
    was, entity = read(text), LinkedEntity(name="account")
    config = was.model_copy(update={"retry": RetryPolicy(max_count=3), "entities": (entity,)})
    assert read(wire.rewritten(text, was, config)) == config


def test_unknown_keys_come_change_and_go() -> None:
    raw = wire.raw_object(rewritten(extra={"Other": "[]"}))
    assert "Odd" not in raw
    assert raw["Other"] == "[]"


def test_a_destination_without_a_number_is_written_by_name() -> None:
    assert wire.raw_object(rewritten(destination="Elsewhere"))["DestinationType"] == '"Elsewhere"'


def test_an_extra_key_never_hides_a_known_one() -> None:
    config = CONFIG.model_copy(update={"extra": {"StorageAccountName": '"evil"'}})
    assert json.loads(wire.written(config))["StorageAccountName"] == "contosolake"


@given(configs, configs)
@settings(max_examples=40, deadline=None)
def test_any_config_can_be_rewritten_to_any_other(before: ExportConfig, after: ExportConfig) -> None:
    text = wire.rewritten(wire.written(before), before, after)
    assert as_model(Document("a", rest(after) | wire.tree(text), {(): 1}), ExportConfig) == after


def test_yaml_reads_the_tree_of_the_wire_form_alike() -> None:
    document = parse(json.dumps(IDENTITY | wire.tree(wire.written(CONFIG))), "a.yaml")
    assert as_model(document, ExportConfig) == CONFIG
