"""Hand links to the engine: what is new is synced, what is no longer linked is retired."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from toolkit import engine
from toolkit.apply.switching import complete, forget_ended, switch
from toolkit.engine import EntityProgress, Patience, SyncReport
from toolkit.errors import Locked, Partial, Place
from toolkit.lake.paths import LOCKED
from toolkit.lake.protocol import Holder
from toolkit.plan.changes import Effect, config_of
from toolkit.plan.plan import Plan
from toolkit.site import Linked, Site


@dataclass(slots=True)
class Handover:
    """What the engine did per config name; and, where a running engine holds the link, who that is."""

    synced: dict[str, SyncReport] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)


def hand_over(
    plan: Plan,
    site: Site,
    *,
    clock: Callable[[], datetime],
    holder: Holder,
    until: datetime | None,
    progress: Callable[[EntityProgress], None],
    patience: Patience | None = None,
) -> Handover:
    """Let the engine do the data that a plan is about, and what an earlier apply of the same left pending.

    With ``patience`` what fails in passing is tried again, before ``until``.

    Raises Partial (APL004) when ``until`` is over before the end. A link that a running engine holds is left to it:
    it finds the next generation of the link document at its next pass.
    """
    result = Handover()

    def over() -> bool:
        return until is not None and clock() >= until

    def one(linked: Linked) -> None:
        name = _name(linked, {*result.synced, *result.running})
        try:
            report = engine.sync(
                linked,
                site.source,
                clock=clock,
                holder=holder,
                progress=progress,
                stop=over,
                patience=_before(until, clock(), patience),
            )
        except Locked as error:
            # Only who holds the lake's lock is an engine that will do the data.
            if error.code != LOCKED:
                raise
            result.running[name] = error.what
            return
        result.synced[name] = report
        if report.stopped:
            raise _partial(site, name)
        forget_ended(site, linked, report)

    for linked in pending(plan, site):
        one(linked)
    for linked in switch(site.links(), clock):
        one(linked)
    return result


def _name(linked: Linked, taken: Collection[str]) -> str:
    """Return the name of a link; with its lake where the config is exported to another one besides."""
    name = linked.link.config.name
    return f"{name} in {linked.link.account}/{linked.link.file_system}" if name in taken else name


def _before(until: datetime | None, now: datetime, patience: Patience | None) -> Patience | None:
    """Return the patience that ends when the time is over."""
    if patience is None or until is None:
        return patience
    return replace(patience, longest=min(patience.longest, until - now))


def pending(plan: Plan, site: Site) -> Iterator[Linked]:
    """Yield the links that have data to do: changed by the plan, about the plan and not complete, or ended."""
    touched = {config_of(change) for change in plan.changes if change.consequence.effect is not Effect.NOTHING}
    about = touched | {config.id for config in plan.configs}
    for linked in site.links():
        config = linked.link.config.id
        ended = not linked.link.active
        if ended or config in touched or (config in about and not complete(linked)):
            yield linked


def _partial(site: Site, config: str) -> Partial:
    return Partial(
        "APL004",
        f"the time was over before {config} was synced",
        where=Place(site.name, key=config),
        why="what was committed stays; an initial sync that was stopped goes on",
        fix="run the same command again, or let toolkit run do the rest",
    )
