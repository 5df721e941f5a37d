"""A source folder on disk: read whole, written all or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from toolkit.bundle.archive import LIMITS, Limits
from toolkit.bundle.source import FOLDERS, SOLUTION_FILE, Files, is_read, owned
from toolkit.documents import load
from toolkit.errors import Finding, Invalid, Place, Refused, Severity


def read_files(folder: Path, limits: Limits = LIMITS) -> Files:
    """Return the files of a bundle's folder. Raises Invalid for symbolic links (BND016) and too much (BND004)."""
    paths = sorted(path for path in _found(folder) if is_read(path.relative_to(folder).as_posix()))
    findings = [
        Finding(
            "BND016", Severity.ERROR, "a symbolic link is refused", Place(str(path)), fix="put the file itself there"
        )
        for path in paths
        if path.is_symlink()
    ]
    if findings:
        raise Invalid(findings)
    limits.check([path.stat().st_size for path in paths], str(folder))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _found(folder: Path) -> Iterator[Path]:
    """Yield the files and links in the places of a bundle's files. Nothing is looked for behind a link."""
    for name in (SOLUTION_FILE, *FOLDERS):
        path = folder / name
        inner = () if path.is_symlink() else path.rglob("*")
        yield from (found for found in (path, *inner) if found.is_symlink() or found.is_file())


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
    changed = {path: data for path, data in files.items() if present.get(path) != data}
    gone = [path for path in present if owned(path) and path not in files]
    with ExitStack() as undo:
        if not folder.exists():
            folder.mkdir(parents=True)
            undo.callback(shutil.rmtree, folder)
        with tempfile.TemporaryDirectory(prefix=".toolkit-", dir=folder) as aside:
            _swap(folder, Path(aside), changed, [path for path in (*gone, *changed) if path in present])
        undo.pop_all()
    _remove_empty(folder, gone)


def _swap(folder: Path, aside: Path, changed: Files, old: Sequence[str]) -> None:
    """Write what changed aside, move what is old there, move what is new into place; or leave all as it was."""
    for path, data in changed.items():
        _write(aside / "new" / path, data)
    with ExitStack() as undo:
        for path in old:
            _move(folder / path, aside / "old" / path, undo)
        for path in changed:
            _move(aside / "new" / path, folder / path, undo)
        undo.pop_all()


def _move(source: Path, target: Path, undo: ExitStack) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    undo.callback(target.replace, source)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _remove_empty(folder: Path, gone: list[str]) -> None:
    """Remove folders that lost their last file."""
    parents = {parent for path in gone for parent in PurePosixPath(path).parents} - {PurePosixPath()}
    for parent in sorted(parents, key=lambda parent: len(parent.parts), reverse=True):
        if not any((folder / parent).iterdir()):
            (folder / parent).rmdir()
