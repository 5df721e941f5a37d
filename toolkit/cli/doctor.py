"""``doctor``: whether an environment can be worked with, and what to do where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, finding_data, styled
from toolkit.cli.session import Session
from toolkit.doctor import STEPS, Check, Outcome, Subject, Trial, examine, passed, trial
from toolkit.errors import Finding, nearest

_COLOURS = {Outcome.OK: "green", Outcome.FAIL: "red", Outcome.NOT_CHECKED: "yellow"}


@click.command(cls=Command)
@click.option("--live", is_flag=True, help="Try what no one has seen yet, with a scratch entity that is deleted again.")
@click.option(
    "--account", metavar="NAME", help="A storage account to examine too; --live exports to it, else to the only one."
)
@click.option("--yes", is_flag=True, help="Do not ask before --live creates the entity.")
@options.environment
@click.pass_obj
def doctor(session: Session, *, live: bool, account: str | None, yes: bool, environment: str | None) -> int:
    """Check that an environment can be worked with, and say what to fix.

    Signs in, asks the organization who that is, reads a row of every linked entity, and writes, renames and deletes a
    small file in every lake. Nothing of the environment is changed.

    With --live an entity of a unique name is created in a Dataverse organization, filled, exported to a file system of
    its own, and deleted again with all of its files; what the documents say and nobody could try is confirmed or not.
    Of a storage account in Azure the same is done in a file system of its own.
    """

    def opened() -> Subject:
        name, entry = session.project.entry(environment)
        return Subject(entry, session.opened(name), session.clock, session.new_id, _known(session, account))

    checks = _tried(session, opened(), account, yes=yes) if live else list(examine(opened, STEPS))
    session.show(Result({"passed": passed(checks), "checks": [_data(check) for check in checks]}, _text(checks)))
    return 0 if passed(checks) else 1


def _tried(session: Session, subject: Subject, account: str | None, *, yes: bool) -> list[Check]:
    """Try out what the documents say, of Dataverse and of the storage account, after a yes."""
    from toolkit.doctor.live_storage import StorageTrial, storage_trial

    name, lakes = _account(session, account), session.lakes(subject.site.name)
    trials: list[Trial | StorageTrial] = []
    storage = storage_trial(subject, name, lakes)
    if storage is None or subject.opened.over_the_web:
        trials.append(trial(subject, name, lakes, session.holder()))
    if storage is not None:
        trials.append(storage)
    if not yes:
        session.confirm(f"{', '.join(each.does for each in trials)}, delete all of it: go on?", "--yes")
    checks: list[Check] = []
    for each in trials:
        with closing(each.tried()) as steps:
            checks += steps
    return checks


def _account(session: Session, named: str | None) -> str:
    known = list(session.project.file.accounts)
    if named is None and len(known) != 1:
        raise click.UsageError(f"name the storage account with --account; toolkit.yaml names {len(known)}")
    return named or known[0]


def _known(session: Session, named: str | None) -> str | None:
    """Return an account that toolkit.yaml names, or None for none."""
    known = list(session.project.file.accounts)
    if named is not None and named not in known:
        raise click.UsageError(f"toolkit.yaml names no account {named!r}; {nearest(named, known)}")
    return named


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
