"""``drift``: what was changed in an environment since it was applied."""

from __future__ import annotations

from collections.abc import Iterator

import click

from toolkit.apply import read_world
from toolkit.apply.kept import rows_left
from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, as_text, finding_data, plural
from toolkit.cli.session import Session
from toolkit.errors import Finding, Severity
from toolkit.plan import drift as drifting
from toolkit.site import Site
from toolkit.verify import verify

MANIFEST = "manifest"
"""The check of ``verify`` that compares model.json with what is committed."""


@click.command(cls=Command)
@options.exit_code
@options.environment
@click.pass_obj
def drift(session: Session, *, exit_code: bool, environment: str | None) -> int:
    """Show what was changed in an environment since the last apply, and what brings it back.

    Nothing is changed. What the lake's model.json says is compared with what is committed, too.
    """
    site = session.site(environment)
    found = [*drifted(site), *stale_manifests(session, site)]
    told = "\n".join([*map(as_text, found), f"{site.name}: {plural(len(found), 'difference')} since the last apply"])
    data = {"environment": site.name, "drift": [finding_data(finding) for finding in found]}
    session.show(Result(data, told if found else f"{site.name} is as it was applied"))
    return 3 if exit_code and found else 0


def drifted(site: Site) -> Iterator[Finding]:
    """Yield what differs from what was applied last."""
    world = read_world(site, count=False)
    yield from drifting.drift(world, rows_left(site, world))


def stale_manifests(session: Session, site: Site) -> Iterator[Finding]:
    """Yield what is wrong with the manifests of the lakes."""
    for checked in verify(site, clock=session.clock):
        if checked.check == MANIFEST:
            yield from (found for found in checked.findings if found.severity is not Severity.NOTE)
