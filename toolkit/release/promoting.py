"""A solution as an environment has it, committed on a branch of its own; the user's work tree is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolkit.bundle import Archive, load, renumbered, unpack
from toolkit.bundle.source import SOLUTION_FILE
from toolkit.errors import NotFound, Refused
from toolkit.files import write_whole
from toolkit.model.bundle import Bundle
from toolkit.model.version import Part, Version
from toolkit.plan import Difference, differences
from toolkit.plan.render import differences_text
from toolkit.release.revisions import bundle_at, opened, told

if TYPE_CHECKING:
    from git import Repo


@dataclass(frozen=True, slots=True)
class Promotion:
    """A commit that no branch names yet, and what it changes in the folder."""

    commit: str
    folder: str
    """Relative to the repository's root."""
    changes: tuple[Difference, ...]
    version: Version


def committed(archive: Archive, folder: Path, title: str, part: Part = "build") -> Promotion | None:
    """Commit a solution as the source folder it makes, over HEAD, in a work tree of its own; None where all is equal.

    Where its version is not above the committed one, ``part`` of that is raised: no environment takes another content
    under a version that it has. The commit's message is ``title``, the version and the difference.

    Raises NotFound outside of a repository (REL001), Refused before the first commit (REL020), where git refuses
    (REL024), and for a folder of another solution (BND014), and Invalid for a folder that is no bundle's.
    """
    with opened(_existing(folder)) as repo:
        if not repo.head.is_valid():
            raise Refused("REL020", "nothing is committed yet", where=str(folder), fix="commit something first")
        path = folder.resolve().relative_to(Path(repo.working_dir).resolve()).as_posix()
        before = _before(path, Path(repo.working_dir))
        with _worktree(repo) as tree:
            unpack(archive, tree / path)
            after = load(tree / path).bundle
            if before and after.solution.version <= before.solution.version:
                if not _differences(before, tree / path, before.solution.version):
                    return None
                changes = _differences(before, tree / path, before.solution.version.bump(part))
            else:
                changes = tuple(differences(before, after)) if before else ()
            version = load(tree / path).bundle.solution.version
            return Promotion(_commit(tree, path, f"{title} {version}", changes), path, changes, version)


def _differences(before: Bundle, folder: Path, version: Version) -> tuple[Difference, ...]:
    """Give the folder a version, and return what differs then."""
    write_whole(folder / SOLUTION_FILE, renumbered(folder, version))
    return tuple(differences(before, load(folder).bundle))


def branch(promotion: Promotion, name: str, cwd: Path) -> None:
    """Give the commit of a promotion a branch. Raises Refused where there is one of that name (REL050)."""
    with opened(cwd) as repo:
        if name in {head.name for head in repo.heads}:
            fix = "merge or delete it, or give another --branch"
            raise Refused("REL050", f"there is a branch {name} already", where=name, fix=fix)
        with told():
            repo.git.branch("--no-track", name, promotion.commit)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())


def _before(path: str, root: Path) -> Bundle | None:
    try:
        return bundle_at(f"HEAD:{path}", root).bundle
    except NotFound:
        return None


@contextmanager
def _worktree(repo: Repo) -> Iterator[Path]:
    """Give a work tree of HEAD that is gone afterwards, whatever happens."""
    with TemporaryDirectory(prefix="toolkit-") as above:
        tree = Path(above).resolve() / "tree"
        try:
            with told():
                repo.git.worktree("add", "--quiet", "--detach", str(tree), "HEAD")
            yield tree
        finally:
            if tree.exists():
                repo.git.worktree("remove", "--force", str(tree))


def _commit(tree: Path, path: str, title: str, changes: tuple[Difference, ...]) -> str:
    body = differences_text(changes) if changes else "The first commit of this folder."
    with opened(tree) as repo, told():
        repo.git.add("--all", "--", path)
        repo.git.commit("--quiet", "--message", title, "--message", body)
        return str(repo.head.commit.hexsha)
