"""How long `toolkit plan` on 1,000 entities takes as a whole process, beside `python -c pass` in the same run.

    python -m benchmarks.plan [ROUNDS]

An embedded environment gets 1,000 entities, and a zip that links them all is planned in three states of it: nothing is
linked, all of it is linked, every second entity of it is linked. Writes benchmarks/plan.md.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path

from toolkit.bundle import write_bundle
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, LinkedEntity, Storage
from toolkit.model.solution import Publisher, Solution
from toolkit.model.version import Version

RESULTS = Path(__file__).resolve().with_name("plan.md")
TOOLKIT = str(Path(sys.executable).with_name("toolkit"))
NAMES = [f"new_entity{number:04}" for number in range(1000)]
INSTALLED = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""An installed package has its bytecode; a checkout may have been told to keep none."""
NOTHING, HALF, ALL = "nothing linked: 1,000 added", "500 linked: 500 added", "all linked: no change"


def bundle(names: Sequence[str], version: str) -> bytes:
    config = ExportConfig(
        id="653ae937-c02f-ed11-9db1-0022482dfdbf",
        name="contosobench",
        storage=Storage(account="contosobench"),
        entities=tuple(LinkedEntity(name=name) for name in names),
    )
    publisher = Publisher(unique_name="contoso", prefix="cts", option_value_prefix=72700)
    solution = Solution(unique_name="BenchLake", version=Version(version), publisher=publisher)
    return write_bundle(Bundle(solution=solution, configs=(config,)), None).to_bytes()


def definitions() -> str:
    entity = "  - name: {}\n    attributes:\n      - {{name: new_text, type: string, max_length: 100}}\n"
    return "entities:\n" + "".join(entity.format(name) for name in NAMES)


def toolkit(*arguments: str) -> None:
    subprocess.run([TOOLKIT, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepare() -> None:
    """Make the environment and both zips in the working directory."""
    Path("entities.yaml").write_text(definitions())
    Path("half.zip").write_bytes(bundle(NAMES[::2], "1.0.0.0"))
    Path("all.zip").write_bytes(bundle(NAMES, "1.1.0.0"))
    toolkit("init")
    toolkit("env", "create", "prod", "--account", "contosobench")
    toolkit("env", "define", "prod", "entities.yaml")
    toolkit("import", "core", "--yes")


def seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=INSTALLED)
    return time.perf_counter() - began


def measured(rounds: int) -> list[tuple[float, float]]:
    """Return the seconds of `python -c pass` and of the plan in each of the rounds, which alternate."""
    commands = ([sys.executable, "-c", "pass"], [TOOLKIT, "plan", "all.zip", "--env", "prod"])
    seconds(commands[1])  # once before, so that both start from warm files
    return [(seconds(commands[0]), seconds(commands[1])) for _ in range(rounds)]


def line(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    plans, passes = [plan for _, plan in pairs], [nothing for nothing, _ in pairs]
    ratio = statistics.median(plan / nothing for nothing, plan in pairs)
    beyond = statistics.median(plan - nothing for nothing, plan in pairs)
    return (
        f"| {name} | {statistics.median(plans):.2f} s ({min(plans):.2f} to {max(plans):.2f}) "
        f"| {statistics.median(passes):.2f} s | {ratio:.1f} | {beyond:.2f} s |"
    )


def main() -> None:
    rounds = max(5, int(sys.argv[1])) if len(sys.argv) > 1 else 7
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        prepare()
        lines = [line(NOTHING, measured(rounds))]
        toolkit("import", "half.zip", "--no-sync", "--yes", "--env", "prod")
        lines.append(line(HALF, measured(rounds)))
        toolkit("import", "all.zip", "--no-sync", "--yes", "--env", "prod")
        lines.append(line(ALL, measured(rounds)))
    machine = f"{os.cpu_count()} cores, {platform.platform()},\nPython {platform.python_version()}"
    page = (
        "# A plan of 1,000 entities\n\n`make bench` writes this page: `toolkit plan` as a whole process beside "
        "`python -c pass`,\nin alternating rounds, medians (least to most). The bar of the project is 1 s.\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}. {rounds} rounds.\n"
        f"Load average before {load:.1f}, after {os.getloadavg()[0]:.1f}.\n\n"
        "| state of the environment | plan | `python -c pass` | times | beyond it |\n|---|---|---|---|---|\n"
    )
    RESULTS.write_text(page + "\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
