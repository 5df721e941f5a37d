"""What the source says of its entities."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.errors import Retriable
from toolkit.model.entity import Entity
from toolkit.source.protocol import Source


def definitions_of(source: Source) -> tuple[Mapping[str, Entity], str | None, Retriable | None]:
    """Return the definitions and whose rows the source has; or neither, and why it cannot give them now."""
    try:
        return source.entities(), source.organization, None
    except Retriable as error:
        return {}, None, error


def scans(name: str, definitions: Mapping[str, Entity]) -> bool:
    """Whether an entity has to be read whole to know what changed."""
    return name in definitions and not definitions[name].change_tracking
