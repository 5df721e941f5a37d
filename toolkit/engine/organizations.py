"""Whose rows a link exports: one organization's, and no other's."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.errors import Refused
from toolkit.lake.protocol import STATE_FOLDER, Lake
from toolkit.model.link import Link


def require_organization(link: Link, found: Iterable[str], lake: Lake) -> None:
    """Raise Refused (ENG003) unless a source and what a lake holds are of the link's organization."""
    for organization in found:
        if organization != link.organization:
            raise other_organization(organization, link, lake)


def other_organization(found: str, link: Link, lake: Lake) -> Refused:
    """Return the error that a lake or a source has rows of another organization than the link's."""
    return Refused(
        "ENG003",
        f"the link is of the organization {link.organization}, and rows are of {found}",
        where=lake.location(STATE_FOLDER),
        why="the environment was copied, or the link was made for another one",
        fix="link the environment to another file system; or, when it shall go on with this one: "
        "toolkit sync --take-over",
    )
