"""Kill rounds: a real engine on a folder lake is killed again and again, while readers follow ``model.json``.

The engine runs in a process of its own, forked from a server that has imported everything, so that a round costs a
tenth of a second and not one. The organization keeps changing meanwhile. Time runs six hundred times as fast as the
wall clock: snapshots, retention and the grace of readers all take place in a run of a minute.
"""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb

from toolkit import engine
from toolkit.engine import Settings
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import ABSENT, Holder
from toolkit.model.config import ExportConfig, LinkedEntity, PartitionStrategy, Retention, Storage
from toolkit.model.entity import Entity
from toolkit.model.environment import Organization
from toolkit.model.link import Link
from toolkit.model.version import Version
from toolkit.organization.churn import churn
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.organization.definitions import define, standard
from toolkit.organization.schema import create
from toolkit.organization.seed import seed as seeded
from toolkit.site import Linked
from toolkit.source.embedded import EmbeddedSource

START = datetime(2026, 3, 1, tzinfo=UTC)
PACE = 600
"""Seconds of the engine's clock in a second."""
ENTITIES = ("account", "contact")
"""The first one in place, the second one append-only."""
KEPT = frozenset({"accountid", "contactid", "name", "fullname", "revenue", "createdon", "modifiedon", "versionnumber"})
ORGANIZATION = Organization(
    id="00000000-0000-0000-0000-0000000000aa",
    unique_name="kills",
    environment="kills",
    region="westeurope",
    tenant="00000000-0000-0000-0000-0000000000bb",
    version=Version("9.2.24014.185"),
)
SETTINGS = Settings(part_limit=20_000, workers=2)
# Not this module: the server looks for it where it was started, and other packages bring tests as well.
PRELOADED = [
    "duckdb",
    "toolkit.engine",
    "toolkit.lake.folder",
    "toolkit.organization.churn",
    "toolkit.organization.definitions",
    "toolkit.source.embedded",
]


@dataclass(frozen=True, slots=True)
class Scene:
    """A folder with an organization and a lake; ``began`` is the wall time at which its clock began."""

    folder: Path
    began: float

    def clock(self) -> datetime:
        return START + timedelta(seconds=PACE * (time.time() - self.began))

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def database(self) -> Database:
        return Database(self.folder / "organization.sqlite")

    def linked(self) -> Linked:
        return Linked(_link(), ABSENT, FolderLake(self.lake))

    def holder(self) -> Holder:
        return Holder("kills", "here", os.getpid(), self.clock())


def _link() -> Link:
    config = ExportConfig(
        id="653ae937-c02f-ed11-9db1-0022482dfdbf",
        name="kills",
        storage=Storage(account="kills"),
        entities=(
            LinkedEntity(name="account", partition_strategy=PartitionStrategy.YEAR),
            LinkedEntity(name="contact", append_only=True),
        ),
        interval_minutes=5,
        snapshots=Retention(keep=2),
    )
    return Link(
        generation=1,
        environment="kills",
        organization=ORGANIZATION.id,
        config=config,
        account="kills",
        file_system="kills",
        created=START,
        changed=START,
    )


def _narrow(entity: Entity) -> Entity:
    return entity.model_copy(update={"attributes": tuple(a for a in entity.attributes if a.name in KEPT)})


def made(folder: Path, rows: int, seed: int) -> Scene:
    """Make an organization with so many rows of each entity, and the place of a lake."""
    definitions = standard()
    entities = tuple(_narrow(each) for each in definitions.entities if each.name in ENTITIES)
    with create(folder / "organization.sqlite", ORGANIZATION) as database:
        define(database, Definitions(choices=definitions.choices, entities=entities))
        seeded(database, dict.fromkeys(ENTITIES, rows), seed=seed, clock=lambda: START)
    return Scene(folder, time.time())


def export(scene: Scene, begun: Event) -> None:
    """Export until killed: what the process of a round does. ``begun`` is set when the engine is about to start."""
    with scene.database() as database:
        source = EmbeddedSource(database, batch_size=100)
        begun.set()
        engine.run(
            scene.linked,
            source,
            clock=scene.clock,
            wait=_slept,
            holder=scene.holder(),
            trickle_seconds=0.02,
            settings=SETTINGS,
        )


def _slept(seconds: float) -> bool:
    time.sleep(min(seconds, 0.02))
    return False


@dataclass
class Reader:
    """Follows ``model.json``, and notes what a reader must never see."""

    scene: Scene
    seen: dict[str, str] = field(default_factory=dict)
    """The digest of each file that was ever named."""
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    files: int = 0

    def follow(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.look()
            time.sleep(0.03)

    def look(self) -> None:
        """Read model.json, and every file that it names twice."""
        path = self.scene.lake / "model.json"
        if not path.exists():
            return
        manifest = json.loads(path.read_bytes())
        self.looks += 1
        for entity in manifest["entities"]:
            width = len(entity["attributes"])
            for partition in entity["partitions"]:
                self._read(Path(partition["location"]), width)

    def _read(self, path: Path, width: int) -> None:
        try:
            data, again = path.read_bytes(), path.read_bytes()
        except FileNotFoundError:
            self.violations.append(f"{path.name} is named and not there")
            return
        self.files += 1
        digest = sha256(data).hexdigest()
        if again != data or self.seen.setdefault(path.as_posix(), digest) != digest:
            self.violations.append(f"{path.name} changed")
        widths = {len(row) for row in csv.reader(io.StringIO(data.decode()))}
        if widths - {width} or not data.endswith(b"\n"):
            self.violations.append(f"{path.name} is partial, or has rows of {sorted(widths)} columns, not {width}")


@dataclass(frozen=True, slots=True)
class Killed:
    """What the rounds came to."""

    rounds: int
    at_work: int
    """Engines that came as far as taking the lock."""
    looks: int
    files: int
    violations: tuple[str, ...]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.rounds} kills, {self.at_work} of them of an engine that held the lock; readers looked "
            f"{self.looks:,} times at {self.files:,} files: {len(self.violations)} violations, "
            f"{len(self.differences)} differences"
        )


def killed(folder: Path, rounds: int, seed: int, rows: int = 300) -> Killed:
    """Kill an engine so many times, and compare what is there in the end with the source."""
    scene = made(folder, rows, seed)
    chance = random.Random(seed)  # noqa: S311 - chooses moments, no secrets
    readers = [Reader(scene) for _ in range(2)]
    with _reading(readers):
        for number in range(rounds):
            if number == rounds // 5:
                # Until here the first sync may have been killed each time; then readers have something to read.
                _finish(scene)
            _round(scene, chance, number)
        _finish(scene)
        for reader in readers:
            reader.look()
    fence = json.loads((scene.lake / "_toolkit" / "lock" / "writer.json").read_bytes())["number"]
    finishing = 4  # a pass and a snapshot, twice
    violations = tuple(violation for reader in readers for violation in reader.violations)
    return Killed(
        rounds,
        fence - finishing,
        sum(reader.looks for reader in readers),
        sum(reader.files for reader in readers),
        violations,
        tuple(differences(scene)),
    )


@contextmanager
def _reading(readers: list[Reader]) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=reader.follow, args=(stop,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _round(scene: Scene, chance: random.Random, number: int) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    begun = context.Event()
    process = context.Process(target=export, args=(scene, begun))
    process.start()
    with scene.database() as database:
        churn(database, 20, seed=number, clock=lambda: START)
    # On a busy machine a process may take longer to start than it is left to live.
    begun.wait(30)
    process.join(chance.uniform(0.0, 0.3))
    process.kill()
    process.join()


def _finish(scene: Scene) -> None:
    """Let an engine come to its end: a pass, and a snapshot of what it changed."""
    with scene.database() as database:
        linked, source = scene.linked(), EmbeddedSource(database)
        report = engine.sync(linked, source, clock=scene.clock, holder=scene.holder(), settings=SETTINGS)
        if report.failed:
            raise AssertionError(str(report.failed))
        engine.snapshot(linked, clock=scene.clock, holder=scene.holder(), settings=SETTINGS)


def differences(scene: Scene) -> Iterator[str]:
    """Yield how the lake differs from its source, as DuckDB reads it."""
    with scene.database() as database:
        source = EmbeddedSource(database)
        for entity in ENTITIES:
            given = {
                row[f"{entity}id"]: row["versionnumber"]
                for batch in source.changes(entity, (f"{entity}id",), None)
                for row in batch.rows.to_pylist()
            }
            held = list(_held(scene, entity))
            yield from _differences(entity, given, held, append_only=entity == "contact")


Held = tuple[str, int, bool]


def _differences(entity: str, given: dict[str, int], held: list[Held], *, append_only: bool) -> Iterator[str]:
    twice = [key for key, count in Counter(held).items() if count > 1]
    yield from (f"{entity} {key} is there more than once" for key in twice)
    newest: dict[str, tuple[int, bool]] = {}
    for key, version, gone in held:
        newest[key] = max(newest.get(key, (-1, False)), (version, gone))
    if not append_only and len(newest) != len(held):
        yield f"{entity} holds an id more than once"
    live = {key: version for key, (version, gone) in newest.items() if not gone}
    for key, version in sorted(given.items() ^ live.items()):
        yield f"{entity} {key} of version {version} is on one side alone"


def _held(scene: Scene, entity: str) -> Iterator[Held]:
    manifest = json.loads((scene.lake / "model.json").read_bytes())
    found = next(each for each in manifest["entities"] if each["name"] == entity)
    columns = {attribute["name"]: "VARCHAR" for attribute in found["attributes"]}
    files = [partition["location"] for partition in found["partitions"]]
    with closing(duckdb.connect()) as connection:
        relation = connection.read_csv(
            files,  # type: ignore[arg-type]  # the stubs know one file only
            header=False,
            columns=columns,
            auto_detect=False,
            delimiter=",",
            quotechar='"',
            escapechar='"',
            allow_quoted_nulls=False,
        )
        for key, version, gone in relation.select("Id", "versionnumber", "IsDelete").fetchall():
            yield key, int(version), gone == "True"
