"""The schemas in the repository are those of the models, and our own YAML files follow them."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.plan.build import bundle, config, world
from toolkit import project
from toolkit.cli import schemas
from toolkit.plan import plan_import
from toolkit.plan.document import document
from toolkit.plan.saved import saved

ROOT = Path(__file__).parents[1]


def test_the_schemas_are_fresh() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schemas").iterdir()}
    assert kept == schemas.schemas(), "run: make schemas"


@pytest.mark.parametrize("name", schemas.MODELS)
def test_every_schema_is_valid_draft_07(name: str) -> None:
    schema = schemas.schema(name)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


EXAMPLES = (
    ("solution", "solutions/*/solution.yaml"),
    ("config", "solutions/*/configs/*.yaml"),
    ("overlay", "solutions/*/environments/*.yaml"),
    ("entities", "docs/examples/*entities*.yaml"),
)
FILES = [(name, path) for name, pattern in EXAMPLES for path in sorted(ROOT.glob(pattern))]


def validate(name: str, text: str) -> None:
    """Validate YAML as an editor does: plain numbers are numbers, and keys are text."""
    data = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
    jsonschema.Draft7Validator(schemas.schema(name)).validate(data)


@pytest.mark.parametrize(("name", "path"), FILES, ids=[path.name for _, path in FILES])
def test_our_own_files_follow_their_schema(name: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0].endswith(f"/{schemas.file_name(name)}")
    validate(name, text)


def test_a_new_project_follows_its_schema() -> None:
    validate("project", project.TEMPLATE)


def test_there_is_an_example_of_every_kind() -> None:
    assert {name for name, _ in FILES} == set(schemas.MODELS) - {
        "project",
        "plan",
        "saved-plan",
        "inventory",
        "provenance",
    }


def test_plans_follow_their_schemas() -> None:
    of = bundle(config("account", "lead", interval_minutes=5), version="1.1.0.0")
    plan = plan_import(of, of.configs, world(bundle(config("account", "contact")), statistics={"lead": 5}))
    jsonschema.Draft7Validator(schemas.schema("saved-plan")).validate(json.loads(saved(plan)))
    jsonschema.Draft7Validator(schemas.schema("plan")).validate(document(plan).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("project", "environments: {dev: {kind: cloud, folder: x}}"),
        ("project", "accounts: {NOT_ONE: {folder: x}}"),
        ("overlay", "configs: {x: {interval: 5}}"),
        ("entities", "entities: [{name: cts_x, attribute: []}]"),
    ],
)
def test_mistakes_do_not_follow_it(name: str, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(name, text)
