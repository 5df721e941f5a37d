"""A site: one environment of ``toolkit.yaml`` as live objects, with the documents that say what is linked where.

Reads the environment's record and the link documents; only ``toolkit.apply`` writes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from toolkit.environment.protocol import Environment
from toolkit.errors import Damaged, Place, ToolkitError
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Lake, State
from toolkit.model.config import LEAST_KEY
from toolkit.model.environment import Inventory, StorageAccount
from toolkit.model.link import LINK_FORMAT, EnvironmentRecord, LakeAddress, Link, led
from toolkit.source.protocol import Source

LINK_PATH = f"{STATE_FOLDER}/link.json"
RECORD_PATH = "record.json"

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class MaskKey:
    """Where the key of hashed columns is: a variable that is read when it is needed. The key itself is never kept."""

    variable: str | None = None
    """None where none is named."""
    read: Callable[[str], str | None] = os.environ.get

    def secret(self) -> bytes:
        """Return the key. Raises LookupError, which says why there is none that is good for it."""
        if self.variable is None:
            raise LookupError("toolkit.yaml names no mask_key for the environment")
        if not (key := (self.read(self.variable) or "").encode()):
            raise LookupError(f"the environment variable {self.variable} is not set")
        if len(key) < LEAST_KEY:
            raise LookupError(f"the key in {self.variable} is shorter than {LEAST_KEY} bytes")
        return key

    def lack(self) -> str:
        """Return why there is no key that is good for it, empty where there is one."""
        try:
            self.secret()
        except LookupError as error:
            return str(error)
        return ""


NO_KEY = MaskKey()


@dataclass(frozen=True, slots=True)
class Linked:
    """A link as it was read: its document, the document's etag (for the conditional write), and its lake."""

    link: Link
    etag: Etag
    lake: Lake
    mask_key: MaskKey = NO_KEY


def leading(links: Iterable[Linked]) -> list[Linked]:
    """Return the live links that say what their config exports: of one that is moving, that of the new lake."""
    found = list(links)
    addresses = {link.address for link in led(linked.link for linked in found)}
    return [linked for linked in found if linked.link.active and linked.link.address in addresses]


@dataclass(frozen=True, slots=True)
class Broken:
    """A lake of the record, and the error that keeps its link from being read.

    The document is damaged (STA001), too new (STA002) or gone (STA003), or the storage account does not let us in.
    """

    address: LakeAddress
    error: ToolkitError


@dataclass(frozen=True, slots=True)
class Site:
    """One environment with its source, its lakes, and the place of its record.

    ``open_lake(account, file_system)`` gives a lake whether or not the file system exists; nothing is created before
    the first write. ``look(account)`` asks a storage account what it is; None where only the environment tells.
    """

    name: str
    environment: Environment
    source: Source
    state: State
    open_lake: Callable[[str, str], Lake]
    mask_key: MaskKey = NO_KEY
    look: Callable[[str], StorageAccount | None] = lambda _: None
    rows_per_second: int = 150_000
    """About how many rows an initial sync reads. Measured on an embedded environment: benchmarks/results.md."""

    def seen(self, inventory: Inventory, accounts: Iterable[str]) -> Inventory:
        """Return a reading of the environment with these storage accounts as they are themselves found to be.

        Raises what keeps an account from being asked, such as Forbidden.
        """
        found = {name: account for name in set(accounts) if (account := self.look(name)) is not None}
        return inventory.model_copy(update={"accounts": {**inventory.accounts, **found}}) if found else inventory

    def record(self) -> tuple[EnvironmentRecord | None, Etag]:
        """Return the environment's record with its etag, or None and ABSENT before the first apply."""
        stat = self.state.stat(RECORD_PATH)
        if stat is None:
            return None, ABSENT
        where, data = self.state.location(RECORD_PATH), self.state.read(RECORD_PATH)
        return read_document(data, EnvironmentRecord, where, fix=_RECORD_ANEW), stat.etag

    def lake_at(self, address: LakeAddress) -> Lake:
        """Return the lake at an address of the record."""
        return self.open_lake(address.account, address.file_system)

    def links(self) -> tuple[Linked, ...]:
        """Return the links that can be read, in the order of the record; ``broken`` has the others."""
        return tuple(found for found in self.looked() if isinstance(found, Linked))

    def broken(self) -> tuple[Broken, ...]:
        """Return the lakes of the record whose link cannot be read, each with its own error."""
        return tuple(found for found in self.looked() if isinstance(found, Broken))

    def looked(self) -> Iterator[Linked | Broken]:
        """Read the link of each lake of the record, in its order."""
        record, _ = self.record()
        # One document for each lake, however often the record names it.
        lakes = {(address.account, address.file_system): address for address in (record.lakes if record else ())}
        return (self._look_at(address) for address in lakes.values())

    def _look_at(self, address: LakeAddress) -> Linked | Broken:
        again = _again(self.name, address)
        try:
            lake = self.lake_at(address)
            linked = read_link(lake, again)
        except ToolkitError as error:
            return Broken(address, error)
        if linked is None:
            return Broken(address, _gone(lake, again))
        return replace(linked, mask_key=self.mask_key)


_RECORD_ANEW = (
    "restore the file from a backup; or delete it, then import each bundle again, and make each link of hand again "
    "with the id in its link.json: toolkit lake link --id GUID --account NAME, with --entity for each entity"
)


def _again(environment: str, address: LakeAddress) -> str:
    """Return how a link gets a new document."""
    return (
        f"import its bundle again, or for a link of hand: toolkit lake link --id {address.config} "
        f"--account {address.account} --file-system {address.file_system} --env {environment}, "
        "with --entity for each entity; the data stays"
    )


def _gone(lake: Lake, again: str) -> Damaged:
    return Damaged(
        "STA003",
        f"the link document {lake.location(LINK_PATH)} is gone",
        where=lake.location(LINK_PATH),
        why="the environment's record names the lake, so it was linked once",
        fix=f"restore the file from a backup; or {again}",
    )


def read_link(lake: Lake, again: str = "import its bundle again, or link again with the same id") -> Linked | None:
    """Read the link document of a lake; None where there is none.

    Raises Damaged when it cannot be read; ``again`` says how the link gets a new one.
    """
    stat = lake.stat(LINK_PATH)
    if stat is None:
        return None
    fix = f"restore the file from a backup; or delete it, then {again}"
    return Linked(read_document(lake.read(LINK_PATH), Link, lake.location(LINK_PATH), fix=fix), stat.etag, lake)


def read_document(data: bytes, model: type[_M], where: str, *, fix: str) -> _M:
    """Return a state document. Raises Damaged: STA001 with ``fix`` when it cannot be read, STA002 for a newer one."""
    # The format is looked at first: a newer one fails validation in ways that would mislead.
    if (found := format_of(data)) > LINK_FORMAT:
        raise _too_new(where, found)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Damaged(
            "STA001",
            f"{where} cannot be read",
            where=Place(where, key=".".join(str(part) for part in first["loc"])),
            why=first["msg"],
            fix=fix,
        ) from error


def format_of(data: bytes) -> int:
    """Return the number under ``format`` of a JSON document, or 0 where there is none."""
    try:
        document = from_json(data)
    except ValueError:
        return 0
    found = document.get("format") if isinstance(document, dict) else None
    return found if isinstance(found, int) else 0


def _too_new(where: str, found: int) -> Damaged:
    return Damaged(
        "STA002",
        f"{where} has format {found}, and this toolkit reads up to {LINK_FORMAT}",
        where=where,
        fix="use the newer toolkit that wrote it",
    )
