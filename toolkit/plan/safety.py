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


def require_named(plan: Plan, allowed: Allowed, retry: str) -> None:
    """Refuse what a plan would destroy or never undo and ``allowed`` does not name.

    ``retry`` is the command that was given; the refusal says it with what is missing. Raises Unsafe with every finding.
    """
    missing = [danger for danger in dangers(plan.changes) if danger not in allowed.dangers]
    if missing:
        fix = f"if that is meant: {retry} {flags(missing)}"
        raise Unsafe.of(
            [_unnamed(harm, missing, plan.environment, fix) for harm in {each.harm: None for each in missing}]
        )


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


def require_within(plan: Plan, allowed: Allowed, limits: Limits, retry: str) -> None:
    """Refuse a plan that removes or re-initialises too many of the linked entities. Raises Unsafe.

    Nothing allows an import that leaves nothing linked: that is what ``uninstall`` and ``lake unlink`` are for.
    """
    if not plan.linked:
        return
    gone = touched(plan.changes)
    if _ends_all(plan):
        raise _everything(plan)
    share = 100 * len(gone) / plan.linked
    over = plan.linked >= limits.from_entities and share > limits.changed_percent
    if over and len(gone) > allowed.entities:
        raise Unsafe(
            "PLN073",
            f"{len(gone)} of {plan.linked} linked entities would be removed or re-initialised: {share:.0f} %",
            where=plan.environment,
            why=f"the limit of {plan.environment} is {limits.changed_percent} % from "
            f"{counted(limits.from_entities, 'entity')} up",
            fix=f"if that is meant: {retry} --allow {ENTITIES}:{len(gone)}",
        )


def _ends_all(plan: Plan) -> bool:
    removed = sum(
        len(change.entities) if isinstance(change, RemoveLink) else isinstance(change, RemoveEntity)
        for change in plan.changes
    )
    added = any(isinstance(change, AddEntity | CreateLink) for change in plan.changes)
    return removed >= plan.linked and not added


def _everything(plan: Plan) -> Unsafe:
    return Unsafe(
        "PLN074",
        f"the import would unlink everything: all {counted(plan.linked, 'entity')} that its links export",
        where=plan.environment,
        why="an import that leaves nothing linked is nearly always a wrong bundle or a wrong overlay",
        fix="correct the bundle; to end the export: toolkit uninstall, or toolkit lake unlink",
    )
