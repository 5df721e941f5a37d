"""Drift, by the command line: a mess is made by hand, and every piece of it is told."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CONTOSO_ACCOUNTS, ROOT, Run, copied, edit, prepare


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod, with ContosoLake imported as an unmanaged solution and synced."""
    folder = tmp_path_factory.mktemp("fresh")
    shutil.copytree(ROOT / "solutions" / "ContosoLake", folder / "ContosoLake")
    return prepare(
        folder,
        "init",
        f"env create prod {CONTOSO_ACCOUNTS}",
        "import core --yes",
        "env seed prod --rows account=3",
        "import ContosoLake --yes",
    )


@pytest.fixture
def prod(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy of that environment, whose import jobs have the ids of those that were not yet."""
    return copied(fresh, tmp_path, monkeypatch)


def lines(result: str) -> Iterator[str]:
    return (line for line in result.splitlines() if line.startswith("error["))


def test_an_environment_after_an_import_has_no_drift(prod: Run) -> None:
    result = prod("drift", "--exit-code")
    assert (result.exit_code, result.stdout) == (0, "prod is as it was applied\n")


def test_a_mess_that_was_made_by_hand_is_told_line_by_line(prod: Run, tmp_path: Path) -> None:
    prod("entity", "remove", "lead", "--config", "contososalesprod", "--yes")
    prod("entity", "add", "task", "--config", "contososalesprod")
    (link,) = tmp_path.glob("lakes/contososalesprod/*/_toolkit/link.json")
    edit(link, '"interval_minutes": 60', '"interval_minutes": 15')
    (manifest,) = tmp_path.glob("lakes/contososerviceprod/*/model.json")
    stale = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**stale, "entities": stale["entities"][1:]}))
    result = prod("drift", "--exit-code")
    told = list(lines(result.stdout))
    assert result.exit_code == 3
    assert "error[PLN094] contososalesprod interval_minutes is 15, and was applied as 60" in told
    assert "error[PLN092] contososalesprod/lead is gone, and was applied as linked" in told
    assert "error[PLN093] contososalesprod/task is Month, in place, and was applied as not linked" in told
    assert "error[PLN096] export config row contososales entities lead is gone" in told
    assert any(line.startswith("error[VFY") for line in told)
    assert "fix: back: toolkit import BUNDLE --env prod (of ContosoLake 1.0.0.0)" in result.stdout
    assert "or write interval_minutes: 15 into the bundle, or its overlay" in result.stdout


def test_what_was_ended_or_uninstalled_by_another_tool_is_told(prod: Run) -> None:
    prod("lake", "unlink", "contososerviceprod", "--yes")
    told = "\n".join(lines(prod("drift").stdout))
    assert "error[PLN091] the link of 'contososerviceprod' was ended" in told
    assert "error[PLN096] the export config row of 'contososervice' was deleted" in told


def test_drift_is_told_to_programs(prod: Run) -> None:
    prod("entity", "remove", "lead", "--config", "contososalesprod", "--yes")
    told = json.loads(prod("drift", "--format", "json").stdout)
    assert [each["code"] for each in told["drift"]] == ["PLN092", "PLN096"]


def test_an_import_brings_everything_back(prod: Run) -> None:
    prod("entity", "remove", "lead", "--config", "contososalesprod", "--yes")
    assert "2 changes, 2 of them drift" in prod("import", "ContosoLake", "--yes").stdout
    assert prod("drift", "--exit-code").exit_code == 0
