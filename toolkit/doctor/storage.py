"""What is asked of storage accounts in Azure."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.doctor.examination import Unasked, all_or_none
from toolkit.doctor.subject import Subject
from toolkit.errors import Finding, Place, Severity
from toolkit.model.config import Cloud, Storage
from toolkit.model.environment import StorageAccount
from toolkit.plan.prerequisites import ABOUT, Profile, account_findings


def accounts(subject: Subject) -> str | Unasked:
    """Ask each account that is linked, or named, what it is. Raises Refused for what stands against an export."""
    linked = {each.link.account: each.link.config.storage for each in subject.links}
    # An account may be what is wrong with a link that cannot be read.
    named = dict.fromkeys([*filter(None, [subject.account]), *(each.address.account for each in subject.broken)])
    told: list[str] = []
    found: list[Finding] = []
    for name, storage in {**named, **linked}.items():
        if (account := subject.site.look(name)) is not None:
            said = storage or Storage(account=name, cloud=account.cloud or Cloud.PUBLIC)
            findings = list(_findings(account, said, subject))
            found += (finding for finding in findings if finding.severity is Severity.ERROR)
            told.append(_told(account, findings))
    if not linked and not named:
        return Unasked(f"{subject.none_linked}; --account NAME examines a storage account")
    return all_or_none(found, "; ".join(told) or "folders stand in for them")


def _findings(account: StorageAccount, storage: Storage, subject: Subject) -> Iterator[Finding]:
    place = Place(subject.site.name, key=account.name)
    return account_findings(account, storage, subject.inventory, Profile.ENGINE, place)


def _told(account: StorageAccount, findings: list[Finding]) -> str:
    known = {
        "": account.kind,
        "replication ": account.replication,
        "hierarchical namespace ": {True: "on", False: "off", None: None}[account.hierarchical_namespace],
        "tenant ": account.tenant,
    }
    said = [f"{word}{value}" for word, value in known.items() if value is not None]
    warned = [finding.what for finding in findings if finding.severity is Severity.WARNING]
    notes = [ABOUT[finding.code] for finding in findings if finding.severity is Severity.NOTE]
    unknown = [f"not checked: {', '.join(notes)}"] if notes else []
    return f"{account.name}: {', '.join([*said, *warned, *unknown])}"
