"""The retry policy of a config in a sync: entities that failed in passing are tried again after a while."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from toolkit.engine.report import EntityReport, SyncReport
from toolkit.model.config import RetryPolicy


@dataclass(frozen=True, slots=True)
class Retry:
    """A wait of ``seconds`` before some entities are tried again: the ``number``-th of ``most`` times."""

    failed: tuple[EntityReport, ...]
    seconds: float
    number: int
    most: int


@dataclass(frozen=True, slots=True)
class Patience:
    """How a sync waits for failures to pass: ``longest`` is for all waits together; ``tell`` is called before each.

    ``wait(seconds)`` sleeps and returns True when the sync shall stop.
    """

    wait: Callable[[float], bool]
    tell: Callable[[Retry], None]
    longest: timedelta = timedelta(minutes=2)


def patiently(
    attempt: Callable[[Collection[str] | None], SyncReport],
    entities: Collection[str] | None,
    policy: RetryPolicy,
    patience: Patience,
) -> SyncReport:
    """Do a pass over some entities (None: all), and again over those that failed in passing, as the policy says."""
    report = attempt(entities)
    left = patience.longest.total_seconds()
    for number in range(1, policy.max_count + 1):
        failed = tuple(each for each in report.entities if each.retry_after is not None)
        rest = max([policy.interval_seconds, *(each.retry_after or 0.0 for each in failed)])
        if not failed or report.stopped or rest > left:
            break
        left -= rest
        patience.tell(Retry(failed, rest, number, policy.max_count))
        if patience.wait(rest):
            break
        report = _merged(report, attempt([each.entity for each in failed]))
    return report


def _merged(first: SyncReport, then: SyncReport) -> SyncReport:
    """Return one report of two passes. An entity that failed in the first and went well in the second never failed."""
    later = then.by_entity
    passed = set(first.failing) & set(then.recovered)
    return replace(
        then,
        entities=tuple(later.get(each.entity, each) for each in first.entities),
        retired=(*first.retired, *then.retired),
        failing=tuple(name for name in (*first.failing, *then.failing) if name not in passed),
        recovered=tuple(name for name in (*first.recovered, *then.recovered) if name not in passed),
        manifest=first.manifest or then.manifest,
        restored=first.restored or then.restored,
        mended=(*first.mended, *then.mended),
        folder=then.folder or first.folder,
    )
