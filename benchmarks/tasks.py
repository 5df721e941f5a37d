"""One measured task in a process of its own: python benchmarks/tasks.py TASK FOLDER [ARGUMENT ...]

Prints JSON: wall and CPU seconds of the task itself (children included), and the most memory that the process had.
What comes before the task (imports, opening, reading a set of changes) is not in its times.
"""

import dataclasses
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import peers, world
from benchmarks.world import NOW, Place
from toolkit import engine
from toolkit.engine import Settings
from toolkit.engine.columns import columns_of
from toolkit.engine.rows import format_rows
from toolkit.engine.spool import SLICE
from toolkit.lake.disk import System
from toolkit.lake.folder import FolderLake
from toolkit.organization.seed import seed
from toolkit.source.embedded import EmbeddedSource

Work = Callable[[], object]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is measured, and what it says besides its times."""

    work: Work
    told: Callable[[], dict[str, object]] = dict


def _lake(folder: Path, *, durable: bool = True) -> FolderLake:
    return FolderLake(folder) if durable else FolderLake(folder, System(fsync=lambda _: None))


def seeding(place: Place, rows: str) -> Task:
    """Make the organization with so many accounts."""
    place.folder.mkdir(parents=True, exist_ok=True)
    database = world.created(place.organization, [world.account()])
    return Task(lambda: seed(database, {"account": int(rows)}, seed=7, clock=lambda: NOW))


def initial(place: Place, lake: str, durable: str = "yes") -> Task:
    """Sync the organization into a new lake: live files, indexes, snapshot, manifest."""
    source = EmbeddedSource(world.opened(place))
    target = world.linked(_lake(Path(lake), durable=durable == "yes"), "account")
    return Task(lambda: engine.sync(target, source, clock=lambda: NOW, holder=world.HOLDER))


def reading(place: Place) -> Task:
    """Read the organization, and drop what is read: what the source costs alone."""
    source = EmbeddedSource(world.opened(place))
    return Task(lambda: [batch.final for batch in source.changes("account", None, None)])


def changes(place: Place) -> Task:
    """Draw the sets of changes."""
    return Task(lambda: world.make_changes(place, EmbeddedSource(world.opened(place))))


def increment(place: Place, lake: str, which: str, durable: str = "yes") -> Task:
    """Bring a set of changes into a lake; no snapshot is due."""
    source = world.replay(place, which)
    target = world.linked(_lake(Path(lake), durable=durable == "yes"), "account")
    return Task(lambda: engine.sync(target, source, clock=lambda: NOW + timedelta(minutes=1), holder=world.HOLDER))


def unchanged(place: Place, lake: str, which: str) -> Task:
    """Do a pass that finds nothing changed: what opening a lake and looking at its entity costs alone."""
    source = world.nothing(place, which)
    target = world.linked(_lake(Path(lake), durable=False), "account")
    return Task(lambda: engine.sync(target, source, clock=lambda: NOW + timedelta(minutes=1), holder=world.HOLDER))


def formatting(place: Place, which: str) -> Task:
    """Format the rows of a set of changes as the engine does, on all cores, and drop them."""
    columns = columns_of(world.account())
    rows = world.replay(place, which).changes("account", None, None)
    slices = [each.rows.slice(at, SLICE) for each in rows for at in range(0, each.rows.num_rows, SLICE)]

    def work() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: format_rows(each, columns, "accountid", NOW), slices))

    return Task(work)


def snapshot(place: Place, lake: str, durable: str = "yes") -> Task:  # noqa: ARG001 - every task has a place
    """Snapshot what changed."""
    target = world.linked(_lake(Path(lake), durable=durable == "yes"), "account")
    return Task(lambda: engine.snapshot(target, clock=lambda: NOW + timedelta(hours=2), holder=world.HOLDER))


def copied(place: Place, out: str, *files: str) -> Task:  # noqa: ARG001 - every task has a place
    """Copy files with cp."""
    Path(out).mkdir(parents=True)
    return Task(lambda: subprocess.run(["cp", *files, out], check=True))


def copied_cold(place: Place, out: str, *files: str) -> Task:
    """Copy files with cp that are on the disk alone."""
    for file in map(Path, files):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return copied(place, out, *files)


def copied_warm(place: Place, out: str, *files: str) -> Task:
    """Copy files with cp that are in memory."""
    for file in map(Path, files):
        file.read_bytes()
    return copied(place, out, *files)


def duckdb(place: Place, out: str, which: str, *files: str) -> Task:
    """Bring a set of changes into files with DuckDB."""
    names = _names()
    files_out = _files(place, out, which, files)
    return Task(lambda: peers.duckdb_files(*files_out, width=len(names), created=names.index("createdon")))


def polars(place: Place, out: str, which: str, *files: str) -> Task:
    """Bring a set of changes into files with polars."""
    import_module("polars")
    files_out = _files(place, out, which, files)
    return Task(lambda: peers.polars_files(*files_out, created=_names().index("createdon")))


def _names() -> list[str]:
    return [column.name for column in columns_of(world.account())]


def _files(place: Place, out: str, which: str, files: Sequence[str]) -> tuple[list[Path], Path, Path, Path]:
    """Return live files, changed rows, deleted ids, and the folder to write to, which is made."""
    Path(out).mkdir(parents=True)
    return [Path(file) for file in files], place.changes(which, "csv"), place.changes(which, "ids"), Path(out)


def delta_initial(place: Place, folder: str) -> Task:
    """Write the organization's rows as a Delta table."""
    batches = (_for_delta(each.rows) for each in EmbeddedSource(world.opened(place)).changes("account", None, None))
    first = next(batches)
    return Task(lambda: peers.delta_table(itertools.chain([first], batches), first.schema, Path(folder)))


def delta(place: Place, folder: str, which: str) -> Task:
    """Merge a set of changes into a Delta table."""
    with pa.ipc.open_file(str(place.changes(which, "arrow"))) as file:
        rows = pa.Table.from_batches([_for_delta(file.get_batch(at)) for at in range(file.num_record_batches)])
    ids = place.changes(which, "ids").read_text().split()
    gone = pa.table({"accountid": pa.array(ids, pa.string()), "gone": pa.array([True] * len(ids))})
    kept = rows.append_column("gone", pa.array([False] * rows.num_rows))
    source = pa.concat_tables([kept, gone], promote_options="default")
    months = sorted({str(month) for month in rows.column("month").to_pylist()})
    return Task(lambda: peers.delta_merge(Path(folder), source, rows.column_names, months))


def dlt(place: Place, out: str, backend: str) -> Task:
    """Load the organization's accounts into CSV files with dlt."""
    import_module("dlt")
    from toolkit.organization import metadata

    table = metadata.table("account").strip('"')
    work = Path(out).with_suffix(".work")
    return Task(lambda: peers.dlt_csv(place.organization, table, Path(out), backend, work))


def idle(place: Place, entities: str, passes: str) -> Task:
    """Do passes over many linked entities where nothing changed, in one running engine."""
    count, rounds = int(entities), int(passes)
    names = [f"cts_small{number:03d}" for number in range(count)]
    place.folder.mkdir(parents=True)
    database = world.created(place.organization, [world.small(number) for number in range(count)])
    seed(database, dict.fromkeys(names, 20), seed=7, clock=lambda: NOW)
    source, target = EmbeddedSource(database), world.linked(_lake(place.lake), *names)
    engine.sync(target, source, clock=lambda: NOW, holder=world.HOLDER)
    written = _written(place.lake)
    took: list[float] = []
    began, now = time.perf_counter(), NOW + timedelta(seconds=1)

    def passed(_: object) -> None:
        took.append(time.perf_counter() - began)

    def wait(seconds: float) -> bool:
        nonlocal began, now
        if seconds:  # between two passes; within one it is asked whether to stop
            now += timedelta(seconds=seconds)
            began = time.perf_counter()
        return seconds > 0 and len(took) > rounds

    def work() -> None:
        engine.run(
            lambda: target,
            source,
            clock=lambda: now,
            wait=wait,
            holder=world.HOLDER,
            passed=passed,
            trickle_seconds=1.0,
            jitter=lambda: 0.0,
            settings=Settings(idle_poll=timedelta(seconds=1), status_age=timedelta(days=1)),
        )

    def told() -> dict[str, object]:
        # The first pass of an engine reads what is there.
        return {"passes": took[1:], "files written": len(_written(place.lake) - written)}

    return Task(work, told)


def _written(lake: Path) -> set[tuple[str, int, int]]:
    """Return the files of a lake, as they are; the lock that the engine takes is no write of a pass."""
    files = [path for path in lake.rglob("*") if path.is_file() and "lock" not in path.parts]
    return {(str(path), path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def _for_delta(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with their month; every column may be null, as those of deleted rows are."""
    rows = rows.append_column("month", pc.strftime(rows.column("createdon"), "%Y-%m"))
    return rows.cast(pa.schema([field.with_nullable(True) for field in rows.schema]))  # noqa: FBT003 - the argument is its name


TASKS: dict[str, Callable[..., Task]] = {
    task.__name__: task
    for task in (
        seeding,
        initial,
        reading,
        changes,
        increment,
        unchanged,
        formatting,
        snapshot,
        copied,
        copied_cold,
        copied_warm,
        duckdb,
        polars,
        delta_initial,
        delta,
        dlt,
        idle,
    )
}


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def measured(task: Task) -> str:
    """Do a task, and return as JSON what it took."""
    cpu, wall = _cpu(), time.perf_counter()
    task.work()
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    # Kilobytes on Linux.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return json.dumps({"wall": wall, "cpu": cpu, "memory": memory, **task.told()})


def main() -> None:
    name, folder, *arguments = sys.argv[1:]
    print(measured(TASKS[name](Place(Path(folder)), *arguments)))


if __name__ == "__main__":
    main()
