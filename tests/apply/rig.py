"""An environment with its lakes for tests: an embedded organization, a scripted source, lakes in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.organization.dump import dump
from tests.plan.build import CORE_BUNDLE, ENTITIES, START, account, organization
from toolkit import engine
from toolkit.apply import Report, apply, forget_ended, read_world, switch
from toolkit.bundle import write_bundle
from toolkit.engine import LinkStatus
from toolkit.environment.embedded import EmbeddedEnvironment, create
from toolkit.environment.protocol import Environment, ImportMode, Progress, Write
from toolkit.lake.memory import Crashed, MemoryLake
from toolkit.lake.protocol import Holder
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.environment import Inventory, StorageAccount
from toolkit.model.link import EnvironmentRecord, Link
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.plan import Plan, World, plan_import
from toolkit.site import NO_KEY, Linked, MaskKey, Site, read_link
from toolkit.source.scripted import ScriptedSource
from toolkit.verify import verify

HOLDER = Holder("ada@lab", "lab", 1, START)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Faulty:
    """An environment whose next change fails: before it does anything, or after it did all."""

    behind: Environment
    dies: str = ""

    @property
    def name(self) -> str:
        return self.behind.name

    def inventory(self) -> Inventory:
        return self.behind.inventory()

    def import_solution(self, archive: bytes, mode: ImportMode) -> Iterator[Progress]:
        with self._dying():
            yield from self.behind.import_solution(archive, mode)

    def export_solution(self, name: str, *, managed: bool) -> bytes:
        return self.behind.export_solution(name, managed=managed)

    def uninstall(self, name: str) -> None:
        with self._dying():
            self.behind.uninstall(name)

    def write(self, change: Write) -> None:
        with self._dying():
            self.behind.write(change)

    @contextmanager
    def _dying(self) -> Iterator[None]:
        dies, self.dies = self.dies, ""
        if dies == "before":
            raise Crashed("the environment died before it did anything")
        yield
        if dies == "after":
            raise Crashed("the environment died after it did all")


@dataclass
class Rig:
    """One environment under test. ``lakes`` appear as they are opened."""

    environment: Faulty
    embedded: EmbeddedEnvironment
    database: Database
    source: ScriptedSource
    clock: Clock
    state: MemoryLake = field(default_factory=lambda: MemoryLake("state"))
    lakes: dict[tuple[str, str], MemoryLake] = field(default_factory=dict)
    mask_key: MaskKey = NO_KEY

    @property
    def site(self) -> Site:
        return Site("prod", self.environment, self.source, self.state, self.lake, self.mask_key)

    def lake(self, account: str, file_system: str) -> MemoryLake:
        key = account, file_system
        if key not in self.lakes:
            self.lakes[key] = MemoryLake(f"{account}/{file_system}", self.clock)
        return self.lakes[key]

    def reopen(self) -> None:
        """Go on as the next process would: with fresh handles on the same files."""
        self.state = self.state.reopen()
        self.lakes = {key: lake.reopen() for key, lake in self.lakes.items()}
        self.environment.dies = ""

    def world(self, *configs: ExportConfig) -> World:
        return read_world(self.site, configs)

    def plan(self, of: Bundle, configs: Sequence[ExportConfig] | None = None) -> Plan:
        effective = of.configs if configs is None else configs
        return plan_import(of, effective, self.world(*effective))

    def bring(self, of: Bundle, configs: Sequence[ExportConfig] | None = None, *, sync: bool = False) -> Report:
        """Plan and apply the import of a bundle."""
        return self.do(self.plan(of, configs), of, sync=sync)

    def do(self, plan: Plan, of: Bundle | None = None, *, sync: bool = False, wait: float | None = None) -> Report:
        archive = None if of is None else write_bundle(of, None).to_bytes()
        return apply(plan, self.site, archive, clock=self.clock, holder=HOLDER, sync=sync, wait=wait)

    def sync(self) -> None:
        """Do what ``toolkit sync`` does: every link, then the ends of moves."""
        for linked in self.site.links():
            self._sync(linked)
        for linked in switch(self.site.links(), self.clock):
            self._sync(linked)

    def _sync(self, linked: Linked) -> None:
        # Who names an entity has it read at once, tracked or not.
        names = [entity.name for entity in linked.link.config.entities]
        report = engine.sync(linked, self.source, clock=self.clock, holder=HOLDER, entities=names)
        forget_ended(self.site, linked, report)

    def link(self, account: str = "contosolake") -> Link:
        """Return the link document in the one lake of an account."""
        found = [read_link(lake) for key, lake in self.lakes.items() if key[0] == account]
        (linked,) = [linked for linked in found if linked is not None]
        return linked.link

    def linked(self) -> Linked:
        (linked,) = self.site.links()
        return linked

    def status(self) -> LinkStatus:
        return engine.status(self.linked())

    def record(self) -> EnvironmentRecord:
        record, _ = self.site.record()
        assert record is not None
        return record

    def dump(self) -> tuple[str, Mapping[str, bytes]]:
        """Return all that the environment and the lakes hold."""
        lakes = {"state": self.state, **{"/".join(key): lake for key, lake in self.lakes.items()}}
        files = {f"{name}:{stat.path}": lake.read(stat.path) for name, lake in lakes.items() for stat in lake.list("")}
        return dump(self.database), files

    def found(self, of: Bundle | None = None, configs: Sequence[ExportConfig] | None = None) -> list[tuple[str, str]]:
        """Return code and words of everything that ``verify`` finds."""
        expected = configs if configs is not None else None if of is None else of.configs
        checked = verify(self.site, clock=self.clock, bundle=of, expected=expected)
        return [(finding.code, finding.what) for one in checked for finding in one.findings]


@contextmanager
def rig(folder: Path, *accounts: StorageAccount) -> Iterator[Rig]:
    """Yield an environment with the Core solution, which sees the accounts contosolake and contosotest, or others."""
    folder.mkdir(exist_ok=True)
    path = folder / "organization.sqlite"
    path.write_bytes(template())
    clock = Clock()
    with Database(path) as database:
        embedded = EmbeddedEnvironment("prod", database, clock=clock, new_id=numbered())
        embedded.show(accounts)
        source = ScriptedSource(ENTITIES, clock=clock, organization=organization().id)
        yield Rig(Faulty(embedded), embedded, database, source, clock)


@cache
def template() -> bytes:
    """Return the file of an organization with the Core solution: made once, since it takes most of a test's time."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "organization.sqlite"
        seen = (account(), account("contosotest"))
        with create(path, organization(), accounts=seen, entities=Definitions(entities=ENTITIES)) as database:
            embedded = EmbeddedEnvironment("prod", database, clock=Clock(), new_id=numbered())
            list(embedded.import_solution(write_bundle(CORE_BUNDLE, None).to_bytes(), ImportMode.UPDATE))
        return path.read_bytes()


def numbered() -> Callable[[], str]:
    """Return a function that gives other ids each time it is made and called."""
    start = next(_STARTS)
    numbers = count(1)
    return lambda: f"99999999-0000-4000-8{start:03d}-{next(numbers):012d}"


_STARTS = count(1)
