"""Tree -> model, with a finding at its place for each thing that keeps it from being one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolkit.documents.document import Document, Key
from toolkit.errors import Finding, Invalid, Place, Severity, nearest

_M = TypeVar("_M", bound=BaseModel)


def as_model(document: Document, model: type[_M], context: str | None = None) -> _M:
    """Return the document as a model. Raises Invalid with every error, each with file, line and key.

    ``context`` is what its validators are told.
    """
    try:
        return model.model_validate(document.data, context=context)
    except ValidationError as error:
        raise Invalid(_findings(document, model, error)) from error


def findings(document: Document, model: type[BaseModel]) -> list[Finding]:
    """Return what keeps the document from being that model, in the order of the text. Values are never quoted."""
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        return _findings(document, model, error)
    return []


SEE_SCHEMA = "toolkit schema tells what every key may hold"


def _findings(document: Document, model: type[BaseModel], error: ValidationError) -> list[Finding]:
    found = [_finding(document, model, detail) for detail in error.errors(include_url=False)]
    return sorted(found, key=lambda finding: finding.where.line or 0)


def _finding(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Finding:
    # A wrong key of a mapping is reported at (key, "[key]").
    keys = tuple(key for key in detail["loc"] if key != "[key]")
    where = document.place(*keys)
    match detail["type"]:
        case "extra_forbidden":
            fix = nearest(str(keys[-1]), _known_keys(model, keys[:-1]))
            return Finding("DOC010", Severity.ERROR, f"unknown key {keys[-1]!r}", where, fix=fix)
        case "missing":
            fix = f"add it; {SEE_SCHEMA}"
            return Finding("DOC011", Severity.ERROR, f"the key {keys[-1]!r} is missing", where, fix=fix)
        case _ if detail["input"] is None:
            fix = "give a value, or leave the key out"
            return Finding("DOC012", Severity.ERROR, f"{where.key or 'the file'} is empty", where, fix=fix)
        case _:
            return _wrong_value(where, detail)


def _wrong_value(where: Place, detail: ErrorDetails) -> Finding:
    expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    fix = (nearest(str(detail["input"]), expected) if expected else "") or SEE_SCHEMA
    why = detail["msg"].removeprefix("Value error, ")
    return Finding("DOC012", Severity.ERROR, f"{where.key or 'the file'} has a wrong value", where, why, fix)


def _known_keys(model: type[BaseModel], keys: Sequence[Key]) -> list[str]:
    """Return the keys that the model has at a key path."""
    at: list[Any] = [model]
    for key in keys:
        at = [inner for annotation in at for inner in _step(annotation, key)]
    return [field.alias or name for found in _models(at) for name, field in found.model_fields.items()]


def _step(annotation: Any, key: Key) -> list[Any]:  # noqa: ANN401 - any type annotation
    """Return the annotations of what lies below a key of a value so annotated."""
    if _is_model(annotation):
        return [field.annotation for name, field in annotation.model_fields.items() if key in {name, field.alias}]
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        return [inner for member in get_args(annotation) for inner in _step(member, key)]
    return list(get_args(annotation))


def _models(annotations: Sequence[Any]) -> list[type[BaseModel]]:
    """Return the models among annotations and the members of their unions, annotated or not."""
    found: list[type[BaseModel]] = []
    for annotation in annotations:
        found += [annotation] if _is_model(annotation) else _models(get_args(annotation))
    return found


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:  # noqa: ANN401 - any type annotation
    return isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel)
