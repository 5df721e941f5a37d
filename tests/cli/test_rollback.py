"""What was applied earlier is brought back, by the command line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Ids, Run, prepare, running
from tests.cli.test_plans import ACCOUNTS, ROOT, edit


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod with ContosoLake 1.0.0.0, and then 1.1.0.0, in which task took the place of lead."""
    folder = tmp_path_factory.mktemp("twice")
    shutil.copytree(ROOT / "solutions" / "ContosoLake", folder / "ContosoLake")
    prepare(
        folder,
        "init",
        f"env create prod {ACCOUNTS}",
        "import core --yes",
        "pack ContosoLake --managed -o Lake.zip",
        "import Lake.zip --yes --no-sync",
    )
    edit(folder / "ContosoLake" / "solution.yaml", 'version: "1.0.0.0"', 'version: "1.1.0.0"')
    edit(folder / "ContosoLake" / "configs" / "contososales.yaml", "{name: lead, ", "{name: task, ")
    return prepare(folder, "pack ContosoLake --managed -o Next.zip", "import Next.zip --yes --no-sync")


@pytest.fixture
def prod(twice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy of that environment, whose import jobs have the ids of those that were not yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    shutil.copytree(twice, tmp_path, dirs_exist_ok=True)
    return running(Ids(first=1000))


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
