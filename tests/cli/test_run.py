"""`run` as operators and supervisors meet it: files, metrics, standby, broken links, exit statuses, notices."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.request import urlopen

import click
import pytest
from click.testing import CliRunner, Result

from tests.cli.conftest import START, Run, Stopping, lake_of
from toolkit.cli import root
from toolkit.cli.options import Address
from toolkit.cli.run import _there
from toolkit.cli.session import Session
from toolkit.cli.watching import Outputs, watching
from toolkit.engine import EntityReport, SyncReport
from toolkit.errors import Damaged, Finding, Locked, Severity
from toolkit.lake.folder import FolderLake
from toolkit.model.link import EntityState
from toolkit.site import Linked, read_link
from toolkit.watch.status_file import Runner


def run_until(path: Path, *options: str) -> Result:
    """Run in this process until a file is there, then stop as a supervisor does."""
    session = Session(Stopping(path), lambda: "ada@lab", on_terminal=lambda: False)
    return CliRunner().invoke(root, ["run", "--every", "1s", *options], obj=session)


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "toolkit", "run", "--every", "0.1s", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        # An engine that says nothing fails its test, and does not hold it up.
        limit = Timer(120, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def until(lines: Any, says: Callable[[str], bool]) -> str:
    """The next line that says something; an engine that ends instead has none."""
    return next((line for line in lines if says(line)), "")


def linked_of(folder: Path) -> Linked:
    found = read_link(FolderLake(lake_of(folder)))
    assert found is not None
    return found


# files and metrics


def test_the_files_of_a_run_tell_that_it_stopped_and_what_it_did(dev: Run, tmp_path: Path) -> None:
    dev("lake", "link", "--account", "contosodev", "--entity", "account", "--no-sync")
    files = ("--status-file", "run.json", "--metrics-file", "out/run.prom")
    assert run_until(lake_of(tmp_path) / "account" / "Snapshot", *files).exit_code == 0
    told = json.loads(Path("run.json").read_text())
    (link,) = told["links"]
    assert (told["state"], told["environment"], link["state"]) == ("stopped", "dev", "stopped")
    assert [(each["entity"], each["state"], each["failures"]) for each in link["entities"]] == [
        ("account", "Completed", 0)
    ]
    metrics = Path("out/run.prom").read_text()
    assert 'toolkit_rows_written_total{config="contosodev",entity="account"} 30.0\n' in metrics
    assert metrics.endswith("# EOF\n")


def test_a_stop_before_the_first_sync_is_complete_is_partial(dev: Run, tmp_path: Path) -> None:
    dev("lake", "link", "--account", "contosodev", "--entity", "account", "--no-sync")
    result = run_until(lake_of(tmp_path) / "_toolkit" / "account", "--format", "json")
    assert result.exit_code == 7
    stop = json.loads(result.stdout.splitlines()[-1])
    assert (stop["event"], stop["incomplete"]) == ("stop", ["account"])


RUNNER = Runner("dev", "lab", 42, START)


@contextmanager
def watched(*, verbose: bool = False, **outputs: Any) -> Iterator[Any]:
    session = Session(clock=lambda: START, format="json", verbose=verbose)
    with watching(session, RUNNER, Outputs(**outputs)) as watch:
        yield watch


@pytest.mark.usefixtures("linked")
def test_metrics_are_served_while_a_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watched(metrics=("127.0.0.1", 0)) as watch:
        watch.began(linked_of(tmp_path))
        address = capsys.readouterr().err.splitlines()[0].removeprefix("metrics at ")
        with urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback
            assert b'toolkit_link_running{config="contosodev"} 1.0\n' in answer.read()


@pytest.mark.usefixtures("linked")
def test_a_file_that_cannot_be_written_is_told_once_and_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with watched(status_file=tmp_path / "file" / "run.json", metrics_file=tmp_path / "run.prom") as watch:
        watch.publish()
    assert capsys.readouterr().err.count("CLI051") == 1
    assert (tmp_path / "run.prom").read_text().endswith("# EOF\n")


@pytest.mark.usefixtures("linked")
def test_what_befalls_a_link_is_an_event_and_a_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link, path = linked_of(tmp_path), tmp_path / "run.json"
    states = []
    with watched(status_file=path) as watch:
        told: list[Callable[[], object]] = [
            partial(watch.held, link, Locked("LAK003", "bob holds it")),
            partial(watch.held, link, Locked("LAK003", "bob holds it")),
            partial(watch.began, link),
            partial(watch.failed, link, Damaged("STA001", "it cannot be read")),
        ]
        for tell in told:
            tell()
            states.append(json.loads(path.read_text())["links"][0]["state"])
    out = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert states == ["standby", "standby", "running", "failing"]
    assert [event["event"] for event in out] == ["standby", "start", "failure"]
    assert (out[2]["config"], out[2]["entity"], out[2]["code"]) == ("contosodev", None, "STA001")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("[::1]:9464", ("::1", 9464)),
        ("lab.example:1", ("lab.example", 1)),
    ],
)
def test_an_address_is_a_port_of_the_loopback_or_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert Address().convert(text, None, None) == address


@pytest.mark.parametrize("text", ["", "x", "1:2:3", "65536", ":80", "127.0.0.1:"])
def test_what_is_no_address_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.UsageError, match="no address"):
        Address().convert(text, None, None)


# more than one link, more than one engine


def test_a_link_document_that_is_damaged_leaves_the_other_exports_and_is_taken_up_again(
    linked: Run, tmp_path: Path
) -> None:
    linked("lake", "link", "--account", "contosotwo", "--entity", "contact")
    document = lake_of(tmp_path) / "_toolkit" / "link.json"
    sound = document.read_bytes()
    with running() as engine:
        assert engine.stdout
        assert engine.stderr
        assert engine.stderr.readline() == "exporting contosodev, contosotwo; Ctrl-C stops\n"
        document.write_bytes(b"{")
        assert until(engine.stderr, lambda line: "STA001" in line)
        linked("env", "seed", "dev", "--rows", "contact=1")
        assert until(engine.stdout, lambda line: "contosotwo: 1 entity, 1 row written" in line)
        document.write_bytes(sound)
        assert until(engine.stderr, lambda line: line == "exporting contosodev\n")
        engine.terminate()
        assert engine.wait(timeout=30) == 0


def test_a_record_that_is_damaged_leaves_what_is_exported_as_it_is(linked: Run, tmp_path: Path) -> None:
    assert linked("status").exit_code == 0
    session = Session(on_terminal=lambda: False)
    site = session.site("dev")
    assert [each.link.config.name for each in _there(session, site, None)] == ["contosodev"]
    assert _there(session, site, set()) == []
    (tmp_path / "environments" / "dev" / "record.json").write_bytes(b"{")
    assert _there(session, site, None) == []
    session.close()


def test_an_engine_that_stands_by_takes_over_from_one_that_is_killed(linked: Run) -> None:
    with running("--standby") as first, running("--standby") as second:
        assert first.stderr
        assert second.stderr
        assert second.stdout
        one, other = (first, second) if until(first.stderr, bool).startswith("exporting") else (second, first)
        assert other.stderr
        assert other.stdout
        if other is second:
            assert until(other.stderr, bool).startswith("standing by for contosodev: ")
        one.kill()
        assert until(other.stderr, lambda line: line == "exporting contosodev\n")
        linked("env", "seed", "dev", "--rows", "account=1")
        assert until(other.stdout, lambda line: "contosodev: 1 entity, 1 row written" in line)
        other.send_signal(signal.SIGTERM)
        assert other.wait(timeout=30) == 0


# notices of failures


def tell_to(folder: Path, path: Path) -> None:
    code = f"import sys; open({str(path)!r}, 'ab').write(sys.stdin.buffer.read() + b'\\n')"
    project = folder / "toolkit.yaml"
    project.write_text(f"{project.read_text()}on_failure:\n  command: {json.dumps([sys.executable, '-c', code])}\n")


def test_a_sync_tells_once_that_an_entity_fails_and_once_that_it_recovered(linked: Run, tmp_path: Path) -> None:
    told, checkpoint = tmp_path / "told", lake_of(tmp_path) / "_toolkit" / "account" / "checkpoint.json"
    tell_to(tmp_path, told)
    newer, sound = b'{"format": 99}', checkpoint.read_bytes()
    for data, status in ((newer, 1), (newer, 1), (sound, 0), (sound, 0)):
        checkpoint.write_bytes(data)
        assert linked("sync").exit_code == status
    notices = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(each["event"], each["entity"], each["code"]) for each in notices] == [
        ("failing", "account", "ENG032"),
        ("recovered", "account", ""),
    ]


@pytest.mark.usefixtures("linked")
def test_a_run_tells_failures_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell_to(tmp_path, tmp_path / "told")
    error = Finding("SRC009", Severity.ERROR, "busy")
    report = SyncReport((EntityReport("account", EntityState.FAILED, error=error),), failing=("account",))
    with watched() as watch:
        watch.began(linked_of(tmp_path))
        watch.passed(linked_of(tmp_path), report)
    assert json.loads((tmp_path / "told").read_text())["code"] == "SRC009"
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["start", "pass", "failure"]


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize(("verbose", "told"), [(False, ["recovery"]), (True, ["pass", "recovery"])])
def test_a_pass_that_did_nothing_is_an_event_only_with_verbose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verbose: bool, told: list[str]
) -> None:
    with watched(verbose=verbose) as watch:
        watch.passed(linked_of(tmp_path), SyncReport((), recovered=("account",)))
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == told


def test_a_notice_that_cannot_be_told_is_a_warning(linked: Run, tmp_path: Path) -> None:
    project = tmp_path / "toolkit.yaml"
    project.write_text(f"{project.read_text()}on_failure:\n  command: [/nowhere/at-all]\n")
    (lake_of(tmp_path) / "_toolkit" / "account" / "checkpoint.json").write_bytes(b'{"format": 99}')
    result = linked("sync")
    assert (result.exit_code, "warning[CLI052] failing of account was not told" in result.stderr) == (1, True)


@pytest.mark.parametrize("command", ["sync", "run"])
def test_a_secret_that_is_not_set_is_told_before_anything_is_done(linked: Run, tmp_path: Path, command: str) -> None:
    project = tmp_path / "toolkit.yaml"
    project.write_text(f"{project.read_text()}on_failure:\n  webhook_from: TOOLKIT_TEST_HOOK\n")
    result = linked(command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[PRJ031] the environment variable TOOLKIT_TEST_HOOK is not set" in result.stderr


# lag


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize(("most", "late"), [("2h", 5), ("4h", 0)])
def test_status_names_the_entities_that_are_late(most: str, late: int) -> None:
    hours_later = Session(clock=lambda: START + timedelta(hours=3), on_terminal=lambda: False)
    result = CliRunner().invoke(root, ["status", "--max-lag", most], obj=hours_later)
    assert result.exit_code == late
    assert ("error[CLI053] account of contosodev is late: last synced 2026-03-01T12:00:" in result.stderr) == bool(late)


def test_an_entity_that_was_never_synced_is_late(dev: Run) -> None:
    dev("lake", "link", "--account", "contosodev", "--entity", "account", "--no-sync")
    result = dev("status", "--max-lag", "30m")
    assert (result.exit_code, "account of contosodev is late: never synced" in result.stderr) == (5, True)


def test_an_entity_that_is_scanned_is_late_only_when_its_scan_is_overdue(dev: Run) -> None:
    dev("env", "seed", "dev", "--rows", "lead=2", "--rows", "accountleads=2")
    dev("lake", "link", "--account", "contosodev", "--entity", "accountleads")

    def after(**time: float) -> int:
        later = Session(clock=lambda: START + timedelta(**time), on_terminal=lambda: False)
        return CliRunner().invoke(root, ["status", "--max-lag", "2h"], obj=later).exit_code

    assert (after(hours=25), after(hours=27)) == (0, 5)
