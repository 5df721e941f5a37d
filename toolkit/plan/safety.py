"""What a plan may not do until it is named: what destroys data, what cannot be undone, and what changes too much.

A name is of one entity (``delete:account``), and the limit is of one number (``entities:12``), so that what was allowed
for one plan never covers a larger one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from toolkit.errors import Finding, Place, Severity, Unsafe
from toolkit.model.limits import Limits
from toolkit.plan.changes import (
    AddEntity,
    AnyChange,
    ChangeMode,
    ChangeSetting,
    ChangeStrategy,
    CreateLink,
    Effect,
    MoveLake,
    RemoveEntity,
    RemoveLink,
    TrackEntity,
    counted,
)
from toolkit.plan.plan import Plan


class Harm(StrEnum):
    """What a plan would do to an entity that nothing brings back."""

    DELETE = "delete"
    """Its exported data is deleted."""
    HISTORY = "history"
    """Its append-only history is deleted, which the source cannot give again."""
    TRACK = "track"
    """Its change tracking is enabled, which the platform never disables again."""


@dataclass(frozen=True, slots=True, order=True)
class Danger:
    """One such consequence, spelled ``delete:account`` where it is named."""

    harm: Harm
    entity: str

    def __str__(self) -> str:
        return f"{self.harm}:{self.entity}"


ENTITIES = "entities"
"""``entities:12`` allows one plan to remove or re-initialise up to 12 entities."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was named for a plan: dangers, and how many entities it may remove or re-initialise beyond the limits."""

    dangers: frozenset[Danger] = frozenset()
    entities: int = 0

    @classmethod
    def by(cls, harm: Harm, entities: Iterable[str]) -> Allowed:
        """Return what a command allows that names the entities itself."""
        return cls(frozenset(Danger(harm, entity) for entity in entities))


NOTHING = Allowed()


def dangers(changes: Iterable[AnyChange]) -> tuple[Danger, ...]:
    """Return what changes would destroy or never undo, sorted, each once."""
    return tuple(sorted({danger for change in changes for danger in _dangers(change)}))


def _dangers(change: AnyChange) -> Iterator[Danger]:
    match change:
        case TrackEntity(entity=entity):
            yield Danger(Harm.TRACK, entity)
        case RemoveEntity(entity=entity) if change.consequence.effect is Effect.DATA_DELETED:
            yield Danger(Harm.DELETE, entity)
        case RemoveLink(entities=entities) if change.consequence.effect is Effect.DATA_DELETED:
            yield from (Danger(Harm.DELETE, entity) for entity in entities)
        case ChangeMode(entity=entity) if change.consequence.effect is Effect.HISTORY_DELETED:
            yield Danger(Harm.HISTORY, entity)
        case MoveLake(history=history, entities=entities, keep=keep):
            yield from (Danger(Harm.HISTORY, entity) for entity in history)
            yield from () if keep else (Danger(Harm.DELETE, entity) for entity in entities)
        case _:
            pass


def touched(changes: Iterable[AnyChange]) -> frozenset[tuple[str, str]]:
    """Return the entities that changes remove or re-initialise, each with its config."""
    return frozenset(entity for change in changes for entity in _touched(change))


def _touched(change: AnyChange) -> Iterator[tuple[str, str]]:
    match change:
        case RemoveEntity(config=config, entity=entity) | ChangeStrategy(config=config, entity=entity):
            yield config, entity
        case ChangeMode(config=config, entity=entity):
            yield config, entity
        case RemoveLink(config=config, entities=entities) | MoveLake(config=config, entities=entities):
            yield from ((config, entity) for entity in entities)
        case ChangeSetting(config=config, remade=remade):
            yield from ((config, entity) for entity in remade)
        case _:
            pass


def require_allowed(plan: Plan, allowed: Allowed, retry: str, limits: Limits | None = None) -> None:
    """Refuse what a plan would destroy or never undo and ``allowed`` does not name, and what goes beyond limits.

    Raises Unsafe with every finding.
    """
    if found := unallowed(plan, allowed, retry, limits):
        raise Unsafe.of(found)


def unallowed(plan: Plan, allowed: Allowed, retry: str, limits: Limits | None = None) -> list[Finding]:
    """Return why a plan would be refused as long as no more is allowed.

    ``retry`` is the command that does it; every finding says it with all that is missing. Nothing allows an import that
    leaves nothing linked: ``uninstall`` and ``lake unlink`` are for that.
    """
    if limits is not None and _ends_all(plan):
        return [_everything(plan)]
    missing = [danger for danger in dangers(plan.changes) if danger not in allowed.dangers]
    gone = 0 if limits is None else _beyond(plan, allowed, limits)
    named = [flags(missing)] if missing else []
    fix = " ".join(["if that is meant:", retry, *named, *([f"--allow {ENTITIES}:{gone}"] if gone else [])])
    found = [_unnamed(harm, missing, plan.environment, fix) for harm in {each.harm: None for each in missing}]
    if limits is not None and gone:
        found.append(_too_many(plan, gone, limits, fix))
    return found


def flags(what: Iterable[Danger]) -> str:
    """Return the options that name dangers."""
    return " ".join(f"--allow {danger}" for danger in what)


_WORDS = {
    Harm.DELETE: ("PLN070", "the exported data would be deleted", "nothing brings it back"),
    Harm.HISTORY: (
        "PLN071",
        "the history would be deleted",
        "its files hold earlier versions of rows, which the environment no longer has",
    ),
    Harm.TRACK: ("PLN072", "change tracking would be enabled", "the platform never disables it again"),
}


def _unnamed(harm: Harm, missing: Iterable[Danger], environment: str, fix: str) -> Finding:
    code, what, why = _WORDS[harm]
    of = ", ".join(danger.entity for danger in missing if danger.harm is harm)
    return Finding(code, Severity.ERROR, f"{what} of {of}", Place(environment), why, fix)


def _beyond(plan: Plan, allowed: Allowed, limits: Limits) -> int:
    """Return how many entities a plan removes or re-initialises where that is beyond the limits and not allowed."""
    gone = len(touched(plan.changes))
    over = plan.linked >= limits.from_entities and 100 * gone > limits.changed_percent * plan.linked
    return gone if over and gone > allowed.entities else 0


def _too_many(plan: Plan, gone: int, limits: Limits, fix: str) -> Finding:
    return Finding(
        "PLN073",
        Severity.ERROR,
        f"{gone} of {plan.linked} linked entities would be removed or re-initialised: {100 * gone / plan.linked:.0f} %",
        Place(plan.environment),
        f"the limit of {plan.environment} is {limits.changed_percent} % from "
        f"{counted(limits.from_entities, 'entity')} up",
        fix,
    )


def _ends_all(plan: Plan) -> bool:
    removed = sum(
        len(change.entities) if isinstance(change, RemoveLink) else isinstance(change, RemoveEntity)
        for change in plan.changes
    )
    added = any(isinstance(change, AddEntity | CreateLink) for change in plan.changes)
    return 0 < plan.linked <= removed and not added


def _everything(plan: Plan) -> Finding:
    return Finding(
        "PLN074",
        Severity.ERROR,
        f"the import would unlink everything: all {counted(plan.linked, 'entity')} that its links export",
        Place(plan.environment),
        "an import that leaves nothing linked is nearly always a wrong bundle or a wrong overlay",
        "correct the bundle; to end the export: toolkit uninstall, or toolkit lake unlink",
    )
