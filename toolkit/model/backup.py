"""The backup of an environment's export configuration: what its file says (docs/formats.md, Backups)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from toolkit.model.base import Frozen
from toolkit.model.config import ExportConfig
from toolkit.model.link import Applied
from toolkit.model.names import Guid, LogicalName, UniqueName
from toolkit.model.version import Version

BACKUP_FORMAT = 1
"""The format of backups; a newer one is refused."""


class SavedSolution(Frozen):
    """A solution that carries export configs. ``package`` is the SHA-256 of its zip, in hexadecimal digits."""

    name: UniqueName
    version: Version
    managed: bool
    package: str


class SavedLink(Frozen):
    """A live link: its config after overlay, and the solution that owns it; None for a link of hand."""

    config: ExportConfig
    solution: UniqueName | None = None


class Backup(Frozen):
    """What an environment exports, and how it came to it. No rows, no data of lakes, no secrets."""

    kind: Literal["toolkit-backup"] = "toolkit-backup"
    format: int = BACKUP_FORMAT
    toolkit: str
    """The version of the toolkit that wrote it."""
    environment: str
    organization: Guid
    created: datetime
    solutions: tuple[SavedSolution, ...] = ()
    rows: tuple[ExportConfig, ...] = ()
    """The unmanaged export config rows: made by hand, or of an unmanaged solution."""
    links: tuple[SavedLink, ...] = ()
    tracked: tuple[LogicalName, ...] = ()
    """The linked entities whose change tracking is on."""
    applied: Mapping[UniqueName, Applied] = {}
    """What was applied last, by solution."""
