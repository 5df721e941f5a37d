"""What was applied earlier is brought back, by the command line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, copied, edit, prepare


@pytest.fixture(scope="module")
def twice(contoso: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod with ContosoLake 1.0.0.0, and then 1.1.0.0, in which task took the place of lead."""
    folder = shutil.copytree(contoso, tmp_path_factory.mktemp("twice"), dirs_exist_ok=True)
    return prepare(folder, "import Next.zip --yes --no-sync", first=500)


@pytest.fixture
def prod(twice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy of that environment, whose import jobs have the ids of those that were not yet."""
    return copied(twice, tmp_path, monkeypatch)


def entities(prod: Run) -> set[str]:
    return {each["entity"] for each in json.loads(prod("entity", "list", "--format", "json").stdout)}


def test_an_earlier_version_comes_back_under_the_next_free_one(prod: Run) -> None:
    assert ("task" in entities(prod), "lead" in entities(prod)) == (True, False)
    result = prod("rollback", "--to", "1.0.0.0", "--solution", "contosolake", "--yes")
    assert result.exit_code == 0
    assert "import solution    ContosoLake: 1.1.0.0 -> 1.1.0.1" in result.stdout
    assert "verified: " in result.stdout
    assert "lead" in entities(prod)


def test_a_rollback_that_was_done_does_nothing_again(prod: Run) -> None:
    back = ("rollback", "--to", "1.0.0.0", "--solution", "ContosoLake", "--yes", "--no-sync")
    assert prod(*back).exit_code == 0
    assert prod(*back).stdout.startswith("prod: ContosoLake 1.1.0.1: nothing to do\n")
    assert "restores 1.0.0.0  ContosoLake           1.1.0.1" in prod("history").stdout


def test_what_was_changed_by_hand_since_a_rollback_is_brought_back_by_it(prod: Run, tmp_path: Path) -> None:
    prod("rollback", "--to", "1.0.0.0", "--solution", "ContosoLake", "--yes", "--no-sync")
    (link,) = tmp_path.glob("lakes/contososalesprod/*/_toolkit/link.json")
    edit(link, '"interval_minutes": 60', '"interval_minutes": 15')
    way = "rollback --to 1.0.0.0 --solution ContosoLake --env prod"
    assert f"fix: back: toolkit {way}; or write interval_minutes: 15 into the bundle" in prod("drift").stdout
    assert f"; back: toolkit {way}\n" in prod("rollback", "--to", "1.1.0.1", "--yes").stderr
    assert prod(*way.split(), "--yes", "--no-sync").exit_code == 0
    assert prod("drift", "--exit-code").exit_code == 0


def test_a_rollback_can_be_taken_back(prod: Run) -> None:
    prod("rollback", "--to", "1.0.0.0", "--solution", "ContosoLake", "--yes", "--no-sync")
    result = prod("rollback", "--to", "1.1.0.0", "--yes", "--no-sync")
    assert "ContosoLake: 1.1.0.1 -> 1.1.0.2" in result.stdout
    assert "lead" not in entities(prod)


def test_values_after_overlay_come_back_as_they_were(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("configs: {contososales: {interval_minutes: 15}}\n")
    edit(tmp_path / "ContosoLake" / "solution.yaml", 'version: "1.1.0.0"', 'version: "1.2.0.0"')
    prod("pack", "ContosoLake", "--managed", "-o", "More.zip")
    prod("import", "More.zip", "--overlay", "over.yaml", "--yes", "--no-sync")
    result = prod("rollback", "--to", "1.1.0.0", "--yes", "--no-sync")
    assert "change setting     contososalesprod interval_minutes: 15 -> 60" in result.stdout
    again = prod("rollback", "--to", "1.2.0.0", "--yes", "--no-sync")
    assert "change setting     contososalesprod interval_minutes: 60 -> 15" in again.stdout


def test_limits_hold_for_a_rollback_too(prod: Run, tmp_path: Path) -> None:
    limits = "folder: environments/prod\n    limits: {changed_percent: 0}"
    edit(tmp_path / "toolkit.yaml", "folder: environments/prod", limits)
    result = prod("rollback", "--to", "1.0.0.0", "--solution", "ContosoLake", "--yes")
    assert (result.exit_code, "--allow entities:1" in result.stderr) == (4, True)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("--to", "1.0.0.5"), "CLI091"),
        (("--to", "1.0.0.0", "--solution", "Other"), "CLI091"),
        (("--to", "1.0.0.0"), "CLI092"),
        (("--to", "1.1.0.0"), "CLI093"),
    ],
)
def test_a_version_that_cannot_come_back_changes_nothing(prod: Run, given: tuple[str, ...], code: str) -> None:
    result = prod("rollback", *given, "--yes")
    assert (result.exit_code, f"error[{code}]" in result.stderr, result.stdout) == (1, True, "")


def test_a_package_that_was_given_up_is_told(prod: Run, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "environments" / "prod" / "applied")
    result = prod("rollback", "--to", "1.0.0.0", "--solution", "ContosoLake", "--yes")
    assert (result.exit_code, "error[APL020] the package of ContosoLake 1.0.0.0 was not kept" in result.stderr) == (
        1,
        True,
    )
