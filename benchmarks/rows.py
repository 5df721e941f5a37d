"""How fast rows get into an embedded organization, and from there into a lake, beside `cp` of what was written.

    python benchmarks/rows.py [ROWS] [ROUNDS]

Every figure is of one account entity of 60 columns (the first 60 of the shipped one, system columns among them).
Rounds are interleaved; quote ratios and medians, since single times on a shared machine say little.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from toolkit.engine import sync
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import ABSENT, Holder
from toolkit.model.config import ExportConfig, LinkedEntity, Storage
from toolkit.model.entity import Entity
from toolkit.model.environment import Organization
from toolkit.model.link import Link
from toolkit.model.version import Version
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.organization.definitions import define, standard
from toolkit.organization.schema import create
from toolkit.organization.seed import seed
from toolkit.site import Linked
from toolkit.source.embedded import EmbeddedSource

COLUMNS = 60
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORGANIZATION = Organization(
    id="00000000-0000-0000-0000-0000000000aa",
    unique_name="bench",
    environment="bench",
    region="westeurope",
    tenant="00000000-0000-0000-0000-0000000000bb",
    version=Version("9.2.24014.185"),
)


def narrowed(entity: Entity) -> Entity:
    """Return an entity with its first columns; those that every table has are among them."""
    always = {entity.primary_id, "createdon", "modifiedon", "versionnumber"}
    rest = [attribute.name for attribute in entity.attributes if attribute.name not in always]
    kept = always | set(rest[: COLUMNS - len(always)])
    return entity.model_copy(update={"attributes": tuple(a for a in entity.attributes if a.name in kept)})


def seeded(folder: Path, rows: int) -> tuple[Database, float]:
    definitions = standard()
    account = next(entity for entity in definitions.entities if entity.name == "account")
    database = create(folder / "organization.sqlite", ORGANIZATION)
    define(database, Definitions(choices=definitions.choices, entities=(narrowed(account),)))
    return database, timed(lambda: seed(database, {"account": rows}, seed=7, clock=lambda: NOW))


def linked(folder: Path) -> Linked:
    config = ExportConfig(
        id="653ae937-c02f-ed11-9db1-0022482dfdbf",
        name="bench",
        storage=Storage(account="bench"),
        entities=(LinkedEntity(name="account"),),
    )
    link = Link(
        generation=1,
        environment="bench",
        organization=ORGANIZATION.id,
        config=config,
        account="bench",
        file_system="bench",
        created=NOW,
        changed=NOW,
    )
    return Linked(link, ABSENT, FolderLake(folder))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def round_of(folder: Path, rows: int) -> dict[str, float]:
    database, seeding = seeded(folder, rows)
    lake = linked(folder / "lake")
    holder = Holder("bench", platform.node(), os.getpid(), NOW)
    with database:
        syncing = timed(lambda: sync(lake, EmbeddedSource(database), clock=lambda: NOW, holder=holder))
    live = [str(path) for path in (folder / "lake" / "account").glob("*.csv")]
    copies = folder / "copies"
    copies.mkdir()
    copying = timed(lambda: subprocess.run(["cp", *live, str(copies)], check=True))
    return {"seed": seeding, "sync": syncing, "cp": copying}


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    taken: dict[str, list[float]] = {"seed": [], "sync": [], "cp": []}
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        for name, seconds in round_of(folder, rows).items():
            taken[name].append(seconds)
        shutil.rmtree(folder)
    print(f"{rows:,} accounts of {COLUMNS} columns, {rounds} rounds, {os.cpu_count()} cores")
    for name, times in taken.items():
        rate = rows / statistics.median(times)
        print(f"{name:5} min {min(times):6.2f} s   median {statistics.median(times):6.2f} s   {rate:10,.0f} rows/s")
    ratios = [one / other for one, other in zip(taken["sync"], taken["cp"], strict=True)]
    print(
        f"initial sync, index, snapshot and manifest included: {statistics.median(ratios):.1f} x cp of the live files"
    )


if __name__ == "__main__":
    main()
