"""Saved plans: written with their digest, read with care, and compared with the environment they were made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from toolkit.errors import Conflict, Damaged, Place, Refused
from toolkit.model.bundle import Bundle, digest
from toolkit.model.config import ExportConfig
from toolkit.plan.diff import differences
from toolkit.plan.plan import PLAN_FORMAT, Brought, Plan
from toolkit.plan.readings import differing
from toolkit.plan.render import differences_text
from toolkit.plan.rules import is_managed
from toolkit.plan.world import World, assumptions

_AGAIN = "plan again"
SHOWN = 8
"""How many of the values that moved an error tells."""


class SavedPlan(Plan):
    """A plan as ``toolkit plan -o`` writes it; ``digest_of_plan`` shows that nobody changed it since."""

    digest_of_plan: str


def saved(plan: Plan) -> bytes:
    """Return a plan as it is saved."""
    document = SavedPlan(**dict(plan), digest_of_plan=plan.digest)
    return document.model_dump_json(indent=2).encode() + b"\n"


def read_saved(data: bytes, where: str) -> Plan:
    """Return a saved plan.

    Raises Damaged where the file is none (PLN080), is of a newer format (PLN081), or was changed (PLN082).
    """
    document = _json(data, where)
    if (found := document.get("format")) != PLAN_FORMAT:
        newer = isinstance(found, int) and found > PLAN_FORMAT
        what = f"{where} has the format {found!r}, and this toolkit reads {PLAN_FORMAT}"
        raise Damaged("PLN081", what, where=where, fix="use the toolkit that wrote it" if newer else _AGAIN)
    given = document.pop("digest_of_plan", None)
    if given != digest(document):
        raise Damaged(
            "PLN082",
            f"{where} was changed since it was saved",
            where=where,
            why="its content does not have the digest that it names",
            fix=f"{_AGAIN}; a plan is not edited",
        )
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        raise _no_plan(where, error.errors(include_url=False)[0]["msg"]) from error


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = from_json(data)
    except ValueError as error:
        raise _no_plan(where, str(error)) from error
    if not isinstance(document, dict) or "digest_of_plan" not in document:
        raise _no_plan(where, "it is not what toolkit plan -o writes")
    return document


def _no_plan(where: str, why: str) -> Damaged:
    return Damaged("PLN080", f"{where} is no saved plan", where=where, why=why, fix="name a file of: toolkit plan -o")


def require_same_bundle(
    plan: Plan, bundle: Bundle, configs: Sequence[ExportConfig], environment: str, where: str
) -> None:
    """See that a plan was made for a bundle, with these values after overlay, and for an environment.

    Raises Refused: PLN083 for another environment, PLN084 for another bundle, PLN085 for another overlay.
    """
    if plan.environment != environment:
        what = f"the plan was made for the environment {plan.environment!r}, and this is {environment!r}"
        raise Refused("PLN083", what, where=where, fix=f"give --env {plan.environment}, or plan again")
    solution = bundle.solution
    brought = plan.brought
    if brought is None or brought.bundle != bundle.digest or brought.managed != is_managed(solution.package):
        was = "no bundle" if brought is None else _named(brought.solution, brought.version, brought.bundle)
        raise Refused(
            "PLN084",
            "the bundle is not the one that the plan was made for",
            where=where,
            why=f"the plan brings {was}{_kind(managed=brought is not None and brought.managed)}, and this is "
            f"{_named(solution.unique_name, solution.version, bundle.digest)}"
            f"{_kind(managed=is_managed(solution.package))}",
            fix=f"give that bundle, or {_AGAIN}",
        )
    if moved := differences(*(Bundle(solution=solution, configs=tuple(each)) for each in (plan.configs, configs))):
        raise Refused(
            "PLN085",
            "the overlay is not the one that the plan was made for",
            where=where,
            why=differences_text(moved).replace("\n", "; "),
            fix=f"give that overlay, or {_AGAIN}",
        )


def _named(name: str, version: object, of: str) -> str:
    return f"{name} {version} ({of[:19]})"


def _kind(*, managed: bool) -> str:
    return ", managed" if managed else ", unmanaged"


def require_current(plan: Plan, world: World) -> None:
    """See that an environment is as a plan assumes. Raises Conflict (APL001), which says what moved."""
    now = assumptions(world, plan.configs)
    moved = [] if now == plan.assumes else list(differing(plan.assumes, now))
    if moved:
        rest = f"; and {len(moved) - SHOWN} more" if len(moved) > SHOWN else ""
        raise Conflict(
            "APL001",
            f"the plan is stale: {world.environment} has changed since it was made",
            where=Place(world.environment),
            why="; ".join(moved[:SHOWN]) + rest,
            fix=_AGAIN,
        )


def was_applied(plan: Plan, world: World) -> bool:
    """Whether what a plan brings is what reached the environment last."""
    brought = plan.brought
    last = world.record.last_applied(brought.solution) if world.record and brought else None
    return last is not None and last.model_dump(include=set(Brought.model_fields)) == (brought and brought.model_dump())
