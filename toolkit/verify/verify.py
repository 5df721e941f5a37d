"""The checks of an environment, run in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from toolkit.errors import Damaged, Finding
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, Layout
from toolkit.plan.prerequisites import Profile
from toolkit.site import Site
from toolkit.verify.configuration import (
    check_entities,
    check_lakes,
    check_organization,
    check_prerequisites,
    check_row,
    check_settings,
    check_solution,
    check_tracking,
)
from toolkit.verify.data import check_counts, check_freshness, check_sync
from toolkit.verify.facts import Checked, Facts, LinkFacts, read_facts
from toolkit.verify.lake import check_content, check_files, check_folders, check_locations, check_manifest

SITE_CHECKS: dict[str, Callable[[Facts], Iterator[Finding]]] = {
    "solution": check_solution,
    "linked lakes": check_lakes,
}
Check = Callable[[LinkFacts], Iterator[Finding]]
LINK_CHECKS: dict[str, Check] = {
    "organization": check_organization,
    "entities": check_entities,
    "settings": check_settings,
    "config row": check_row,
    "change tracking": check_tracking,
    "prerequisites": check_prerequisites,
    "initial sync": check_sync,
    "manifest": check_manifest,
    "locations": check_locations,
}
FILE_CHECKS: dict[Layout, dict[str, Check]] = {
    Layout.LIVE: {"live files": check_files},
    Layout.INCREMENTAL: {"folders": check_folders},
}
DATA_CHECKS: dict[str, Check] = {
    "row counts": check_counts,
    "freshness": check_freshness,
}

DEEP_CHECKS: dict[str, Check] = {"content": check_content}
"""What reads every file, and is done on request."""


def verify(
    site: Site,
    *,
    clock: Callable[[], datetime],
    bundle: Bundle | None = None,
    expected: Sequence[ExportConfig] | None = None,
    profile: Profile = Profile.ENGINE,
    deep: bool = False,
) -> tuple[Checked, ...]:
    """Check an environment and its lakes; with ``bundle`` and ``expected``, its configs after overlay, against them.

    ``deep`` reads every file that is committed, too. Reads only. A check without findings passed; notes and warnings do
    not fail it.
    """
    facts = read_facts(site, clock, bundle, expected, profile)
    return tuple(_checked(facts, deep=deep))


def _checked(facts: Facts, *, deep: bool) -> Iterator[Checked]:
    for name, check in SITE_CHECKS.items():
        yield Checked(name, facts.site.name, tuple(check(facts)))
    for linked in facts.live:
        link = LinkFacts(facts, linked)
        files = FILE_CHECKS[link.config.output.layout]
        for name, of_link in (LINK_CHECKS | files | DATA_CHECKS | (DEEP_CHECKS if deep else {})).items():
            yield Checked(name, link.config.name, _found(of_link, link))


def _found(check: Check, link: LinkFacts) -> tuple[Finding, ...]:
    """Return what a check finds; a file of ours that cannot be read is what it finds then."""
    try:
        return tuple(check(link))
    except Damaged as error:
        return tuple(error.findings)
