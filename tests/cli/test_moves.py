"""A link that is on its way to another lake, by the command line: linked by hand, moved by an import."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, prepare
from tests.cli.test_plans import edit

ROOT = Path(__file__).parents[2]
ACCOUNTS = "--account contososalesprod --account contososerviceprod --account contosonew"
OVERLAY = """configs:
  contososales: {storage_account: contosonew, workspace: ""}
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod with ContosoLake imported and synced, and an overlay that moves one of its links."""
    folder = tmp_path_factory.mktemp("ready")
    shutil.copytree(ROOT / "solutions" / "ContosoLake", folder / "ContosoLake")
    (folder / "move.yaml").write_text(OVERLAY)
    return prepare(
        folder,
        "init",
        f"env create prod {ACCOUNTS}",
        "import core --yes",
        "env seed prod --rows account=3",
        "pack ContosoLake --managed -o Lake.zip",
        "import Lake.zip --yes",
    )


@pytest.fixture
def moving(ready: Path, run: Run, tmp_path: Path) -> Run:
    """A copy of that environment, in which the move has begun and the new lake has nothing yet."""
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    result = run("import", "Lake.zip", "--overlay", "move.yaml", "--yes", "--no-sync", *ALLOWED)
    assert result.exit_code in {0, 5}, result.stderr
    return run


ALLOWED = ["--allow", "entities:99"]


def lakes(run: Run) -> dict[str, set[str]]:
    """The states of the entities in each lake of the config that moves."""
    rows = json.loads(run("status", "--config", "contosonew", "--format", "json").stdout)
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["lake"].split("/")[0], set()).add(row["state"])
    return found
