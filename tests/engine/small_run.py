"""A small run of the engine that meets everything it does, in stages; and its replay with a fault at any call.

Two entities, 200 rows: the account in place, in three months and several parts, the contact append-only, in two years.
A stage is a state of the source, of the link and of the clock, and what the engine then does. The lake before a
stage is copied for each replay, so that a replay begins at its stage and not from nothing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property

from tests.engine.world import ACCOUNT, HOLDER, START, Clock, attribute, link, linked_entity, source_of
from tests.scale import scaled
from toolkit.engine import Settings
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.opening import AnySession, opened
from toolkit.engine.report import SyncReport
from toolkit.engine.sync import ignore, never
from toolkit.engine.ways import Ways
from toolkit.errors import ToolkitError
from toolkit.lake.memory import Call, Crashed, Kind, MemoryLake
from toolkit.lake.protocol import ABSENT
from toolkit.model.config import LinkedEntity, PartitionStrategy, Retention
from toolkit.model.entity import AttributeType, Entity
from toolkit.model.link import Link
from toolkit.site import Linked
from toolkit.source.scripted import ScriptedSource

MONTHS = tuple(datetime(*month, tzinfo=UTC) for month in ((2025, 11, 3), (2026, 1, 31), (2026, 2, 1)))
YEARS = (MONTHS[0], MONTHS[2])
CONTACT = ACCOUNT.model_copy(update={"name": "contact", "set_name": "contacts"})
IN_PLACE, APPEND_ONLY = linked_entity("account"), linked_entity("contact", append_only=True)
BY_YEAR = linked_entity("account", partition_strategy=PartitionStrategy.YEAR)
LIMIT = 8_000
"""Bytes of a part: a month of accounts has two parts, and the third comes when rows grow."""
SETTINGS = Settings(workers=1, part_limit=LIMIT, bucket=64, progress_age=timedelta(0))

Act = Callable[[AnySession, Link, ScriptedSource], SyncReport]


def syncs(session: AnySession, linked: Link, source: ScriptedSource) -> SyncReport:
    return session.sync(linked, source, None)


def snapshots(session: AnySession, linked: Link, _: ScriptedSource) -> SyncReport:
    return session.snapshot(linked, None)


ACCOUNTS, CONTACTS = scaled(140, 280), scaled(60, 120)


def account(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


def contact(number: int) -> str:
    return account(ACCOUNTS + number)


LATE = contact(CONTACTS + 1)
"""The account that is inserted after the first sync."""


@dataclass
class Script:
    """What happens outside the engine, up to some stage."""

    clock: Clock
    source: ScriptedSource
    link: Link

    def entities(self, *entities: LinkedEntity, keep: int) -> None:
        """Give the link other entities, and another retention."""
        linked = link(*entities, generation=self.link.generation + 1)
        config = linked.config.model_copy(update={"snapshots": Retention(keep=keep)})
        self.link = linked.model_copy(update={"config": config})

    def define(self, entity: Entity) -> None:
        added = attribute("rating", AttributeType.STRING, max_length=20)
        self.source.define(entity.model_copy(update={"attributes": (*entity.attributes, added)}))


def fill(script: Script) -> None:
    for number in range(ACCOUNTS):
        script.source.insert("account", name=f"account {number}", createdon=MONTHS[number % 3])
    for number in range(CONTACTS):
        script.source.insert("contact", name=f"contact {number}", createdon=YEARS[number % 2])


def change(script: Script) -> None:
    script.clock.forward(minutes=90)
    script.source.update("account", account(1), name="changed")
    script.source.update("account", account(2), createdon=MONTHS[0])
    script.source.delete("account", account(3))
    script.source.insert("account", name="late", createdon=START)
    script.source.update("contact", contact(1), name="changed")
    script.source.delete("contact", contact(2))
    script.source.insert("contact", name="late", createdon=START)


def grow(script: Script) -> None:
    """Between two snapshots: rows that grow until a part splits, and a month that ends."""
    script.clock.forward(minutes=5)
    for number in range(4, ACCOUNTS, 3):
        script.source.update("account", account(number), name="long " * 20)
    script.source.delete("account", LATE)
    script.source.update("contact", contact(3), name="changed again")


def go_on(script: Script) -> None:
    script.clock.forward(minutes=1)


def add_a_column(script: Script) -> None:
    script.clock.forward(minutes=90)
    script.define(ACCOUNT)
    script.define(CONTACT)
    script.source.update("account", account(5), rating="hot")
    script.source.update("contact", contact(5), rating="hot")


def purge(script: Script) -> None:
    """Rows that end without a trace in the change log, and snapshots that are kept no longer."""
    script.clock.forward(minutes=90)
    script.source.delete("account", account(6))
    script.source.delete("contact", contact(6))
    script.source.expire("account")
    script.source.expire("contact")
    script.entities(IN_PLACE, APPEND_ONLY, keep=1)


def unlink_one(script: Script) -> None:
    script.clock.forward(minutes=90)
    script.source.update("account", account(7), name="last")
    script.entities(IN_PLACE, keep=1)


def let_readers_go(script: Script) -> None:
    """The grace is over in which readers may be at the snapshots of what was unlinked."""
    script.clock.forward(minutes=60)


def cut_by_year(script: Script) -> None:
    """Another strategy, a change that came meanwhile, and a snapshot that is due."""
    script.clock.forward(minutes=90)
    script.source.update("account", account(8), name="before the cut")
    script.entities(BY_YEAR, keep=1)


def cut_by_month(script: Script) -> None:
    script.clock.forward(minutes=5)
    script.entities(IN_PLACE, keep=1)


STAGES: tuple[tuple[Callable[[Script], None], Act], ...] = (
    (fill, syncs),
    (change, syncs),
    (grow, syncs),
    (go_on, snapshots),
    (add_a_column, syncs),
    (purge, syncs),
    (unlink_one, syncs),
    (let_readers_go, syncs),
    (cut_by_year, syncs),
    (cut_by_month, syncs),
)
NAMES = tuple(prepare.__name__ for prepare, _ in STAGES)


@dataclass(frozen=True)
class Stage:
    """The world as the engine finds it, what it does, and what a run without a fault leaves."""

    script: Script
    act: Act
    before: MemoryLake
    after: MemoryLake
    stops: tuple[tuple[Call, MemoryLake], ...]
    """Every call, and the lake as it is when the process dies just before it."""

    @cached_property
    def expected(self) -> dict[str, bytes]:
        """The files at the end."""
        return files(self.after)

    @cached_property
    def known(self) -> dict[str, bytes]:
        """What each file that readers may meet holds."""
        return {**files(self.before), **self.expected}

    def attempt(self, lake: MemoryLake, times: int = 1) -> bool:
        """Let an engine act in one session, until it succeeds or has tried ``times``; say whether it did."""
        with suppress(ToolkitError), self._opened(lake) as session:
            return any(self._succeeds(session) for _ in range(times))
        return False

    def restarted(self, lake: MemoryLake) -> MemoryLake:
        """End the process, let another one act, which must succeed, and return its handle."""
        lake.kill()
        again = lake.reopen()
        with self._opened(again) as session:
            assert self._succeeds(session)
        return again

    def _opened(self, lake: MemoryLake) -> AbstractContextManager[AnySession]:
        linked = Linked(self.script.link, ABSENT, lake)
        return opened(linked, HOLDER, Ways(self.script.clock, SETTINGS, ignore, never))

    def _succeeds(self, session: AnySession) -> bool:
        try:
            return not self.act(session, self.script.link, self.script.source).failed
        except ToolkitError:
            return False


def script_of(number: int) -> Script:
    """Return what has happened outside the engine when a stage begins; the first is 0."""
    clock = Clock()
    source = source_of(clock, ACCOUNT, CONTACT, batch_size=40)
    script = Script(clock, source, link(IN_PLACE, APPEND_ONLY))
    for prepare, _ in STAGES[: number + 1]:
        prepare(script)
    return script


@cache
def stages() -> tuple[Stage, ...]:
    """Return all stages of the run without a fault."""
    return tuple(_undisturbed())


def _undisturbed() -> Iterator[Stage]:
    now = Clock()
    lake = MemoryLake(clock=now)
    for number, (_, act) in enumerate(STAGES):
        script = script_of(number)
        now.now = script.clock.now
        stage = Stage(script, act, lake.fork(), lake.reopen(), ())
        yield replace(stage, stops=tuple(_stops(stage)), after=stage.after.fork())
        lake = stage.after


def _stops(stage: Stage) -> list[tuple[Call, MemoryLake]]:
    """Act, and return every call with the lake as it was before."""
    stops: list[tuple[Call, MemoryLake]] = []
    stage.after.watch(lambda call: stops.append((call, stage.after.fork())))
    assert stage.attempt(stage.after)
    return stops


def files(lake: MemoryLake) -> dict[str, bytes]:
    """Return what readers may see, and what is staged."""
    paths = [stat.path for stat in lake.list("")]
    return {path: lake.read(path) for path in paths if not path.startswith("_toolkit/") or "/staging/" in path}


def require_readable(stage: Stage, lake: MemoryLake) -> None:
    """Every file that the manifest names is there, has the manifest's width, and holds what that name always held."""
    if lake.stat(MANIFEST_PATH) is None:
        return
    for entity in json.loads(lake.read(MANIFEST_PATH))["entities"]:
        for partition in entity["partitions"]:
            path = partition["location"].removeprefix(lake.location(""))
            assert lake.read(path) == stage.known[path]
            assert widths(stage.known[path]) == {len(entity["attributes"])}


@cache
def widths(data: bytes) -> set[int]:
    """Return how many fields the records of a file have."""
    return {len(row) for row in csv.reader(io.StringIO(data.decode()))}


def state_of(lake: MemoryLake) -> tuple[tuple[str, str, int], ...]:
    """Return what tells one state of the lake from another in replays of one stage."""
    return tuple((stat.path, stat.etag, stat.size) for stat in lake.list(""))


def replay(stage: Stage, call: int, kind: Kind, *, crash: bool) -> MemoryLake:
    """Return the handle after a fault in a call of a stage.

    After a fault that is no crash the same session tries again when the call's number is odd.
    """
    lake = stage.before.fork()
    lake.fail(call, kind, crash=crash)
    with suppress(Crashed):
        stage.attempt(lake, times=1 if crash else 1 + call % 2)
    return lake
