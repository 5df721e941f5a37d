"""The solution zip as a value: member names and their bytes, read with suspicion and written the same every time."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.errors import Finding, Invalid, Place, Severity

SOLUTION = "solution.xml"
CUSTOMIZATIONS = "customizations.xml"
CONTENT_TYPES = "[Content_Types].xml"
ROOT_MEMBERS = (CUSTOMIZATIONS, CONTENT_TYPES, SOLUTION)
"""The members of every solution zip, in the order in which most real ones hold them."""

MAX_MEMBERS = 10_000
MAX_EXPANDED = 512 << 20
"""Bytes of all members together, expanded."""
MAX_RATIO = 200
"""Expanded bytes per byte of the zip; applies from ``RATIO_FROM`` expanded bytes on."""
RATIO_FROM = 1 << 20

BAD_ZIP = "0x80048060"
_READABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: the time of every member that we write."""


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


def read_archive(data: bytes, where: str) -> Archive:
    """Read a solution zip. Raises Invalid: 0x80048060 where Dataverse would refuse it, else BND001 to BND004."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.orig_filename.endswith("/")]
            if findings := list(_findings(infos, len(data), where)):
                raise Invalid(findings)
            return Archive({info.filename: archive.read(info) for info in infos})
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        fix = "fetch it again if it was cut off, or export or pack it anew"
        raise Invalid([_finding(BAD_ZIP, "this is not a readable zip", where, str(error), fix)]) from error


def _findings(infos: list[zipfile.ZipInfo], size: int, where: str) -> Iterator[Finding]:
    yield from _name_findings([info.orig_filename for info in infos], where)
    yield from _size_findings(infos, size, where)
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


def _size_findings(infos: list[zipfile.ZipInfo], size: int, where: str) -> Iterator[Finding]:
    expanded = sum(info.file_size for info in infos)
    fix = "take out what is no part of a solution"
    if len(infos) > MAX_MEMBERS:
        yield _finding("BND004", f"{len(infos)} members", where, f"at most {MAX_MEMBERS} are read", fix)
    if expanded > MAX_EXPANDED:
        yield _finding("BND004", f"{expanded} bytes expanded", where, f"at most {MAX_EXPANDED} are read", fix)
    elif expanded > max(RATIO_FROM, MAX_RATIO * size):
        why = f"the members expand to more than {MAX_RATIO} times the size of the zip"
        yield _finding("BND004", f"{expanded} bytes expanded from {size}", where, why, fix)


def _finding(code: str, what: str, where: str, why: str = "", fix: str = "") -> Finding:
    return Finding(code, Severity.ERROR, what, Place(where), why, fix)
