"""The environment: where configuration lives. Coarse, because Dataverse imports a zip as one atomic job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from toolkit.model.config import ExportConfig
from toolkit.model.environment import Inventory
from toolkit.model.solution import Publisher, Solution


class ImportMode(StrEnum):
    """How a solution zip is imported: over what is there, staged beside it, or in its place (removing what is gone)."""

    UPDATE = "update"
    STAGE = "stage"
    UPGRADE = "upgrade"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total``, or of an unknown total when it is None, with a word on what is done."""

    what: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class CreatePublisher:
    """A new publisher."""

    publisher: Publisher


@dataclass(frozen=True, slots=True)
class CreateSolution:
    """A new unmanaged solution without components; its publisher must exist."""

    solution: Solution


@dataclass(frozen=True, slots=True)
class AddConfig:
    """An existing export config, by its id, becomes a component of an unmanaged solution. Needs the Core solution."""

    solution: str
    config: str


@dataclass(frozen=True, slots=True)
class PutConfig:
    """An export config row is created or replaced, by hand. A managed row is not changed by hand."""

    config: ExportConfig


@dataclass(frozen=True, slots=True)
class DeleteConfig:
    """An export config row is deleted, by its id and by hand. A managed row is not deleted by hand."""

    config: str


@dataclass(frozen=True, slots=True)
class TrackEntity:
    """Change tracking of an entity is enabled; it cannot be disabled again."""

    entity: str


@dataclass(frozen=True, slots=True)
class Publish:
    """All customizations are published, as before an export."""


Write = CreatePublisher | CreateSolution | AddConfig | PutConfig | DeleteConfig | TrackEntity | Publish
"""What people do by hand, one step at a time."""


class Environment(Protocol):
    """Where configuration lives. Each write is atomic: a refusal leaves the environment as it was.

    Refusals are ``Refused`` with Dataverse's own code where it has one (docs/formats.md), else a code of ours; a name
    that leads nowhere is ``NotFound``, and what is no solution zip ``Invalid``. Unique names are found in any case.
    """

    @property
    def name(self) -> str:
        """The name that ``toolkit.yaml`` gives it."""
        ...

    def inventory(self) -> Inventory:
        """Read what the environment holds."""
        ...

    def import_solution(self, archive: bytes, mode: ImportMode) -> Iterator[Progress]:
        """Import a solution zip as one atomic job, and yield its progress; done when the iterator ends.

        It overwrites what was changed by hand in the rows that the package brings.
        """
        ...

    def export_solution(self, name: str, *, managed: bool) -> bytes:
        """Return the zip of an unmanaged solution; an installed managed solution cannot be exported."""
        ...

    def uninstall(self, name: str) -> None:
        """Delete a solution: of a managed one with its components, of an unmanaged one only the container."""
        ...

    def write(self, change: Write) -> None:
        """Do one step by hand."""
        ...
