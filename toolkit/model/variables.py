"""Environment variables in an overlay: ``${NAME}`` anywhere in a value, ``$${`` for a ``${`` that is meant as it is.

An overlay is kept, packed and committed as it is written; values are put in place when it is laid over a config.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_MARK = "${"
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})?")
RESOLVED: Final = "resolved"
"""The mode of validation in which no value may name a variable any more: ``context=RESOLVED``."""


def varies(value: object) -> bool:
    """Whether a value names variables (or escapes what would), so that what it will be is not known yet."""
    return isinstance(value, str) and _MARK in value


def named(text: str) -> tuple[str | None, ...]:
    """Return the variables that a text names, in their order; None for a ``${`` that names none."""
    return tuple(found["name"] for found in _REFERENCE.finditer(text) if found[0] != "$${")


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its variables, all of which ``values`` has, in place."""
    return _REFERENCE.sub(lambda found: _MARK if found[0] == "$${" else values[found["name"]], text)


class _Varies:
    """Marks a value that may name variables as long as they are not resolved."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's signature
        """Accept what the type accepts, and text that names variables."""
        schema = handler(source)
        written = core_schema.wrap_serializer_function_ser_schema(_as_written, schema=schema)
        return core_schema.with_info_wrap_validator_function(_validated, schema, serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both."""
        return {"anyOf": [handler(schema), {"type": "string", "pattern": r"\$\{"}]}


VARIES: Final = _Varies()


def _validated(
    value: Any,  # noqa: ANN401 - any value of YAML
    validate: core_schema.ValidatorFunctionWrapHandler,
    info: core_schema.ValidationInfo,
) -> Any:  # noqa: ANN401 - any value of YAML
    return value if varies(value) and info.context != RESOLVED else validate(value)


def _as_written(value: Any, serialize: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - any value of a model
    return value if varies(value) else serialize(value)
