import json
from pathlib import Path

from tests.cli.conftest import Run


def test_init_writes_a_project_and_its_schemas(run: Run, tmp_path: Path) -> None:
    result = run("init")
    assert (result.exit_code, result.stdout) == (0, "wrote toolkit.yaml\nnext: toolkit env create dev\n")
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == [
        "config.schema.json",
        "entities.schema.json",
        "overlay.schema.json",
        "project.schema.json",
        "solution.schema.json",
    ]


def test_init_leaves_what_is_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "toolkit.yaml").write_text("environments: {}\n")
    result = run("init")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error[PRJ002] toolkit.yaml is there already\n  at: toolkit.yaml\n")
    assert (tmp_path / "toolkit.yaml").read_text() == "environments: {}\n"


def test_init_says_nothing_when_quiet(run: Run) -> None:
    assert run("init", "-q").output == ""


def test_schemas_are_listed_by_name(run: Run) -> None:
    written_by_people = ["solution", "config", "overlay", "entities", "project"]
    written_by_us = ["plan", "saved-plan", "inventory", "provenance"]
    assert json.loads(run("schema", "--format", "json").stdout) == [*written_by_people, *written_by_us]


def test_a_schema_is_printed(run: Run) -> None:
    schema = json.loads(run("schema", "project").stdout)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert list(schema["properties"]) == ["default_environment", "environments", "accounts", "on_failure"]


def test_a_mistyped_schema_is_answered_with_the_nearest(run: Run) -> None:
    result = run("schema", "overlays")
    assert (result.exit_code, result.stderr) == (
        1,
        "error[CLI010] there is no schema 'overlays'\n  fix: did you mean 'overlay'?\n",
    )


def test_schemas_are_written_to_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("schema", "-o", "out").stdout == "wrote 9 schemas to out\n"
    assert len(list((tmp_path / "out").iterdir())) == 9
