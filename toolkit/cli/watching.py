"""What a run tells: lines and events on its output, the status file, the metrics, notices of failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from threading import Lock
from typing import Any

import click

from toolkit import engine
from toolkit.cli import doing
from toolkit.cli.output import printable
from toolkit.cli.session import Session
from toolkit.engine import SyncReport
from toolkit.errors import Finding, Locked, Place, Severity, ToolkitError
from toolkit.site import Linked
from toolkit.watch.events import events
from toolkit.watch.ledger import Ledger, LinkState
from toolkit.watch.notices import Teller, notices
from toolkit.watch.status_file import Runner, run_status, time_text, write_status

Tell = Callable[[str, SyncReport], None]
"""Tells what a pass over the link of a config gives to tell."""

LAST_NOTICES_SECONDS = 1.5
"""How long the end of a run waits for notices that are still to be told."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a run is watched, besides its output: each only where it was asked for."""

    status_file: Path | None = None
    metrics_file: Path | None = None
    metrics: tuple[str, int] | None = None


@dataclass(slots=True)
class Watching:
    """Tells what a run does. Its methods are called by the threads of all links."""

    session: Session
    runner: Runner
    outputs: Outputs
    tell: Tell
    announced: set[str] = field(default_factory=set)
    """Links that were named when the run began."""
    _ledger: Ledger = field(default_factory=Ledger)
    _lock: Lock = field(default_factory=Lock)
    _unwritten: set[Path] = field(default_factory=set)
    """Files that could not be written, and were told."""

    def began(self, linked: Linked) -> None:
        """Tell that a link is exported from now on."""
        name = linked.link.config.name
        self._ledger.began(name, engine.status(linked).entities)
        self._event(name, {"event": "start", "host": self.runner.host, "pid": self.runner.pid})
        if name in self.announced:
            self.announced.discard(name)
        else:
            self.session.note(f"exporting {name}")
        self.publish()

    def passed(self, linked: Linked, report: SyncReport) -> None:
        """Tell what a pass did."""
        config, now = linked.link.config, self.session.clock()
        names = [entity.name for entity in config.entities] if linked.link.active else []
        before = self._ledger.told(config.name, names, report, now)
        telling = report.eventful or self.session.verbose
        if self.session.format == "json":
            if telling:
                self._event(config.name, {"event": "pass", **doing.sync_data(report)})
            for event in events(report, before):
                self._event(config.name, event)
        elif telling:
            click.echo(printable(f"{now:%H:%M:%S} {config.name}: {doing.sync_text(report)}"))
            doing.failed(self.session, [report])
        self.tell(config.name, report)
        self.publish()

    def stopped(self, linked: Linked, incomplete: tuple[str, ...]) -> None:
        """Tell that a link is exported no longer."""
        name = linked.link.config.name
        self._ledger.turned(name, LinkState.STOPPED)
        self._event(name, {"event": "stop", "incomplete": list(incomplete)})

    def failed(self, linked: Linked, error: ToolkitError) -> None:
        """Tell that the export of a link failed as a whole; it is begun again later."""
        name = linked.link.config.name
        self.announced.discard(name)
        self._ledger.turned(name, LinkState.FAILING, f"{error.code} {error.what}")
        self._event(name, {"event": "failure", "entity": None, "code": error.code, "what": error.what})
        self.session.complain(error.findings)
        self.publish()

    def held(self, linked: Linked, error: Locked) -> None:
        """Tell, once, that a link is waited for."""
        name = linked.link.config.name
        if self._ledger.turned(name, LinkState.STANDBY, error.what):
            self._event(name, {"event": "standby", "what": error.what})
            self.session.note(f"standing by for {name}: {error.what}")
        self.publish()

    def publish(self, state: str = "running") -> None:
        """Write the files anew."""
        now, links = self.session.clock(), self._ledger.links()
        with self._lock:
            if (path := self.outputs.status_file) is not None:
                self._written(path, lambda: write_status(path, run_status(self.runner, state, links, now)))
            if (file := self.outputs.metrics_file) is not None:
                from toolkit.files import write_whole

                self._written(file, lambda: write_whole(file, self.metrics()))

    def metrics(self) -> bytes:
        """Return the metrics as they are now."""
        from toolkit.watch.metrics import openmetrics

        return openmetrics(self._ledger.links(), self.session.clock())

    def _written(self, path: Path, write: Callable[[], None]) -> None:
        """Write a file; where that fails, tell it once and go on: the export is what counts."""
        try:
            write()
        except OSError as error:
            if path not in self._unwritten:
                self._unwritten.add(path)
                what = f"{path} cannot be written: {error.strerror}"
                fix = "mend it, or give another path; the run goes on"
                self.session.warn([Finding("CLI051", Severity.WARNING, what, Place(str(path)), fix=fix)])
        else:
            self._unwritten.discard(path)

    def _event(self, config: str, event: Mapping[str, Any]) -> None:
        if self.session.format == "json":
            click.echo(dumps({"at": time_text(self.session.clock()), "config": config, **event}))


@contextmanager
def telling(session: Session, environment: str, patience: float | None = None) -> Iterator[Tell]:
    """Give what tells the failures and recoveries of a pass to whom ``on_failure`` in toolkit.yaml names.

    At the end ``patience`` seconds are waited for what is still to be told; None: as long as one notice may take.
    """
    if (how := session.project.on_failure(os.environ)) is None:
        yield lambda _, __: None
        return
    teller = Teller(how, os.environ, lambda what: _untold(session, what))

    def tell(config: str, report: SyncReport) -> None:
        for notice in notices(environment, config, report, session.clock()):
            teller.tell(notice)

    try:
        yield tell
    finally:
        teller.close(how.timeout_seconds if patience is None else patience)


def _untold(session: Session, what: str) -> None:
    fix = "correct on_failure in toolkit.yaml, or mend what it leads to"
    session.warn([Finding("CLI052", Severity.WARNING, what, fix=fix)])


@contextmanager
def watching(session: Session, runner: Runner, outputs: Outputs) -> Iterator[Watching]:
    """Watch a run until the block ends. Raises OSError when the port is taken."""
    with ExitStack() as ends:
        tell = ends.enter_context(telling(session, runner.environment, LAST_NOTICES_SECONDS))
        watch = Watching(session, runner, outputs, tell)
        if outputs.metrics is not None:
            from toolkit.watch.metrics import served

            host, _ = outputs.metrics
            port = ends.enter_context(served(*outputs.metrics, watch.metrics))
            session.note(f"metrics at http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
        watch.publish()
        ends.callback(watch.publish, "stopped")
        yield watch
