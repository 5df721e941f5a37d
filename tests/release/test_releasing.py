import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git import Repo

from tests.bundle.build import CONFIG_YAML, SOLUTION_YAML, write_source
from tests.release.build import commit, repository, state
from toolkit.bundle import load
from toolkit.errors import NotFound, Refused
from toolkit.model.version import Part
from toolkit.release import Release, release

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MONTHLY, YEARLY = "partition_strategy: Month", "partition_strategy: Year"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "work")


def released(root: Path, part: Part = "build", folder: Path | None = None) -> Release:
    path = folder or root / "solutions" / "Lake"
    return release(path, part, lambda _: root / "lake.zip", managed=True, clock=lambda: START)


def change(root: Path) -> None:
    (root / "solutions" / "Lake" / "configs" / "contosolake.yaml").write_text(CONFIG_YAML.replace(MONTHLY, YEARLY))
    commit(root, "by year")


def test_a_release_is_version_commit_tag_and_zip(root: Path) -> None:
    done = released(root)
    with Repo(root) as repo:
        assert done.commit == repo.head.commit.hexsha == repo.tags["ContosoLake/v1.0.1.0"].commit.hexsha
        assert str(repo.head.commit.message).splitlines()[0] == "Release ContosoLake 1.0.1.0"
        assert repo.git.status("--porcelain") == "?? lake.zip\n?? lake.zip.provenance.json"
    assert str(load(root / "lake.zip").bundle.solution.version) == "1.0.1.0"
    text = (root / "solutions" / "Lake" / "solution.yaml").read_text()
    assert text == SOLUTION_YAML.replace('"1.0.0.0"', '"1.0.1.0"')


def test_the_changelog_says_what_changed_since_the_last_release(root: Path) -> None:
    released(root)
    change(root)
    assert released(root, "minor").since == "ContosoLake/v1.0.1.0"
    assert (root / "solutions" / "Lake" / "CHANGELOG.md").read_text() == (
        "# Changelog\n\n## 1.1.0.0 - 2026-03-01\n\nSince 1.0.1.0:\n\n"
        "    ~ entity contosolake/account partition_strategy: Month -> Year\n\n"
        "## 1.0.1.0 - 2026-03-01\n\nThe first release of this folder.\n"
    )


def test_the_provenance_names_commit_tag_and_every_member(root: Path) -> None:
    done = released(root)
    said = json.loads((root / "lake.zip.provenance.json").read_text())
    assert said["git"] == {"commit": done.commit, "tag": "ContosoLake/v1.0.1.0", "dirty": False}
    assert (said["solution"], said["version"], said["managed"]) == ("ContosoLake", "1.0.1.0", True)
    assert set(said["members"]) == set(load(root / "lake.zip").archive.members)
    assert said["bundle"] == load(root / "solutions" / "Lake").bundle.digest


def uncommitted(root: Path) -> None:
    (root / "other.txt").write_text("changed")


def new_file(root: Path) -> None:
    (root / "solutions" / "Lake" / "configs" / "new.yaml").write_text("")


def taken(root: Path) -> None:
    with Repo(root) as repo:
        repo.git.checkout("--quiet", "--orphan", "elsewhere")
        repo.git.commit("--quiet", "--message", "another history")
        repo.create_tag("ContosoLake/v1.0.1.0")
        repo.git.checkout("--quiet", "main")


def higher(root: Path) -> None:
    with Repo(root) as repo:
        repo.create_tag("ContosoLake/v1.2")


def unchanged(root: Path) -> None:
    with Repo(root) as repo:
        repo.create_tag("ContosoLake/v1.0.0.0")


def hook(root: Path) -> None:
    path = root / ".git" / "hooks" / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (uncommitted, "REL020", "not everything is committed: other.txt"),
        (new_file, "REL020", "not everything is committed: solutions/Lake/configs/new.yaml"),
        (taken, "REL021", "the tag ContosoLake/v1.0.1.0 exists already"),
        (higher, "REL022", "1.0.1.0 is not above 1.2, which is released"),
        (unchanged, "REL023", "nothing changed since ContosoLake/v1.0.0.0"),
        (hook, "REL024", "git commit failed"),
    ],
)
def test_what_is_refused_changes_nothing(root: Path, spoil: Callable[[Path], None], code: str, said: str) -> None:
    spoil(root)
    before = state(root)
    with pytest.raises(Refused) as raised:
        released(root)
    assert (raised.value.code, raised.value.what) == (code, said)
    assert state(root) == before


def test_git_says_why_it_refuses(root: Path) -> None:
    hook(root)
    with pytest.raises(Refused) as raised:
        released(root)
    assert raised.value.why == "not today"


def test_a_zip_that_cannot_be_written_leaves_no_commit_and_no_tag(root: Path) -> None:
    (root / "taken").write_text("a file, and no folder")
    before = state(root)
    with pytest.raises(OSError, match="taken"):
        release(
            root / "solutions" / "Lake", "build", lambda _: root / "taken" / "x.zip", managed=None, clock=lambda: START
        )
    assert state(root) == before


def test_before_the_first_commit_nothing_is_released(tmp_path: Path) -> None:
    write_source(tmp_path / "Lake")
    Repo.init(tmp_path).close()
    with pytest.raises(Refused) as raised:
        released(tmp_path, folder=tmp_path / "Lake")
    assert (raised.value.code, raised.value.what) == ("REL020", "nothing is committed yet")


def test_outside_of_a_repository_nothing_is_released(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        released(tmp_path, folder=write_source(tmp_path / "Lake"))
    assert raised.value.code == "REL001"


def test_a_folder_that_moved_begins_anew(root: Path) -> None:
    released(root)
    with Repo(root) as repo:
        repo.git.mv("solutions/Lake", "solutions/Moved")
    commit(root, "moved")
    assert released(root, folder=root / "solutions" / "Moved").changes == ()
