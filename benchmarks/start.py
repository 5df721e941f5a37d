"""How long `toolkit --help` takes as a whole process, beside `python -c pass` in the same run.

python benchmarks/start.py [ROUNDS]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

TOOLKIT = str(Path(sys.executable).with_name("toolkit"))
COMMANDS = {"python -c pass": [sys.executable, "-c", "pass"], "toolkit --help": [TOOLKIT, "--help"]}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    for name, times in taken.items():
        print(f"{name:16} min {min(times) * 1000:6.0f} ms   median {statistics.median(times) * 1000:6.0f} ms")


if __name__ == "__main__":
    main()
