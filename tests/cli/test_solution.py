import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def dev(run: Run) -> Run:
    run("init", "-q")
    assert run("env", "create", "dev", "--account", "contososalesdev").exit_code == 0
    return run


def test_a_publisher_is_created_with_everything_about_it(dev: Run) -> None:
    result = dev(
        *("publisher", "create", "contoso", "--prefix", "cts", "--display-name", "Contoso Ltd"),
        *("--email", "lake@contoso.example", "--website", "https://contoso.example", "--description", "We export."),
        *("--address", "city=London", "--address", "2.line1=1 High Street"),
    )
    assert (result.exit_code, result.stdout) == (0, "created the publisher contoso with the prefix cts\n")
    publishers = json.loads(dev("publisher", "list", "--format", "json").stdout)
    (contoso,) = [each for each in publishers if each["publisher"] == "contoso"]
    assert contoso["display_name"] == "Contoso Ltd"
    assert contoso["option_value_prefix"] == 77074
    assert contoso["addresses"][0]["city"] == "London"
    assert contoso["addresses"][1]["line1"] == "1 High Street"


def test_publishers_are_listed(dev: Run) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts", "--option-value-prefix", "72700")
    lines = dev("publisher", "list").stdout.splitlines()
    assert lines[0].split() == [
        "publisher",
        "display",
        "name",
        "prefix",
        "option",
        "value",
        "prefix",
        "email",
        "website",
    ]
    assert lines[2].split() == ["contoso", "contoso", "cts", "72700", "-", "-"]


def test_every_mistake_about_a_publisher_is_named(dev: Run) -> None:
    result = dev("publisher", "create", "1x", "--prefix", "mscrm", "--option-value-prefix", "7")
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if line.startswith("error")] == [
        "error[CLI020] NAME has a wrong value",
        "error[CLI020] --prefix has a wrong value",
        "error[CLI020] --option-value-prefix has a wrong value",
    ]


@pytest.mark.parametrize("address", ["town=London", "3.city=London", "city"])
def test_an_odd_address_is_refused(dev: Run, address: str) -> None:
    result = dev("publisher", "create", "contoso", "--prefix", "cts", "--address", address)
    assert result.exit_code == 1
    assert f"error[CLI026] '{address}' is no field of an address" in result.stderr


def test_a_publisher_that_exists_is_refused(dev: Run) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    result = dev("publisher", "create", "contoso", "--prefix", "cts")
    assert (result.exit_code, "error[ENV002]" in result.stderr) == (1, True)


def test_a_solution_is_created_listed_and_shown(dev: Run) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    result = dev("solution", "create", "Lake", "--publisher", "contoso", "--version", "1.2")
    assert (result.exit_code, result.stdout) == (0, "created the solution Lake 1.2 of contoso\n")
    assert dev("solution", "list").stdout.splitlines() == [
        "solution  version  package    publisher  configs",
        "Lake      1.2      unmanaged  contoso          0",
    ]
    shown = json.loads(dev("solution", "show", "Lake", "--format", "json").stdout)
    assert (shown["solution"], shown["version"], shown["configs"]) == ("Lake", "1.2", [])


def test_a_solution_needs_its_publisher(dev: Run) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    result = dev("solution", "create", "Lake", "--publisher", "contosso")
    assert result.exit_code == 1
    assert result.stderr == (
        "error[CLI025] there is no publisher 'contosso'\n  at: dev\n  fix: did you mean 'contoso'?\n"
    )


def test_a_version_that_is_none_is_named(dev: Run) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    result = dev("solution", "create", "Lake", "--publisher", "contoso", "--version", "one")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[CLI020] --version has a wrong value\n  why: 'one' is not a version")


def test_a_solution_that_is_not_there_is_answered_with_the_nearest(dev: Run) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    dev("solution", "create", "Lake", "--publisher", "contoso")
    result = dev("solution", "show", "Lakes")
    assert "error[CLI028] there is no solution 'Lakes'" in result.stderr
    assert "did you mean 'Lake'?" in result.stderr


def test_adding_a_config_that_is_not_there_says_how_to_make_one(dev: Run) -> None:
    result = dev("solution", "add", "Lake", "--config", "x")
    assert result.exit_code == 1
    assert "fix: make one: toolkit lake link" in result.stderr


def test_publish_is_said(dev: Run) -> None:
    assert dev("solution", "publish").stdout == "published all customizations of dev\n"


def test_an_exported_solution_is_a_zip_or_a_folder(dev: Run, tmp_path: Path) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    dev("solution", "create", "Lake", "--publisher", "contoso")
    assert dev("export", "Lake").stdout == "exported Lake 1.0.0.0 from dev to Lake_1_0_0_0.zip\n"
    assert dev("export", "Lake", "--source", "solutions/Lake").exit_code == 0
    assert dev("diff", "Lake_1_0_0_0.zip", "solutions/Lake", "--exit-code").stdout == "no differences\n"
    assert dev("diff", "env:dev", "solutions/Lake", "--exit-code").stdout == "no differences\n"
    assert dev("export", "Lake", "--managed").exit_code == 0
    assert (tmp_path / "Lake_1_0_0_0_managed.zip").is_file()


def test_export_of_a_folder_as_managed_is_an_error_of_usage(dev: Run) -> None:
    assert dev("export", "Lake", "--managed", "--source", "x").exit_code == 2


def test_export_of_nothing_is_an_error(dev: Run, tmp_path: Path) -> None:
    assert dev("export", "Lake", "-o", "x.zip").exit_code == 1
    assert not (tmp_path / "x.zip").exists()


def test_a_solution_where_there_is_none_is_answered_with_the_way_to_one(dev: Run) -> None:
    result = dev("solution", "show", "Lakes")
    assert result.stderr.endswith("  fix: make one: toolkit solution create NAME --publisher PUBLISHER\n")
