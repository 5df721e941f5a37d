from pathlib import Path

import pytest
from pydantic import ValidationError

from toolkit.errors import NotFound
from toolkit.model.config import (
    Cloud,
    Condition,
    Endpoints,
    ExportConfig,
    LinkedEntity,
    Mask,
    Output,
    PartitionStrategy,
    Retention,
    Storage,
)
from toolkit.model.overlay import ConfigOverlay, EntityOverlay, Overlay, overlaid

CONFIG = ExportConfig(
    id="653ae937-c02f-ed11-9db1-0022482dfdbf",
    name="contosodev",
    storage=Storage(account="contosodev", resource_group="rg-dev"),
    entities=(LinkedEntity(name="account"), LinkedEntity(name="contact")),
)


def laid(**values: object) -> ExportConfig:
    overlay = Overlay(configs={"contosodev": ConfigOverlay.model_validate(values)})
    return overlaid((CONFIG,), overlay, "prod.yaml")[0]


def test_what_the_overlay_does_not_name_stays() -> None:
    assert overlaid((CONFIG,), Overlay(), "prod.yaml") == (CONFIG,)


def test_an_account_changes_the_endpoints_and_the_name_that_follows_it() -> None:
    config = laid(storage_account="contosoprod")
    assert config.name == "contosoprod"
    assert config.storage.effective_endpoints.file_system == "https://contosoprod.dfs.core.windows.net/"
    assert config.storage.resource_group == "rg-dev"


def test_a_name_of_its_own_is_kept_when_the_account_changes() -> None:
    named = CONFIG.model_copy(update={"name": "sales"})
    overlay = Overlay(configs={"sales": ConfigOverlay(storage_account="contosoprod")})
    assert overlaid((named,), overlay, "prod.yaml")[0].name == "sales"


def test_endpoints_that_were_written_out_are_derived_anew() -> None:
    odd = Endpoints(blob="a", queue="b", table="c", file="d", file_system="e")
    written = CONFIG.model_copy(update={"storage": CONFIG.storage.model_copy(update={"endpoints": odd})})
    overlay = Overlay(configs={"contosodev": ConfigOverlay(cloud=Cloud.CHINA, workspace="syn")})
    endpoints = overlaid((written,), overlay, "prod.yaml")[0].storage.effective_endpoints
    assert endpoints.blob == "https://contosodev.blob.core.chinacloudapi.cn/"
    assert endpoints.sql_on_demand == "syn-ondemand.sql.azuresynapse.azure.cn"
    assert endpoints.workspace_dev == "https://syn.dev.azuresynapse.azure.cn"


def test_one_entity_differs_and_another_is_left_out() -> None:
    exceptions = {"account": EntityOverlay(append_only=True), "contact": EntityOverlay(exclude=True)}
    config = laid(entities=exceptions, interval_minutes=15)
    assert [(entity.name, entity.append_only, entity.strategy) for entity in config.entities] == [
        ("account", True, PartitionStrategy.YEAR)
    ]
    assert config.interval_minutes == 15


def test_an_overlay_names_some_of_the_output_and_the_rest_stays() -> None:
    ours = CONFIG.model_copy(update={"output": Output(labels=1033), "snapshots": Retention(keep=3, keep_days=7)})
    overlay = Overlay.model_validate(
        {"configs": {"contosodev": {"output": {"header": "true"}, "snapshots": {"keep": "9"}}}}
    )
    (config,) = overlaid((ours,), overlay, "prod.yaml")
    assert config.output == Output(header=True, labels=1033)
    assert config.snapshots == Retention(keep=9, keep_days=7)


def test_an_overlay_adds_to_a_mask_and_replaces_columns_and_filter() -> None:
    account = LinkedEntity(name="account", columns=("name", "fax"), mask={"name": Mask.HASH, "fax": Mask.HASH})
    ours = CONFIG.model_copy(update={"entities": (account,)})
    exception = EntityOverlay(
        columns=("fax",), filter=(Condition(column="fax", is_null=False),), mask={"fax": Mask.NULL}
    )
    overlay = Overlay(configs={"contosodev": ConfigOverlay(entities={"account": exception})})
    (entity,) = overlaid((ours,), overlay, "prod.yaml")[0].entities
    assert (entity.columns, entity.filter) == (("fax",), (Condition(column="fax", is_null=False),))
    assert entity.mask == {"name": Mask.HASH, "fax": Mask.NULL}


def test_the_mask_of_nothing_is_spelled_with_quotes_or_without() -> None:
    masks = [EntityOverlay.model_validate({"mask": {"fax": how}}).mask for how in ("null", None)]
    assert masks == [{"fax": Mask.NULL}] * 2
    with pytest.raises(ValidationError):
        LinkedEntity.model_validate({"name": "account", "mask": "null"})


def test_an_unknown_config_names_the_nearest() -> None:
    overlay = Overlay(configs={"contosdev": ConfigOverlay()})
    with pytest.raises(NotFound) as caught:
        overlaid((CONFIG,), overlay, "prod.yaml")
    assert caught.value.code == "BND101"
    assert str(caught.value.where) == "prod.yaml configs.contosdev"
    assert caught.value.fix == "did you mean 'contosodev'?"


def test_an_unknown_entity_names_the_nearest() -> None:
    with pytest.raises(NotFound) as caught:
        laid(entities={"acount": EntityOverlay()})
    assert caught.value.code == "BND102"
    assert caught.value.fix == "did you mean 'account'?"


def test_append_only_forces_year_and_the_default_is_month() -> None:
    assert LinkedEntity(name="a").strategy is PartitionStrategy.MONTH
    assert LinkedEntity(name="a", append_only=True, partition_strategy=PartitionStrategy.MONTH).strategy == "Year"


@pytest.mark.parametrize(
    ("strategy", "number", "known"),
    [("Year", 0, True), ("Month", 1, True), ("HalfMonth", 2, False), ("FiveDay", 3, False)],
)
def test_strategies_have_numbers_and_two_have_known_file_names(strategy: str, number: int, known: bool) -> None:
    assert PartitionStrategy(strategy).number == number
    assert PartitionStrategy(strategy).known is known


def test_the_model_package_does_no_io() -> None:
    banned = ("open(", "pathlib", "import os", "sqlite3", "requests")
    found = [
        (path.name, word)
        for path in (Path(__file__).parents[2] / "toolkit" / "model").glob("*.py")
        for word in banned
        if word in path.read_text()
    ]
    assert found == []
