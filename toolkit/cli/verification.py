"""What ``verify`` found, as text, JSON and for continuous integration, and its exit status."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.cli.output import Result, counted, finding_data, grouped, plural, styled
from toolkit.cli.reports import failures, renderings
from toolkit.errors import Finding
from toolkit.verify import Checked

FAILED = 5
"""Exit status of a verification that found errors."""


def exit_status(checked: Sequence[Checked]) -> int:
    """Return 5 when a check found an error, else 0."""
    return FAILED if any(failures(one) for one in checked) else 0


def verification(checked: Sequence[Checked]) -> Result:
    """Return the checks and their findings as they are printed."""
    found = [finding for one in checked for finding in one.findings]
    data = {
        "passed": exit_status(checked) == 0,
        "summary": counted(found),
        "checks": [_data(one) for one in checked],
    }
    return Result(data, _text(checked, found), renderings("toolkit verify", checked))


def _data(one: Checked) -> dict[str, object]:
    return {"check": one.check, "subject": one.subject, "findings": [finding_data(each) for each in one.findings]}


def _text(checked: Sequence[Checked], found: Sequence[Finding]) -> str:
    failed = exit_status(checked) != 0
    verdict = styled("verification failed", fg="red") if failed else styled("verified", fg="green")
    summary = f"{verdict}: {plural(len(checked), 'check')}, {counted(found)}"
    return "\n".join([*grouped(found), summary])
