"""The status of a link: reads only, takes no lock, asks no source."""

from __future__ import annotations

from toolkit.engine.report import LinkStatus
from toolkit.site import Linked


def status(linked: Linked) -> LinkStatus:
    """Return how far each entity of a link is, from its checkpoints and the status file."""
    raise NotImplementedError
