"""Solution versions: one to four numbers, compared as numbers."""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

PATTERN = r"^[0-9]{1,10}(\.[0-9]{1,10}){0,3}$"
Part = Literal["major", "minor", "build", "revision"]
PARTS: tuple[Part, ...] = ("major", "minor", "build", "revision")


@total_ordering
class Version:
    """A version as it was written (``text``) and as it compares: ``1.0`` equals ``1.0.0.0``, 1.61 is above 1.7."""

    __slots__ = ("parts", "text")

    def __init__(self, text: str) -> None:
        if re.fullmatch(PATTERN, text) is None:
            message = f"{text!r} is not a version: one to four numbers with dots between them, like 1.0.0.0"
            raise ValueError(message)
        self.text = text
        self.parts = tuple((*(int(part) for part in text.split(".")), 0, 0, 0)[:4])

    def bump(self, part: Part) -> Version:
        """Return the next version in ``part``, with the parts after it at zero and always four parts."""
        place = PARTS.index(part)
        parts = (*self.parts[:place], self.parts[place] + 1, 0, 0, 0)[:4]
        return Version(".".join(str(number) for number in parts))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __hash__(self) -> int:
        return hash(self.parts)

    def __eq__(self, other: object) -> bool:
        return self.parts == other.parts if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self.parts < other.parts

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's signature
        """Accept a version or its text; write the text."""
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(cls, core_schema.str_schema()),
            # One validator, not a union of two: a wrong version is one error.
            python_schema=core_schema.no_info_plain_validator_function(cls._of),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def _of(cls, value: object) -> Version:
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls(value)
        message = "a version is text, in quotes where a reader could take it for a number"
        raise ValueError(message)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the text form."""
        return {"type": "string", "pattern": PATTERN, "examples": ["1.0.0.0"]}
