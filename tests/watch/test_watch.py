"""What an operator sees of a run: tallies, the status file, metrics, events."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from toolkit.engine import EntityReport, EntityStatus, SyncReport
from toolkit.errors import Finding, Severity
from toolkit.model.config import PartitionStrategy
from toolkit.model.link import EntityState
from toolkit.watch.events import events
from toolkit.watch.ledger import Ledger, LinkState, Tally
from toolkit.watch.metrics import openmetrics, served
from toolkit.watch.status_file import Runner, run_status, write_status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BUSY = Finding("SRC009", Severity.ERROR, "the source is busy")


def status(entity: str, synced: datetime | None = None, reason: str = "") -> EntityStatus:
    state = EntityState.COMPLETED if synced else EntityState.NOT_STARTED
    return EntityStatus(
        entity, state, append_only=False, strategy=PartitionStrategy.MONTH, last_synced=synced, reason=reason
    )


def went_well(entity: str, written: int = 0, snapshots: tuple[str, ...] = ()) -> EntityReport:
    return EntityReport(entity, EntityState.COMPLETED, written, deleted=1, bytes=100 * written, snapshots=snapshots)


def failed(entity: str) -> EntityReport:
    return EntityReport(entity, EntityState.FAILED, error=BUSY)


@pytest.fixture
def ledger() -> Ledger:
    """A link of two entities; the account went well, the contact fails and was never synced."""
    ledger = Ledger()
    ledger.began("contosolake", [status("account", NOW - timedelta(hours=1)), status("contact")])
    for _ in range(2):
        report = SyncReport((went_well("account", 3, ("a.csv",)), failed("contact")))
        ledger.told("contosolake", ["account", "contact"], report, NOW)
    return ledger


def tallies(ledger: Ledger) -> dict[str, Tally]:
    (link,) = ledger.links()
    return dict(link.entities)


def test_the_ledger_counts_since_the_run_began(ledger: Ledger) -> None:
    account, contact = tallies(ledger).values()
    assert (account.written, account.deleted, account.bytes, account.snapshots) == (6, 2, 600, 2)
    assert (contact.failing, contact.failures, contact.retries, contact.reason) == (
        2,
        2,
        1,
        "SRC009 the source is busy",
    )
    assert (account.lag(LATER), contact.lag(LATER)) == (300, None)


def test_a_recovery_ends_the_failures_and_keeps_the_count(ledger: Ledger) -> None:
    ledger.told("contosolake", ["contact"], SyncReport((went_well("contact"),)), LATER)
    contact = tallies(ledger)["contact"]
    assert (contact.failing, contact.failures, contact.retries, contact.reason) == (0, 2, 2, "")
    assert list(tallies(ledger)) == ["contact"]


def test_an_entity_that_failed_before_the_run_is_failing(ledger: Ledger) -> None:
    ledger.began("other", [status("lead", reason="SRC010 no")])
    assert ledger.links()[1].entities["lead"].failing == 1


def test_a_link_that_begins_again_keeps_its_counts(ledger: Ledger) -> None:
    assert ledger.turned("contosolake", LinkState.STANDBY, "ada holds it")
    assert not ledger.turned("contosolake", LinkState.STANDBY, "ada holds it")
    ledger.began("contosolake", [status("account", LATER), status("lead")])
    assert sorted(tallies(ledger)) == ["account", "contact", "lead"]
    assert tallies(ledger)["account"].written == 6
    assert ledger.links()[0].state is LinkState.RUNNING


def test_the_status_file_tells_process_links_and_entities(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "run" / "status.json"
    write_status(path, run_status(Runner("dev", "lab", 42, NOW), "running", ledger.links(), LATER))
    assert json.loads(path.read_text()) == {
        "format": 1,
        "at": "2026-03-01T12:05:00Z",
        "state": "running",
        "environment": "dev",
        "host": "lab",
        "pid": 42,
        "since": "2026-03-01T12:00:00Z",
        "links": [
            {
                "config": "contosolake",
                "state": "running",
                "reason": "",
                "entities": [
                    {
                        "entity": "account",
                        "state": "Completed",
                        "last_synced": "2026-03-01T12:00:00Z",
                        "lag_seconds": 300.0,
                        "failures": 0,
                        "reason": "",
                    },
                    {
                        "entity": "contact",
                        "state": "Failed",
                        "last_synced": None,
                        "lag_seconds": None,
                        "failures": 2,
                        "reason": "SRC009 the source is busy",
                    },
                ],
            }
        ],
    }


def samples(text: bytes) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]  # the library has no types here
    found = [sample for family in families for sample in family.samples]
    return {(sample.name, sample.labels.get("entity", "")): sample.value for sample in found}


def test_the_metrics_are_valid_openmetrics(ledger: Ledger) -> None:
    text = openmetrics(ledger.links(), LATER)
    assert text.endswith(b"# EOF\n")
    found = samples(text)
    assert found["toolkit_link_running", ""] == 1
    assert (found["toolkit_lag_seconds", "account"], found["toolkit_lag_seconds", "contact"]) == (300, math.inf)
    assert found["toolkit_rows_written_total", "account"] == 6
    assert found["toolkit_rows_deleted_total", "account"] == 2
    assert found["toolkit_bytes_written_total", "account"] == 600
    assert found["toolkit_snapshots_total", "account"] == 2
    assert (found["toolkit_failures_total", "contact"], found["toolkit_retries_total", "contact"]) == (2, 1)
    assert (found["toolkit_failing", "contact"], found["toolkit_failing", "account"]) == (2, 0)
    assert found["toolkit_last_pass_timestamp_seconds", "account"] == NOW.timestamp()


def test_an_entity_without_a_pass_has_no_time_of_one(ledger: Ledger) -> None:
    ledger.began("other", [status("lead", NOW)])
    assert ("toolkit_last_pass_timestamp_seconds", "lead") not in samples(openmetrics(ledger.links(), LATER))


def test_metrics_are_served_under_their_path_alone(ledger: Ledger) -> None:
    with served("127.0.0.1", 0, lambda: openmetrics(ledger.links(), LATER)) as port:
        with urlopen(f"http://127.0.0.1:{port}/metrics?x=1", timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
            assert samples(answer.read())["toolkit_lag_seconds", "account"] == 300
        with pytest.raises(HTTPError, match="404") as caught:
            urlopen(f"http://127.0.0.1:{port}/", timeout=10)
        caught.value.close()


def test_a_pass_is_told_as_events_of_its_entities() -> None:
    added = Finding("ENG061", Severity.NOTE, "account: the column tier was added")
    mended = Finding("ENG041", Severity.WARNING, "account: an index was made anew")
    account = EntityReport("account", EntityState.COMPLETED, snapshots=("a.csv",), notices=(added, mended))
    report = SyncReport((account, failed("contact")), recovered=("account",), mended=("lead/Snapshot/2026_1.csv",))
    before = {"account": Tally("account", failing=2), "contact": Tally("contact", failing=1)}
    assert list(events(report, before)) == [
        {"event": "retry", "entity": "account", "failures": 2},
        {"event": "schema", "entity": "account", "code": "ENG061", "what": "account: the column tier was added"},
        {"event": "healing", "entity": "account", "code": "ENG041", "what": "account: an index was made anew"},
        {"event": "snapshot", "entity": "account", "files": ["a.csv"]},
        {"event": "retry", "entity": "contact", "failures": 1},
        {"event": "failure", "entity": "contact", "code": "SRC009", "what": "the source is busy", "failures": 2},
        {"event": "recovery", "entity": "account"},
        {"event": "healing", "entity": "lead", "what": "the snapshot lead/Snapshot/2026_1.csv was made again"},
    ]
