"""The wheel works away from the checkout: its schemas and the Core solution travel with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it into an empty folder, which then comes first on the path."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("export_to_data_lake_toolkit-*-py3-none-any.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def run(site: Path, root: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "toolkit", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_module_that_runs_is_the_installed_one(installed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import toolkit; print(toolkit.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert Path(shown.stdout.strip()) == installed / "toolkit" / "__init__.py"


def test_the_schemas_are_those_of_the_checkout(installed: Path) -> None:
    packed = {path.name: path.read_bytes() for path in (installed / "toolkit" / "_data" / "schemas").iterdir()}
    kept = {path.name: path.read_bytes() for path in (ROOT / "schemas").iterdir()}
    assert packed == kept
    assert packed


def test_a_user_gets_an_environment_with_the_core_solution(installed: Path, tmp_path: Path) -> None:
    run(installed, tmp_path, "init")
    run(installed, tmp_path, "env", "create", "dev")
    run(installed, tmp_path, "import", "core", "--env", "dev", "--yes")
    assert "ExportToDataLakeCore" in run(installed, tmp_path, "solution", "list", "--env", "dev")
