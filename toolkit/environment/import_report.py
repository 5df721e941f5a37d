"""The report of an import job (``importjob.data``), as findings with Dataverse's own codes."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.bundle.markup import Element, parse
from toolkit.dataverse.solutions import code_of
from toolkit.errors import Finding, Invalid, Place, Severity

_SEVERITIES = {"failure": Severity.ERROR, "error": Severity.ERROR, "warning": Severity.WARNING}
_FIX = "mend what the message names, then import again"


def report_findings(report: str, solution: str) -> tuple[Finding, ...]:
    """Return what a report says of a solution: a finding for each result that is no success.

    The result of the solution stands first, those of its components behind it; what is said twice is said once. A
    report that is no XML says nothing.
    """
    try:
        root = parse(report.encode(), "importjob.data")
    except Invalid:
        return ()
    first = [result for manifest in _named(root, "solutionManifest") for result in manifest.all("result")]
    found: dict[str, Finding] = {}
    for result in (*first, *_named(root, "result")):
        for finding in _finding(result, solution):
            found.setdefault(finding.what, finding)
    return tuple(found.values())


def _named(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield child
        yield from _named(child, name)


def _finding(result: Element, solution: str) -> Iterator[Finding]:
    severity = _SEVERITIES.get(result.attributes.get("result", "").lower())
    if severity is not None:
        what = result.attributes.get("errortext") or "the import failed, and its report does not say why"
        why = "the import job of the platform reported it"
        yield Finding(code_of(result.attributes.get("errorcode")), severity, what, Place(solution), why, _FIX)
