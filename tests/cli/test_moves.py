"""A link that is on its way to another lake, by the command line: linked by hand, moved by an import."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, prepare
from toolkit import engine
from toolkit.cli.run import _there
from toolkit.cli.session import Session

ROOT = Path(__file__).parents[2]
ACCOUNTS = "--account contososalesprod --account contososerviceprod --account contosonew"
OVERLAY = """configs:
  contososales: {storage_account: contosonew}
"""
ALLOWED = ("--allow", "entities:99")


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


def lakes(run: Run) -> dict[str, set[str]]:
    """The states of the entities in each lake of the config that moves."""
    rows = json.loads(run("status", "--config", "contosonew", "--format", "json").stdout)
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["lake"].split("/")[0], set()).add(row["state"])
    return found


def test_the_status_shows_both_lakes_until_the_new_one_is_complete(moving: Run) -> None:
    assert lakes(moving) == {"contosonew": {"NotStarted"}, "contososalesprod": {"Completed"}}
    text = moving("status").stdout
    assert "contosonew moves from contososalesprod/" in text
    assert moving("sync").exit_code == 0
    assert lakes(moving) == {"contosonew": {"Completed"}}
    assert " moves " not in moving("status").stdout


def test_either_name_finds_both(moving: Run) -> None:
    states = [moving("status", "--config", name).stdout for name in ("contosonew", "contososalesprod")]
    assert states[0] == states[1]
    assert states[0].count("(times are UTC)") == 2


def test_a_sync_of_one_config_ends_its_move(moving: Run, tmp_path: Path) -> None:
    reports = json.loads(moving("sync", "--config", "contosonew", "--format", "json").stdout)
    assert list(reports) == ["contosonew", "contososalesprod"]
    assert "account" in reports["contososalesprod"]["retired"]
    (model,) = tmp_path.rglob("contososalesprod/*/model.json")
    assert json.loads(model.read_bytes())["entities"] == []


def test_the_lake_before_a_move_has_no_rows_to_compare_and_none_to_estimate(moving: Run) -> None:
    assert moving("sync").exit_code == 0
    for command in ("reconcile", "estimate"):
        result = moving(command, "--format", "json")
        assert (result.exit_code, "contososalesprod" in result.stdout, "contosonew" in result.stdout) == (
            0,
            False,
            True,
        )


def test_what_a_lake_is_is_shown_for_both(moving: Run) -> None:
    accounts = [row["account"] for row in json.loads(moving("lake", "show", "--format", "json").stdout)]
    assert sorted(accounts) == ["contosonew", "contososalesprod", "contososerviceprod"]


def test_the_bundle_without_the_overlay_takes_the_move_back(moving: Run) -> None:
    result = moving("import", "Lake.zip", "--yes", *ALLOWED)
    assert result.exit_code == 0, result.output
    assert lakes_of(moving) == ["contososalesprod", "contososerviceprod"]


def lakes_of(run: Run) -> list[str]:
    return sorted(row["account"] for row in json.loads(run("lake", "show", "--format", "json").stdout))


def test_an_import_that_deletes_data_has_it_named(moving: Run) -> None:
    back = moving("import", "Lake.zip", "--delete-data", "--yes", "--no-sync", *ALLOWED)
    assert back.exit_code == 4
    assert "--allow delete:account" in back.stderr


def test_a_run_that_looks_for_links_ends_a_move_that_is_complete(moving: Run) -> None:
    assert lakes(moving)["contosonew"] == {"NotStarted"}
    session = Session(on_terminal=lambda: False)
    site = session.site("prod")
    (new,) = [linked for linked in site.links() if linked.link.account == "contosonew"]
    assert all(linked.link.active for linked in _there(session, site, None))
    engine.sync(new, site.source, clock=session.clock, holder=session.holder())
    assert {linked.link.config.id for linked in _there(session, site, {new.link.config.id})} == {new.link.config.id}
    assert [linked.link.account for linked in site.links() if not linked.link.active] == ["contososalesprod"]
    session.close()
