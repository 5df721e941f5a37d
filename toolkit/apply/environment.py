"""The changes of a plan that concern the environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from toolkit.bundle import read_archive, read_bundle
from toolkit.environment.protocol import DeleteConfig, Environment, ImportMode, Progress, PutConfig, TrackEntity
from toolkit.errors import Conflict
from toolkit.plan import Plan, changes
from toolkit.plan.changes import (
    AddEntity,
    AnyChange,
    ChangeMode,
    ChangeOwner,
    ChangeSetting,
    ChangeStrategy,
    CreateLink,
    MoveLake,
    RecordSolution,
    RegisterSolution,
    RemoveEntity,
    RemoveLink,
    RemoveSolution,
)


def require_package(plan: Plan, archive: bytes | None, where: str) -> None:
    """See that the package is there, and the planned one, where a plan imports it. Raises Conflict (APL002, APL005)."""
    if plan.brought is None or not any(isinstance(change, RegisterSolution) for change in plan.changes):
        return
    what = f"{plan.brought.solution} {plan.brought.version}"
    if archive is None:
        raise Conflict(
            "APL002",
            f"the plan imports {what}, and no package was given",
            where=where,
            fix="give the package that the plan was made for",
        )
    if read_bundle(read_archive(archive, what), what).digest != plan.brought.bundle:
        raise Conflict(
            "APL005",
            "the package is not the one that the plan was made for",
            where=where,
            why=f"the plan imports {what} with the digest {plan.brought.bundle}",
            fix="give that package, or plan again",
        )


def change_environment(
    change: AnyChange, environment: Environment, archive: bytes | None, progress: Callable[[Progress], None]
) -> None:
    """Do what a change asks of the environment; a change that is about a link alone asks nothing."""
    match change:
        case RegisterSolution():
            # Only a managed solution can be upgraded: what its next version no longer has is then removed.
            upgrade = change.managed and change.installed is not None
            mode = ImportMode.UPGRADE if upgrade else ImportMode.UPDATE
            for step in environment.import_solution(archive or b"", mode):
                progress(step)
        case RemoveSolution(solution=name):
            environment.uninstall(name)
        case changes.WriteConfig(config=config):
            environment.write(PutConfig(config))
        case changes.DeleteConfig(config=config_id):
            environment.write(DeleteConfig(config_id))
        case changes.TrackEntity(entity=entity):
            environment.write(TrackEntity(entity))
        case RecordSolution() | CreateLink() | RemoveLink() | ChangeOwner() | AddEntity() | RemoveEntity():
            pass
        case ChangeSetting() | ChangeStrategy() | ChangeMode() | MoveLake():
            pass
        case _:
            assert_never(change)
