"""A small world for the engine: two entities, a scripted source, a lake, and a clock that is set by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from toolkit.engine import Settings, SyncReport, snapshot, sync
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.lake.protocol import ABSENT, Holder, Lake
from toolkit.model.config import ExportConfig, LinkedEntity, Output, Storage
from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.model.link import Dropped, Link
from toolkit.site import NO_KEY, Linked, MaskKey
from toolkit.source.protocol import Source
from toolkit.source.scripted import ScriptedSource

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ORGANIZATION = "00000000-0000-0000-0000-0000000000aa"


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def attribute(name: str, kind: AttributeType, **more: Any) -> Attribute:
    return Attribute(name=name, type=kind, **more)


ACCOUNT = Entity(
    name="account",
    set_name="accounts",
    primary_id="accountid",
    primary_name="name",
    attributes=(
        attribute("accountid", AttributeType.UNIQUEIDENTIFIER),
        attribute("name", AttributeType.STRING, max_length=160),
        attribute("revenue", AttributeType.MONEY, precision=2),
        attribute("createdon", AttributeType.DATETIME),
        attribute("modifiedon", AttributeType.DATETIME),
        attribute("versionnumber", AttributeType.BIGINT),
    ),
)
TEAM = Entity(
    name="teammembership",
    set_name="teammemberships",
    primary_id="teammembershipid",
    intersect=True,
    attributes=(
        attribute("teammembershipid", AttributeType.UNIQUEIDENTIFIER),
        attribute("teamid", AttributeType.UNIQUEIDENTIFIER),
        attribute("versionnumber", AttributeType.BIGINT),
    ),
)


def link(
    *entities: LinkedEntity,
    generation: int = 1,
    dropped: tuple[Dropped, ...] = (),
    active: bool = True,
    output: Output = Output(),  # noqa: B008 - a frozen value
) -> Link:
    config = ExportConfig(
        id="653ae937-c02f-ed11-9db1-0022482dfdbf",
        name="contosolake",
        storage=Storage(account="contosolake"),
        entities=entities,
        output=output,
    )
    return Link(
        generation=generation,
        environment="dev",
        organization=ORGANIZATION,
        config=config,
        account="contosolake",
        file_system="dev-lake",
        created=START,
        changed=START,
        dropped=dropped,
        active=active,
    )


def linked_entity(name: str, **how: Any) -> LinkedEntity:
    return LinkedEntity(name=name, **how)


HOLDER = Holder("test", "here", 1, START)


@dataclass
class World:
    """A source, a lake and the link between them. ``sync`` and ``snapshot`` do a pass under the clock."""

    source: ScriptedSource
    lake: Lake
    clock: Clock
    link: Link
    settings: Settings = field(default_factory=lambda: Settings(workers=1))
    mask_key: MaskKey = NO_KEY

    @property
    def linked(self) -> Linked:
        return Linked(self.link, ABSENT, self.lake, self.mask_key)

    def reopen(self) -> MemoryLake:
        """Go on as another process, on the same files of a lake in memory, and return its handle."""
        assert isinstance(self.lake, MemoryLake)
        self.lake = lake = self.lake.reopen()
        return lake

    def sync(self, source: Source | None = None, **how: Any) -> SyncReport:
        how = {"settings": self.settings, **how}
        return sync(self.linked, source or self.source, clock=self.clock, holder=HOLDER, **how)

    def snapshot(self, **how: Any) -> SyncReport:
        return snapshot(self.linked, clock=self.clock, holder=HOLDER, settings=self.settings, **how)

    def relink(self, *entities: LinkedEntity, **how: Any) -> None:
        self.link = link(*entities, **{"generation": self.link.generation + 1, **how})

    def configure(self, **settings: Any) -> None:
        """Give the link's config other settings."""
        config = self.link.config.model_copy(update=settings)
        self.link = self.link.model_copy(update={"config": config, "generation": self.link.generation + 1})

    def paths(self, below: str = "") -> list[str]:
        return [stat.path for stat in self.lake.list(below) if below or not stat.path.startswith("_toolkit/")]

    def files(self) -> dict[str, bytes]:
        """Every file that is not state, by path."""
        return {path: self.lake.read(path) for path in self.paths()}

    def require_readable(self) -> None:
        """A reader who follows the manifest finds every file, at the width that the manifest says."""
        if self.lake.stat("model.json") is not None:
            for entity in self.manifest()["entities"]:
                self.named(entity["name"])

    def text(self, path: str) -> str:
        return self.lake.read(path).decode()

    def rows(self, path: str) -> list[list[str]]:
        """The records of a file, without the header that it may have."""
        lines = list(csv.reader(io.StringIO(self.text(path))))
        return lines[1:] if lines and lines[0][0] == "Id" else lines

    def manifest(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.lake.read("model.json"))
        return loaded

    def entity(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in self.manifest()["entities"] if each["name"] == name)
        return found

    def columns(self, name: str) -> list[str]:
        return [attribute["name"] for attribute in self.entity(name)["attributes"]]

    def named(self, name: str) -> list[dict[str, str]]:
        """The rows of the snapshots that the manifest names, by column."""
        columns = self.columns(name)
        head = self.lake.location("x").removesuffix("x")
        paths = [partition["location"].removeprefix(head) for partition in self.entity(name)["partitions"]]
        return [dict(zip(columns, row, strict=True)) for path in paths for row in self.rows(path)]

    def live(self, name: str) -> list[dict[str, str]]:
        """The rows of the live files, by column."""
        paths = [path for path in self.paths(name) if path.count("/") == 1]
        return [dict(zip(self.columns(name), row, strict=True)) for path in paths for row in self.rows(path)]


def insert_account(source: ScriptedSource, name: str, created: datetime = START, **more: Any) -> str:
    return source.insert("account", name=name, createdon=created, **more)


def source_of(clock: Clock, *entities: Entity, **how: Any) -> ScriptedSource:
    return ScriptedSource(entities or (ACCOUNT, TEAM), clock=clock, organization=ORGANIZATION, **how)


def copied(lake: MemoryLake) -> MemoryLake:
    """Return a lake in memory that holds the same, to go on in another way from there."""
    other = MemoryLake()
    store = other._store
    for path, file in lake._store.files.items():
        store.files[path] = replace(file, data=bytearray(file.data))
    store.writes = lake._store.writes
    return other


_W = TypeVar("_W", bound=World)

CHANGING = {"stage", "write", "copy", "seal", "publish", "put", "snapshot", "delete"}
"""Calls of a lake that change something."""


def crashes(world: _W, act: Callable[[_W], object]) -> Iterator[tuple[int, _W]]:
    """Yield copies of a world whose lake is in memory, in which an act was cut off, each with the number of the call.

    It dies behind each call that changes something, and in the midst of each write; a crash before a call, or in one
    that reads, leaves what a crash behind the last change leaves.
    """
    assert isinstance(world.lake, MemoryLake)
    whole = copied(world.lake)
    act(replace(world, lake=whole))
    for number, call in enumerate(whole.calls, 1):
        kinds: tuple[Kind, ...] = ("torn", "after") if call.operation in {"write", "copy"} else ("after",)
        for kind in kinds if call.operation in CHANGING else ():
            lake = copied(world.lake)
            lake.fail(number, kind)
            cut = replace(world, lake=lake)
            with suppress(Crashed):
                act(cut)
            cut.reopen()
            yield number, cut
