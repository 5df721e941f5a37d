from datetime import UTC, datetime
from pathlib import Path

import pytest
from git import Repo

from tests.bundle.build import PROD_YAML, write_source
from tests.release.build import commit, repository
from toolkit.bundle import load, pack
from toolkit.errors import Damaged, Refused
from toolkit.release import (
    GitState,
    provenance_bytes,
    provenance_of,
    provenance_path,
    require_origin,
    required_provenance,
    state_of,
)

BUILT = datetime(2026, 3, 1, tzinfo=UTC)
GIT = GitState(commit="0" * 40)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A zip with its provenance."""
    path = tmp_path / "lake.zip"
    path.write_bytes(pack(write_source(tmp_path / "Lake")).to_bytes())
    provenance_path(path).write_bytes(provenance_bytes(provenance_of(load(path), GIT, BUILT)))
    return path


def test_a_zip_fits_its_provenance(lake: Path) -> None:
    said = required_provenance(load(lake))
    assert said is not None
    assert (said.git, said.built, said.bundle) == (GIT, BUILT, load(lake).bundle.digest)


def test_without_provenance_there_is_nothing_to_compare(lake: Path) -> None:
    provenance_path(lake).unlink()
    assert required_provenance(load(lake)) is None


def test_another_zip_under_the_same_name_is_refused_with_every_member_that_differs(lake: Path) -> None:
    folder = write_source(lake.parent / "Lake", prod=PROD_YAML.replace("30", "45"))
    (folder / "package").mkdir()
    (folder / "package" / "more.txt").write_text("more")
    lake.write_bytes(pack(folder).to_bytes())
    with pytest.raises(Refused) as raised:
        required_provenance(load(lake))
    assert {finding.code for finding in raised.value.findings} == {"REL031"}
    told = [finding.what for finding in raised.value.findings]
    assert "the member more.txt is not the one that was released" in told
    assert "the member toolkit/environments/prod.yaml is not the one that was released" in told
    assert told[-1].startswith("the bundle is not sha256:")


def test_what_is_no_provenance_is_said_to_be_damaged(lake: Path) -> None:
    provenance_path(lake).write_text("{}")
    with pytest.raises(Damaged) as raised:
        required_provenance(load(lake))
    assert raised.value.code == "REL030"


TAGGED = GitState(commit="0" * 40, tag="ContosoLake/v1.0.0.0")


@pytest.mark.parametrize(
    ("git", "codes"),
    [
        (None, ["REL032", "REL033"]),
        (GIT, ["REL033"]),
        (TAGGED, []),
        (TAGGED.model_copy(update={"dirty": True}), ["REL032", "REL033"]),
    ],
)
def test_an_origin_is_refused_where_it_is_not_what_was_asked_for(git: GitState | None, codes: list[str]) -> None:
    try:
        require_origin(git, "lake.zip", clean=True, tag=True)
        found = []
    except Refused as error:
        found = [finding.code for finding in error.findings]
    assert found == codes


def test_nothing_is_refused_that_was_not_asked_for() -> None:
    require_origin(None, "lake.zip", clean=False, tag=False)


def test_git_says_of_a_folder_whether_it_is_committed_and_released(tmp_path: Path) -> None:
    root = repository(tmp_path)
    folder = root / "solutions" / "Lake"
    solution = load(folder).bundle.solution
    head = commit_of_head(root)
    assert state_of("solutions/Lake", root, solution) == GitState(commit=head)
    with Repo(root) as repo:
        repo.create_tag("ContosoLake/v1.0.0.0")
    assert state_of("HEAD:solutions/Lake", root, solution) == GitState(commit=head, tag="ContosoLake/v1.0.0.0")
    (folder / "configs" / "more.yaml").write_text("")
    state = state_of("solutions/Lake", root, solution)
    assert state is not None
    assert state.dirty
    assert commit(root, "more") == commit_of_head(root)
    assert state_of("solutions/Lake", root, solution) == GitState(commit=commit_of_head(root))


def commit_of_head(root: Path) -> str:
    with Repo(root) as repo:
        return str(repo.head.commit.hexsha)


def test_outside_of_git_there_is_no_state(tmp_path: Path) -> None:
    folder = write_source(tmp_path / "Lake")
    assert state_of("Lake", tmp_path, load(folder).bundle.solution) is None
