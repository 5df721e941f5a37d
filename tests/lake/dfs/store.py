"""What an account holds: file systems, and in each files and directories, as values that every write replaces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.lake.dfs.leases import NOBODY, Lease
from tests.lake.dfs.wire import Half


@dataclass(frozen=True, slots=True)
class Node:
    """A file or a directory."""

    etag: str
    modified: datetime
    directory: bool = False
    data: bytes = field(default=b"", repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)
    origin: Half = "dfs"
    """The endpoint that made it."""
    lease: Lease = NOBODY
    pending: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """Appends that no flush has made part of the file, by position."""
    blocks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Blocks that no list has made part of the file, by id."""
    listed_blocks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Blocks that are part of the file, by id."""
    listed: bool = True
    """Whether the file is there: one of blocks alone is not yet."""
    copied: Mapping[str, str] = field(default_factory=dict)
    """What the properties say of the copy that made it."""


@dataclass(slots=True)
class FileSystem:
    """A file system, which the blob endpoint calls a container."""

    etag: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    lease: Lease = NOBODY
    nodes: dict[str, Node] = field(default_factory=dict)

    def below(self, path: str) -> Iterator[str]:
        """Yield the paths below a directory; all when it is empty."""
        start = f"{path}/" if path else ""
        return (each for each in self.nodes if each.startswith(start))


@dataclass(slots=True)
class Store:
    """All that an account holds. ``guard`` is held for the whole of a request: each is done at once or not at all."""

    clock: Callable[[], datetime]
    file_systems: dict[str, FileSystem] = field(default_factory=dict)
    deleted: dict[str, datetime] = field(default_factory=dict)
    """When a file system was deleted, by its name."""
    writes: int = 0
    guard: threading.RLock = field(default_factory=threading.RLock)

    def next_etag(self) -> str:
        """Return an etag that no other write has."""
        self.writes += 1
        return f'"0x8DE{self.writes:012X}"'

    def written(self, node: Node) -> Node:
        """Return a node with the etag and the time of a write now."""
        return replace(node, etag=self.next_etag(), modified=self.clock())

    def fork(self, clock: Callable[[], datetime] | None = None) -> Store:
        """Return another account that holds the same now."""
        with self.guard:
            copies = {name: replace(each, nodes=dict(each.nodes)) for name, each in self.file_systems.items()}
            return Store(clock or self.clock, copies, dict(self.deleted), self.writes)


def parents(path: str) -> list[str]:
    """Return the directories that a path lies in, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
