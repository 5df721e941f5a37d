"""Whether the lakes of a plan can be written, tried before anything is changed."""

from __future__ import annotations

from datetime import datetime

from toolkit.lake.probing import probe
from toolkit.plan.changes import CreateLink
from toolkit.plan.plan import Plan
from toolkit.site import Site


def require_lakes(plan: Plan, site: Site, now: datetime) -> None:
    """Make the file systems of new links in Azure, and write, rename and delete a file in each.

    Raises what a lake raises, so that a missing role is found before Dataverse imports anything. An import that
    Dataverse refuses leaves an empty file system.
    """
    for change in plan.changes:
        if isinstance(change, CreateLink) and site.look(change.address.account) is not None:
            probe(site.lake_at(change.address), f"{now:%Y%m%d%H%M%S}")
