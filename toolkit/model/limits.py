"""Limits on how much of what an environment exports one import may change."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolkit.model.base import Frozen


class Limits(Frozen):
    """How many of the linked entities one import may remove or re-initialise without being told so."""

    changed_percent: Annotated[int, Field(ge=0, le=100)] = 30
    """More than this share of the linked entities is refused."""
    from_entities: Annotated[int, Field(ge=1, le=1_000)] = 10
    """The share counts where this many entities are linked, or more: of few entities every change is a large share."""
