"""The base of every model: frozen, closed, comparable by value."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value. Unknown keys are errors, so that a typing mistake in YAML never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
