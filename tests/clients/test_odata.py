"""OASIS's own tools read what is served: the metadata document, and answers against the description made of it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.clients.conftest import Organized
from tests.server.served import client, served

SERVICE = "Microsoft.Dynamics.CRM"


@pytest.fixture(scope="module")
def api(organized: Organized) -> Iterator[httpx.Client]:
    with served(organized({"account": 25, "contact": 10})) as url, client(url) as api:
        yield api


@pytest.fixture(scope="module")
def described(api: httpx.Client, scripts: Path) -> dict[str, Any]:
    """What OASIS's tools make of the metadata document."""
    document = api.get("$metadata").content
    done = subprocess.run(
        ["node", "odata.mjs"], cwd=scripts, input=document, capture_output=True, timeout=120, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_metadata_document_is_csdl_without_a_complaint(described: dict[str, Any]) -> None:
    assert described["wrong"] == []
    assert described["csdl"]["$Version"] == "4.0"


def test_the_metadata_document_names_every_entity_set(api: httpx.Client, described: dict[str, Any]) -> None:
    container = described["csdl"][described["csdl"]["$EntityContainer"].rpartition(".")[0]]["System"]
    listed = api.get("EntityDefinitions?$select=EntitySetName").json()["value"]
    assert {entity["EntitySetName"] for entity in listed} <= set(container)


@pytest.mark.parametrize(("entity_set", "entity"), [("accounts", "account"), ("contacts", "contact")])
def test_rows_are_as_the_metadata_document_describes_them(
    api: httpx.Client, described: dict[str, Any], entity_set: str, entity: str
) -> None:
    rows = api.get(entity_set).json()["value"]
    schema = {"$ref": f"#/components/schemas/{SERVICE}.{entity}", "components": described["openapi"]["components"]}
    validator = Draft202012Validator(schema)
    assert len(rows) >= 10
    assert [error.message for row in rows for error in validator.iter_errors(row)] == []


def test_a_row_has_no_property_that_the_metadata_document_does_not_know(
    api: httpx.Client, described: dict[str, Any]
) -> None:
    known = set(described["csdl"][SERVICE]["account"])
    row = api.get("accounts?$top=1").json()["value"][0]
    assert {name for name in row if "@" not in name} - known == set()
