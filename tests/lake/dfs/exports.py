"""Exports to a lake on the storage account that is served here, in steps that begin anywhere and end the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from tests.engine.small_run import (
    APPEND_ONLY,
    CONTACT,
    IN_PLACE,
    MONTHS,
    SETTINGS,
    Act,
    Script,
    snapshots,
    syncs,
)
from tests.engine.world import ACCOUNT, HOLDER, Clock, link, source_of
from tests.lake import accounts
from tests.lake.dfs.faults import Faults
from tests.lake.dfs.serving import Storage, served, unheard
from tests.lake.dfs.store import Store
from tests.lake.dfs.wire import Request
from toolkit.engine.opening import opened
from toolkit.engine.sync import ignore, never
from toolkit.engine.ways import Ways
from toolkit.errors import ToolkitError
from toolkit.lake.adls.account import Patience
from toolkit.lake.protocol import ABSENT
from toolkit.site import Linked

FILE_SYSTEM = "lake"
ENDED = timedelta(seconds=61)
"""Until the lease of a process that died is free, by the time of the service."""

PATIENT, HASTY = Patience(first=0, base=0, jitter=0), Patience(tries=0)
"""What waits a process has; none is waited for here."""
NEVER_COPIED = 1 << 40


@dataclass
class Time:
    """The time of the service."""

    now: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Site:
    """An account that is served, and engines that export to it. ``least`` bytes are left to the service to copy."""

    storage: Storage
    time: Time
    least: int = NEVER_COPIED

    def acts(self, act: Act, script: Script, patience: Patience = PATIENT) -> bool:
        """Let a new process act once, and return whether it succeeded."""
        lake = accounts.opened(self.storage, clock=script.clock, least=self.least, patience=patience)
        ways = Ways(script.clock, SETTINGS, ignore, never)
        with suppress(ToolkitError), opened(Linked(script.link, ABSENT, lake), HOLDER, ways) as session:
            return not act(session, script.link, script.source).failed
        return False

    def begin(self, store: Store, script: Script) -> None:
        """Let the account hold what it held at the beginning of a step, at its time."""
        self.time.now = script.clock.now
        self.storage.store = store.fork()
        self.storage.faults = Faults()

    @contextmanager
    def recorded(self) -> Iterator[list[tuple[Request, Store]]]:
        """Collect every request, and what the account holds just before."""
        stops: list[tuple[Request, Store]] = []
        self.storage.look = lambda request: stops.append((request, self.storage.store.fork()))
        try:
            yield stops
        finally:
            self.storage.look = unheard

    def wait(self) -> None:
        """Let the leases of processes that died end."""
        self.time.now += ENDED


@contextmanager
def site(least: int = NEVER_COPIED) -> Iterator[Site]:
    """Serve an account for exports."""
    time = Time()
    with served(clock=time) as storage:
        yield Site(storage, time, least)


@dataclass(frozen=True)
class Step:
    """What happens outside the engine, what it then does, and what the account holds before and after."""

    name: str
    script: Script
    act: Act
    before: Store
    after: Store
    stops: tuple[tuple[Request, Store], ...] = field(repr=False)
    """Every request that was done, and what the account held just before."""

    @cached_property
    def expected(self) -> dict[str, bytes]:
        """The files at the end."""
        return files(self.after)


def files(store: Store) -> dict[str, bytes]:
    """Return what readers may see, and what is staged."""
    nodes = store.file_systems[FILE_SYSTEM].nodes.items() if FILE_SYSTEM in store.file_systems else ()
    shown = {path: node for path, node in nodes if not path.startswith("_toolkit/") or "/staging/" in path}
    return {path: node.data for path, node in shown.items() if node.listed and not node.directory}


Prepare = Callable[[Script], None]


def steps(at: Site, plan: tuple[tuple[Prepare, Act], ...], script_of: Callable[[int], Script]) -> Iterator[Step]:
    """Export without a fault, and yield each step."""
    store = at.storage.store
    for number, (prepare, act) in enumerate(plan):
        script, before = script_of(number), store
        at.begin(before, script)
        store = at.storage.store
        with at.recorded() as stops:
            assert at.acts(act, script), prepare.__name__
        yield Step(prepare.__name__, script, act, before, store.fork(), tuple(stops))


# A few rows that meet all that an export does


def few(script: Script) -> None:
    for number in range(4):
        script.source.insert("account", name=f"account {number}", createdon=MONTHS[number % 2])
    for number in range(2):
        script.source.insert("contact", name=f"contact {number}", createdon=MONTHS[0])


def changed(script: Script) -> None:
    """An increment: a row that changes, one that moves to another month, one that goes, in place and append-only."""
    script.clock.forward(minutes=5)
    script.source.update("account", _id(1), name="changed")
    script.source.update("account", _id(2), createdon=MONTHS[0])
    script.source.delete("account", _id(3))
    script.source.update("contact", _id(5), name="changed")
    script.source.delete("contact", _id(6))


def kept_no_longer(script: Script) -> None:
    """Snapshots, and the ones before go over what is kept."""
    script.clock.forward(minutes=90)
    script.entities(IN_PLACE, APPEND_ONLY, keep=1)


def later(script: Script) -> None:
    """The grace is over in which readers may be at the snapshots that are kept no longer."""
    script.clock.forward(minutes=90)
    script.source.update("account", _id(1), name="last")


def _id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


FEW: tuple[tuple[Prepare, Act], ...] = ((few, syncs), (changed, syncs), (kept_no_longer, snapshots), (later, syncs))


def script_of_few(number: int) -> Script:
    """Return what has happened outside the engine when a step begins."""
    clock = Clock()
    script = Script(clock, source_of(clock, ACCOUNT, CONTACT, batch_size=4), link(IN_PLACE, APPEND_ONLY))
    for prepare, _ in FEW[: number + 1]:
        prepare(script)
    return script
