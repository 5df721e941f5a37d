"""Taking a file system over that another exporter has left: what it wrote is set aside, and the next link is ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from toolkit.apply.documents import ENVIRONMENT_LOCK
from toolkit.apply.world import foreign
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.metadata import SERVICE_FOLDER
from toolkit.engine.retirement import KEPT_FOLDER
from toolkit.errors import Finding, Place, Refused, Severity
from toolkit.lake.protocol import STATE_FOLDER, Holder, Lake, Stat
from toolkit.model.environment import HostedLink
from toolkit.plan.world import LakeName
from toolkit.site import Site


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A file system that another exporter wrote, and has left: ``what`` says by what it is known."""

    name: LakeName
    lake: Lake
    what: str
    files: tuple[Stat, ...]

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(each.size for each in self.files)

    def set_aside(self, now: datetime) -> str:
        """Move all files below ``_kept/``, and return the folder.

        Everything is copied before the first file goes; ``model.json`` goes first, so that it never names what is not
        there, and what shows the other exporter goes last, so that a stop in between is seen: done again it goes on.
        """
        folder = f"{KEPT_FOLDER}/adopted/{now:%Y%m%dT%H%M%SZ}"
        for each in self.files:
            self.lake.snapshot(each.path, f"{folder}/{each.path}", each.etag)
        for path in sorted((each.path for each in self.files), key=_when):
            self.lake.delete(path)
        return folder


def _when(path: str) -> tuple[int, str]:
    return 0 if path == MANIFEST_PATH else 2 if path.startswith(f"{SERVICE_FOLDER}/") else 1, path


@contextmanager
def abandoned(site: Site, name: LakeName, holder: Holder) -> Iterator[Abandoned]:
    """Yield a file system that may be taken over, while nobody else changes the environment.

    Raises Locked, and Refused: APL040 as long as a hosted link may write there, APL041 where there is nothing of
    another exporter, APL042 where this toolkit wrote it.
    """
    fence = site.state.lock(ENVIRONMENT_LOCK, holder)
    try:
        yield _abandoned(site, name)
    finally:
        fence.release()


def _abandoned(site: Site, name: LakeName) -> Abandoned:
    lake, inventory = site.open_lake(*name), site.environment.inventory()
    where = "/".join(name)
    if writing := [_writes(link, site.name) for link in inventory.hosted if _may_write(link, name)]:
        raise Refused.of(writing)
    if next(lake.list(STATE_FOLDER), None) is not None:
        raise Refused(
            "APL042",
            f"the file system {where} was written by this toolkit",
            where=where,
            fix="name another file system; a copied or restored organization takes its own: toolkit sync --take-over",
        )
    if (what := foreign(lake, inventory.organization.id)) is None:
        raise Refused(
            "APL041",
            f"no other exporter wrote the file system {where}",
            where=where,
            fix=f"link it: toolkit lake link --account {name.account} --file-system {name.file_system}",
        )
    kept = f"{KEPT_FOLDER}/"
    return Abandoned(name, lake, what, tuple(each for each in lake.list("") if not each.path.startswith(kept)))


def _may_write(link: HostedLink, name: LakeName) -> bool:
    """Return whether a hosted link writes to a file system, or cannot be known not to."""
    return link.active and (link.account is None or (link.account, link.file_system or name.file_system) == name)


def _writes(link: HostedLink, environment: str) -> Finding:
    return Finding(
        "APL040",
        Severity.ERROR,
        f"the Synapse Link profile {link.name!r} is {link.state}, and may write to that file system",
        Place(environment),
        "a file system is taken over only when its exporter is gone",
        "deactivate the profile in the portal, then try again",
    )
