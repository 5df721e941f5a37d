"""Where a bundle comes from: its commit, its tag, and whether the work tree has what the commit has not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.model.base import Frozen
from toolkit.model.solution import Solution
from toolkit.model.version import Version
from toolkit.release.revisions import commit_of, opened

if TYPE_CHECKING:
    from git import Repo


class GitState(Frozen):
    """A commit, the tag of the release at it, and whether there was more in the work tree."""

    commit: str
    tag: str | None = None
    """``<solution>/v<version>``, where that tag names the commit."""
    dirty: bool = False


def tag_of(name: str, version: Version) -> str:
    """Return the tag of a release: ``ContosoLake/v1.2.0.0``."""
    return f"{name}/v{version}"


def state_of(spec: str, cwd: Path, solution: Solution) -> GitState | None:
    """Return what git says of a source folder or of ``REF:PATH``; None where there is no commit."""
    commit = commit_of(spec, cwd)
    if commit is None:
        return None
    folder = cwd / spec
    with opened(folder if folder.is_dir() else cwd) as found:
        tag = tag_of(solution.unique_name, solution.version)
        return GitState(
            commit=commit,
            tag=tag if _commit_of_tag(found, tag) == commit else None,
            dirty=folder.exists() and bool(uncommitted(found, folder)),
        )


def uncommitted(repo: Repo, folder: Path) -> list[str]:
    """Return what the work tree has beyond HEAD: tracked files that differ anywhere, new ones in ``folder``.

    New files elsewhere cannot get into a bundle, and do not count; nor do those that git ignores.
    """
    tracked = repo.git.diff("--name-only", "HEAD")
    new = repo.git.ls_files("--others", "--exclude-standard", "--", str(folder.resolve()))
    return sorted({*tracked.splitlines(), *new.splitlines()})


def _commit_of_tag(repo: Repo, tag: str) -> str | None:
    found = [reference for reference in repo.tags if reference.name == tag]
    return found[0].commit.hexsha if found else None
