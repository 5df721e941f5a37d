from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.build import CONFIG_YAML, PROD_YAML, write_source
from tests.release.build import commit, repository
from toolkit.errors import Invalid, NotFound
from toolkit.release.affected import affected

KNOWN = ("dev", "test", "prod")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path)


def overlay(root: Path) -> None:
    write_source(root / "solutions" / "Lake", prod=PROD_YAML.replace("30", "45"))


def config(root: Path) -> None:
    write_source(root / "solutions" / "Lake", config=CONFIG_YAML.replace("Month", "Year"))


def comment(root: Path) -> None:
    write_source(root / "solutions" / "Lake", config=CONFIG_YAML + "# more\n")
    (root / "solutions" / "Lake" / "CHANGELOG.md").write_text("more")


def overlay_of_nobody(root: Path) -> None:
    (root / "solutions" / "Lake" / "environments" / "prod.yaml").rename(
        root / "solutions" / "Lake" / "environments" / "gone.yaml"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (overlay, ["prod"]),
        (config, ["dev", "test", "prod"]),
        (comment, []),
        (overlay_of_nobody, ["prod"]),
    ],
)
def test_a_change_touches_what_gets_something_else(
    root: Path, change: Callable[[Path], None], expected: list[str]
) -> None:
    change(root)
    commit(root, "change")
    found = affected("HEAD~1", KNOWN, root)
    assert [(one.bundle, one.environment) for one in found] == [("solutions/Lake", name) for name in expected]


def test_what_is_not_committed_touches_nothing(root: Path) -> None:
    config(root)
    assert affected("HEAD", KNOWN, root) == []


def test_a_bundle_that_is_new_or_was_broken_touches_all(root: Path) -> None:
    write_source(root / "solutions" / "Other")
    commit(root, "another")
    assert [one.bundle for one in affected("HEAD~1", ["dev"], root)] == ["solutions/Other"]
    (root / "solutions" / "Lake" / "solution.yaml").write_text("[")
    commit(root, "broken")
    with pytest.raises(Invalid):
        affected("HEAD~1", ["dev"], root)
    write_source(root / "solutions" / "Lake")
    commit(root, "mended")
    assert [one.bundle for one in affected("HEAD~1", ["dev"], root)] == ["solutions/Lake"]


def test_a_revision_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(NotFound) as raised:
        affected("nowhere", KNOWN, root)
    assert raised.value.code == "REL002"
