"""Tables that the platform itself keeps: their rows are made from the organization's own records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from toolkit.model.entity import Entity
from toolkit.organization import solutions
from toolkit.organization.database import Connection

SystemRows = Callable[[Connection], Iterable[Mapping[str, object]]]
"""Rows as mappings with the Python values of ``arrow_schema``'s types; what is left out is null."""


@dataclass(frozen=True, slots=True)
class SystemTable:
    """An entity set whose rows a function makes. It is read as every other one; routes of its own write it."""

    definition: Entity
    rows: SystemRows
    solution: str | None = None
    """The solution that brings the table; None for one that every organization has."""

    def is_in(self, connection: Connection) -> bool:
        """Whether the organization has the table."""
        return self.solution is None or solutions.find(connection, self.solution) is not None
