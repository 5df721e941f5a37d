"""The file of a backup: a zip with ``manifest.json`` and the packages, protected by digests (docs/formats.md).

The manifest names each package by its SHA-256, and itself holds the digest of its own content. That finds damage and
edits; it proves no author, which a signature does.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from hashlib import sha256
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from toolkit.apply.backup import Kept
from toolkit.bundle import LIMITS
from toolkit.bundle.archive import Archive
from toolkit.errors import Damaged, Invalid
from toolkit.model.backup import BACKUP_FORMAT, Backup
from toolkit.model.bundle import canonical_bytes, digest

MANIFEST = "manifest.json"


def written(kept: Kept) -> bytes:
    """Return the file of a backup."""
    content = kept.backup.model_dump(mode="json")
    packages = {_member(name): data for name, data in sorted(kept.packages.items())}
    return Archive({MANIFEST: canonical_bytes({**content, "digest": digest(content)}), **packages}).to_bytes()


def _member(package: str) -> str:
    return f"packages/{package}.zip"


def read(data: bytes, where: str) -> Kept:
    """Read the file of a backup.

    Raises Damaged where it is none (APL032), is of a newer format (APL033), or was changed or damaged (APL034).
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            LIMITS.check([info.file_size for info in archive.infolist()], where)
            backup = _manifest(archive.read(MANIFEST), where)
            packages = {each.package: archive.read(_member(each.package)) for each in backup.solutions}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, NotImplementedError, RuntimeError) as error:
        raise _no_backup(where, str(error)) from error
    except Invalid as error:
        raise _no_backup(where, error.what) from error
    for name, package in packages.items():
        if sha256(package).hexdigest() != name:
            raise _changed(where, _member(name))
    return Kept(backup, packages, where)


def _manifest(data: bytes, where: str) -> Backup:
    content = _json(data, where)
    if (found := content.get("format")) != BACKUP_FORMAT:
        what = f"{where} has the format {found!r}, and this toolkit reads {BACKUP_FORMAT}"
        raise Damaged("APL033", what, where=where, fix="use the toolkit that wrote it")
    given = content.pop("digest", None)
    if given != digest(content):
        raise _changed(where, MANIFEST)
    try:
        return Backup.model_validate(content)
    except ValidationError as error:
        raise _no_backup(where, error.errors(include_url=False)[0]["msg"]) from error


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        content = from_json(data)
    except ValueError as error:
        raise _no_backup(where, str(error)) from error
    if not isinstance(content, dict) or content.get("kind") != Backup.model_fields["kind"].default:
        raise _no_backup(where, "it is not what toolkit backup writes")
    return content


def _no_backup(where: str, why: str) -> Damaged:
    return Damaged("APL032", f"{where} is no backup", where=where, why=why, fix="name a file of: toolkit backup -o")


def _changed(where: str, member: str) -> Damaged:
    return Damaged(
        "APL034",
        f"{where} was changed or damaged since it was written",
        where=where,
        why=f"{member} does not have the digest that is named for it",
        fix="fetch the file again from where it is kept; a backup is not edited",
    )
