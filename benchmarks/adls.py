"""A lake in a storage account beside the plain SDK, on one machine, in interleaved rounds. Writes benchmarks/adls.md.

    python -m benchmarks.adls [--size 1024] [--rounds 3] [--results FILE]

The account is served by the server of the tests, in a process of its own; each task is done by another one, of which
CPU seconds and the most memory are taken. It shows what a client spends. How fast Azure is, it does not show.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.filedatalake import DataLakeFileClient

from benchmarks.engine import Line, markdown
from tests.lake.dfs.serving import ACCOUNT, KEY, served
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.lake import AdlsLake

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "adls.md"
MB = 1 << 20
PART = 256 * MB
RECORD = 600
CHANGED = 10
COUNTED = {"requests": "requests", "sent": "bytes sent", "received": "bytes received"}
LARGE = 2048
"""Megabytes of the file whose memory is compared with that of one a quarter as large."""


def _lake(address: str, server_copies: str = "auto") -> AdlsLake:
    key = AzureNamedKeyCredential(ACCOUNT, KEY)
    dfs, blob = (f"{address}/{ACCOUNT}.{half}.core.windows.net" for half in ("dfs", "blob"))
    account = StorageAccount(ACCOUNT, dfs, blob, key, server_copies="never" if server_copies == "never" else "auto")
    return AdlsLake(account, "lake")


class Stream:
    """So many bytes, as a program gives them that makes them: they cannot be read twice."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        count = self._left if size < 0 else min(size, self._left)
        self._left -= count
        # Bytes of zeros alone would be no memory at all.
        return b"x" * count


def written(address: str, megabytes: str) -> None:
    """Stage a file, a megabyte at a time."""
    writer = _lake(address).stage("bench", "written")
    for _ in range(int(megabytes)):
        writer.write(b"x" * MB)
    writer.seal()


def sdk(address: str, megabytes: str, *options: str) -> None:
    """Upload a stream of the same bytes with the SDK alone; as it comes, or with our blocks four at a time."""
    client = DataLakeFileClient(
        f"{address}/{ACCOUNT}.dfs.core.windows.net", "lake", "uploaded", AzureNamedKeyCredential(ACCOUNT, KEY)
    )
    size = int(megabytes) * MB
    if options:
        client.upload_data(Stream(size), size, overwrite=True, chunk_size=8 * MB, max_concurrency=4)  # type: ignore[arg-type]  # a stream is one that reads
    else:
        client.upload_data(Stream(size), size, overwrite=True)  # type: ignore[arg-type]  # a stream is one that reads


def copied(address: str, _: str) -> None:
    """Copy what was staged by reading and writing."""
    lake = _lake(address, "never")
    staged = lake.stat("_toolkit/staging/bench/written")
    assert staged is not None
    lake.snapshot(staged.path, "copied", staged.etag)
    lake.delete("copied")


def part(address: str, _: str) -> None:
    """Write the part that is changed later."""
    lake = _lake(address)
    writer = lake.stage("bench", "part")
    for _number in range(PART // MB):
        writer.write(bytes(MB))
    lake.publish(writer.seal(), "account/2026.csv", "any")


def changed(address: str, server_copies: str) -> None:
    """Let ten rows of the part be others, publish it, and make a snapshot."""
    lake = _lake(address, server_copies)
    there = lake.stat("account/2026.csv")
    assert there is not None
    gaps = [PART // CHANGED * number + RECORD for number in range(CHANGED)]
    writer = lake.stage("bench", "changed")
    writer.copy_ranges(there.path, [0, *(gap + RECORD for gap in gaps)], [*gaps, PART])
    writer.write(bytes(CHANGED * RECORD))
    etag = lake.publish(writer.seal(), there.path, there.etag)
    lake.snapshot(there.path, f"account/Snapshot/2026_{server_copies}.csv", etag)


TASKS: Mapping[str, Callable[..., None]] = {task.__name__: task for task in (written, sdk, copied, part, changed)}


def work(name: str, *arguments: str) -> None:
    """Do one task in this process, and print what it took."""
    # Imports are no part of it, and the file system is there.
    _lake(arguments[0]).create_folder("account")
    cpu, wall = time.process_time(), time.perf_counter()
    TASKS[name](*arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "memory": memory}))


def _serve(pipe: Connection) -> None:
    """Serve an account; each word that comes is answered with the requests since, and the bytes of both ways."""
    with served() as storage:
        pipe.send(storage.address)
        while pipe.recv():
            asked, storage.requests = storage.requests, []
            data = [each.received for each in asked if each.method == "GET" and each.status == 206]
            pipe.send((len(asked), sum(each.sent for each in asked), sum(data)))


class Account:
    """A served account, and the tasks that are done on it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._address = pipe.recv()

    def task(self, name: str, *arguments: object) -> dict[str, float]:
        """Do a task in a process of its own; what it took, with requests and bytes."""
        self.counted()
        command = [sys.executable, "-m", "benchmarks.adls", "--task", name, self._address, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        requests, sent, received = self.counted()
        return {**json.loads(done.stdout), "requests": requests, "sent": sent, "received": received}

    def counted(self) -> tuple[int, int, int]:
        self._pipe.send("counts")
        counts: tuple[int, int, int] = self._pipe.recv()
        return counts


@contextmanager
def account() -> Iterator[Account]:
    """Serve an account in a process of its own until the block ends."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        yield Account(ours)
    finally:
        ours.send("")
        server.join()


def uploads(size: int, rounds: int) -> Iterator[Line]:
    """Measure what a gigabyte costs the client, beside the SDK alone."""
    ways = {
        "a staged file": ("written",),
        "upload_data as it comes": ("sdk",),
        "upload_data, 8 MiB, 4 at once": ("sdk", "tuned"),
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    with account() as served_account:
        for _ in range(rounds):
            for name, (task, *options) in ways.items():
                taken[name].append(served_account.task(task, size, *options))
    for name, results in taken.items():
        cpu = statistics.median(each["cpu"] for each in results) * 1024 / size
        memory = max(each["memory"] for each in results)
        yield f"{name}, {size:,} MB", f"median {cpu:.2f} CPU s per GB, {memory:,.0f} MB of memory at most", ""
    ours, *peers = taken.values()
    for name, peer in zip(list(taken)[1:], peers, strict=True):
        ratio = statistics.median(one["cpu"] / other["cpu"] for one, other in zip(ours, peer, strict=True))
        yield f"CPU seconds beside {name}", f"median {ratio:.2f} times", ""


def memory() -> Iterator[Line]:
    """Compare memory of a large file with that of a smaller one, written and copied through this machine."""
    taken = {}
    for size in (LARGE // 4, LARGE):
        with account() as served_account:
            taken[size] = [served_account.task(name, size)["memory"] for name in ("written", "copied")]
    for number, name in enumerate(("written", "copied by reading and writing")):
        small, large = (taken[size][number] for size in taken)
        what = f"memory for {LARGE:,} MB beside {LARGE // 4:,} MB, {name}"
        yield what, f"{large:,.0f} MB beside {small:,.0f} MB: {large / small:.2f} times", "flat"


def changes() -> Iterator[Line]:
    """Count what a change of ten rows sends."""
    with account() as served_account:
        for server_copies in ("auto", "never"):
            served_account.task("part", "")
            took = served_account.task("changed", server_copies)
            what = f"{CHANGED} rows of a part of {PART // MB} MB, then its snapshot; server_copies: {server_copies}"
            counts = (
                f"{took['requests']:,.0f} requests, {took['sent']:,.0f} bytes sent, {took['received']:,.0f} received"
            )
            yield what, counts, ""


def main() -> None:
    if sys.argv[1:2] == ["--task"]:
        work(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=1024, help="megabytes of an upload")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    sdk_version = version("azure-storage-file-datalake")
    machine = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.platform()},",
        f"Python {platform.python_version()}, azure-storage-file-datalake {sdk_version}. {given.rounds} rounds.",
        f"Load average before: {os.getloadavg()[0]:.1f}.",
    )
    tables = {
        "changes": list(changes()),
        "memory": list(memory()),
        "uploads": list(uploads(given.size, given.rounds)),
    }
    given.results.write_text(markdown("A lake in a storage account", *machine, tables=tables))


if __name__ == "__main__":
    main()
