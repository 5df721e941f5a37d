"""The schemas in the repository are those of the models, and our own YAML files follow them."""

import json
from pathlib import Path

import jsonschema
import pytest

from toolkit import project
from toolkit.cli import schemas

ROOT = Path(__file__).parents[1]


def test_the_schemas_are_fresh() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schemas").iterdir()}
    assert kept == schemas.schemas(), "run: make schemas"


@pytest.mark.parametrize("name", schemas.MODELS)
def test_every_schema_is_valid_draft_07(name: str) -> None:
    schema = schemas.schema(name)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
