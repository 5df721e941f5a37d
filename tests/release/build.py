"""Git repositories for tests."""

from pathlib import Path

from git import Repo

from tests.bundle.build import write_source


def repository(root: Path) -> Path:
    """A repository with the bundle of tests in ``solutions/Lake``, and another file."""
    write_source(root / "solutions" / "Lake")
    (root / "other.txt").write_text("other")
    with Repo.init(root, initial_branch="main") as repo, repo.config_writer() as config:
        config.set_value("user", "name", "ada")
        config.set_value("user", "email", "ada@example.com")
    commit(root, "first")
    return root


def commit(root: Path, message: str) -> str:
    with Repo(root) as repo:
        repo.git.add("--all")
        repo.git.commit("--quiet", "--message", message)
        return str(repo.head.commit.hexsha)


def state(root: Path) -> object:
    """Branch, commit, tags, what is staged and not, and every file of the work tree."""
    with Repo(root) as repo:
        refs = {str(reference): reference.commit.hexsha for reference in repo.references}
        told = (
            repo.active_branch.name,
            repo.head.commit.hexsha,
            repo.git.status("--porcelain"),
            repo.git.worktree("list"),
        )
    files = {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }
    return refs, told, files
