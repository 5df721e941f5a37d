"""The solution zip as a value: member names and their bytes, read with suspicion and written the same every time."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.errors import Finding, Invalid, Place, Severity

SOLUTION = "solution.xml"
CUSTOMIZATIONS = "customizations.xml"
CONTENT_TYPES = "[Content_Types].xml"
ROOT_MEMBERS = (CUSTOMIZATIONS, CONTENT_TYPES, SOLUTION)
"""The members of every solution zip, in the order in which most real ones hold them."""

MAX_RATIO = 200
"""Expanded bytes per byte of the zip; applies from ``RATIO_FROM`` expanded bytes on."""
RATIO_FROM = 1 << 20

BAD_ZIP = "0x80048060"
_READABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: the time of every member that we write."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read, be it from a zip, a folder or git: a number of files, and bytes of all of them together."""

    files: int = 10_000
    size: int = 512 << 20

    def check(self, sizes: Sequence[int], where: str) -> None:
        """Raise Invalid (BND004) where files of these sizes are too many or too large."""
        if findings := list(self.findings(sizes, where)):
            raise Invalid(findings)

    def findings(self, sizes: Sequence[int], where: str) -> Iterator[Finding]:
        """Yield what is too much (BND004)."""
        fix = "take out what is no part of a solution"
        if len(sizes) > self.files:
            yield _finding("BND004", f"{len(sizes)} files", where, f"at most {self.files} files are read", fix)
        if sum(sizes) > self.size:
            yield _finding("BND004", f"{sum(sizes)} bytes", where, f"at most {self.size} bytes are read", fix)


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Archive:
    """Members by name. Equal when the members are equal, whatever their order."""

    members: Mapping[str, bytes]

    def to_bytes(self) -> bytes:
        """Return the zip. The same members in the same order give the same bytes (with one version of zlib)."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self.members.items():
                archive.writestr(_member(name), data)
        return buffer.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    # Zero on every platform, as in the zips of the real service.
    info.create_system = 0
    return info


def ordered(members: Mapping[str, bytes]) -> Archive:
    """Return the members as an archive in the one order that we write: root members first, then by name."""
    names = [name for name in ROOT_MEMBERS if name in members]
    names += sorted(members.keys() - set(ROOT_MEMBERS))
    return Archive({name: members[name] for name in names})


def read_archive(data: bytes, where: str, limits: Limits = LIMITS) -> Archive:
    """Read a solution zip. Raises Invalid: 0x80048060 where Dataverse would refuse it, else BND001 to BND004."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.orig_filename.endswith("/")]
            if findings := [*_findings(infos, where), *_size_findings(infos, len(data), where, limits)]:
                raise Invalid(findings)
            return Archive({info.filename: archive.read(info) for info in infos})
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        fix = "fetch it again if it was cut off, or export or pack it anew"
        raise Invalid([_finding(BAD_ZIP, "this is not a readable zip", where, str(error), fix)]) from error


def _findings(infos: list[zipfile.ZipInfo], where: str) -> Iterator[Finding]:
    yield from _name_findings([info.orig_filename for info in infos], where)
    for info in infos:
        place = f"{where}/{info.filename}"
        if info.flag_bits & _ENCRYPTED:
            yield _finding("BND003", "a member is encrypted", place, fix="pack it without a password")
        if info.compress_type not in _READABLE:
            yield _finding(BAD_ZIP, "a member has an unknown compression", place, fix="use deflate or none")


def _name_findings(names: list[str], where: str) -> Iterator[Finding]:
    for name in names:
        if why := _unsafe(name):
            yield _finding("BND001", f"the member name {name!r} is refused", where, why, "rename the member")
    for name, count in Counter(name.casefold() for name in names).items():
        if count > 1:
            yield _finding("BND002", f"the member {name!r} is there {count} times", where, fix="keep one of them")
    for name in ROOT_MEMBERS:
        if name not in names:
            why = "every solution zip has it at its root"
            fix = "zip the files themselves and not the folder that holds them, or let toolkit pack do it"
            yield _finding(BAD_ZIP, f"the member {name} is missing", where, why, fix)


def _unsafe(name: str) -> str:
    """Return why a member name must not become a path, or nothing."""
    if "\\" in name or ":" in name:
        return "it holds a backslash or a colon"
    if not name.isprintable():
        return "it holds a control character"
    if any(part in {"", ".", ".."} for part in name.split("/")):
        return "it is absolute, or climbs out of its folder"
    return ""


def _size_findings(infos: list[zipfile.ZipInfo], size: int, where: str, limits: Limits) -> Iterator[Finding]:
    sizes = [info.file_size for info in infos]
    yield from limits.findings(sizes, where)
    if max(RATIO_FROM, MAX_RATIO * size) < sum(sizes) <= limits.size:
        why = f"the members expand to more than {MAX_RATIO} times the size of the zip"
        fix = "see where the zip comes from"
        yield _finding("BND004", f"{sum(sizes)} bytes expanded from {size}", where, why, fix)


def _finding(code: str, what: str, where: str, why: str = "", fix: str = "") -> Finding:
    return Finding(code, Severity.ERROR, what, Place(where), why, fix)
