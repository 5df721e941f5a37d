"""Where something is asked of a storage account, and the answer that things there are not as they were to be."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.errors import ToolkitError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was asked: a file system of an account, and the address of the path there."""

    account: str
    file_system: str
    address: str
    resource: str = ""
    """The resource id of the account, for the commands that a refusal proposes."""


class Rejected(ToolkitError):
    """An answer that says in what state a path, or its file system, is. ``reason`` is the service's code of it."""

    def __init__(self, status: int, reason: str, place: Place, why: str) -> None:
        what = f"the storage service refuses what was asked of {place.address}"
        super().__init__("LAK040", what, where=place.address, why=why, fix="run the command again")
        self.status = status
        self.reason = reason

    @property
    def missing(self) -> bool:
        """Whether the path, or all that it lies in, is not there."""
        return self.status == 404 or self.no_file_system

    @property
    def no_file_system(self) -> bool:
        """Whether the file system is not there, or is being deleted."""
        return self.deleting or self.reason in ("FilesystemNotFound", "ContainerNotFound")

    @property
    def deleting(self) -> bool:
        """Whether the file system is being deleted."""
        return self.reason in ("FilesystemBeingDeleted", "ContainerBeingDeleted")

    @property
    def no_folder(self) -> bool:
        """Whether the folder that a file was to be moved to is not there."""
        return self.reason == "RenameDestinationParentPathNotFound"

    @property
    def unexpected(self) -> bool:
        """Whether something is not there, or not as it was to be."""
        return self.status in (304, 404, 409, 412)
