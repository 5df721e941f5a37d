import json

from toolkit.cli.verification import exit_status, verification
from toolkit.errors import Finding, Place, Severity
from toolkit.verify import Checked

ERROR = Finding("VFY001", Severity.ERROR, "one is <missing>", Place("dev", key="a"), "nobody linked it", "link it")
WARNING = Finding("VFY050", Severity.WARNING, "sync pending")
CHECKED = (Checked("entities", "contosodev", (ERROR, WARNING)), Checked("manifest", "contosodev"))


def test_an_error_fails_the_verification() -> None:
    assert exit_status(CHECKED) == 5
    assert exit_status([Checked("entities", "contosodev", (WARNING,))]) == 0


def test_the_text_ends_with_a_verdict() -> None:
    text = verification(CHECKED).text
    assert "verification failed" in text
    assert text.endswith(": 2 checks, 1 error, 1 warning")


def test_the_data_has_every_check() -> None:
    data = json.loads(json.dumps(verification(CHECKED).data))
    assert (data["passed"], data["summary"]) == (False, "1 error, 1 warning")
    assert [(check["check"], len(check["findings"])) for check in data["checks"]] == [("entities", 2), ("manifest", 0)]


def test_other_formats_are_there_by_name() -> None:
    others = verification(CHECKED).others or {}
    assert others["junit"]().startswith('<?xml version="1.0" encoding="utf-8"?>')
    assert others["github"]().splitlines()[1] == "::warning title=VFY050::sync pending"
