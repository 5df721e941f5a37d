"""Metrics of a run in the OpenMetrics text form: over HTTP, or in a file for a collector of text files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from toolkit.watch.ledger import LinkState, LinkTally, Tally

LABELS = ("config", "entity")


def openmetrics(links: Iterable[LinkTally], now: datetime) -> bytes:
    """Return the metrics. An entity that was never synced has an infinite lag, so that an alert on the lag finds it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(tuple(links), now))
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]  # the library has no types here


class _Snapshot(Collector):
    """The tallies of one instant, as metrics."""

    def __init__(self, links: tuple[LinkTally, ...], now: datetime) -> None:
        self._links, self._now = links, now

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("toolkit_link_running", "Whether this run exports the link.", labels=("config",))
        for link in self._links:
            up.add_metric((link.config,), float(link.state is LinkState.RUNNING))
        yield up
        for name, help_, value in self._gauges():
            yield self._filled(GaugeMetricFamily(name, help_, labels=LABELS), value)
        for name, help_, value in _COUNTERS:
            yield self._filled(CounterMetricFamily(name, help_, labels=LABELS), value)

    def _gauges(self) -> Iterator[tuple[str, str, Callable[[Tally], float | None]]]:
        yield "toolkit_lag_seconds", "Time since the entity was last synced.", self._lag
        yield "toolkit_last_pass_timestamp_seconds", "When the last pass over the entity ended.", _passed
        yield "toolkit_failing", "Failures since the last pass that went well.", lambda tally: tally.failing

    def _lag(self, tally: Tally) -> float:
        lag = tally.lag(self._now)
        return math.inf if lag is None else lag

    def _filled(self, family: Metric, value: Callable[[Tally], float | None]) -> Metric:
        for link in self._links:
            for name, tally in sorted(link.entities.items()):
                if (number := value(tally)) is not None:
                    family.add_sample(_sample(family), {"config": link.config, "entity": name}, number)
        return family


def _sample(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _passed(tally: Tally) -> float | None:
    return None if tally.passed is None else tally.passed.timestamp()


_COUNTERS: tuple[tuple[str, str, Callable[[Tally], float | None]], ...] = (
    ("toolkit_rows_written", "Rows inserted, replaced or appended.", lambda tally: tally.written),
    ("toolkit_rows_deleted", "Rows removed, or delete rows appended.", lambda tally: tally.deleted),
    ("toolkit_bytes_written", "Bytes of the files that were written.", lambda tally: tally.bytes),
    ("toolkit_snapshots", "Snapshot files that were made.", lambda tally: tally.snapshots),
    ("toolkit_failures", "Passes that failed.", lambda tally: tally.failures),
    ("toolkit_retries", "Passes over an entity that was failing.", lambda tally: tally.retries),
)


@contextmanager
def served(host: str, port: int, render: Callable[[], bytes]) -> Iterator[int]:
    """Serve ``/metrics`` until the block ends, and give the port; 0 takes a free one. Raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = render()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: stderr is for the run."""

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
