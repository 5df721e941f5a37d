"""What people do by hand in an organization, one step at a time, with the refusals of the platform.

Every function works within the transaction that it is given.
"""

from __future__ import annotations

from toolkit.bundle import wire
from toolkit.errors import Finding, NotFound, Place, Refused, Severity, nearest
from toolkit.model.config import ExportConfig
from toolkit.model.solution import CORE_SOLUTION, Package, Publisher, Solution
from toolkit.organization import catalog, configs, installation, solutions
from toolkit.organization.configs import ACTIVE, Content, Held
from toolkit.organization.database import Connection
from toolkit.organization.import_rules import name_findings
from toolkit.organization.solutions import Registered

NAME_TAKEN = "0x8004f023"
UPDATE_OF_MANAGED = "0x8004f012"
DELETE_OF_MANAGED = "0x8004f013"


def create_publisher(connection: Connection, publisher: Publisher) -> None:
    """Create a publisher. Raises Refused (ENV002) where the name is taken, in any case."""
    if (known := catalog.publisher(connection, publisher.unique_name)) is not None:
        raise Refused(
            "ENV002",
            f"there is a publisher {known.unique_name!r} already",
            where=publisher.unique_name,
            why="the unique name of a publisher is its identity",
            fix="use that publisher, or choose another unique name",
        )
    catalog.put_publisher(connection, publisher)


def create_solution(connection: Connection, solution: Solution) -> None:
    """Create an unmanaged solution without components; of its publisher only the name counts.

    Raises NotFound (ENV003) for an unknown publisher, or Refused with every reason.
    """
    if findings := list(_solution_findings(connection, solution)):
        raise Refused.of(findings)
    name = solution.publisher.unique_name
    publisher = catalog.publisher(connection, name)
    if publisher is None:
        raise NotFound(
            "ENV003",
            f"there is no publisher {name!r} in the environment",
            where=solution.unique_name,
            fix=nearest(name, catalog.publishers(connection))
            or f"create it: toolkit publisher create {name} --prefix PREFIX",
        )
    fresh = {"publisher": publisher, "root_components": (), "missing_dependencies": ()}
    solutions.put(connection, Registered(solution=solution.model_copy(update=fresh)))


def _solution_findings(connection: Connection, solution: Solution) -> list[Finding]:
    name = solution.unique_name
    found = list(name_findings(name))
    if solution.package is Package.MANAGED:
        what = f"the solution {name} cannot be created as managed"
        why = "a managed solution comes by import only"
        found.append(Finding("ENV004", Severity.ERROR, what, Place(name), why, "create it as unmanaged"))
    if solutions.find(connection, name) is not None:
        what = f"The solution unique name '{name}' is already being used and cannot be used again."
        found.append(Finding(NAME_TAKEN, Severity.ERROR, what, Place(name), fix="choose another unique name"))
    return found


def add_config(connection: Connection, name: str, config: str) -> None:
    """Make a config row a component of an unmanaged solution; nothing happens where it is one already.

    Raises NotFound (ORG050, ENV006), or Refused without the Core solution (ENV005), or for a managed solution.
    """
    registered = solutions.solution(connection, name)
    if registered.managed:
        raise _protected(UPDATE_OF_MANAGED, "update", "solution", registered.name)
    _require_core(connection)
    held = _row(connection, config)
    solutions.put(connection, registered.holding([held.content.config.id]))


def put_config(connection: Connection, config: ExportConfig) -> None:
    """Create a config row, or replace what it says; its text changes only where the meaning does.

    Raises Refused without the Core solution (ENV005), or for a row that a managed solution brought.
    """
    _require_core(connection)
    held = configs.find(connection, config.id)
    if held is None:
        text = wire.written(config)
    elif held.managed:
        raise _protected(UPDATE_OF_MANAGED, "update", "export config", held.content.config.name)
    else:
        text = wire.rewritten(held.content.schema, held.content.config, config)
    configs.put(connection, ACTIVE, [Content(config, text)])


def delete_config(connection: Connection, config: str) -> None:
    """Delete a config row, out of its solutions too. Raises NotFound (ENV006), or Refused for a managed row."""
    held = _row(connection, config)
    if held.managed:
        raise _protected(DELETE_OF_MANAGED, "delete", "export config", held.content.config.name)
    installation.drop(connection, ACTIVE, [held.content.config.id])


def _row(connection: Connection, config: str) -> Held:
    held = configs.find(connection, config)
    if held is None:
        rows = configs.rows(connection).items()
        known = ", ".join(f"{row.content.config.name} ({key})" for key, row in rows)
        raise NotFound(
            "ENV006",
            f"there is no export config with the id {config}",
            where=config,
            fix=f"known: {known}" if known else "create one: toolkit lake link --account NAME",
        )
    return held


def _require_core(connection: Connection) -> None:
    if solutions.find(connection, CORE_SOLUTION) is None:
        raise Refused(
            "ENV005",
            f"the solution {CORE_SOLUTION} is not installed",
            where=CORE_SOLUTION,
            why="it brings the table of export configs; the reference documentation asks for it first",
            fix="import it: toolkit import core",
        )


def _protected(code: str, verb: str, kind: str, name: str) -> Refused:
    return Refused(
        code,
        f"You cannot {verb} the {kind} {name}. It cannot be done when the {kind} is managed.",
        where=name,
        why="what a managed solution brought is changed by its next version only",
        fix="change it in the environment that the solution comes from, then export and import it",
    )
