"""Bundles and git: read at a revision from the object store (work tree and index are not touched), and of a commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from toolkit.bundle import LIMITS, Files, Limits, Loaded, is_read, load_bytes, load_files
from toolkit.errors import NotFound, Refused, nearest

if TYPE_CHECKING:
    from git import Blob, Commit, Repo, Tree

_LINK_MODE = 0o120000


def bundle_at(spec: str, cwd: Path, limits: Limits = LIMITS) -> Loaded:
    """Load ``REF:PATH``: a source folder or a zip as it is in a git revision.

    As in git, the path is relative to the repository's root, or to ``cwd`` where it starts with ``./`` or ``../``.
    ``limits`` hold as for a folder or a zip on disk. Raises NotFound for a missing repository (REL001), revision
    (REL002) or path (REL003), Refused for what is neither a folder nor a file (REL004), and Invalid where it is no
    bundle.
    """
    revision, _, path = spec.partition(":")
    with opened(cwd) as repository:
        found = _object(_commit(repository, revision, spec), _in_repository(path, cwd, repository), spec)
        if found.type == "tree":
            return load_files(_files(found, spec, limits), spec)
        limits.check([found.size], spec)
        return load_bytes(_content(found, spec), spec, limits)


def commit_of(spec: str, cwd: Path) -> str | None:
    """Return the commit that a bundle is of: that of ``REF:PATH``, or HEAD's where a path lies in a git work tree.

    None where there is no repository, no commit yet, or no git program to ask.
    """
    path = (cwd / spec).resolve()
    revision, _, named = spec.partition(":")
    if not path.exists() and not named:
        return None
    try:
        if not path.exists():
            return _hash(cwd, revision)
        return _hash(path if path.is_dir() else path.parent, "HEAD")
    except (NotFound, ImportError):  # an ImportError is how GitPython says that there is no git program
        return None


def _hash(folder: Path, revision: str) -> str:
    with opened(folder) as repository:
        return _commit(repository, revision, revision).hexsha


def opened(cwd: Path) -> Repo:
    """Return the repository around a folder. Raises NotFound (REL001) where there is none."""
    # GitPython looks for the git program when it is imported, and costs 60 ms: only those pay who name a revision.
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo

    try:
        return Repo(cwd, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        what = f"{cwd} is in no git repository"
        raise NotFound("REL001", what, where=str(cwd), fix="run this inside the repository") from error


def _commit(repository: Repo, revision: str, spec: str) -> Commit:
    from git import BadName

    try:
        return repository.commit(revision)
    except (BadName, ValueError, IndexError) as error:
        names = [reference.name for reference in repository.references]
        what = f"git knows no revision {revision!r}"
        raise NotFound("REL002", what, where=spec, fix=nearest(revision, names)) from error


def _in_repository(path: str, cwd: Path, repository: Repo) -> str:
    """Return a path relative to the root of the work tree."""
    if not path.startswith(("./", "../")):
        return PurePosixPath(path).as_posix()
    root = Path(repository.working_dir).resolve()
    target = (cwd / path).resolve()
    if not target.is_relative_to(root):
        raise NotFound("REL003", f"{path} lies outside of the repository", where=path)
    return target.relative_to(root).as_posix()


def _object(commit: Commit, path: str, spec: str) -> Tree | Blob:
    if path in {"", "."}:
        return commit.tree
    try:
        found = commit.tree / path
    except KeyError as error:
        raise NotFound(
            "REL003", f"there is no {path} in that revision", where=spec, fix=_similar(commit, path)
        ) from error
    if found.type not in {"tree", "blob"}:
        raise Refused("REL004", f"{path} is a submodule", where=spec, fix="name a path in the repository itself")
    return found


def _similar(commit: Commit, path: str) -> str:
    return nearest(path, (str(blob.path) for blob in _blobs(commit.tree)))


def _files(tree: Tree, spec: str, limits: Limits) -> Files:
    by_path = {str(PurePosixPath(blob.path).relative_to(tree.path)): blob for blob in _blobs(tree)}
    blobs = {path: blob for path, blob in by_path.items() if is_read(path)}
    limits.check([blob.size for blob in blobs.values()], spec)
    return {path: _content(blob, spec) for path, blob in blobs.items()}


def _blobs(tree: Tree) -> Iterator[Blob]:
    yield from tree.blobs
    for inner in tree.trees:
        yield from _blobs(inner)


def _content(blob: Blob, spec: str) -> bytes:
    if blob.mode == _LINK_MODE:
        raise Refused("REL004", f"{blob.path} is a symbolic link", where=spec, fix="put the file itself there")
    return bytes(blob.data_stream.read())


@contextmanager
def told() -> Iterator[None]:
    """Turn what git says when it refuses (a hook, no name, no key to sign with) into an error (REL024)."""
    from git import GitCommandError

    try:
        yield
    except GitCommandError as error:
        why = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
        what, fix = f"git {error.command[1]} failed", "mend what git names, and try again"
        raise Refused("REL024", what, where="git", why=why, fix=fix) from error
