"""Provenance: a JSON file beside a zip that says of which commit it is, what built it, and what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from toolkit import __version__
from toolkit.bundle import Loaded
from toolkit.errors import Damaged, Finding, Place, Refused, Severity
from toolkit.model.base import Frozen
from toolkit.model.solution import Package
from toolkit.model.version import Version
from toolkit.release.origin import GitState

_AGAIN = "fetch zip and provenance again from where they were released"


class Builder(Frozen):
    """What packed the zip."""

    name: str = "export-to-data-lake-toolkit"
    version: str = __version__


class Provenance(Frozen):
    """Where a zip comes from, and what is in it."""

    format: Literal[1] = 1
    solution: str
    version: Version
    managed: bool
    bundle: str
    """The digest of the bundle before overlay, which is that of its source folder too."""
    members: Mapping[str, str]
    """``sha256:<hex>`` of every member of the zip, overlays included, by name."""
    git: GitState | None = None
    """None where the source was in no git repository."""
    builder: Builder = Builder()
    built: datetime


def provenance_path(path: Path) -> Path:
    """Return where the provenance of a zip lies: ``Lake.zip.provenance.json``."""
    return path.with_name(f"{path.name}.provenance.json")


def provenance_of(found: Loaded, git: GitState | None, built: datetime) -> Provenance:
    """Return the provenance of a zip as it was packed."""
    solution = found.bundle.solution
    return Provenance(
        solution=solution.unique_name,
        version=solution.version,
        managed=solution.package is Package.MANAGED,
        bundle=found.bundle.digest,
        members=_members(found),
        git=git,
        built=built,
    )


def provenance_bytes(said: Provenance) -> bytes:
    """Return a provenance as it is written."""
    return said.model_dump_json(indent=2).encode() + b"\n"


def _members(found: Loaded) -> dict[str, str]:
    return {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in found.archive.members.items()}


def required_provenance(found: Loaded) -> Provenance | None:
    """Return the provenance beside a zip, once it is sure that it is of that zip; None where none lies there.

    Raises Damaged where it cannot be read (REL030), Refused where the zip holds anything else (REL031).
    """
    path = provenance_path(Path(found.path))
    if not path.is_file():
        return None
    try:
        read = Provenance.model_validate_json(path.read_bytes())
    except ValidationError as error:
        what, why = f"{path} is no provenance", error.errors(include_url=False)[0]["msg"]
        raise Damaged("REL030", what, where=str(path), why=why, fix=_AGAIN) from error
    if findings := list(_differences(read, found, str(path))):
        raise Refused.of(findings)
    return read


def _differences(read: Provenance, found: Loaded, where: str) -> Iterator[Finding]:
    members = _members(found)
    for name in sorted(members.keys() | read.members.keys()):
        if members.get(name) != read.members.get(name):
            yield _other(f"the member {name} is not the one that was released", where)
    if found.bundle.digest != read.bundle:
        yield _other(f"the bundle is not {read.bundle}", where)


def _other(what: str, where: str) -> Finding:
    return Finding("REL031", Severity.ERROR, what, Place(where), "the provenance names another digest", _AGAIN)


def require_origin(git: GitState | None, where: str, *, clean: bool, tag: bool) -> None:
    """Refuse a bundle that is not as committed (REL032), or of no release (REL033), where that is asked for."""
    findings = [*(_unclean(git, where) if clean else ()), *(_untagged(git, where) if tag else ())]
    if findings:
        raise Refused.of(findings)


def _unclean(git: GitState | None, where: str) -> Iterator[Finding]:
    if git is None or git.dirty:
        what = f"nothing says of which commit {where} is" if git is None else f"{where} holds what is not committed"
        fix = "import what toolkit release made, with its provenance beside it, or a committed folder"
        yield Finding("REL032", Severity.ERROR, what, Place(where), "--require-clean was given", fix)


def _untagged(git: GitState | None, where: str) -> Iterator[Finding]:
    if git is None or git.tag is None or git.dirty:
        what, fix = f"{where} is of no tagged release", "import what toolkit release made"
        yield Finding("REL033", Severity.ERROR, what, Place(where), "--require-tag was given", fix)
