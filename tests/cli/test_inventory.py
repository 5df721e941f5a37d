"""The entities of an environment in a file, and bundles checked against it where nobody signs in."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from tests.bundle.build import CONFIG_YAML, write_source
from tests.cli.conftest import Run
from toolkit.cli import schemas


@pytest.fixture
def taken(dev: Run, tmp_path: Path) -> Run:
    """An inventory of dev, and no environment any more that could be asked."""
    assert dev("inventory", "--env", "dev", "-o", "inventory/dev.json").exit_code == 0
    (tmp_path / "toolkit.yaml").unlink()
    shutil.rmtree(tmp_path / "environments")
    write_source(tmp_path / "Lake")
    return dev


def test_the_file_is_in_a_stable_order_and_says_when_it_was_taken(dev: Run, tmp_path: Path) -> None:
    assert dev("inventory", "--env", "dev", "-o", "dev.json").stdout.startswith("wrote ")
    first = json.loads((tmp_path / "dev.json").read_text())
    assert (first["environment"], first["taken"][:10]) == ("dev", "2026-03-01")
    jsonschema.Draft7Validator(schemas.schema("inventory")).validate(first)
    assert list(first["entities"]) == sorted(first["entities"])
    names = [attribute["name"] for attribute in first["entities"]["account"]["attributes"]]
    assert names == sorted(names)
    assert first["entities"]["account"]["change_tracking"] is True
    again = json.loads(dev("inventory", "--env", "dev", "--format", "json").stdout)
    assert {**again, "taken": first["taken"]} == first


def test_writing_it_anew_says_what_moved(dev: Run, tmp_path: Path) -> None:
    dev("inventory", "--env", "dev", "-o", "dev.json")
    path = tmp_path / "dev.json"
    data = json.loads(path.read_text())
    data["entities"]["account"]["change_tracking"] = False
    del data["entities"]["contact"]
    data["entities"]["cts_old"] = {**data["entities"]["task"], "name": "cts_old"}
    data["organization"]["version"] = "9.1.0.0"
    path.write_text(json.dumps(data))
    version = json.loads(dev("inventory", "--env", "dev", "--format", "json").stdout)["organization"]["version"]
    lines = dev("inventory", "--env", "dev", "-o", "dev.json").stdout.splitlines()
    assert lines[1:] == [
        f"  version: 9.1.0.0 -> {version}",
        "  account: changed",
        "  contact: new",
        "  cts_old: gone",
    ]


def test_a_bundle_is_checked_where_no_environment_can_be_asked(taken: Run) -> None:
    result = taken("verify", "Lake", "--inventory", "inventory/dev.json")
    assert result.exit_code == 0, result.output
    assert "note[PLN103] the inventory of dev is of 2026-03-01, 0 days old, of organization version 9." in result.stdout
    assert result.stdout.endswith("verified: 2 checks, 1 note\n")


def test_an_entity_that_the_environment_has_not_fails_the_gate(taken: Run, tmp_path: Path) -> None:
    write_source(tmp_path / "Lake", config=CONFIG_YAML.replace("name: contact", "name: contacts"))
    result = taken("verify", "Lake", "--inventory", "inventory/dev.json", "--format", "json")
    checks = {check["check"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 5
    (finding,) = checks["entities"]["findings"]
    assert (finding["code"], finding["fix"]) == ("PLN010", "did you mean 'contact'?")


def test_columns_are_checked_too(taken: Run, tmp_path: Path) -> None:
    text = CONFIG_YAML.replace("- name: account", "- name: account\n    columns: [name, fex]")
    write_source(tmp_path / "Lake", config=text)
    result = taken("verify", "Lake", "--inventory", "inventory/dev.json")
    assert (result.exit_code, "error[PLN058] the entity 'account' has no column 'fex'" in result.stdout) == (5, True)


def test_an_old_inventory_is_a_warning(taken: Run, tmp_path: Path) -> None:
    path = tmp_path / "inventory" / "dev.json"
    path.write_text(path.read_text().replace('"taken": "2026-03-01', '"taken": "2026-01-01'))
    result = taken("verify", "Lake", "--inventory", "inventory/dev.json", "--max-age", "20")
    assert result.exit_code == 0
    assert "warning[PLN102] the inventory of dev is of 2026-01-01, 59 days old" in result.stdout
    assert "fix: write it anew: toolkit inventory --env dev -o inventory/dev.json" in result.stdout


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 2}'])
def test_another_file_is_no_inventory(taken: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)
    result = taken("verify", "Lake", "--inventory", "odd.json")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        1,
        "error[PLN101] odd.json is no inventory of this toolkit",
    )


@pytest.mark.parametrize("more", [(), ("Lake", "--env", "dev"), ("Lake", "--deep")])
def test_an_inventory_goes_with_a_bundle_alone(taken: Run, more: tuple[str, ...]) -> None:
    assert taken("verify", *more, "--inventory", "inventory/dev.json").exit_code == 2
