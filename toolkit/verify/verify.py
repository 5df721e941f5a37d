"""The checks of an environment, run in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from toolkit.errors import Finding
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.plan.prerequisites import Profile
from toolkit.site import Site


@dataclass(frozen=True, slots=True)
class Checked:
    """One check on one subject (a config's name, or the environment's), and what it found; nothing is a pass."""

    check: str
    subject: str
    findings: tuple[Finding, ...] = ()


def verify(
    site: Site,
    *,
    clock: Callable[[], datetime],
    bundle: Bundle | None = None,
    expected: Sequence[ExportConfig] | None = None,
    profile: Profile = Profile.ENGINE,
) -> tuple[Checked, ...]:
    """Check an environment; with ``bundle`` and ``expected``, its configs after overlay, against them too."""
    raise NotImplementedError
