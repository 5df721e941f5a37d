"""The changes of a plan that concern the environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from toolkit.bundle import read_archive, read_bundle, write_bundle
from toolkit.environment.protocol import DeleteConfig, Environment, ImportMode, Progress, PutConfig, TrackEntity
from toolkit.errors import Conflict
from toolkit.model.config import ExportConfig
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
    change: AnyChange,
    environment: Environment,
    archive: bytes | None,
    configs: Sequence[ExportConfig],
    progress: Callable[[Progress], None],
) -> None:
    """Do what a change asks of the environment; a change that is about a link alone asks nothing.

    ``archive`` is the package that a change imports, ``configs`` are its configs after overlay.
    """
    match change:
        case RegisterSolution():
            # Only a managed solution can be upgraded: what its next version no longer has is then removed.
            upgrade = change.managed and change.installed is not None
            mode = ImportMode.UPGRADE if upgrade else ImportMode.UPDATE
            package = _rewritten(archive or b"", configs) if change.effective else archive or b""
            for step in environment.import_solution(package, mode):
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


def _rewritten(archive: bytes, configs: Sequence[ExportConfig]) -> bytes:
    """Return a package with other values in its export configs; all that the values do not touch keeps its bytes."""
    template = read_archive(archive, "package")
    bundle = read_bundle(template, "package")
    return write_bundle(bundle.model_copy(update={"configs": tuple(configs)}), template).to_bytes()
