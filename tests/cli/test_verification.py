import json
from xml.etree.ElementTree import fromstring

from toolkit.cli.verification import exit_status, junit, verification
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


def test_junit_has_a_case_for_each_check() -> None:
    suite = fromstring(junit(CHECKED))  # noqa: S314 - written two lines above
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("one is <missing>", "VFY001")
    assert failure.text == "error[VFY001] one is <missing>\n  at: dev a\n  why: nobody linked it\n  fix: link it"
    assert suite.findtext("testcase/system-out") == "warning[VFY050] sync pending"


def test_junit_parses_whatever_a_name_holds() -> None:
    odd = Finding("VFY001", Severity.ERROR, "a\x00b\x1b[31mc\rd\ufffe is missing")
    suite = fromstring(junit([Checked("entities", "contoso\x07dev", (odd,))]))  # noqa: S314 - written by us
    (case,) = suite
    assert case.get("classname") == "contoso\ufffddev"
    assert (case.findtext("failure") or "").endswith("a\ufffdb\ufffd[31mc\ufffdd\ufffd is missing")


def test_other_formats_are_there_by_name() -> None:
    others = verification(CHECKED).others or {}
    assert others["junit"]().startswith('<?xml version="1.0" encoding="utf-8"?>')
    assert others["github"]().splitlines()[1] == "::warning title=VFY050::sync pending"
