from pathlib import Path

import pytest
from git import Repo

from tests.bundle.build import CONFIG_YAML, SOLUTION_YAML, write_source
from tests.release.build import repository, state
from toolkit.bundle import Archive, load, pack
from toolkit.errors import Invalid, Refused
from toolkit.model.version import Version
from toolkit.release import bundle_at
from toolkit.release.promoting import branch, committed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "work")


@pytest.fixture
def exported(tmp_path: Path) -> Archive:
    """The solution as somebody changed it in an environment."""
    return pack(write_source(tmp_path / "dev", config=CONFIG_YAML.replace("Month", "Year")))


def test_a_commit_holds_the_solution_and_its_message_the_difference(root: Path, exported: Archive) -> None:
    made = committed(exported, root / "solutions" / "Lake", "Promote it")
    assert made is not None
    found = bundle_at(f"{made.commit}:solutions/Lake", root).bundle
    assert found.configs == load(root.parent / "dev").bundle.configs
    assert found.solution.version == made.version == Version("1.0.1.0")
    with Repo(root) as repo:
        assert repo.commit(made.commit).message == (
            "Promote it 1.0.1.0\n\n~ solution ContosoLake version: 1.0.0.0 -> 1.0.1.0\n"
            "~ entity contosolake/account partition_strategy: Month -> Year\n"
        )
        assert "# Everybody asks for accounts" in repo.git.show(
            f"{made.commit}:solutions/Lake/configs/contosolake.yaml"
        )


def test_the_work_of_the_user_is_not_touched(root: Path, exported: Archive) -> None:
    (root / "other.txt").write_text("not committed")
    (root / "solutions" / "Lake" / "configs" / "contosolake.yaml").write_text("in the middle of it")
    before = state(root)
    made = committed(exported, root / "solutions" / "Lake", "Promote it")
    assert made is not None
    assert state(root) == before
    branch(made, "promote/it", root)
    with Repo(root) as repo:
        assert (repo.heads["promote/it"].commit.hexsha, repo.active_branch.name) == (made.commit, "main")
        repo.delete_head("promote/it", force=True)
    assert state(root) == before


def test_what_is_committed_already_makes_no_commit(root: Path) -> None:
    assert committed(pack(root / "solutions" / "Lake"), root / "solutions" / "Lake", "Promote it") is None


def test_a_folder_that_is_new_is_committed(root: Path, exported: Archive) -> None:
    made = committed(exported, root / "solutions" / "New", "Promote it")
    assert made is not None
    assert (made.folder, made.changes) == ("solutions/New", ())


def test_a_folder_that_is_no_bundle_is_refused_and_nothing_is_left(root: Path, exported: Archive) -> None:
    before = state(root)
    with pytest.raises(Invalid) as raised:
        committed(exported, root / "solutions", "Promote it")
    assert raised.value.code == "BND011"
    assert state(root) == before


def test_a_branch_that_is_there_is_refused(root: Path, exported: Archive) -> None:
    made = committed(exported, root / "solutions" / "Lake", "Promote it")
    assert made is not None
    with pytest.raises(Refused) as raised:
        branch(made, "main", root)
    assert raised.value.code == "REL050"


def test_before_the_first_commit_nothing_is_promoted(tmp_path: Path, exported: Archive) -> None:
    Repo.init(tmp_path).close()
    with pytest.raises(Refused) as raised:
        committed(exported, tmp_path / "Lake", "Promote it")
    assert raised.value.code == "REL020"


def test_a_folder_of_another_solution_is_refused(root: Path, tmp_path: Path) -> None:
    other = pack(write_source(tmp_path / "other", solution=SOLUTION_YAML.replace("ContosoLake", "OtherLake")))
    with pytest.raises(Refused) as raised:
        committed(other, root / "solutions" / "Lake", "Promote it")
    assert raised.value.code == "BND014"


def test_a_version_that_is_above_the_committed_one_stays(root: Path, tmp_path: Path) -> None:
    write_source(tmp_path / "dev", solution=SOLUTION_YAML.replace("1.0.0.0", "1.4.0.0"))
    made = committed(pack(tmp_path / "dev"), root / "solutions" / "Lake", "Promote it")
    assert made is not None
    assert made.version == Version("1.4.0.0")
