"""What stands against a step by hand, in the words that every environment has for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.errors import Finding, NotFound, Place, Refused, Severity, nearest
from toolkit.model.environment import ConfigRow
from toolkit.model.solution import CORE_SOLUTION, Package, Publisher, Solution
from toolkit.organization.import_rules import name_findings

NAME_TAKEN = "0x8004f023"
UPDATE_OF_MANAGED = "0x8004f012"
DELETE_OF_MANAGED = "0x8004f013"


def publisher_taken(known: Publisher) -> Refused:
    """Return the refusal of a publisher whose name another one has."""
    return Refused(
        "ENV002",
        f"there is a publisher {known.unique_name!r} already",
        where=known.unique_name,
        why="the unique name of a publisher is its identity",
        fix="use that publisher, or choose another unique name",
    )


def new_solution(solution: Solution, publishers: Mapping[str, Publisher], *, taken: bool) -> Publisher:
    """Return the publisher of a new solution, as the environment has it; ``taken`` says whether its name is.

    Raises NotFound (ENV003) for an unknown publisher, or Refused with every reason.
    """
    if findings := list(_solution_findings(solution, taken=taken)):
        raise Refused.of(findings)
    name = solution.publisher.unique_name
    found = next((known for key, known in publishers.items() if key.casefold() == name.casefold()), None)
    if found is None:
        raise NotFound(
            "ENV003",
            f"there is no publisher {name!r} in the environment",
            where=solution.unique_name,
            fix=nearest(name, publishers) or f"create it: toolkit publisher create {name} --prefix PREFIX",
        )
    return found


def _solution_findings(solution: Solution, *, taken: bool) -> Iterator[Finding]:
    name = solution.unique_name
    yield from name_findings(name)
    if solution.package is Package.MANAGED:
        what = f"the solution {name} cannot be created as managed"
        why = "a managed solution comes by import only"
        yield Finding("ENV004", Severity.ERROR, what, Place(name), why, "create it as unmanaged")
    if taken:
        what = f"The solution unique name '{name}' is already being used and cannot be used again."
        yield Finding(NAME_TAKEN, Severity.ERROR, what, Place(name), fix="choose another unique name")


def no_config(config: str, known: Mapping[str, ConfigRow]) -> NotFound:
    """Return what is said of a config row that is not there."""
    names = ", ".join(f"{row.config.name} ({key})" for key, row in known.items())
    return NotFound(
        "ENV006",
        f"there is no export config with the id {config}",
        where=config,
        fix=f"known: {names}" if names else "create one: toolkit lake link --account NAME",
    )


def no_core() -> Refused:
    """Return the refusal of a config where the Core solution is not installed."""
    return Refused(
        "ENV005",
        f"the solution {CORE_SOLUTION} is not installed",
        where=CORE_SOLUTION,
        why="it brings the table of export configs; the reference documentation asks for it first",
        fix="import it: toolkit import core",
    )


def protected(code: str, verb: str, kind: str, name: str) -> Refused:
    """Return the refusal to change by hand what a managed solution brought."""
    return Refused(
        code,
        f"You cannot {verb} the {kind} {name}. It cannot be done when the {kind} is managed.",
        where=name,
        why="what a managed solution brought is changed by its next version only",
        fix="change it in the environment that the solution comes from, then export and import it",
    )
