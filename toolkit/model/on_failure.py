"""Who is told when an entity begins to fail and when it recovers, as ``toolkit.yaml`` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from toolkit.model.base import Frozen
from toolkit.model.names import VariableName

_TARGETS = ("command", "webhook", "webhook_from")


class OnFailure(Frozen):
    """A command that gets a notice as JSON on stdin, or a web address to which it is posted: exactly one of them."""

    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The program and its arguments; no shell is between."""
    webhook: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    """An address without a secret."""
    webhook_from: VariableName | None = None
    """The environment variable that holds the address, where the address itself is a secret."""
    headers_from: Mapping[str, VariableName] = {}
    """Headers of the post, each from an environment variable, such as Authorization."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """After how long a notice is given up."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        given = [name for name in _TARGETS if getattr(self, name) is not None]
        if len(given) != 1:
            message = f"on_failure has exactly one of {', '.join(_TARGETS)}, not {len(given)}"
            raise ValueError(message)
        return self

    @property
    def variables(self) -> Iterator[str]:
        """The environment variables that must be set."""
        if self.webhook_from is not None:
            yield self.webhook_from
        yield from self.headers_from.values()
