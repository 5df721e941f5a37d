"""What a bundle says in an environment, and who says it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.build import CONFIG_YAML, write_source
from tests.cli.conftest import Run
from toolkit.documents import parse

VARYING = """\
configs:
  contosolake:
    storage_account: contoso${STAGE}  # paid by IT
    interval_minutes: 30
    entities:
      account: {mask: {fax: null}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGE", "prod")
    return write_source(tmp_path / "Lake", prod=VARYING, config=CONFIG_YAML + "retry: {max_count: 3}\n")


def origins(values: list[dict[str, Any]]) -> dict[str, tuple[object, str, str | None, int | None]]:
    return {each["key"]: (each["value"], each["origin"], each["path"], each["line"]) for each in values}


def test_every_value_has_its_origin(run: Run) -> None:
    (config,) = json.loads(run("render", "Lake", "--env", "prod", "--format", "json").stdout)["configs"]
    found, overlay, bundle = origins(config["values"]), "Lake/environments/prod.yaml", "Lake/configs/contosolake.yaml"
    assert found["name"] == found["storage.account"] == ("contosoprod", "overlay", overlay, 3)
    assert found["interval_minutes"] == (30, "overlay", overlay, 4)
    assert found["storage.resource_group"] == ("lake", "bundle", bundle, 7)
    assert found["retry.max_count"] == (3, "bundle", bundle, 15)
    assert found["retry.interval_seconds"] == (5, "default", None, None)
    assert found["storage.endpoints.blob"] == ("https://contosoprod.blob.core.windows.net/", "derived", None, None)
    assert next(each for each in config["values"] if each["key"] == "storage.account")["variables"] == ["STAGE"]


def test_values_of_entities_have_theirs(run: Run) -> None:
    (config,) = json.loads(run("render", "Lake", "--env", "prod", "--format", "json").stdout)["configs"]
    account, contact = (origins(entity["values"]) for entity in config["entities"])
    assert account["mask.fax"] == ("null", "overlay", "Lake/environments/prod.yaml", 6)
    assert account["partition_strategy"] == ("Month", "bundle", "Lake/configs/contosolake.yaml", 11)
    assert account["append_only"] == (False, "default", None, None)
    assert contact["append_only"] == (True, "bundle", "Lake/configs/contosolake.yaml", 14)


def test_what_nobody_wrote_of_a_strategy_is_default_or_follows_from_the_mode(run: Run, folder: Path) -> None:
    text = CONFIG_YAML.replace("    partition_strategy: Month\n", "").replace("    partition_strategy: Year\n", "")
    write_source(folder, prod=VARYING, config=text)
    (config,) = json.loads(run("render", "Lake", "--env", "prod", "--format", "json").stdout)["configs"]
    account, contact = (origins(entity["values"])["partition_strategy"] for entity in config["entities"])
    assert (account, contact) == (("Month", "default", None, None), ("Year", "derived", None, None))


def test_a_file_of_the_command_line_wins_and_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("configs: {contosolake: {interval_minutes: 5}}")
    result = run("render", "Lake", "--env", "prod", "--overlay", "more.yaml", "--format", "json")
    (config,) = json.loads(result.stdout)["configs"]
    assert origins(config["values"])["interval_minutes"] == (5, "command line", "more.yaml", 1)


def test_people_read_a_table_of_eighty_columns(run: Run) -> None:
    lines = run("render", "Lake", "--env", "prod").stdout.splitlines()
    assert lines[0] == "contosoprod"
    assert "  storage.account         contosoprod  prod.yaml:3 ${STAGE}" in lines
    assert "  storage.endpoint        https://contosoprod.dfs.core.windows.net/  derived" in lines
    assert "    mask.fax            null   prod.yaml:6" in lines
    assert lines[-2:] == [
        "  contosolake.yaml: Lake/configs/contosolake.yaml",
        "  prod.yaml: Lake/environments/prod.yaml",
    ]
    assert max(map(len, lines)) <= 80
    assert "destination" not in "".join(lines)


def test_a_zip_tells_its_members(run: Run) -> None:
    assert run("pack", "Lake", "-o", "Lake.zip").exit_code == 0
    (config,) = json.loads(run("render", "Lake.zip", "--env", "prod", "--format", "json").stdout)["configs"]
    found = origins(config["values"])
    assert found["storage.account"][2:] == ("Lake.zip/toolkit/environments/prod.yaml", 3)
    assert found["storage.resource_group"][:3] == ("lake", "bundle", "Lake.zip/customizations.xml")


def test_yaml_is_the_same_as_json(run: Run) -> None:
    document = parse(run("render", "Lake", "--env", "prod", "--format", "yaml").stdout, "out.yaml").data
    assert (document["environment"], document["configs"][0]["name"]) == ("prod", "contosoprod")


def test_an_environment_that_nobody_knows_names_the_nearest(run: Run) -> None:
    result = run("render", "Lake", "--env", "prd")
    assert result.exit_code == 1
    assert result.stderr == (
        "error[BND043] there is no environment 'prd'\n"
        "  why: the bundle has no overlay of that name, and toolkit.yaml no environment\n"
        "  fix: did you mean 'prod'?\n"
    )


def test_the_default_environment_of_the_project_is_rendered_where_none_is_named(run: Run) -> None:
    assert run("init").exit_code == 0
    assert run("env", "create", "dev").exit_code == 0
    assert json.loads(run("render", "Lake", "--format", "json").stdout)["environment"] == "dev"
