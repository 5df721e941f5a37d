from pathlib import Path

import pytest
from git import Actor, Repo

from tests.bundle.build import write_source
from toolkit.bundle import Limits, load, pack
from toolkit.errors import Invalid, NotFound, Refused
from toolkit.release import bundle_at, commit_of

PERSON = Actor("a", "a@example.com")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = write_source(tmp_path / "solutions" / "Lake")
    (tmp_path / "lake.zip").write_bytes(pack(folder).to_bytes())
    (tmp_path / "link").symlink_to("lake.zip")
    with Repo.init(tmp_path) as repository:
        repository.index.add(["solutions", "lake.zip", "link"])
        repository.index.commit("first", author=PERSON, committer=PERSON)
        repository.create_tag("v1")
    return tmp_path


@pytest.mark.parametrize("spec", ["HEAD:solutions/Lake", "v1:lake.zip", "HEAD:./lake.zip"])
def test_a_revision_holds_the_bundle_that_was_committed(root: Path, spec: str) -> None:
    expected = load(root / "solutions" / "Lake").bundle
    (root / "solutions" / "Lake" / "solution.yaml").write_text("changed since")
    (root / "lake.zip").unlink()
    assert bundle_at(spec, root).bundle == expected


def test_a_path_with_a_dot_starts_at_the_current_folder(root: Path) -> None:
    assert bundle_at("HEAD:./Lake", root / "solutions").path == "HEAD:./Lake"


@pytest.mark.parametrize(
    ("spec", "code"),
    [("v2:lake.zip", "REL002"), ("HEAD:lak.zip", "REL003"), ("HEAD:../../x", "REL003")],
)
def test_what_is_not_there_is_named(root: Path, spec: str, code: str) -> None:
    with pytest.raises(NotFound) as raised:
        bundle_at(spec, root)
    assert raised.value.code == code


def test_a_symbolic_link_is_refused(root: Path) -> None:
    with pytest.raises(Refused) as raised:
        bundle_at("HEAD:link", root)
    assert raised.value.code == "REL004"


def test_a_symbolic_link_in_the_place_of_a_folder_is_refused(root: Path) -> None:
    (root / "solutions" / "Lake" / "package").symlink_to("/etc")
    with Repo(root) as repository:
        repository.index.add(["solutions/Lake/package"])
        repository.index.commit("second", author=PERSON, committer=PERSON)
    with pytest.raises(Refused) as raised:
        bundle_at("HEAD:solutions/Lake", root)
    assert (raised.value.code, raised.value.what) == ("REL004", "solutions/Lake/package is a symbolic link")


@pytest.mark.parametrize("spec", ["HEAD:solutions/Lake", "HEAD:lake.zip"])
@pytest.mark.parametrize("limits", [Limits(size=200), Limits(files=2)])
def test_what_is_too_much_is_refused_as_on_disk(root: Path, spec: str, limits: Limits) -> None:
    with pytest.raises(Invalid) as raised:
        bundle_at(spec, root, limits)
    assert (raised.value.code, raised.value.where.path) == ("BND004", spec)


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        bundle_at("HEAD:x", tmp_path)
    assert raised.value.code == "REL001"


@pytest.mark.parametrize("spec", ["lake.zip", "solutions/Lake", ".", "HEAD:lake.zip", "v1:solutions/Lake"])
def test_a_bundle_in_a_work_tree_is_of_its_commit(root: Path, spec: str) -> None:
    with Repo(root) as repository:
        assert commit_of(spec, root) == repository.head.commit.hexsha


def test_a_bundle_at_a_revision_is_of_that_one_and_a_path_of_the_last(root: Path) -> None:
    with Repo(root) as repository:
        first = repository.head.commit.hexsha
        last = repository.index.commit("second", author=PERSON, committer=PERSON).hexsha
    assert (commit_of("v1:lake.zip", root), commit_of("lake.zip", root)) == (first, last)


def test_what_is_in_no_repository_is_of_no_commit(tmp_path: Path) -> None:
    (tmp_path / "lake.zip").write_bytes(b"")
    assert (commit_of("lake.zip", tmp_path), commit_of("core", tmp_path)) == (None, None)


def test_before_the_first_commit_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "lake.zip").write_bytes(b"")
    Repo.init(tmp_path).close()
    assert commit_of("lake.zip", tmp_path) is None
