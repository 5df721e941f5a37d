"""The file systems of the storage accounts that ``toolkit.yaml`` names: folders here, or accounts in Azure."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from toolkit.errors import Place, Refused, nearest
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Lake
from toolkit.model import environment as seen
from toolkit.project.account import AccountEntry, FolderEntry
from toolkit.sign_in.credential import Variables, storage_credential


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Lakes:
    """The lakes of a project, as one of its environments reaches them."""

    file: Path
    """The toolkit.yaml; folders are relative to its folder."""
    accounts: Mapping[str, AccountEntry]
    unnamed: bool = True
    """Whether an account that the file does not name is the folder ``lakes/<account>``. For embedded environments it
    is; for a Dataverse organization it is refused: its rows would land on this machine though nobody said so."""
    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    variables: Variables = os.environ.get

    @property
    def _root(self) -> Path:
        return self.file.resolve().parent

    def entry(self, account: str) -> AccountEntry:
        """Return what the file says of an account. Raises Refused (PRJ050) where it must and does not."""
        if (entry := self.accounts.get(account)) is not None:
            return entry
        if not self.unnamed:
            raise Refused(
                "PRJ050",
                f"toolkit.yaml names no storage account {account!r}",
                where=Place(str(self.file), key="accounts"),
                why="rows of a Dataverse organization go only where somebody said that they shall",
                fix=f"add under accounts: {account}: {{kind: adls}}, or {account}: {{folder: lakes/{account}}}; "
                f"{nearest(account, self.accounts)}".rstrip("; "),
            )
        return FolderEntry(folder=f"lakes/{account}")

    def place(self, account: str) -> str:
        """Return where the file systems of an account lie: a folder, or the address of its endpoint."""
        entry = self.entry(account)
        return str(self._root / entry.folder) if isinstance(entry, FolderEntry) else entry.dfs(account).url

    def open(self, account: str, file_system: str) -> Lake:
        """Return the lake of a file system; nothing is created, and nobody is asked for a token yet.

        Raises Refused (PRJ050), and what ``storage_credential`` raises for the secret of an account.
        """
        if (azure := self.account(account)) is None:
            return FolderLake(self._folder(account) / file_system)
        # Imported here: the SDK of Azure takes longer to import than most commands run.
        from toolkit.lake.adls.lake import AdlsLake

        return AdlsLake(azure, file_system, clock=self.clock, sleep=self.sleep)

    def look(self, account: str) -> seen.StorageAccount | None:
        """Ask an account in Azure what it is; None for a folder, of which only the environment tells."""
        if (azure := self.account(account)) is None:
            return None
        from toolkit.lake.adls.properties import properties

        return properties(azure, self.sleep)

    def drop(self, account: str, file_system: str) -> None:
        """Delete a file system with all that is in it, and its account's folder where nothing else is there."""
        if (azure := self.account(account)) is None:
            _drop_folder(self._folder(account) / file_system)
            return
        from toolkit.lake.adls.properties import delete_file_system

        delete_file_system(azure, file_system, self.sleep)

    def account(self, name: str) -> StorageAccount | None:
        """Return an account in Azure with the credential for it; None for a folder. Raises as ``open`` does."""
        entry = self.entry(name)
        if isinstance(entry, FolderEntry):
            return None
        dfs = entry.dfs(name)
        suffix = entry.cloud.storage_suffix
        who = storage_credential(entry.sign_in, name, suffix, dfs, folder=self._root, variables=self.variables)
        return StorageAccount(
            name,
            dfs.url,
            entry.blob(name).url,
            who,
            server_copies=entry.server_copies,
            cloud=entry.cloud,
            subscription=entry.subscription,
            resource_group=entry.resource_group,
        )

    def _folder(self, account: str) -> Path:
        return Path(self.place(account))


def _drop_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        what, fix = f"{folder} could not be deleted", "delete it by hand"
        raise Refused("PRJ041", what, where=str(folder), fix=fix)
    with suppress(OSError):
        folder.parent.rmdir()
