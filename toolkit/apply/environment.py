"""The changes of a plan that concern the environment."""

from __future__ import annotations

from collections.abc import Callable

from toolkit.environment.protocol import DeleteConfig, Environment, ImportMode, Progress, PutConfig, TrackEntity
from toolkit.errors import Conflict
from toolkit.plan import changes
from toolkit.plan.changes import AnyChange, RegisterSolution, RemoveSolution


def change_environment(
    change: AnyChange, environment: Environment, archive: bytes | None, progress: Callable[[Progress], None]
) -> None:
    """Do what a change asks of the environment; a change that is about a link alone asks nothing."""
    match change:
        case RegisterSolution():
            _import(change, environment, archive, progress)
        case RemoveSolution(solution=name):
            environment.uninstall(name)
        case changes.WriteConfig(config=config):
            environment.write(PutConfig(config))
        case changes.DeleteConfig(config=config):
            environment.write(DeleteConfig(config))
        case changes.TrackEntity(entity=entity):
            environment.write(TrackEntity(entity))
        case _:
            pass


def _import(
    change: RegisterSolution, environment: Environment, archive: bytes | None, progress: Callable[[Progress], None]
) -> None:
    if archive is None:
        raise Conflict(
            "APL002",
            f"the plan imports {change.solution} {change.version}, and no package was given",
            where=environment.name,
            fix="give the package that the plan was made for",
        )
    # Only a managed solution can be upgraded: what its next version no longer has is then removed.
    upgrade = change.managed and change.installed is not None
    for step in environment.import_solution(archive, ImportMode.UPGRADE if upgrade else ImportMode.UPDATE):
        progress(step)
