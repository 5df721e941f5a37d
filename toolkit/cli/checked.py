"""What a person typed, as a model: mistakes become findings that name the option and say what it may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.errors import Finding, Invalid, Severity
from toolkit.model import names

_M = TypeVar("_M", bound=BaseModel)

_FORMS: Mapping[str, str] = {
    names.STORAGE_ACCOUNT: "a storage account's name has 3 to 24 lower-case letters and digits, and nothing else",
    names.FILE_SYSTEM: "a file system's name has lower-case letters, digits and single hyphens between them",
    names.GUID: "a GUID is written as 0a0a0a0a-0000-4000-8000-000000000001",
    names.UNIQUE_NAME: "a unique name has letters, digits and underscores, and starts with no digit",
}
"""What the patterns of names ask for, in words."""


def checked(model: type[_M], values: Mapping[str, Any], options: Mapping[str, str]) -> _M:
    """Return JSON values as a model. Raises Invalid (CLI020) with every mistake; values are not repeated.

    ``options`` names the option that gave a value, by the value's key path or the head of it.
    """
    try:
        return model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise Invalid(_finding(detail, options) for detail in error.errors(include_url=False)) from error


def _finding(detail: ErrorDetails, options: Mapping[str, str]) -> Finding:
    key = ".".join(str(part) for part in detail["loc"])
    option = next((option for head, option in options.items() if f"{key}.".startswith(f"{head}.")), key)
    return Finding("CLI020", Severity.ERROR, f"{option} has a wrong value", why=_why(detail))


def _why(detail: ErrorDetails) -> str:
    said = detail["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return _FORMS.get(detail.get("ctx", {}).get("pattern", ""), said.replace("String should", "it should"))
