"""Bytes or text -> document."""

from __future__ import annotations

from pathlib import Path

from toolkit.documents.document import Document
from toolkit.documents.nodes import MAX_BYTES, invalid, tree_of
from toolkit.errors import NotFound, Place, nearest


def load(path: Path) -> Document:
    """Read a file. Raises NotFound (DOC001) where there is none, Invalid for what ``parse`` refuses."""
    return parse(read(path), str(path))


def read(path: Path) -> str:
    """Return the text of a file, without a byte order mark. Raises NotFound (DOC001) or Invalid (DOC002, DOC003)."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("DOC001", f"there is no file {path}", where=str(path), fix=_nearest_file(path)) from error
    except OSError as error:
        fix = "see that it is a file, and that you may read it"
        raise invalid("DOC001", "the file cannot be read", Place(str(path)), why=str(error), fix=fix) from error
    return decoded(data, str(path))


def _nearest_file(path: Path) -> str:
    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {path.parent} either"
    return nearest(path.name, names)


def decoded(data: bytes, path: str) -> str:
    """Return bytes as text, without a byte order mark. Raises Invalid when they are too many or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise invalid("DOC002", "the file is too large", Place(path), why=f"at most {MAX_BYTES} bytes are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise invalid("DOC003", "the file is not UTF-8", Place(path, line), fix="save it as UTF-8") from error


def parse(text: str, path: str) -> Document:
    """Parse a text. An empty one is an empty mapping. Raises Invalid (DOC002 to DOC008)."""
    root = tree_of(text.removeprefix("\ufeff"), path)
    if root is None:
        return Document(path, {}, {(): 1})
    return Document(path, root.data(), {(): 1} | dict(root.lines(())))
