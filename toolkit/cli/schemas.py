"""The JSON Schemas of the YAML files and of what the toolkit writes, draft-07, generated from the models."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from toolkit.model.config import ExportConfig
from toolkit.model.overlay import Overlay
from toolkit.model.solution import Solution
from toolkit.organization.definition_file import DefinitionFile
from toolkit.plan.document import PlanDocument
from toolkit.plan.inventory import TakenInventory
from toolkit.plan.saved import SavedPlan
from toolkit.project import ProjectFile
from toolkit.release import Provenance

DIALECT = "http://json-schema.org/draft-07/schema#"

WRITTEN_BY_PEOPLE: Mapping[str, tuple[type[BaseModel], str]] = {
    "solution": (Solution, "solution.yaml: a solution and its publisher"),
    "config": (ExportConfig, "configs/*.yaml: an export config, and the entities linked to its lake"),
    "overlay": (Overlay, "environments/*.yaml: the values of a bundle that differ in an environment"),
    "entities": (DefinitionFile, "custom entities, for toolkit env define"),
    "project": (ProjectFile, "toolkit.yaml: environments and the folders of their storage accounts"),
}
"""The YAML files, which editors complete and check: model and title of each schema, by name."""

MODELS: Mapping[str, tuple[type[BaseModel], str]] = {
    **WRITTEN_BY_PEOPLE,
    "plan": (PlanDocument, "what toolkit plan --format json prints"),
    "saved-plan": (SavedPlan, "what toolkit plan -o writes"),
    "inventory": (TakenInventory, "the entities of an environment: what toolkit inventory writes"),
    "provenance": (Provenance, "where a zip comes from: what toolkit release writes beside it"),
}
"""The model and the title of each schema, by name."""


class _Draft7(GenerateJsonSchema):
    """No titles made of names: they would only repeat the keys. Descriptions are the docstrings of the fields.

    pydantic reads those when it makes a class (``use_attribute_docstrings``), by parsing its source: a quarter of a
    second that only this module has a use for.
    """

    schema_dialect = DIALECT

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        """Say no."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model with the docstrings of its fields."""
        described = super().model_schema(schema)
        for name, said in _docstrings(schema["cls"]).items():
            if name in described.get("properties", {}):
                described["properties"][name].setdefault("description", said)
        return described


def _docstrings(model: type) -> dict[str, str]:
    """Return the docstrings of a model's fields by name: the text behind each in its class, or in one above it."""
    found: dict[str, str] = {}
    for owner in reversed([each for each in model.__mro__ if issubclass(each, BaseModel) and each is not BaseModel]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        for field, behind in pairwise(body.body if isinstance(body, ast.ClassDef) else ()):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (said := _text(behind)):
                found[field.target.id] = said
    return found


def _text(statement: ast.stmt) -> str:
    """Return the text that a statement is nothing but, or nothing."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    said = value.value if isinstance(value, ast.Constant) else None
    return inspect.cleandoc(said) if isinstance(said, str) else ""


def schemas(names: Iterable[str] = MODELS) -> dict[str, str]:
    """Return schemas as JSON text, by the names of their files."""
    return {file_name(name): text(name) for name in names}


def file_name(name: str) -> str:
    """Return the name of a schema's file."""
    return f"{name}.schema.json"


def text(name: str) -> str:
    """Return a schema as JSON text."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def schema(name: str) -> dict[str, Any]:
    """Return a schema by its name."""
    model, title = MODELS[name]
    body = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_Draft7)
    definitions = body.pop("$defs", {})
    head = {"$schema": DIALECT, "$id": file_name(name), "title": title}
    parts = {"definitions": definitions} if definitions else {}
    return {key: _draft7(value) for key, value in {**body, **head, **parts}.items()}


def _draft7(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a schema as draft-07 needs it, and descriptions in the Markdown that editors show.

    What stands beside a reference is put around it, since draft-07 ignores the neighbours of ``$ref``.
    """
    if isinstance(node, list):
        return [_draft7(item) for item in node]
    if not isinstance(node, dict):
        return node.replace("``", "`") if isinstance(node, str) else node
    inner = {key: _draft7(value) for key, value in node.items() if key != "$ref"}
    if "patternProperties" in inner:
        inner.setdefault("additionalProperties", False)  # a key that fits no pattern is wrong
    if "$ref" not in node:
        return inner
    reference = {"$ref": node["$ref"]}
    return {**inner, "allOf": [reference]} if inner else reference
