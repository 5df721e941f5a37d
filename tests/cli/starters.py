"""Many processes that run the command line at once, forked from a server that has imported it."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

from toolkit import cli

_CONTEXT = multiprocessing.get_context("forkserver")
# Not modules of the tests: the server looks for them where it was started, and other packages bring tests as well.
_CONTEXT.set_forkserver_preload(["toolkit.cli.run", "toolkit.engine", "toolkit.project"])


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit status and what it wrote."""

    pid: int
    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Started:
    """A process that runs a command; ``end`` waits for it."""

    process: BaseProcess
    told: Connection
    barrier: Barrier
    """Kept alive for the processes that have not come to it yet."""

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid or 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def end(self, seconds: float = 60) -> Ended:
        """Wait for the end."""
        told: tuple[int, str] = (-1, "")
        if self.told.poll(seconds):
            try:
                told = self.told.recv()
            except EOFError:
                told = (-1, "")
        self.process.join(seconds)
        status = self.process.exitcode
        return Ended(self.pid, told[0] if status == 0 else status or -1, told[1])


def start(folder: Path, *arguments: str, count: int = 1) -> list[Started]:
    """Start a command in so many processes, all at one moment."""
    barrier = _CONTEXT.Barrier(count)
    return [_started(folder, arguments, barrier) for _ in range(count)]


def _started(folder: Path, arguments: tuple[str, ...], barrier: Barrier) -> Started:
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_run, args=(folder, arguments, barrier, theirs), daemon=True)
    process.start()
    theirs.close()
    return Started(process, ours, barrier)


def _run(folder: Path, arguments: tuple[str, ...], barrier: Barrier, told: Connection) -> None:
    os.chdir(folder)
    output = io.StringIO()
    sys.argv = ["toolkit", *arguments]
    barrier.wait(30)
    status = 0
    with redirect_stdout(output), redirect_stderr(output):
        try:
            cli.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    told.send((status, output.getvalue()))
