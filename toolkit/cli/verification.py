"""What ``verify`` found, as text, JSON, JUnit and GitHub annotations, and its exit status."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from toolkit.cli.output import Result, counted, finding_data, github, grouped, plain, plural, styled
from toolkit.errors import Finding, Severity
from toolkit.verify import Checked

FAILED = 5
"""Exit status of a verification that found errors."""


def exit_status(checked: Sequence[Checked]) -> int:
    """Return 5 when a check found an error, else 0."""
    return FAILED if any(_failures(one) for one in checked) else 0


def verification(checked: Sequence[Checked]) -> Result:
    """Return the checks and their findings as they are printed."""
    found = [finding for one in checked for finding in one.findings]
    data = {
        "passed": exit_status(checked) == 0,
        "summary": counted(found),
        "checks": [_data(one) for one in checked],
    }
    return Result(data, _text(checked, found), {"junit": lambda: junit(checked), "github": lambda: github(found)})


def _data(one: Checked) -> dict[str, object]:
    return {"check": one.check, "subject": one.subject, "findings": [finding_data(each) for each in one.findings]}


def _failures(one: Checked) -> list[Finding]:
    return [finding for finding in one.findings if finding.severity is Severity.ERROR]


def _text(checked: Sequence[Checked], found: Sequence[Finding]) -> str:
    failed = exit_status(checked) != 0
    verdict = styled("verification failed", fg="red") if failed else styled("verified", fg="green")
    summary = f"{verdict}: {plural(len(checked), 'check')}, {counted(found)}"
    return "\n".join([*grouped(found), summary])


def junit(checked: Sequence[Checked]) -> str:
    """Return a JUnit report: a test case for each check of each subject, failed where it found an error."""
    failures = sum(bool(_failures(one)) for one in checked)
    suite = Element("testsuite", name="toolkit verify", tests=str(len(checked)), failures=str(failures))
    for one in checked:
        case = SubElement(suite, "testcase", classname=one.subject, name=one.check)
        if errors := _failures(one):
            failure = SubElement(case, "failure", message=errors[0].what, type=errors[0].code)
            failure.text = "\n".join(_plain(finding) for finding in errors)
        if others := [finding for finding in one.findings if finding.severity is not Severity.ERROR]:
            SubElement(case, "system-out").text = "\n".join(_plain(finding) for finding in others)
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + plain(tostring(suite, encoding="unicode"))


def _plain(finding: Finding) -> str:
    details = (("at", str(finding.where)), ("why", finding.why), ("fix", finding.fix))
    head = f"{finding.severity}[{finding.code}] {finding.what}"
    return "\n".join([head, *(f"  {name}: {value}" for name, value in details if value)])
