"""A file system, one level above the SDK: each method is one request, in the types of this toolkit. Imports the SDK.

Files are written and moved through the dfs endpoint, read and leased through the blob endpoint, as the SDK does itself.
What the service answers of a path's state raises Rejected; everything else that fails is final when it arrives here,
since the SDK has tried it again (``retrying``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.credentials import AzureSasCredential
from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient
from azure.storage.filedatalake import DataLakeFileClient, FileSystemClient

from toolkit import __version__
from toolkit.errors import Retriable
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.failures import asking
from toolkit.lake.adls.place import Place, Rejected
from toolkit.lake.adls.retrying import Again
from toolkit.lake.protocol import ABSENT, Etag, Expect, Stat

if TYPE_CHECKING:
    from azure.storage.filedatalake import PathProperties

# What the SDK logs names addresses; it is not for people's terminals.
logging.getLogger("azure").addHandler(logging.NullHandler())

PAGE = 5000
"""Paths of a page of a list, the service's own limit."""

WHOLE = 64 << 20
"""Bytes up to which the SDK reads with one request."""

UNUSABLE_SECONDS = 90.0
"""How long the name of a deleted file system is waited for. The service keeps it for 30 s, and more."""

_STEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A path of a list."""

    path: str
    folder: bool
    size: int
    etag: Etag
    modified: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What the service knows of a file."""

    size: int
    etag: Etag
    modified: datetime
    metadata: Mapping[str, str]
    copying: str = ""
    """The state of the copy that made it, where a copy did."""

    def stat(self, path: str) -> Stat:
        """Return it as callers of a lake know it."""
        return Stat(path, self.size, self.etag, self.modified)


@dataclass(frozen=True, slots=True)
class Read:
    """Bytes of a file, and the file that they are of."""

    data: bytes
    size: int
    etag: Etag


class FileSystem:
    """A file system of an account. Safe to use from several threads."""

    def __init__(self, account: StorageAccount, name: str, pause: Callable[[float], None]) -> None:
        self.account, self.name = account, name
        self.pause = pause
        # The SDK leaves a signature of an AzureSasCredential out of what is moved, but not one that is a text.
        held = account.credential
        credential: Any = held.signature if isinstance(held, AzureSasCredential) else held
        options: dict[str, Any] = {
            "credential": credential,
            "retry_policy": Again(account.patience, pause),
            "user_agent": f"export-to-data-lake-toolkit/{__version__}",
            "max_single_get_size": WHOLE,
            "max_chunk_get_size": WHOLE,
        }
        with asking(self.place("")):
            self._dfs = FileSystemClient(account.dfs, name, **options)
            self._blobs = ContainerClient(account.blob, name, **options)

    def place(self, path: str) -> Place:
        """Return where a path is, for messages."""
        address = f"{self.account.location}/{self.name}/{path}".rstrip("/")
        return Place(self.account.name, self.name, address, self.account.resource)

    # The file system itself

    def make(self) -> None:
        """Make the file system, unless it is there. One of that name that is being deleted is waited for."""
        waited = 0.0
        while not self._made():
            if waited >= UNUSABLE_SECONDS:
                raise self._being_deleted()
            self.pause(_STEP_SECONDS)
            waited += _STEP_SECONDS

    def _made(self) -> bool:
        try:
            with asking(self.place("")):
                self._blobs.create_container()
        except Rejected as rejected:
            if rejected.deleting:
                return False
            if rejected.status != 409:
                raise
        return True

    def _being_deleted(self) -> Retriable:
        return Retriable(
            "LAK033",
            f"file system {self.name} of storage account {self.account.name} is being deleted",
            after=_STEP_SECONDS * 6,
            where=self.place("").address,
            why=f"its name is still taken after {UNUSABLE_SECONDS:g} s",
            fix="wait until it is gone, or link another file system",
        )

    # Files and folders

    def create(self, path: str, metadata: Mapping[str, str] | None = None, *, absent: bool = False) -> Etag:
        """Make an empty file, in the place of one of that name; with ``absent`` only where none is."""
        said = dict(metadata) if metadata else None
        target = _target(ABSENT if absent else "any")
        return self._creating(path, lambda: self._file(path).create_file(metadata=said, **target))

    def create_folder(self, path: str) -> None:
        """Make a folder and those above it, where they are not there yet."""
        try:
            self._creating(path, lambda: self._dfs.get_directory_client(path).create_directory(**_target(ABSENT)))
        except Rejected as rejected:
            if rejected.status != 409:
                raise

    def _creating(self, path: str, create: Callable[[], Any]) -> Etag:
        """Create a path, with its file system where that is not there."""
        try:
            with asking(self.place(path)):
                return _etag(create()["etag"])
        except Rejected as rejected:
            if not rejected.no_file_system:
                raise
        self.make()
        with asking(self.place(path)):
            return _etag(create()["etag"])

    def append(self, path: str, data: bytes, at: int) -> None:
        """Send bytes of a file, which a flush makes part of it."""
        with asking(self.place(path)):
            self._file(path).append_data(data, at, len(data))

    def flush(self, path: str, size: int, etag: Etag) -> Etag:
        """Make what was sent part of a file, up to ``size``, on condition of its etag."""
        with asking(self.place(path)):
            return _etag(self._file(path).flush_data(size, **_target(etag))["etag"])

    def rename(self, source: str, etag: Etag, target: str, expect: Expect) -> None:
        """Move a file whose etag is ``etag`` to where a file is as expected. It keeps its etag."""
        with asking(self.place(target)):
            self._file(source).rename_file(f"{self.name}/{target}", **of_source(etag), **_target(expect))

    def delete(self, path: str, expect: Expect = "any") -> None:
        """Delete a file, or a folder that is empty."""
        with asking(self.place(path)):
            # Never recursive: what arrives in a folder meanwhile must not go with it.
            self._file(path).delete_file(recursive=False, **_target(expect))

    def paths(self, folder: str) -> Iterator[Entry]:
        """Yield the paths below a folder, page by page, in the order of the service."""
        pages = self._dfs.get_paths(path=folder or None, recursive=True, max_results=PAGE).by_page()
        try:
            page = self._page(folder, pages)
        except Rejected as rejected:
            if not rejected.unexpected:
                raise
            return
        while page is not None:
            yield from map(_entry, page)
            page = self._page(folder, pages)

    def _page(self, folder: str, pages: Iterator[Iterator[PathProperties]]) -> list[PathProperties] | None:
        with asking(self.place(folder)):
            page = next(pages, None)
            return None if page is None else list(page)

    # What a file holds

    def find(self, path: str) -> Found | None:
        """Return what is known of a file; None when there is none."""
        try:
            with asking(self.place(path)):
                found = self.blob(path).get_blob_properties()
        except Rejected as rejected:
            if not rejected.missing:
                raise
            return None
        return None if _is_folder(found.metadata) else _found(found)

    def read(self, path: str, start: int, length: int, etag: Etag | None = None) -> Read:
        """Return a range of a file, up to WHOLE bytes; with ``etag`` only when it is still that one."""
        try:
            with asking(self.place(path)):
                body = self.blob(path).download_blob(start, length, **_target(etag or "any"))
                data = body.readall()
        except Rejected as rejected:
            if rejected.status != 416:
                raise
            return self._beyond(path, etag)
        if _is_folder(body.properties.metadata):
            raise self._no_file(path)
        return Read(data, int((body.properties.content_range or "").rpartition("/")[2]), _etag(body.properties.etag))

    def _beyond(self, path: str, etag: Etag | None) -> Read:
        """Return nothing of a file that ends before the range."""
        found = self.find(path)
        if found is None:
            raise self._no_file(path)
        if etag not in (None, found.etag):
            raise Rejected(412, "ConditionNotMet", self.place(path), "the file is another one")
        return Read(b"", found.size, found.etag)

    def _no_file(self, path: str) -> Rejected:
        return Rejected(404, "PathNotFound", self.place(path), "it is a folder")

    # Leases

    def acquire(self, path: str, lease: str, seconds: int) -> None:
        """Take the lease of a file. To take one's own again is success."""
        with asking(self.place(path)):
            BlobLeaseClient(self.blob(path), lease).acquire(seconds)

    def renew(self, path: str, lease: str) -> None:
        """Let a lease that is held begin anew."""
        with asking(self.place(path)):
            BlobLeaseClient(self.blob(path), lease).renew()

    def release(self, path: str, lease: str) -> None:
        """Give a lease back."""
        with asking(self.place(path)):
            BlobLeaseClient(self.blob(path), lease).release()

    def describe(self, path: str, metadata: Mapping[str, str], lease: str) -> None:
        """Set the metadata of a file whose lease is held."""
        with asking(self.place(path)):
            self.blob(path).set_blob_metadata(dict(metadata), lease=lease)

    def blob(self, path: str) -> BlobClient:
        """Return the SDK's client of a file at the blob endpoint."""
        return self._blobs.get_blob_client(path)

    def _file(self, path: str) -> DataLakeFileClient:
        return self._dfs.get_file_client(path)


def of_source(etag: Etag) -> dict[str, Any]:
    """Return the SDK's arguments for the condition that what is moved or copied is still that."""
    return {"source_etag": _quoted(etag), "source_match_condition": MatchConditions.IfNotModified}


def _target(expect: Expect) -> dict[str, Any]:
    """Return the SDK's arguments for a condition on what a request changes or reads."""
    if expect == "any":
        return {}
    if expect == ABSENT:
        return {"match_condition": MatchConditions.IfMissing}
    return {"etag": _quoted(expect), "match_condition": MatchConditions.IfNotModified}


def _quoted(etag: str) -> str:
    return f'"{etag}"'


def _etag(text: str) -> Etag:
    """Return an etag without its quotes: lists give it without, headers with them."""
    return Etag(text.strip('"'))


def _is_folder(metadata: Mapping[str, str] | None) -> bool:
    return (metadata or {}).get("hdi_isfolder") == "true"


def _entry(path: PathProperties) -> Entry:
    modified = path.last_modified.replace(tzinfo=UTC)
    return Entry(path.name, bool(path.is_directory), path.content_length or 0, _etag(path.etag or ""), modified)


def _found(properties: Any) -> Found:  # noqa: ANN401 - the SDK's own
    modified = properties.last_modified.astimezone(UTC)
    copying = properties.copy.status or ""
    return Found(properties.size, _etag(properties.etag), modified, properties.metadata or {}, copying)
