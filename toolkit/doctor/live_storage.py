"""What the documents say about Azure Data Lake Storage Gen2 and nobody has seen, tried in a file system of its own.

The file system is deleted at the end, also after a failure or an interruption. Imports the SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from toolkit.doctor.examination import Check, Step, Unasked, otherwise, tried
from toolkit.doctor.subject import Subject
from toolkit.errors import Finding, Refused, Severity, ToolkitError
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.filesystem import FileSystem
from toolkit.lake.adls.lake import AdlsLake
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.properties import properties
from toolkit.lake.protocol import ABSENT, Etag, Expect
from toolkit.project import Lakes

CONTENT = b"toolkit doctor was here\n"


@dataclass
class StorageTrial:
    """A file system of a unique name, on its way through the steps."""

    described: str
    account: StorageAccount
    files: FileSystem
    lake: AdlsLake
    drop: Callable[[], None]
    cleaned: bool = field(default=False, init=False)
    """Whether deleting was tried."""

    @property
    def place(self) -> str:
        """The account and the file system."""
        return f"{self.account.name}/{self.files.name}"

    @property
    def does(self) -> str:
        """What it does, for the question before it."""
        return f"write files in {self.place}"

    def tried(self) -> Generator[Check]:
        """Return what was confirmed, step by step. Whatever happens, the file system is deleted at the end."""
        return tried(self, STEPS)

    def write(self, path: str, content: bytes = CONTENT) -> Etag:
        """Make a file as every file of an export is made, but for the rename."""
        made = self.files.create(path)
        self.files.append(path, content, 0)
        return self.files.flush(path, len(content), made)

    def clean(self) -> str:
        """Delete the file system. Raises Refused (DR021) where it is left."""
        self.cleaned = True
        try:
            self.drop()
        except ToolkitError as error:
            left = Finding(
                "DR021", Severity.ERROR, f"{self.place} is left", error.where, error.what, "delete it by hand"
            )
            raise Refused.of([left]) from error
        return f"{self.place} is deleted"


def telling(trial: StorageTrial) -> str | Unasked:
    """See what the account tells of itself to this identity."""
    found = properties(trial.account, trial.files.pause)
    told = {"kind": found.kind, "replication": found.replication, "tenant": found.tenant}
    if found.hierarchical_namespace is False:
        raise otherwise("the account has no hierarchical namespace")
    said = [f"{name} {value}" for name, value in told.items() if value is not None]
    return ", ".join(said) if found.kind else Unasked(f"it tells this identity nothing but: {', '.join(said) or '-'}")


def making(trial: StorageTrial) -> str:
    """Make the file system and a file, and read it."""
    trial.files.make()
    etag = trial.write("written")
    read = trial.files.read("written", 0, len(CONTENT) + 1)
    if (read.data, read.etag) != (CONTENT, etag):
        raise otherwise("a file reads otherwise than it was written, or has another etag")
    return f"{trial.place} was made, and a file in it: its etag is the same by dfs and by blob"


def renaming(trial: StorageTrial) -> str:
    """See that a rename keeps the etag, and that a condition keeps it from replacing a file."""
    etag, other = trial.write("a"), trial.write("b")
    if (status := _refused(trial, "a", etag, "b", ABSENT)) == 0:
        raise otherwise("a rename on condition that nothing is there replaces a file")
    trial.files.rename("a", etag, "b", other)
    found = trial.files.find("b")
    if found is None or found.etag != etag:
        raise otherwise("a rename changes the etag of a file")
    return f"a rename keeps the etag; on condition that nothing is there it is refused with {status}"


def onto_folder(trial: StorageTrial) -> str:
    """See what a rename of a file onto a folder with files does; nothing of this toolkit relies on it."""
    etag = trial.write("c")
    trial.write("folder/inside")
    status = _refused(trial, "c", etag, "folder", "any")
    kept = trial.files.find("folder/inside") is not None
    if not kept:
        raise otherwise("a rename onto a folder deletes the files in it")
    return f"a rename of a file onto a folder with files is {f'refused with {status}' if status else 'done'}"


def flushing(trial: StorageTrial) -> str:
    """See that a flush on condition of an old etag is refused."""
    old = trial.files.create("d")
    trial.files.append("d", CONTENT, 0)
    trial.files.flush("d", len(CONTENT), old)
    trial.files.append("d", CONTENT, len(CONTENT))
    try:
        trial.files.flush("d", 2 * len(CONTENT), old)
    except Rejected as rejected:
        return f"a flush on condition of an old etag is refused with {rejected.status} {rejected.reason}"
    raise otherwise("a flush on condition of an old etag is done")


def copying(trial: StorageTrial) -> str | Unasked:
    """See whether the service copies and splices files by itself; where it does not, bytes are read and written."""
    if trial.account.server_copies == "never":
        return Unasked("server_copies is never")
    if not trial.lake.server_copies():
        return Unasked("it does not copy rightly what was written through dfs: lakes read and write bytes instead")
    return "the service copies and splices files that were written through dfs, and moves the copies"


def _refused(trial: StorageTrial, source: str, etag: Etag, target: str, expect: Expect) -> int:
    """Return the status with which a rename is refused, 0 where it is done."""
    try:
        trial.files.rename(source, etag, target, expect)
    except Rejected as rejected:
        return rejected.status
    return 0


def cleaning(trial: StorageTrial) -> str:
    """Delete the file system."""
    return trial.clean()


STEPS: tuple[Step[StorageTrial], ...] = (
    Step("account", telling),
    Step("writing", making),
    Step("renaming", renaming, ("writing",)),
    Step("onto a folder", onto_folder, ("writing",)),
    Step("old etag", flushing, ("writing",)),
    Step("server copies", copying, ("writing",)),
    Step("cleaning up", cleaning),
)


def storage_trial(subject: Subject, account: str, lakes: Lakes) -> StorageTrial | None:
    """Return a trial in a storage account in Azure; None for a folder."""
    if (azure := lakes.account(account)) is None:
        return None
    file_system = f"toolkit-doctor-{subject.new_id().replace('-', '')[-12:]}"
    return StorageTrial(
        described=f"{account} is a storage account in Azure at {azure.dfs}",
        account=azure,
        files=FileSystem(azure, file_system, lakes.sleep),
        lake=AdlsLake(azure, file_system, clock=lakes.clock, sleep=lakes.sleep),
        drop=lambda: lakes.drop(account, file_system),
    )
