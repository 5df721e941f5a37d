"""A plan as a JSON document for programs: what ``toolkit plan --format json`` prints, with a schema."""

from __future__ import annotations

from toolkit.errors import Finding
from toolkit.model.base import Frozen
from toolkit.plan.changes import AnyChange, Consequence, Origin, describe
from toolkit.plan.plan import PLAN_FORMAT, Brought, Plan
from toolkit.plan.render import consequence_text
from toolkit.plan.safety import dangers


class ConsequenceDocument(Consequence):
    """The consequence for the data; ``text`` is the same in words."""

    text: str


class ChangeDocument(Frozen):
    """One change; before and after in words, null where nothing is there."""

    kind: str
    target: str
    before: str | None
    after: str | None
    origin: Origin
    """Whether it is news of the bundle, or brings back what was changed in the environment, or both."""
    consequence: ConsequenceDocument


class PlanDocument(Frozen):
    """A plan: its changes in the order in which they are done."""

    format: int = PLAN_FORMAT
    environment: str
    digest: str
    """Of the plan."""
    fingerprint: str
    """Of what the plan assumes of the environment."""
    bundle: Brought | None
    empty: bool
    linked: int
    """How many entities are exported by the links that the plan is about, before it is done."""
    dangers: tuple[str, ...]
    """What has to be named with --allow."""
    changes: tuple[ChangeDocument, ...]
    findings: tuple[Finding, ...]


def document(plan: Plan) -> PlanDocument:
    """Return a plan as a document."""
    return PlanDocument(
        environment=plan.environment,
        digest=plan.digest,
        fingerprint=plan.fingerprint,
        bundle=plan.brought,
        empty=plan.empty,
        linked=plan.linked,
        dangers=tuple(str(danger) for danger in dangers(plan.changes)),
        changes=tuple(map(_change, plan.changes)),
        findings=plan.findings,
    )


def _change(change: AnyChange) -> ChangeDocument:
    target, before, after = describe(change)
    text = consequence_text(change.consequence)
    return ChangeDocument(
        kind=change.kind,
        target=target,
        before=before,
        after=after,
        origin=change.origin,
        consequence=ConsequenceDocument(**dict(change.consequence), text=text),
    )
