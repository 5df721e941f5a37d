from pathlib import Path

import pytest

from tests.bundle.build import SOLUTION_YAML, write_source
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("part", "version"), [("major", "2.0.0.0"), ("minor", "1.1.0.0"), ("build", "1.0.1.0"), ("revision", "1.0.0.1")]
)
def test_one_line_changes(run: Run, tmp_path: Path, part: str, version: str) -> None:
    folder = write_source(tmp_path / "Lake")
    assert run("version", "bump", part, "Lake").stdout == f"ContosoLake 1.0.0.0 -> {version}\n"
    assert (folder / "solution.yaml").read_text() == SOLUTION_YAML.replace("1.0.0.0", version)
    assert run("version", "show", "Lake").stdout == f"{version}\n"


def test_a_bundle_with_errors_is_not_touched(run: Run, tmp_path: Path) -> None:
    text = SOLUTION_YAML.replace("ContosoLake", "ContosoLake_upgrade")
    folder = write_source(tmp_path / "Lake", solution=text)
    result = run("version", "bump", "minor", "Lake")
    assert (result.exit_code, "BND020" in result.stderr) == (1, True)
    assert (folder / "solution.yaml").read_text() == text


def test_a_zip_shows_its_version_and_is_not_bumped(run: Run, tmp_path: Path) -> None:
    write_source(tmp_path / "Lake")
    run("pack", "Lake", "-o", "Lake.zip")
    assert run("version", "show", "Lake.zip", "--format", "json").stdout == (
        '{\n  "solution": "ContosoLake",\n  "version": "1.0.0.0"\n}\n'
    )
    assert run("version", "bump", "minor", "Lake.zip").exit_code == 2
