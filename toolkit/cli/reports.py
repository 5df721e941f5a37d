"""Checks and their findings as continuous integration wants them: the one place that renders them.

JUnit, SARIF 2.1.0 (OASIS), GitHub's annotations, Markdown for a comment or a step summary.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from toolkit import __version__
from toolkit.cli.output import Result, counted, plain, plural
from toolkit.errors import Finding, NotFound, Place, Severity
from toolkit.plan import AnyChange, Plan, describe
from toolkit.plan.render import WORDS, consequence_text, markdown_cell, markdown_table
from toolkit.plan.safety import dangers

FORMATS = ("junit", "sarif", "github", "markdown")
ANNOTATIONS = 10
"""GitHub shows no more than ten annotations of a kind for a step; we print ten of all kinds, and count the rest."""
SUMMARY = "GITHUB_STEP_SUMMARY"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_ORDER = tuple(Severity)


class Check(Protocol):
    """A check on a subject, and what it found."""

    @property
    def check(self) -> str:
        """Its name."""
        ...

    @property
    def subject(self) -> str:
        """What was looked at."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """Nothing is a pass."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """A check of a command that has none of its own."""

    check: str
    subject: str
    findings: tuple[Finding, ...] = ()


def renderings(title: str, checks: Sequence[Check]) -> dict[str, Callable[[], str]]:
    """Return the renderings of checks by the name of their format."""
    found = [finding for one in checks for finding in one.findings]
    return {
        "junit": lambda: junit(title, checks),
        "sarif": lambda: sarif(found),
        "github": lambda: github(found),
        "markdown": lambda: markdown(title, checks),
    }


def cases_of(plan: Plan) -> list[Case]:
    """Return a plan as checks: each change as what it found, a warning where it has to be named; and its findings."""
    changes = [Case(change.kind, describe(change)[0], (_pending(change, plan.environment),)) for change in plan.changes]
    return [*changes, Case("plan", plan.environment, plan.findings)]


def _pending(change: AnyChange, environment: str) -> Finding:
    target, before, after = describe(change)
    steps = f"{before} -> {after}" if before and after else before or after or ""
    what = f"{WORDS[change.kind]} {target}{steps and f': {steps}'}"
    named = dangers([change])
    severity = Severity.WARNING if named else Severity.NOTE
    fix = f"allow it with {' '.join(f'--allow {danger}' for danger in named)}" if named else ""
    return Finding(change.kind, severity, what, Place(environment), consequence_text(change.consequence), fix)


def summarise(result: Result) -> None:
    """Append the Markdown of a result to the summary of a GitHub step. Raises NotFound outside of one (CLI110)."""
    path = os.environ.get(SUMMARY)
    if not path:
        what, fix = f"{SUMMARY} is not set", "leave --step-summary out where no GitHub workflow runs"
        raise NotFound("CLI110", what, where=SUMMARY, fix=fix)
    with Path(path).open("a", encoding="utf-8") as file:
        file.write((result.others or {})["markdown"]() + "\n\n")


def failures(one: Check) -> list[Finding]:
    """Return the errors of a check."""
    return [finding for finding in one.findings if finding.severity is Severity.ERROR]


def junit(title: str, checks: Sequence[Check]) -> str:
    """Return a JUnit report: a test case for each check of each subject, failed where it found an error."""
    failed = sum(bool(failures(one)) for one in checks)
    suite = Element("testsuite", name=title, tests=str(len(checks)), failures=str(failed))
    for one in checks:
        case = SubElement(suite, "testcase", classname=one.subject, name=one.check)
        if errors := failures(one):
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


def _sentence(finding: Finding) -> str:
    return ". ".join(part for part in (finding.what, finding.why, finding.fix) if part)


def sarif(findings: Sequence[Finding]) -> str:
    """Return findings as a SARIF 2.1.0 log. A place with a line is a file; another one is a logical location."""
    codes = sorted({finding.code for finding in findings})
    driver = {
        "name": "export-to-data-lake-toolkit",
        "semanticVersion": __version__,
        "rules": [{"id": code} for code in codes],
    }
    results = [_result(finding, codes.index(finding.code)) for finding in findings]
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json.dumps(log, indent=2)


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    places = [_location(finding.where)] if finding.where != Place() else []
    message = {"text": _sentence(finding)}
    head = {"ruleId": finding.code, "ruleIndex": rule, "level": _LEVELS[finding.severity], "message": message}
    return {**head, **({"locations": places} if places else {})}


def _location(where: Place) -> dict[str, Any]:
    if where.line is None:
        return {"logicalLocations": [{"fullyQualifiedName": str(where)}]}
    path = PurePath(where.path)
    address = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    return {"physicalLocation": {"artifactLocation": {"uri": address}, "region": {"startLine": where.line}}}


def github(findings: Iterable[Finding]) -> str:
    """Return findings as GitHub's workflow commands, the worst first; of more than ten the rest is counted."""
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
    lines = [_annotation(finding) for finding in ordered[:ANNOTATIONS]]
    if rest := ordered[ANNOTATIONS:]:
        lines.append(f"and {plural(len(rest), 'more finding')}: {counted(rest)}")
    return "\n".join(lines)


def _annotation(finding: Finding) -> str:
    level = {"note": "notice"}.get(finding.severity.value, finding.severity.value)
    properties = {"file": finding.where.path, "line": finding.where.line, "title": finding.code}
    said = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items() if value)
    return f"::{level} {said}::{_escaped(_sentence(finding))}"


def _escaped(text: str, also: str = "") -> str:
    """Percent-encode what would end a workflow command early."""
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + also else char for char in text)


def markdown(title: str, checks: Sequence[Check]) -> str:
    """Return a verdict and a table of the findings, the worst first."""
    found = sorted((each for one in checks for each in one.findings), key=lambda each: _ORDER.index(each.severity))
    verdict = "failed" if any(map(failures, checks)) else "passed"
    head = f"**{markdown_cell(title)}: {verdict}** ({plural(len(checks), 'check')}, {counted(found)})"
    return "\n\n".join([head, *([markdown_table(("", "code", "what", "where", "fix"), _rows(found))] if found else [])])


def _rows(found: Sequence[Finding]) -> Iterator[Sequence[str]]:
    for each in found:
        yield (each.severity.value, each.code, each.what, str(each.where), each.fix)
