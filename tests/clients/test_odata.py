"""OASIS's own tools read what is served: the metadata document, and answers against the description made of it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.served import Served, served

HERE = Path(__file__).parent
SERVICE = "Microsoft.Dynamics.CRM"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if not (HERE / "node_modules").is_dir():
        pytest.skip("the tools in JavaScript are not installed: make clients")
    with served(tmp_path_factory.mktemp("served"), rows={"account": 25, "contact": 10}) as environment:
        yield environment


@pytest.fixture(scope="module")
def described(environment: Served) -> dict[str, Any]:
    """What OASIS's tools make of the metadata document."""
    document = httpx.get(environment.api + "$metadata").content
    done = subprocess.run(["node", "odata.mjs"], cwd=HERE, input=document, capture_output=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_metadata_document_is_csdl_without_a_complaint(described: dict[str, Any]) -> None:
    assert described["wrong"] == []
    assert described["csdl"]["$Version"] == "4.0"


def test_the_metadata_document_names_every_entity_set(environment: Served, described: dict[str, Any]) -> None:
    container = described["csdl"][described["csdl"]["$EntityContainer"].rpartition(".")[0]]["System"]
    listed = httpx.get(environment.api + "EntityDefinitions?$select=EntitySetName").json()["value"]
    assert {entity["EntitySetName"] for entity in listed} <= set(container)


@pytest.mark.parametrize(("entity_set", "entity"), [("accounts", "account"), ("contacts", "contact")])
def test_rows_are_as_the_metadata_document_describes_them(
    environment: Served, described: dict[str, Any], entity_set: str, entity: str
) -> None:
    rows = httpx.get(environment.api + entity_set).json()["value"]
    schema = {"$ref": f"#/components/schemas/{SERVICE}.{entity}", "components": described["openapi"]["components"]}
    validator = Draft202012Validator(schema)
    assert len(rows) >= 10
    assert [error.message for row in rows for error in validator.iter_errors(row)] == []


def test_a_row_has_no_property_that_the_metadata_document_does_not_know(
    environment: Served, described: dict[str, Any]
) -> None:
    known = set(described["csdl"][SERVICE]["account"])
    row = httpx.get(environment.api + "accounts?$top=1").json()["value"][0]
    assert {name for name in row if "@" not in name} - known == set()
