"""Extraction over HTTP beside named peers, on one machine, in interleaved rounds. Writes benchmarks/extraction.md.

    python -m benchmarks.extraction [--rows 200000] [--rounds 5] [--folder FOLDER] [--results FILE]

What a served organization answers is recorded once, then served from memory by a process of its own
(benchmarks/canned.py) to one reader at a time: the toolkit, which syncs into a folder lake, dynamics-web-api and a loop
with requests, which write CSV, and airbyte-source-microsoft-dataverse, which writes its messages. A peer that is not
installed (`make bench` installs them) is left out, and the page says so.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks import world
from benchmarks.engine import Line, Measured, Rounds, markdown, rate, ratios
from toolkit.dataverse.pages import reader

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "extraction.md"
PAGE = 5000
MEMORY = (50_000, 400_000)
"""Rows between which memory is compared; as many as the greater are recorded."""
IDLE, BUSY, PER_DAY = 1000, 50, 48_000
NODE_MODULES = ROOT / "tests" / "clients" / "node_modules" / "dynamics-web-api"
AIRBYTE = ROOT / ".venv-airbyte" / "bin" / "python"
REQUESTS, DYNAMICS, AIRBYTE_SOURCE = "requests", "dynamics-web-api 2.5.0", "airbyte-source-microsoft-dataverse 1.0.2"


@dataclass(frozen=True, slots=True)
class Run:
    """How a run goes about: sizes, rounds, where."""

    rows: int
    rounds: int
    folder: Path

    @property
    def canned(self) -> Path:
        return self.folder / "canned"

    def scratch(self) -> Path:
        """Return a folder that is not there."""
        path = self.folder / "scratch"
        shutil.rmtree(path, ignore_errors=True)
        return path


def measured(*command: object) -> Measured:
    """Run a process, and return what it says that it measured."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    print(f"  {Path(str(command[1])).name} {command[2]}: {found['wall']:.2f} s, {found['cpu']:.2f} CPU s", flush=True)
    return found


task = partial(measured, sys.executable, ROOT / "benchmarks" / "extracting.py")


@contextmanager
def canned(run: Run, rows: int) -> Iterator[str]:
    """Serve so many recorded rows from memory, and give the URL."""
    command = [sys.executable, str(ROOT / "benchmarks" / "canned.py"), str(run.canned), str(rows // PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def columns() -> Sequence[str]:
    return reader(world.account()).select.split(",")


def peer(run: Run, name: str, url: str) -> Measured:
    """Let a peer read all rows of the canned service."""
    out = run.scratch()
    if name == REQUESTS:
        return task("plain", out, url)
    out.mkdir()
    if name == DYNAMICS:
        return measured("node", ROOT / "benchmarks" / "dynamics_peer.cjs", url, out / "accounts.csv", *columns())
    script = ROOT / "benchmarks" / "airbyte_peer.py"
    return measured(AIRBYTE, script, url, out / "messages.jsonl", *columns())


def peers() -> Sequence[str]:
    """Return the peers that are installed."""
    there = {DYNAMICS: NODE_MODULES.exists() and shutil.which("node") is not None, AIRBYTE_SOURCE: AIRBYTE.exists()}
    return [REQUESTS, *(name for name, installed in there.items() if installed)]


# --- sections: each yields rows of the table ------------------------------------------------------------------------


def served(run: Run) -> Iterator[Line]:
    rows = max(MEMORY)
    if not run.canned.exists():
        took = task("recording", run.canned, rows)
        (run.canned / "took.json").write_text(json.dumps(took))
    walls = [json.loads((run.canned / "took.json").read_text())["wall"]]
    yield f"the served environment, {rows:,} rows to a reader that keeps the answers", rate(rows, walls), ""


def beside(run: Run) -> Iterator[Line]:
    rounds, others = Rounds(), peers()
    with canned(run, run.rows) as url:
        for _ in range(run.rounds):
            rounds.add("ours", task("ours", run.scratch(), url))
            for name in others:
                rounds.add(name, peer(run, name, url))
    walls = rounds.values("ours")
    cpu = statistics.median(rounds.values("ours", "cpu"))
    yield (
        f"{run.rows:,} rows of {len(columns())} columns into a folder lake",
        f"{rate(run.rows, walls)}, {cpu:.2f} CPU s",
        "",
    )
    for name in (REQUESTS, DYNAMICS, AIRBYTE_SOURCE):
        if name not in others:
            yield f"{name}", "not installed, so not measured", "at least 3"
            continue
        yield (
            name,
            f"{rate(run.rows, rounds.values(name))}, {statistics.median(rounds.values(name, 'cpu')):.2f} CPU s",
            "",
        )
        yield f"rows/s beside {name}", ratios([1 / each for each in rounds.ratio("ours", name)]), "at least 3"
        yield "the same by CPU seconds", ratios([1 / each for each in rounds.ratio("ours", name, "cpu")]), ""


def stages(run: Run) -> Iterator[Line]:
    with canned(run, run.rows) as url:
        found = task("ours", run.scratch(), url, "staged")
    seconds: Mapping[str, float] = found["stages"]
    total = sum(seconds.values())
    for name, what in {
        "wait": "wait (request and receive)",
        "decode": "decode (JSON to Arrow)",
        "format": "format (Arrow to CSV)",
        "write": "write (write and fsync)",
    }.items():
        yield what, f"{100 * seconds[name] / total:.0f} % of the seconds of all stages ({seconds[name]:.2f} s)", ""
    yield "all stages beside the wall time, since they overlap", f"{total / found['wall']:.2f}", ""


def memory(run: Run) -> Iterator[Line]:
    most = {}
    for rows in MEMORY:
        with canned(run, rows) as url:
            most[rows] = task("ours", run.scratch(), url)["memory"]
        yield f"most memory at {rows:,} rows", f"{most[rows]:,} MiB", ""
    small, great = (most[rows] for rows in MEMORY)
    yield "the greater beside the smaller", f"{great / small:.2f}", "at most 1.3"


def budget(run: Run) -> Iterator[Line]:
    requests = task("idle", run.scratch(), IDLE, BUSY, PER_DAY)
    what = f"requests_per_day: {PER_DAY}, {IDLE:,} entities of which {BUSY} change every hour"
    for day, name in (("first", "a first day, initial loads included"), ("later", "any other day")):
        yield f"{what}: {name}", f"{requests[day]:,} requests", f"at most {PER_DAY:,}"


SECTIONS = (served, beside, stages, memory, budget)


def page(run: Run, load: float, tables: Mapping[str, Sequence[Line]]) -> str:
    """Return the results as Markdown; ``load`` is the load average of the machine before anything was measured."""
    node = subprocess.run(["node", "--version"], check=False, capture_output=True, text=True).stdout.strip()
    return markdown(
        "Extraction over HTTP",
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.platform()},",
        f"Python {platform.python_version()}, Node {node}. {run.rounds} rounds. Load average before: {load:.1f}.",
        tables=tables,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    folder.mkdir(exist_ok=True)
    run = Run(given.rows, given.rounds, folder)
    tables, load = {}, os.getloadavg()[0]
    for section in SECTIONS:
        print(section.__name__, flush=True)
        tables[section.__name__] = list(section(run))
    given.results.write_text(page(run, load, tables))
    print(given.results.read_text())
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
