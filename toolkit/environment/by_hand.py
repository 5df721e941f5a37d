"""What people do by hand in an organization, one step at a time, with the refusals of the platform.

Every function works within the transaction that it is given.
"""

from __future__ import annotations

from toolkit.bundle import wire
from toolkit.environment.refusals import (
    DELETE_OF_MANAGED,
    UPDATE_OF_MANAGED,
    new_solution,
    no_config,
    no_core,
    protected,
    publisher_taken,
)
from toolkit.model.config import ExportConfig
from toolkit.model.solution import CORE_SOLUTION, Publisher, Solution
from toolkit.organization import catalog, configs, installation, solutions
from toolkit.organization.configs import ACTIVE, Content, Held
from toolkit.organization.database import Connection
from toolkit.organization.solutions import Registered


def create_publisher(connection: Connection, publisher: Publisher) -> None:
    """Create a publisher. Raises Refused (ENV002) where the name is taken, in any case."""
    if (known := catalog.publisher(connection, publisher.unique_name)) is not None:
        raise publisher_taken(known)
    catalog.put_publisher(connection, publisher)


def create_solution(connection: Connection, solution: Solution) -> None:
    """Create an unmanaged solution without components; of its publisher only the name counts.

    Raises NotFound (ENV003) for an unknown publisher, or Refused with every reason.
    """
    taken = solutions.find(connection, solution.unique_name) is not None
    publisher = new_solution(solution, catalog.publishers(connection), taken=taken)
    fresh = {"publisher": publisher, "root_components": (), "missing_dependencies": ()}
    solutions.put(connection, Registered(solution=solution.model_copy(update=fresh)))


def add_config(connection: Connection, name: str, config: str) -> None:
    """Make a config row a component of an unmanaged solution; nothing happens where it is one already.

    Raises NotFound (ORG050, ENV006), or Refused without the Core solution (ENV005), or for a managed solution.
    """
    registered = solutions.solution(connection, name)
    if registered.managed:
        raise protected(UPDATE_OF_MANAGED, "update", "solution", registered.name)
    _require_core(connection)
    held = _row(connection, config)
    solutions.put(connection, registered.holding([held.content.config.id]))


def put_config(connection: Connection, config: ExportConfig, text: str | None = None) -> None:
    """Create a config row, or replace what it says; ``text`` is that of its ``msdyn_schema``.

    Without a text that of the row changes only where the meaning does.

    Raises Refused without the Core solution (ENV005), or for a row that a managed solution brought.
    """
    _require_core(connection)
    held = configs.find(connection, config.id)
    if held is not None and held.managed:
        raise protected(UPDATE_OF_MANAGED, "update", "export config", held.content.config.name)
    configs.put(connection, ACTIVE, [Content(config, text or _rewritten(held, config))])


def _rewritten(held: Held | None, config: ExportConfig) -> str:
    if held is None:
        return wire.written(config)
    return wire.rewritten(held.content.schema, held.content.config, config)


def delete_config(connection: Connection, config: str) -> None:
    """Delete a config row, out of its solutions too. Raises NotFound (ENV006), or Refused for a managed row."""
    held = _row(connection, config)
    if held.managed:
        raise protected(DELETE_OF_MANAGED, "delete", "export config", held.content.config.name)
    installation.drop(connection, ACTIVE, [held.content.config.id])


def _row(connection: Connection, config: str) -> Held:
    held = configs.find(connection, config)
    if held is None:
        raise no_config(config, {key: row.row for key, row in configs.rows(connection).items()})
    return held


def _require_core(connection: Connection) -> None:
    if solutions.find(connection, CORE_SOLUTION) is None:
        raise no_core()
