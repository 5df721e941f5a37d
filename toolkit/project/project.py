"""From the names of ``toolkit.yaml`` to live objects.

Paths in the file are relative to its folder. An embedded environment is a folder with the organization's database
and the environment's record; of a Dataverse organization the folder holds the record alone. The lakes of a storage
account are its file systems, or the folders below the folder that stands in for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from toolkit import documents
from toolkit.documents import Document, secrets
from toolkit.environment import embedded
from toolkit.errors import Finding, Invalid, NotFound, Place, Refused, Severity, nearest
from toolkit.files import write_whole
from toolkit.model.environment import Organization, StorageAccount
from toolkit.model.on_failure import OnFailure
from toolkit.organization.catalog import Settings
from toolkit.project.account import AdlsEntry, FolderEntry
from toolkit.project.file import ENVIRONMENT_NAME, SCHEMA, TEMPLATE, EmbeddedEntry, Entry, ProjectFile
from toolkit.project.lakes import Lakes
from toolkit.project.opened import DATABASE, Injected, Opened, Opening, open_dataverse, open_embedded

PROJECT_FILE = "toolkit.yaml"


def find(start: Path) -> Path:
    """Return the toolkit.yaml at ``start`` (a file or a folder), or in the nearest folder above it that has one."""
    if start.is_file():
        return start
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / PROJECT_FILE).is_file():
            return candidate / PROJECT_FILE
    raise NotFound(
        "PRJ001",
        f"there is no {PROJECT_FILE} here, nor in a folder above",
        where=str(folder),
        fix="run `toolkit init` in the folder that shall hold your environments, or give --project PATH",
    )


def create(folder: Path) -> Path:
    """Write a toolkit.yaml with comments into ``folder``. An existing one is left as it is (Refused, PRJ002)."""
    path = folder / PROJECT_FILE
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"# yaml-language-server: $schema={SCHEMA}\n{TEMPLATE}")
    except FileExistsError as error:
        raise Refused(
            "PRJ002", f"{path} is there already", where=str(path), fix="edit it, or choose another folder"
        ) from error
    return path


@dataclass(frozen=True, slots=True)
class Project:
    """A read toolkit.yaml, and the way from its names to live objects."""

    path: Path
    file: ProjectFile

    @classmethod
    def load(cls, path: Path) -> Project:
        """Read a toolkit.yaml. Raises Invalid with every finding."""
        text = documents.read(path)
        document = documents.parse(text, str(path))
        found = [*documents.findings(document, ProjectFile), *_unknown_default(document), *_secrets(text, document)]
        if found:
            raise Invalid(sorted(found, key=lambda finding: finding.where.line or 0))
        return cls(path, documents.as_model(document, ProjectFile))

    @property
    def root(self) -> Path:
        """The folder that paths in the file are relative to."""
        return self.path.resolve().parent

    def entry(self, name: str | None) -> tuple[str, Entry]:
        """Return the name and the entry of an environment; None stands for the default one."""
        if (chosen := self.file.default_environment if name is None else name) is None:
            known = ", ".join(self.file.environments)
            raise NotFound(
                "PRJ004",
                "no environment was named, and there is no default one",
                where=str(self.path),
                fix=f"add --env NAME ({known})" if known else "create one: toolkit env create dev",
            )
        if (entry := self.file.environments.get(chosen)) is None:
            raise NotFound(
                "PRJ005",
                f"there is no environment {chosen!r}",
                where=str(self.path),
                fix=nearest(chosen, self.file.environments) or f"create it: toolkit env create {chosen}",
            )
        return chosen, entry

    def on_failure(self, variables: Mapping[str, str]) -> OnFailure | None:
        """Return who is told of failures. Raises NotFound (PRJ031) when an environment variable of it is not set."""
        how = self.file.on_failure
        for name in how.variables if how else ():
            if not variables.get(name):
                raise NotFound(
                    "PRJ031",
                    f"the environment variable {name} is not set",
                    where=Place(str(self.path), key="on_failure"),
                    why="on_failure reads a secret from it",
                    fix=f"set {name}, or correct the name",
                )
        return how

    def folder(self, name: str | None) -> Path:
        """Return the folder of an environment: an embedded one with its organization, another with its record."""
        return self.root / self.folder_as_written(name)

    def folder_as_written(self, name: str | None) -> str:
        """Return the same as the file has it; environments/NAME where it says nothing."""
        chosen, entry = self.entry(name)
        written = entry.folder if isinstance(entry, EmbeddedEntry) else entry.state
        return written or f"environments/{chosen}"

    @contextmanager
    def opened(
        self,
        name: str | None,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Opened]:
        """Open an environment, None for the default one, and close it when the block ends.

        The organization itself is opened at its first use: what is asked of the lakes alone does not touch it.
        """
        chosen, entry = self.entry(name)
        lakes = self.lakes(chosen, clock=clock, sleep=sleep)
        opening = Opening(chosen, self.root, self.folder(chosen), lakes, Injected(clock, new_id, sleep))
        found = open_embedded(opening, entry) if isinstance(entry, EmbeddedEntry) else open_dataverse(opening, entry)
        with found as opened:
            yield opened

    def lakes(
        self,
        name: str | None,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> Lakes:
        """Return the lakes of the storage accounts, as an environment reaches them."""
        _, entry = self.entry(name)
        unnamed = isinstance(entry, EmbeddedEntry)
        return Lakes(self.path, self.file.accounts, unnamed=unnamed, clock=clock, sleep=sleep)

    def create_environment(
        self,
        name: str,
        folder: str,
        organization: Organization,
        accounts: Mapping[str, StorageAccount],
        settings: Settings,
    ) -> Project:
        """Make an embedded organization in ``folder`` and add it to the file. Refused (PRJ006) when the name is taken.

        Names that differ in case alone are one name. The first environment becomes the default one.
        """
        self._refuse_name(name)
        entry = EmbeddedEntry(kind="embedded", folder=folder)
        file = self.file.model_copy(
            update={
                "default_environment": self.file.default_environment or name,
                "environments": {**self.file.environments, name: entry},
            }
        )
        embedded.create(
            self.root / folder / DATABASE, organization, accounts=accounts.values(), settings=settings
        ).close()
        return self._written(file)

    def _refuse_name(self, name: str) -> None:
        where = str(self.path)
        if (
            taken := next((one for one in self.file.environments if one.casefold() == name.casefold()), None)
        ) is not None:
            why = "" if taken == name else "some disks do not tell upper from lower case: the two would share a folder"
            what = f"there is an environment {taken!r} already"
            raise Refused("PRJ006", what, where=where, why=why, fix="choose another name")
        if re.fullmatch(ENVIRONMENT_NAME, name) is None:
            why = "it has 1 to 64 letters, digits, hyphens and underscores, and starts with a letter or digit"
            what = f"{name!r} is no name for an environment"
            raise Refused("PRJ007", what, where=where, why=why, fix="choose a name like dev, test or prod-eu")

    def refuse_folders(self, folders: Mapping[str, str]) -> None:
        """Raise Refused (PRJ051) where a folder is given to an account that the file has in Azure."""
        for name, folder in folders.items():
            if folder and isinstance(self.file.accounts.get(name), AdlsEntry):
                what = f"the storage account {name} is one in Azure, and no folder"
                fix = f"leave out ={folder}, or change accounts in {PROJECT_FILE}"
                raise Refused("PRJ051", what, where=Place(str(self.path), key=f"accounts.{name}"), fix=fix)

    def with_account_folders(self, folders: Mapping[str, str]) -> Project:
        """Say where the file systems of storage accounts lie; an empty folder says nothing."""
        said = {name: FolderEntry(folder=folder) for name, folder in folders.items() if folder}
        accounts = {**self.file.accounts, **said}
        return self._written(self.file.model_copy(update={"accounts": accounts}))

    def _written(self, file: ProjectFile) -> Project:
        """Write the file anew where it changed; what people wrote in it stays."""
        if file == self.file:
            return self
        data = file.model_dump(mode="json", exclude_unset=True)
        text = documents.render(data, schema=SCHEMA, template=documents.read(self.path))
        write_whole(self.path, text.encode())
        return Project(self.path, file)


def _unknown_default(document: Document) -> Iterator[Finding]:
    """Yield that the default environment is none of the file; asked of the text, whatever else is wrong in it."""
    data = document.data if isinstance(document.data, dict) else {}
    default, known = data.get("default_environment"), data.get("environments") or {}
    if isinstance(default, str) and isinstance(known, dict) and default not in known:
        what = f"default_environment names {default!r}, which is not among the environments"
        fix = nearest(default, known) or "take the line out"
        yield Finding("PRJ003", Severity.ERROR, what, document.place("default_environment"), fix=fix)


def _secrets(text: str, document: Document) -> Iterator[Finding]:
    """Yield where secrets stand; what they are is never told."""
    what, why = "a secret has no place in toolkit.yaml", "the file is kept in version control"
    fix = "take it out and revoke it; sign_in names the environment variable that holds a secret"
    for where in (*secrets.in_lines(text, document.path), *secrets.by_name(document)):
        yield Finding("PRJ052", Severity.ERROR, what, where, why, fix)
