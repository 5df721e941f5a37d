"""A site: one environment of ``toolkit.yaml`` as live objects, with the documents that say what is linked where.

Reads the environment's record and the link documents; only ``toolkit.apply`` writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from toolkit.environment.protocol import Environment
from toolkit.errors import Damaged, Place
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Etag, Lake
from toolkit.model.link import LINK_FORMAT, EnvironmentRecord, LakeAddress, Link
from toolkit.source.protocol import Source

LINK_PATH = f"{STATE_FOLDER}/link.json"
RECORD_PATH = "record.json"

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Linked:
    """A link as it was read: its document, the document's etag (for the conditional write), and its lake."""

    link: Link
    etag: Etag
    lake: Lake


@dataclass(frozen=True, slots=True)
class Site:
    """One environment with its source, its lakes, and the place of its record.

    ``open_lake(account, file_system)`` gives a lake whether or not the file system exists; nothing is created before
    the first write.
    """

    name: str
    environment: Environment
    source: Source
    state: Lake
    open_lake: Callable[[str, str], Lake]

    def record(self) -> tuple[EnvironmentRecord | None, Etag]:
        """Return the environment's record with its etag, or None and ABSENT before the first apply."""
        stat = self.state.stat(RECORD_PATH)
        if stat is None:
            return None, ABSENT
        where = self.state.location(RECORD_PATH)
        return _document(self.state.read(RECORD_PATH), EnvironmentRecord, where), stat.etag

    def lake_at(self, address: LakeAddress) -> Lake:
        """Return the lake at an address of the record."""
        return self.open_lake(address.account, address.file_system)

    def links(self) -> tuple[Linked, ...]:
        """Return the links of the environment, in the order of the record."""
        record, _ = self.record()
        found = (read_link(self.lake_at(address)) for address in (record.lakes if record else ()))
        return tuple(linked for linked in found if linked is not None)


def read_link(lake: Lake) -> Linked | None:
    """Read the link document of a lake; None where there is none. Raises Damaged when it cannot be read."""
    stat = lake.stat(LINK_PATH)
    if stat is None:
        return None
    return Linked(_document(lake.read(LINK_PATH), Link, lake.location(LINK_PATH)), stat.etag, lake)


def _document(data: bytes, model: type[_M], where: str) -> _M:
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
            fix="restore the file from a backup, or link the environment anew",
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
