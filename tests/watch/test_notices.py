"""Notices of failures: a command or a webhook is told, and never holds up the run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import ValidationError

from toolkit.engine import EntityReport, SyncReport
from toolkit.errors import Finding, Severity
from toolkit.model.link import EntityState
from toolkit.model.on_failure import OnFailure
from toolkit.watch.notices import Notice, Teller, notices

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOTICE = Notice("failing", "dev", "contosolake", "account", "2026-03-01T12:00:00Z", "SRC009", "the source is busy")
HIDDEN = "token-123"


def told(how: OnFailure, variables: Mapping[str, str] | None = None) -> list[str]:
    """Tell a notice, and return what was said of failures to do so."""
    problems: list[str] = []
    teller = Teller(how, variables or {}, problems.append)
    teller.tell(NOTICE)
    teller.close(60)
    return problems


def test_a_pass_gives_a_notice_of_each_entity_that_turned() -> None:
    error = Finding("SRC009", Severity.ERROR, "the source is busy")
    contact = EntityReport("contact", EntityState.FAILED, error=error)
    account = EntityReport("account", EntityState.FAILED, error=error)
    report = SyncReport((account, contact), failing=("account",), recovered=("lead",))
    assert list(notices("dev", "contosolake", report, NOW)) == [
        NOTICE,
        Notice("recovered", "dev", "contosolake", "lead", "2026-03-01T12:00:00Z"),
    ]


def test_a_command_gets_the_notice_on_stdin_and_its_arguments_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a file; $(touch x)"
    code = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    assert told(OnFailure(command=(sys.executable, "-c", code, str(path)))) == []
    assert json.loads(path.read_text()) == {
        "event": "failing",
        "environment": "dev",
        "config": "contosolake",
        "entity": "account",
        "at": "2026-03-01T12:00:00Z",
        "code": "SRC009",
        "what": "the source is busy",
    }


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "the command ended with status 3"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "the command took longer than 1 s"),
        (("/nowhere/at-all",), "the command cannot be run: No such file or directory"),
    ],
)
def test_a_command_that_fails_is_told(command: tuple[str, ...], problem: str) -> None:
    said = told(OnFailure(command=command, timeout_seconds=1))
    assert said == [f"failing of account was not told: {problem}"]


class Hook:
    """A webhook on this machine that answers with a status."""

    def __init__(self) -> None:
        self.status = 204
        self.posts: list[tuple[str | None, dict[str, str]]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((self.headers["Authorization"], json.loads(body)))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{HIDDEN}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


def test_a_webhook_gets_the_notice_with_headers_from_the_environment(hook: Hook) -> None:
    how = OnFailure(webhook_from="HOOK", headers_from={"Authorization": "TOKEN"})
    assert told(how, {"HOOK": hook.url, "TOKEN": f"Bearer {HIDDEN}"}) == []
    ((authorization, posted),) = hook.posts
    assert (authorization, posted["entity"]) == (f"Bearer {HIDDEN}", "account")


def test_what_a_webhook_answers_is_told_without_its_address(hook: Hook) -> None:
    hook.status = 500
    assert told(OnFailure(webhook=hook.url)) == ["failing of account was not told: the webhook answered 500"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"http://127.0.0.1:1/{HIDDEN}", "the webhook cannot be reached, or did not answer in time"),
        (f"file:///{HIDDEN}", "the address is neither http nor https"),
        (f"no address {HIDDEN}", "the webhook cannot be reached, or did not answer in time"),
    ],
)
def test_a_webhook_that_cannot_be_reached_is_told_without_its_address(url: str, problem: str) -> None:
    assert told(OnFailure(webhook_from="HOOK"), {"HOOK": url}) == [f"failing of account was not told: {problem}"]


def test_a_notice_never_holds_up_who_tells_it() -> None:
    teller = Teller(OnFailure(command=(sys.executable, "-c", "input()"), timeout_seconds=300), {}, print)
    teller.tell(NOTICE)
    teller.close(0)
    assert teller._thread.daemon


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"command": ["a"], "webhook": "https://example.com"},
        {"command": []},
        {"webhook": "ftp://example.com"},
        {"webhook": "https://user:secret@example.com"},
        {"webhook_from": "https://example.com"},
        {"command": ["a"], "timeout_seconds": 0},
    ],
)
def test_exactly_one_target_is_named_and_no_secret(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OnFailure.model_validate(wrong)
