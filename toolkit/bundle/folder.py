"""A source folder on disk: read whole, written all or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.bundle.archive import MAX_EXPANDED, MAX_MEMBERS
from toolkit.bundle.source import CONFIGS, ENVIRONMENTS, PACKAGE, SOLUTION_FILE, Files, is_read, owned
from toolkit.documents import load
from toolkit.errors import Finding, Invalid, Place, Refused, Severity

_PATTERNS = (SOLUTION_FILE, f"{CONFIGS}/*", f"{ENVIRONMENTS}/*", f"{PACKAGE}/**/*")


def read_files(folder: Path) -> Files:
    """Return the files of a bundle's folder. Raises Invalid for symbolic links (BND016) and too much (BND004)."""
    found = (path for pattern in _PATTERNS for path in folder.glob(pattern) if not path.is_dir())
    paths = sorted(path for path in found if is_read(path.relative_to(folder).as_posix()))
    findings = [
        Finding(
            "BND016", Severity.ERROR, "a symbolic link is refused", Place(str(path)), fix="put the file itself there"
        )
        for path in paths
        if path.is_symlink()
    ]
    if findings:
        raise Invalid(findings)
    if len(paths) > MAX_MEMBERS or sum(path.stat().st_size for path in paths) > MAX_EXPANDED:
        why = f"at most {MAX_MEMBERS} files and {MAX_EXPANDED} bytes are read"
        raise Invalid([Finding("BND004", Severity.ERROR, "the folder holds too much", Place(str(folder)), why)])
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def check_target(folder: Path, unique_name: str) -> None:
    """Refuse a folder that unpacking would spoil: one that holds something else, or another solution."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / SOLUTION_FILE).is_file():
        what = f"{folder} is no bundle's folder"
        raise Refused("BND013", what, where=str(folder), why=f"it has no {SOLUTION_FILE}", fix="name a new folder")
    document = load(folder / SOLUTION_FILE)
    present = document.data.get("unique_name") if isinstance(document.data, dict) else None
    if present != unique_name:
        what = f"{folder} holds another solution"
        why = f"it holds {present!r}, and the zip {unique_name!r}"
        raise Refused("BND014", what, where=document.place("unique_name"), why=why, fix="name another folder")


def write_files(folder: Path, files: Files, present: Files) -> None:
    """Make the bundle's files in ``folder`` those of ``files``; files of ``present`` that are not among them go.

    Everything is written aside first and then moved into place; a failure moves all of it back. Files that are equal,
    and those that are not the bundle's, are not touched.
    """
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    changed = {path: data for path, data in files.items() if present.get(path) != data}
    gone = [path for path in present if owned(path) and path not in files]
    try:
        with _moves(folder) as (aside, move):
            for path, data in changed.items():
                _write(aside / "new" / path, data)
            for path in [*gone, *changed]:
                if path in present:
                    move(folder / path, aside / "old" / path)
            for path in changed:
                move(aside / "new" / path, folder / path)
    except BaseException:
        if created:
            shutil.rmtree(folder)
        raise
    _remove_empty(folder, gone)


class _Move:
    """Moves files and remembers how to move them back."""

    def __init__(self) -> None:
        self._done: list[tuple[Path, Path]] = []

    def __call__(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)  # noqa: PTH105 - the one primitive that replaces on every platform
        self._done.append((source, target))

    def back(self) -> None:
        for source, target in reversed(self._done):
            target.replace(source)


@contextmanager
def _moves(folder: Path) -> Iterator[tuple[Path, _Move]]:
    """Give a place aside on the same file system, and moves that are undone when the block fails."""
    aside = Path(tempfile.mkdtemp(prefix=".toolkit-", dir=folder))
    move = _Move()
    try:
        yield aside, move
    except BaseException:
        move.back()
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _remove_empty(folder: Path, gone: list[str]) -> None:
    """Remove folders that lost their last file."""
    for path in gone:
        for parent in (folder / path).parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()
