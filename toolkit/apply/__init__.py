"""Do a plan, change by change: the only writer of environments, link documents and the environment's record.

Order, and why a stop anywhere between two steps is mended by planning and applying again:

    1  lock the environment, read the world again, refuse a stale plan, try new lakes in Azure
    2  change the environment: an import is one atomic job, so a refusal by Dataverse leaves all as it was
    3  name the lakes in the record: an address without a link document is skipped by every reader
    4  mark new file systems as ours, then write link documents, each conditional and one generation higher
    5  record what was applied, whose package and configs are kept beside the record since step 3
    6  unlock, and let the engine do the data: it retires what is no longer linked and syncs what is new
    7  where a link has moved and all of it is in its new lake: end that of the old one, and let the engine retire it

Whoever finds step 2 done plans nothing for it, and so on; the engine's own work is recoverable by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from toolkit.apply.documents import ENVIRONMENT_LOCK, Author, Documents
from toolkit.apply.environment import change_environment, require_package
from toolkit.apply.handover import hand_over
from toolkit.apply.kept import drop_old, keep
from toolkit.apply.ownership import take_over
from toolkit.apply.readiness import require_lakes
from toolkit.apply.switching import forget_ended, moves, switch
from toolkit.apply.world import Marker, read_world
from toolkit.engine import EntityProgress, Patience, SyncReport
from toolkit.environment.protocol import Progress
from toolkit.lake.protocol import Fence, Holder
from toolkit.model.version import Version
from toolkit.plan.plan import Plan
from toolkit.plan.rules import form_findings, refuse
from toolkit.plan.saved import require_current
from toolkit.site import Site

__all__ = ["Marker", "Report", "Step", "apply", "forget_ended", "moves", "read_world", "switch", "take_over"]

Step = Progress | EntityProgress
"""How far an apply is: a step of the import job, or of the engine's pass over an entity."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an apply did: its plan; by config name, what the engine did, and which running engine goes on with it."""

    plan: Plan
    synced: Mapping[str, SyncReport] = field(default_factory=dict)
    running: Mapping[str, str] = field(default_factory=dict)


def ignore(_: Step) -> None:
    """Drop progress."""


def apply(
    plan: Plan,
    site: Site,
    archive: bytes | None = None,
    *,
    clock: Callable[[], datetime],
    holder: Holder,
    commit: str | None = None,
    restores: Version | None = None,
    wait: float | None = None,
    sync: bool = True,
    progress: Callable[[Step], None] = ignore,
    patience: Patience | None = None,
) -> Report:
    """Do a plan; ``archive`` is the solution zip that it imports, ``holder`` who does it, for the lock and the history.

    With ``sync`` the engine then syncs what is new, and what an earlier apply left pending, for ``wait`` seconds at
    most (None: to the end); what failed in passing is tried again where ``patience`` says so. An empty plan writes
    nothing but such pending data. ``restores`` is the version whose content the archive brings back, for the history.

    Raises Locked when somebody else changes the environment, Conflict (APL001) for a stale plan, what the environment
    refuses (nothing was changed then), Partial (APL004) when ``wait`` was over first: apply again to go on.
    """
    refuse(form_findings(plan.changes))
    require_package(plan, archive, site.name)
    until = None if wait is None else clock() + timedelta(seconds=wait)
    if not plan.empty:
        fence = site.state.lock(ENVIRONMENT_LOCK, replace(holder, purpose=_purpose(plan, holder.purpose)))
        try:
            _change(plan, site, archive, Author(holder.name, clock(), commit, restores), progress, fence=fence)
        finally:
            fence.release()
    if not sync:
        return Report(plan)
    done = hand_over(plan, site, clock=clock, holder=holder, until=until, progress=progress, patience=patience)
    return Report(plan, done.synced, done.running)


def _purpose(plan: Plan, command: str) -> str:
    """Return what a lock is held for: the command, the solution, the plan."""
    brought = "" if plan.brought is None else f"{plan.brought.solution} {plan.brought.version}"
    return ", ".join(part for part in (command, brought, f"plan {plan.digest[:19]}") if part)


def _change(
    plan: Plan,
    site: Site,
    archive: bytes | None,
    author: Author,
    progress: Callable[[Step], None],
    *,
    fence: Fence,
) -> None:
    world = read_world(site, plan.configs, count=False)
    require_current(plan, world)
    require_lakes(plan, site, author.at)
    for change in plan.changes:
        change_environment(change, site.environment, archive, plan.configs, progress)
    # Somebody may have broken the lock meanwhile: what the environment holds by now is found by the next plan.
    fence.check()
    kept = None if plan.brought is None else keep(site.state, plan.configs, archive)
    Documents(plan, site, world, author, kept).write()
    record, _ = site.record()
    if record is not None:
        drop_old(site.state, record)
