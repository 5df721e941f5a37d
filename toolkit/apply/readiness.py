"""Whether the lakes of a plan can be written, tried before anything is changed."""

from __future__ import annotations

from datetime import datetime

from toolkit.lake.probing import probe
from toolkit.model.link import LakeAddress
from toolkit.plan.changes import AnyChange, CreateLink, MoveLake
from toolkit.plan.plan import Plan
from toolkit.site import Site


def require_lakes(plan: Plan, site: Site, now: datetime) -> None:
    """Make the file systems of new links in Azure, and write, rename and delete a file in each.

    Raises what a lake raises, so that a missing role is found before Dataverse imports anything. An import that
    Dataverse refuses leaves an empty file system.
    """
    for change in plan.changes:
        address = _new_lake(change)
        if address is not None and site.look(address.account) is not None:
            probe(site.lake_at(address), f"{now:%Y%m%d%H%M%S}")


def _new_lake(change: AnyChange) -> LakeAddress | None:
    match change:
        case CreateLink(address=address) | MoveLake(after=address):
            return address
        case _:
            return None
