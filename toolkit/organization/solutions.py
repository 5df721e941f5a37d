"""Solutions in an organization's file: what they are, what belongs to them, and the package that they came in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Self

from toolkit.errors import NotFound, nearest
from toolkit.model.base import Frozen
from toolkit.model.environment import InstalledSolution
from toolkit.model.names import Guid, UniqueName
from toolkit.model.solution import CORE_SOLUTION, SYSTEM_SOLUTIONS, Package, RootComponent, Solution
from toolkit.organization.database import Connection

DDL = """
CREATE TABLE solution (
    unique_name TEXT PRIMARY KEY COLLATE NOCASE,
    definition TEXT NOT NULL,
    package BLOB
) STRICT, WITHOUT ROWID;
"""


class Registered(Frozen):
    """A solution with all that belongs to it: ``solution`` is what its last package said."""

    solution: Solution
    components: tuple[RootComponent, ...] = ()
    configs: tuple[Guid, ...] = ()
    """In the order in which they were added."""
    upgrades: UniqueName | None = None
    """The installed solution that this one waits to replace."""

    @property
    def name(self) -> str:
        """The unique name."""
        return self.solution.unique_name

    @property
    def managed(self) -> bool:
        """Whether it is managed; work by hand does not touch what belongs to it."""
        return self.solution.package is Package.MANAGED

    @property
    def requires(self) -> tuple[str, ...]:
        """The solutions that it needs: those of its dependencies, Core where it holds configs, what it upgrades."""
        found = {named[0] for dependency in self.solution.missing_dependencies if (named := dependency.solution)}
        found |= {CORE_SOLUTION} if self.configs else set()
        found |= {self.upgrades} if self.upgrades else set()
        return tuple(sorted(name for name in found - {self.name} if name.casefold() not in SYSTEM_SOLUTIONS))

    @property
    def installed(self) -> InstalledSolution:
        """The solution as an inventory shows it."""
        return InstalledSolution(
            unique_name=self.name,
            version=self.solution.version,
            package=self.solution.package,
            publisher=self.solution.publisher.unique_name,
            display_name=next(iter(self.solution.display_names.values()), ""),
            components=self.components,
            configs=self.configs,
            requires=self.requires,
        )

    def holding(self, configs: Iterable[Guid]) -> Self:
        """Return the solution with further configs."""
        return self.model_copy(update={"configs": tuple(dict.fromkeys((*self.configs, *configs)))})

    def without(self, configs: Collection[Guid]) -> Self:
        """Return the solution without some configs."""
        return self.model_copy(update={"configs": tuple(held for held in self.configs if held not in configs)})


def solutions(connection: Connection) -> dict[str, Registered]:
    """Return all solutions by unique name."""
    rows = connection.execute("SELECT unique_name, definition FROM solution ORDER BY unique_name")
    return {row["unique_name"]: Registered.model_validate_json(row["definition"]) for row in rows}


def find(connection: Connection, name: str) -> Registered | None:
    """Return a solution by its unique name in any case, or None."""
    row = connection.one("SELECT definition FROM solution WHERE unique_name = ?", [name])
    return None if row is None else Registered.model_validate_json(row["definition"])


def solution(connection: Connection, name: str) -> Registered:
    """Return a solution by its unique name in any case. Raises NotFound (ORG050)."""
    found = find(connection, name)
    if found is None:
        raise no_solution(name, solutions(connection))
    return found


def no_solution(name: str, known: Iterable[str]) -> NotFound:
    """Return what is said of a solution that is not there."""
    what = f"there is no solution {name!r} in the environment"
    return NotFound("ORG050", what, where=name, fix=nearest(name, known))


def package(connection: Connection, name: str) -> bytes | None:
    """Return the zip in which a solution came last, or None for one that was made by hand."""
    row = connection.one("SELECT package FROM solution WHERE unique_name = ?", [name])
    return None if row is None else row["package"]


def put(connection: Connection, new: Registered) -> None:
    """Create a solution, or replace what is known of it; its package stays."""
    connection.execute(
        "INSERT INTO solution VALUES (?, ?, NULL)"
        " ON CONFLICT (unique_name) DO UPDATE SET unique_name = excluded.unique_name, definition = excluded.definition",
        [new.name, new.model_dump_json(exclude_defaults=True)],
    )


def put_package(connection: Connection, name: str, data: bytes) -> None:
    """Keep the zip in which a solution came."""
    connection.execute("UPDATE solution SET package = ? WHERE unique_name = ?", [data, name])


def delete(connection: Connection, name: str) -> None:
    """Delete a solution and the package that it came in."""
    connection.execute("DELETE FROM solution WHERE unique_name = ?", [name])
