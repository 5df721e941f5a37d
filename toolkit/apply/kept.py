"""What was applied, kept beside the environment's record: packages as they came, and their configs after overlay.

Each file is named by the SHA-256 of its bytes, so that it is written once and what is read is what was applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pydantic import TypeAdapter

from toolkit.bundle import read_archive, read_bundle, write_bundle
from toolkit.errors import Damaged, NotFound
from toolkit.lake.protocol import Lake
from toolkit.model.bundle import canonical_bytes
from toolkit.model.config import ExportConfig
from toolkit.model.environment import Inventory, Registration
from toolkit.model.link import Applied, EnvironmentRecord
from toolkit.model.version import Version
from toolkit.plan.world import World, effective, same_name
from toolkit.site import Site

FOLDER = "applied"
KEPT = 20
"""The content of so many applies is kept, and of the last one of each solution."""

_CONFIGS = TypeAdapter(tuple[ExportConfig, ...])


def keep(state: Lake, configs: Iterable[ExportConfig], archive: bytes | None) -> str | None:
    """Keep what an apply brings, and return the digest of its package, if there is one."""
    _put(state, canonical_bytes(effective(configs)), "json")
    return None if archive is None else _put(state, archive, "zip")


def _put(state: Lake, data: bytes, suffix: str) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    path = _path(digest, suffix)
    if state.stat(path) is None:
        state.put(path, data, "any")
    return digest


def _path(digest: str, suffix: str) -> str:
    return f"{FOLDER}/{digest.removeprefix('sha256:')}.{suffix}"


def package_of(state: Lake, applied: Applied) -> bytes:
    """Return the package of an apply. Raises NotFound (APL020) where none was kept, Damaged (APL021)."""
    path = None if applied.package is None else _path(applied.package, "zip")
    if path is None or state.stat(path) is None:
        raise NotFound(
            "APL020",
            f"the package of {applied.solution} {applied.version} was not kept",
            where=state.location(FOLDER),
            why=f"the packages of the last {KEPT} applies are kept",
            fix="import the zip of that version under a higher one; git has its source",
        )
    return _read(state, path)


def configs_of(state: Lake, applied: Applied) -> tuple[ExportConfig, ...] | None:
    """Return the configs of an apply after overlay, or None where they were not kept. Raises Damaged (APL021)."""
    path = _path(applied.effective, "json")
    return None if state.stat(path) is None else _CONFIGS.validate_json(_read(state, path))


def repacked(package: bytes, version: Version, where: str) -> bytes:
    """Return a package under another version; all else stays."""
    template = read_archive(package, where)
    bundle = read_bundle(template, where)
    solution = bundle.solution.model_copy(update={"version": version})
    return write_bundle(bundle.model_copy(update={"solution": solution}), template).to_bytes()


def version_above(record: EnvironmentRecord | None, inventory: Inventory, solution: str, restores: Version) -> Version:
    """Return the version under which an earlier one comes back: the next free one, or its own where it came last."""
    last = record.last_applied(solution) if record else None
    if last is not None and last.restores == restores:
        return last.version
    applied = [entry.version for entry in (record.applied if record else ()) if same_name(entry.solution, solution)]
    there = [each.version for name, each in inventory.solutions.items() if same_name(name, solution)]
    return max([*there, *applied]).bump("revision")


def rows_left(site: Site, world: World) -> dict[str, tuple[ExportConfig, ...]]:
    """Return the config rows that the last apply of each solution left, as far as that was kept."""
    if world.inventory.registration is not Registration.AS_IS:
        return {} if world.links_only else dict(world.applied)
    found = {}
    for solution in world.applied:
        last = world.record.last_applied(solution) if world.record else None
        if last is not None and last.package is not None:
            archive = read_archive(package_of(site.state, last), solution)
            found[solution] = read_bundle(archive, solution).configs
    return found


def _read(state: Lake, path: str) -> bytes:
    data, where = state.read(path), state.location(path)
    if hashlib.sha256(data).hexdigest() not in path:
        raise Damaged(
            "APL021",
            f"{where} is not what was applied",
            where=where,
            why="its bytes do not have the digest that is its name",
            fix="delete the file, or restore it from a backup",
        )
    return data


def drop_old(state: Lake, record: EnvironmentRecord) -> None:
    """Delete the content of applies that are too long ago."""
    last = (record.last_applied(entry.solution) for entry in record.applied)
    wanted = [*record.applied[-KEPT:], *(entry for entry in last if entry is not None)]
    named = {_path(entry.effective, "json") for entry in wanted}
    named |= {_path(entry.package, "zip") for entry in wanted if entry.package is not None}
    for stat in list(state.list(FOLDER)):
        if stat.path not in named:
            state.delete(stat.path)
