"""What a person typed, as a model: mistakes become findings that name the option."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.errors import Finding, Invalid, Place, Severity

_M = TypeVar("_M", bound=BaseModel)


def checked(model: type[_M], values: Mapping[str, Any]) -> _M:
    """Return JSON values as a model. Raises Invalid (CLI020) with every mistake; values are not repeated."""
    try:
        return model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise Invalid(_finding(detail) for detail in error.errors(include_url=False)) from error


def _finding(detail: ErrorDetails) -> Finding:
    key = ".".join(str(part) for part in detail["loc"])
    why = detail["msg"].removeprefix("Value error, ")
    return Finding("CLI020", Severity.ERROR, f"{key.replace('_', ' ')} has a wrong value", Place(key=key), why=why)
