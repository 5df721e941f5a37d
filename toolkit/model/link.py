"""The link: the live fact that an environment exports entities to one lake, and what was applied to it.

The link document is this toolkit's truth (the config row in Dataverse is a transport record). It lies in the lake
under ``_toolkit/link.json``; only ``toolkit.apply`` writes it, the engine and the checks read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from toolkit.model.base import Frozen
from toolkit.model.config import ExportConfig
from toolkit.model.names import FileSystemName, Guid, LogicalName, StorageAccountName, UniqueName
from toolkit.model.version import Version

LINK_FORMAT = 1
"""The format of link documents and of the environment's record; a newer one is refused."""


class EntityState(StrEnum):
    """How far an entity of a link is, in the words of the portal."""

    NOT_STARTED = "NotStarted"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"


class Applied(Frozen):
    """One apply: which bundle reached the environment or was uninstalled from it, when and by whom."""

    solution: UniqueName
    version: Version
    managed: bool
    bundle: str
    """Digest of the bundle."""
    effective: str
    """Digest of the configs after overlay."""
    at: datetime
    by: str
    commit: str | None = None
    plan: str = ""
    """Digest of the plan that was done."""
    package: str | None = None
    """Digest of the zip that was imported, which is kept beside the record; None where none came with the plan."""
    restores: Version | None = None
    """The version whose content this one brings back."""
    removed: bool = False
    """Whether the solution was uninstalled; the digests are then those of what was applied last, or empty."""


class Dropped(Frozen):
    """An entity that was taken off the link, and whether its data is kept (moved below ``_kept/``) or deleted."""

    entity: LogicalName
    keep: bool = True
    generation: int = 0
    """The generation of the link that took it off; 0 in documents that do not say."""


class LakeAddress(Frozen):
    """Where a link's lake is."""

    config: Guid
    account: StorageAccountName
    file_system: FileSystemName


class Replaced(Frozen):
    """The lake that a link takes the place of, and what becomes of its data then: kept there, aside, or deleted."""

    address: LakeAddress
    keep: bool = True


class Link(Frozen):
    """The content of ``_toolkit/link.json``. ``config`` is the effective config, after overlay.

    ``generation`` grows with every change; the engine that runs picks up a new one at its next pass. An entity that
    has state in the lake but is not in ``config`` is retired by that pass, as ``dropped`` says (kept by default).
    """

    format: int = LINK_FORMAT
    generation: int
    environment: str
    organization: Guid
    config: ExportConfig
    account: StorageAccountName
    file_system: FileSystemName
    solution: UniqueName | None = None
    """The solution that brought the config; None when it was linked by hand."""
    created: datetime
    changed: datetime
    dropped: tuple[Dropped, ...] = ()
    history_ended: tuple[LogicalName, ...] = ()
    """Entities that were append-only and are in place now: the engine may delete their history."""
    active: bool = True
    """False once unlinked: the engine retires every entity and starts nothing."""
    replaces: Replaced | None = None
    """The link of the same config that goes on beside this one, until every entity here is complete."""
    moved_to: LakeAddress | None = None
    """Where the export goes on, of a link that has ended for that: its readers then have their grace."""
    history: tuple[Applied, ...] = ()

    @property
    def address(self) -> LakeAddress:
        """Where the lake is."""
        return LakeAddress(config=self.config.id, account=self.account, file_system=self.file_system)


def led(links: Iterable[Link]) -> Iterator[Link]:
    """Yield the live links that say what a config exports: not those that another one is about to replace."""
    live = [link for link in links if link.active]
    left = {link.replaces.address for link in live if link.replaces is not None}
    return (link for link in live if link.address not in left)


class EnvironmentRecord(Frozen):
    """What spans the lakes of an environment: where they are, what was applied. Kept where ``toolkit.yaml`` says."""

    format: int = LINK_FORMAT
    environment: str
    organization: Guid
    lakes: tuple[LakeAddress, ...] = ()
    applied: tuple[Applied, ...] = ()
    """Oldest first."""

    def last_applied(self, solution: str) -> Applied | None:
        """Return the last apply of a solution, whose name counts in any case; None once it was uninstalled."""
        name = solution.casefold()
        last = next((entry for entry in reversed(self.applied) if entry.solution.casefold() == name), None)
        return None if last is None or last.removed else last

    def lake(self, config: str) -> LakeAddress | None:
        """Return where the lake of a config is, or None when it is not linked."""
        return next((address for address in self.lakes if address.config == config), None)
