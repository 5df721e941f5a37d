"""``doctor``: whether an environment can be worked with, and what to do where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, finding_data, styled
from toolkit.cli.session import Session
from toolkit.doctor import STEPS, Check, Outcome, Subject, examine, passed
from toolkit.errors import Finding

_COLOURS = {Outcome.OK: "green", Outcome.FAIL: "red", Outcome.NOT_CHECKED: "yellow"}


@click.command(cls=Command)
@options.environment
@click.pass_obj
def doctor(session: Session, *, environment: str | None) -> int:
    """Check that an environment can be worked with, and say what to fix.

    Signs in, asks the organization who that is, reads a row of every linked entity, and writes, renames and deletes a
    small file in every lake. Nothing of the environment is changed.
    """

    def opened() -> Subject:
        name, entry = session.project.entry(environment)
        return Subject(entry, session.opened(name), session.clock, session.new_id)

    checks = list(examine(opened, STEPS))
    session.show(Result({"passed": passed(checks), "checks": [_data(check) for check in checks]}, _text(checks)))
    return 0 if passed(checks) else 1


def _data(check: Check) -> dict[str, Any]:
    return {
        "check": check.name,
        "outcome": check.outcome.value,
        "what": check.said,
        "findings": [finding_data(finding) for finding in check.findings],
    }


def _text(checks: Sequence[Check]) -> str:
    outcomes = max(len(check.outcome) for check in checks)
    names = max(len(check.name) for check in checks)
    return "\n".join(line for check in checks for line in _lines(check, outcomes, names))


def _lines(check: Check, outcomes: int, names: int) -> list[str]:
    outcome = styled(check.outcome.value.ljust(outcomes), fg=_COLOURS[check.outcome])
    indent = " " * (outcomes + names + 4)
    head = f"{outcome}  {check.name.ljust(names)}  "
    if not check.findings:
        return [head + check.said]
    told = [line for finding in check.findings for line in _told(finding)]
    return [head + told[0], *(indent + line for line in told[1:])]


def _told(finding: Finding) -> list[str]:
    details = (("at", str(finding.where)), ("why", finding.why), ("fix", finding.fix))
    return [f"{finding.what} [{finding.code}]", *(f"  {name}: {value}" for name, value in details if value)]
