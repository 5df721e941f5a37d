"""What callers use: load, pack, unpack and validate, for a folder or a zip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from toolkit.bundle import package, source
from toolkit.bundle.archive import LIMITS, Archive, Limits, read_archive
from toolkit.bundle.checks import checked, redacted
from toolkit.bundle.folder import check_target, read_files, write_files
from toolkit.bundle.parts import Parts
from toolkit.errors import Finding, Invalid, NotFound, Severity
from toolkit.model.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Loaded:
    """A bundle with the archive that says it, and what the checks found about it. ``path`` is where it came from.

    ``parts`` are the documents it was read from, with the lines of their keys.
    """

    bundle: Bundle
    archive: Archive
    findings: tuple[Finding, ...]
    path: str
    parts: Parts

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that must keep the bundle from being used."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def load(path: Path, limits: Limits = LIMITS) -> Loaded:
    """Load a source folder or a zip. Raises NotFound, or Invalid where it is no bundle at all.

    Rules that a readable bundle breaks are in ``findings``.
    """
    if path.is_dir():
        return load_files(read_files(path, limits), str(path))
    _found(path)
    limits.check([path.stat().st_size], str(path))
    return load_bytes(path.read_bytes(), str(path), limits)


def load_bytes(data: bytes, where: str, limits: Limits = LIMITS) -> Loaded:
    """Load a zip from its bytes."""
    archive = read_archive(data, where, limits)
    parts = package.read_parts(archive, where)
    findings = _readable(parts)
    return Loaded(parts.bundle(), archive, findings, where, parts)


def load_files(files: source.Files, where: str) -> Loaded:
    """Load a source folder from its files. The bundle is the one that its packed zip holds."""
    parts = source.read_parts(files, where)
    findings = _readable(parts)
    try:
        archive = source.packed_parts(parts, files)
        bundle = package.read_bundle(archive, where)
    except Invalid as error:
        # A rule that was broken in the source says more than what it made of the zip.
        known = [finding for finding in findings if finding.severity is Severity.ERROR]
        raise Invalid(findings if known else [*findings, *error.findings]) from error
    return Loaded(bundle, archive, findings, where, parts)


def _readable(parts: Parts) -> tuple[Finding, ...]:
    """Return what the checks find in parts that say a bundle; raise Invalid with all of it where they say none."""
    findings = _sorted([*parts.lexical_findings(), *checked(parts)])
    if any(parts.lexical_findings()):
        raise Invalid(findings)
    return findings


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of files and lines, and without secrets."""
    return tuple(sorted(map(redacted, findings), key=lambda finding: (finding.where.path, finding.where.line or 0)))


def pack(folder: Path, managed: bool | None = None, *, overlays: bool = True) -> Archive:
    """Return the archive of a source folder. ``managed`` None: as the source says. Raises Invalid."""
    _found(folder)
    return source.packed(read_files(folder), str(folder), managed=managed, overlays=overlays)


def unpack(archive: Archive, folder: Path) -> None:
    """Write an archive as a source folder, all or nothing.

    In a folder that holds the solution already, comments and key order of YAML files and all overlays stay; configs
    that are gone lose their file. Raises Refused for a folder that holds something else (BND013, BND014).
    """
    bundle = package.read_bundle(archive, str(folder))
    present = read_files(folder) if folder.exists() else {}
    check_target(folder, bundle.solution.unique_name)
    write_files(folder, source.unpacked(archive, bundle, folder, present), present)


def validate(path: Path) -> tuple[Finding, ...]:
    """Return everything that is wrong with a folder or a zip, in the order of files and lines."""
    try:
        return load(path).findings
    except Invalid as error:
        return _sorted(error.findings)


def _found(path: Path) -> None:
    if not path.exists():
        raise NotFound("BND015", f"there is no {path}", where=str(path), fix="name a source folder or a solution zip")
