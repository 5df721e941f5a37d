"""``[Content_Types].xml``: which extensions and members without extension the zip holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from toolkit.bundle.archive import CONTENT_TYPES
from toolkit.bundle.markup import Edit, applied, parse, quoted

_TYPE = "application/octet-stream"
_EMPTY = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"></Types>'
)


def content_types(names: Iterable[str], template: bytes | None, where: str) -> bytes:
    """Return the file for members of these names: ``template`` with what it lacks added, on one line as it is."""
    data = _EMPTY if template is None else template
    root = parse(data, where)
    extensions = {child.attributes.get("Extension", "").lower() for child in root.all("Default")}
    parts = {child.attributes.get("PartName", "") for child in root.all("Override")}
    others = [PurePosixPath(name) for name in names if name != CONTENT_TYPES]
    added = [_default(suffix) for suffix in sorted({_suffix(path) for path in others} - extensions - {""})]
    bare = sorted(f"/{path}" for path in others if not _suffix(path))
    added += [f'<Override PartName={quoted(part)} ContentType="{_TYPE}" />' for part in bare if part not in parts]
    if not added:
        return data
    if root.content == root.end:
        return content_types(names, None, where)
    return applied(data, [Edit(root.content_end, root.content_end, "".join(added).encode())])


def _suffix(path: PurePosixPath) -> str:
    return path.suffix.removeprefix(".").lower()


def _default(suffix: str) -> str:
    return f'<Default Extension={quoted(suffix)} ContentType="{_TYPE}" />'
