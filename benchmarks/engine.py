"""The engine beside named peers, on one machine, in interleaved rounds. Writes benchmarks/results.md.

    python benchmarks/engine.py [--rows 2000000] [--rounds 5] [--folder FOLDER] [--results FILE] [SECTION ...]

Sections: initial, changes, idle, growth; all when none is named. Every task runs in a process of its own
(benchmarks/tasks.py); a ratio is of two tasks of the same round. Wall times on a shared machine vary much: look at the
medians, at CPU seconds, and claim nothing below 1.5 times.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEER_ROWS = 200_000
"""Rows of the comparison with dlt, which takes a minute where the engine takes ten seconds."""
SIZES = (200_000, 2_000_000, 5_000_000)
MANY = 10_000_000
"""Added to the sizes of growth by --many."""
LINKED = 100
RESULTS = ROOT / "benchmarks" / "results.md"

Measured = Mapping[str, Any]


def task(name: str, folder: Path, *arguments: object) -> Measured:
    """Run a task in a process of its own and return what it measured."""
    command = [sys.executable, str(ROOT / "benchmarks" / "tasks.py"), name, str(folder), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    print(f"  {name} {' '.join(map(str, arguments))[:40]}: {measured['wall']:.2f} s", flush=True)
    return measured


@dataclass(slots=True)
class Rounds:
    """What was measured, by the name of the figure, a value for each round."""

    measured: dict[str, list[Measured]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, measured: Measured) -> None:
        self.measured[name].append(measured)

    def ratio(self, name: str, peer: str, key: str = "wall") -> list[float]:
        both = zip(self.measured[name], self.measured[peer], strict=True)
        return [one[key] / other[key] for one, other in both]

    def values(self, name: str, key: str = "wall") -> list[float]:
        return [each[key] for each in self.measured[name]]


@dataclass(frozen=True, slots=True)
class Run:
    """How a run goes about: sizes, rounds, where."""

    rows: int
    rounds: int
    folder: Path
    sizes: tuple[int, ...]

    def organization(self, rows: int) -> Path:
        """Return the folder of an organization of so many accounts, which is made the first time."""
        folder = self.folder / f"rows-{rows}"
        if not folder.exists():
            task("seeding", folder, rows)
        return folder

    def scratch(self, name: str) -> Path:
        """Return a path at which nothing is."""
        path = self.folder / "scratch" / name
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(exist_ok=True)
        return path


def linked_copy(run: Run, folder: Path) -> Path:
    """Return a copy of a folder out of hard links: files are replaced, never changed in place."""
    to = run.scratch(folder.name)
    subprocess.run(["cp", "-al", str(folder), str(to)], check=True)
    return to


def live(lake: Path) -> list[Path]:
    return sorted((lake / "account").glob("*.csv"))


# --- sections: each yields rows of the table ------------------------------------------------------------------------

Line = tuple[str, str, str]
"""What was compared, the figure, the bar."""


def initial(run: Run) -> Iterator[Line]:
    folder, small = run.organization(run.rows), run.organization(PEER_ROWS)
    rounds = Rounds()
    for _ in range(run.rounds):
        rounds.add("sync", task("initial", folder, run.scratch("lake")))
        lake = run.scratch("lake")
        rounds.add("sync without fsync", task("initial", folder, lake, "no"))
        for state in ("cold", "warm"):
            rounds.add(f"{state} cp", task(f"copied_{state}", folder, run.scratch("out"), *live(lake)))
        rounds.add("read", task("reading", folder))
        rounds.add("small sync", task("initial", small, run.scratch("lake")))
        rounds.add("dlt", task("dlt", small, run.scratch("out"), "pyarrow"))
    walls = rounds.values("sync")
    yield f"initial sync, {run.rows:,} rows", f"{rate(run.rows, walls)}, {_cpu(rounds, 'sync')}", ""
    yield "beside reading the source alone", ratios(rounds.ratio("sync", "read")), ""
    for state in ("cold", "warm"):
        peer = f"{state} cp"
        yield f"beside a {peer} of the result", ratios(rounds.ratio("sync", peer)), "at most 10"
        yield "the same, fsync left out", ratios(rounds.ratio("sync without fsync", peer)), ""
        yield f"floor: reading the source alone beside a {peer}", ratios(rounds.ratio("read", peer)), ""
    dlt = [1 / ratio for ratio in rounds.ratio("small sync", "dlt")]
    yield f"rows/s beside dlt (pyarrow backend), {PEER_ROWS:,} rows", ratios(dlt), "at least 5"
    yield "most memory", f"{max(rounds.values('sync', 'memory')):,.0f} MiB", "under 600"


def changes(run: Run) -> Iterator[Line]:
    folder = run.organization(run.rows)
    pristine = folder / "lake"
    if not pristine.exists():
        task("initial", folder, pristine)
        task("changes", folder)
        task("delta_initial", folder, folder / "delta")
    for which in ("scattered", "recent"):
        yield from _changes(run, folder, which)


def _changes(run: Run, folder: Path, which: str) -> Iterator[Line]:
    rounds = Rounds()
    for _ in range(run.rounds):
        _changes_round(run, folder, which, rounds)
    where = {"scattered": "over all partitions", "recent": "in the last three months"}[which]
    bar = {"scattered": "at most 3", "recent": "at most 5"}[which]
    walls = statistics.median(rounds.values("ours"))
    yield f"changes {where}", f"median {walls:.2f} s, {_cpu(rounds, 'ours')}", ""
    yield "beside cp of the partitions, fsync left out", ratios(rounds.ratio("ours", "cp")), bar
    yield "the same with fsync", ratios(rounds.ratio("ours durable", "cp")), ""
    yield "formatting the changed rows alone, on all cores, beside cp", ratios(rounds.ratio("formatting", "cp")), ""
    yield "a pass that finds nothing changed, beside cp", ratios(rounds.ratio("unchanged", "cp")), ""
    for peer in ("DuckDB", "polars", "Delta MERGE"):
        yield f"{peer} beside ours", ratios(rounds.ratio(peer, "ours")), "above 1"
        yield f"{peer} beside ours, CPU seconds", ratios(rounds.ratio(peer, "ours", "cpu")), ""
    snapshots = rounds.ratio("snapshot", "cp")
    yield "snapshot beside cp of the changed partitions, fsync left out", ratios(snapshots), "at most 0.1"
    yield "the same with fsync", ratios(rounds.ratio("snapshot durable", "cp")), ""


def _changes_round(run: Run, folder: Path, which: str, rounds: Rounds) -> None:
    before = set(live(folder / "lake"))
    lake = linked_copy(run, folder / "lake")
    rounds.add("ours durable", task("increment", folder, lake, which))
    rounds.add("snapshot durable", task("snapshot", folder, lake))
    rounds.add("unchanged", task("unchanged", folder, linked_copy(run, folder / "lake"), which))
    rounds.add("formatting", task("formatting", folder, which))
    lake = linked_copy(run, folder / "lake")
    rounds.add("ours", task("increment", folder, lake, which, "no"))
    touched = [path for path in sorted(before) if not path.samefile(lake / path.relative_to(folder / "lake"))]
    rounds.add("cp", task("copied", folder, run.scratch("out"), *touched))
    rounds.add("snapshot", task("snapshot", folder, lake, "no"))
    rounds.add("DuckDB", task("duckdb", folder, run.scratch("out"), which, *touched))
    rounds.add("polars", task("polars", folder, run.scratch("out"), which, *touched))
    rounds.add("Delta MERGE", task("delta", folder, linked_copy(run, folder / "delta"), which))


def idle(run: Run) -> Iterator[Line]:
    measured = task("idle", run.scratch("idle"), LINKED, max(run.rounds, 20))
    each = [1000 * seconds / LINKED for seconds in measured["passes"]]
    yield (
        f"pass over {LINKED} linked entities where nothing changed",
        f"{_spread(each, 'ms an entity')}; {measured['files written']} files written",
        "under 5 ms, no write",
    )


def growth(run: Run) -> Iterator[Line]:
    rounds = Rounds()
    for rows in run.sizes:
        run.organization(rows)
    for _ in range(run.rounds):
        for rows in run.sizes:
            rounds.add(str(rows), task("initial", run.organization(rows), run.scratch("lake")))
    costs = {rows: statistics.median(rounds.values(str(rows), "cpu")) / rows for rows in run.sizes}
    memory = {rows: max(rounds.values(str(rows), "memory")) for rows in run.sizes}
    for rows in run.sizes:
        yield f"initial sync, {rows:,} rows", f"{costs[rows] * 1e6:.1f} us CPU a row, {memory[rows]:,.0f} MiB", ""
    spread = max(costs.values()) / min(costs.values())
    yield "greatest CPU a row beside the smallest", f"{spread:.2f}", "at most 1.25"
    yield "memory at 5 M rows beside 2 M", f"{memory[SIZES[2]] / memory[SIZES[1]]:.2f}", "at most 1.3"


SECTIONS: Mapping[str, Callable[[Run], Iterator[Line]]] = {
    "initial": initial,
    "changes": changes,
    "idle": idle,
    "growth": growth,
}


def ratios(ratios: Sequence[float]) -> str:
    return _spread(ratios, "times")


def _spread(values: Sequence[float], unit: str) -> str:
    return f"median {statistics.median(values):.2f} {unit} (min {min(values):.2f}, max {max(values):.2f})"


def rate(rows: int, seconds: Sequence[float]) -> str:
    return f"median {rows / statistics.median(seconds):,.0f} rows/s (max {rows / min(seconds):,.0f})"


def _cpu(rounds: Rounds, name: str) -> str:
    return f"{statistics.median(rounds.values(name, 'cpu')):.2f} CPU s"


# --- the page -------------------------------------------------------------------------------------------------------


def page(run: Run, tables: Mapping[str, Sequence[Line]]) -> str:
    """Return the results as Markdown."""
    peers = ", ".join(f"{name} {version(name)}" for name in ("dlt", "duckdb", "polars", "deltalake", "pyarrow"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return markdown(
        "What was measured",
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()},",
        f"Python {platform.python_version()}; {peers}. {run.rounds} rounds.",
        tables=tables,
    )


def markdown(title: str, *machine: str, tables: Mapping[str, Sequence[Line]]) -> str:
    """Return a page of results: what it was measured on, and a table for each section."""
    how = "`make bench` writes this page. A ratio is of two processes of one round; a bar is what the project aims at."
    lines = [f"# {title}", "", how, "", *machine]
    for name, table in tables.items():
        lines += ["", f"## {name}", "", "| what | measured | bar |", "|---|---|---|"]
        lines += [f"| {' | '.join(line)} |" for line in table]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--rows", type=int, default=SIZES[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--many", action="store_true", help="measure growth at 10 M rows too")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    sizes = (*SIZES, MANY) if given.many else SIZES
    run = Run(given.rows, given.rounds, folder, sizes)
    folder.mkdir(exist_ok=True)
    tables: dict[str, list[Line]] = {}
    for name in given.sections or SECTIONS:
        print(name, flush=True)
        tables[name] = list(SECTIONS[name](run))
    given.results.write_text(page(run, tables))
    print(given.results.read_text())
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
