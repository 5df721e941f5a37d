"""Saved plans, what has to be named, and limits, by the command line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, edit


@pytest.fixture
def prod(contoso: Path, run: Run, tmp_path: Path) -> Run:
    """The environment prod with ContosoLake 1.0.0.0, and the next version packed."""
    shutil.copytree(contoso, tmp_path, dirs_exist_ok=True)
    return run


def test_a_saved_plan_is_done_as_it_was_shown(prod: Run) -> None:
    shown = prod("plan", "Next.zip", "-o", "plans/next.json")
    done = prod("import", "Next.zip", "--plan", "plans/next.json", "--yes", "--no-sync")
    assert (shown.exit_code, done.exit_code, done.stdout.startswith(shown.stdout)) == (0, 0, True)
    assert prod("plan", "Next.zip").stdout == "prod: ContosoLake 1.1.0.0: nothing to do\n"


def test_a_plan_that_has_been_done_leaves_the_data_to_do(prod: Run) -> None:
    prod("plan", "Next.zip", "-o", "next.json")
    prod("import", "Next.zip", "--plan", "next.json", "--yes", "--no-sync")
    again = prod("import", "Next.zip", "--plan", "next.json", "--yes")
    assert again.exit_code == 0
    assert again.stdout.startswith("prod: ContosoLake 1.1.0.0: nothing to do\ncontososalesprod: ")


def test_a_stale_plan_changes_nothing_and_says_what_moved(prod: Run) -> None:
    prod("plan", "Next.zip", "-o", "next.json")
    prod("solution", "create", "Other", "--publisher", "contoso")
    result = prod("import", "Next.zip", "--plan", "next.json", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[APL001] the plan is stale: prod has changed since it was made" in result.stderr
    assert "why: solution Other is new" in result.stderr


def test_a_plan_of_another_bundle_is_refused(prod: Run) -> None:
    prod("plan", "Next.zip", "-o", "next.json")
    result = prod("import", "Lake.zip", "--plan", "next.json", "--yes")
    assert (result.exit_code, "error[PLN084]" in result.stderr) == (1, True)


def test_a_plan_that_is_none_is_refused(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "next.json").write_text("{")
    assert "error[PLN080]" in prod("import", "Next.zip", "--plan", "next.json", "--yes").stderr
    assert "error[CLI005]" in prod("import", "Next.zip", "--plan", "missing.json", "--yes").stderr


def test_deleting_data_needs_the_name_of_every_entity(prod: Run) -> None:
    prod("sync")
    assert list(Path().glob("lakes/*/*/account/*.csv")) != []
    refused = prod("uninstall", "ContosoLake", "--delete-data", "--yes", "--allow", "delete:lead")
    assert refused.exit_code == 4
    fix = refused.stderr.partition("fix: if that is meant: toolkit ")[2].splitlines()[0]
    assert "uninstall ContosoLake --delete-data --yes --allow delete:lead --allow delete:account" in fix
    done = prod(*fix.split())
    assert (done.exit_code, list(Path().glob("lakes/*/*/account/*.csv"))) == (0, [])


def test_an_entity_that_the_command_names_is_named(prod: Run) -> None:
    prod("lake", "link", "--account", "contososalesprod", "--file-system", "byhand", "--entity", "product")
    removing = ("entity", "remove", "product", "--config", "contososalesprod", "--delete-data", "--yes")
    assert "several export configs" in prod(*removing).stderr
    config = json.loads(prod("lake", "show", "--format", "json").stdout)[0]["id"]
    assert prod(*removing[:4], config, *removing[5:]).exit_code == 0
    assert prod("entity", "track", "queue").exit_code == 0


def test_ending_a_link_with_its_data_is_named_too(prod: Run) -> None:
    prod(
        "lake", "link", "--account", "contososalesprod", "--file-system", "byhand", "--name", "own", "--entity", "team"
    )
    refused = prod("lake", "unlink", "own", "--delete-data", "--yes")
    assert (refused.exit_code, "--allow delete:team" in refused.stderr) == (4, True)
    assert prod("lake", "unlink", "own", "--delete-data", "--yes", "--allow", "delete:team").exit_code == 0


def test_limits_of_an_environment_stand_in_toolkit_yaml(prod: Run, tmp_path: Path) -> None:
    limits = "folder: environments/prod\n    limits: {changed_percent: 5, from_entities: 2}"
    edit(tmp_path / "toolkit.yaml", "folder: environments/prod", limits)
    planned = prod("plan", "Next.zip", "-o", "plan.json")
    assert planned.exit_code == 0
    assert "warning[PLN073] 1 of 11 linked entities would be removed or re-initialised: 9 %" in planned.stderr
    assert "fix: if that is meant: toolkit import Next.zip --env prod --allow entities:1\n" in planned.stderr
    refused = prod("import", "Next.zip", "--yes")
    assert refused.exit_code == 4
    assert "error[PLN073] 1 of 11 linked entities would be removed or re-initialised: 9 %" in refused.stderr
    assert "fix: if that is meant: toolkit import Next.zip --yes --allow entities:1" in refused.stderr
    assert prod("import", "Next.zip", "--yes", "--no-sync", "--allow", "entities:1").exit_code == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("delte:account", "names nothing that is refused; did you mean 'delete'?"),
        ("x:account", "names nothing that is refused; known: delete, entities, history, track"),
        ("delete:", "does not name an entity: write delete:account"),
        ("history:a b", "does not name an entity: write history:account"),
        ("entities:many", "does not say how many: write entities:12"),
    ],
)
def test_what_is_no_danger_cannot_be_allowed(prod: Run, given: str, said: str) -> None:
    result = prod("import", "Next.zip", "--yes", "--allow", given)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_an_import_tracks_an_entity_that_was_named(prod: Run, tmp_path: Path) -> None:
    edit(tmp_path / "ContosoLake" / "configs" / "contososales.yaml", "{name: task, ", "{name: queue, ")
    prod("pack", "ContosoLake", "--managed", "-o", "Queue.zip")
    refused = prod("import", "Queue.zip", "--yes", "--no-sync")
    assert (refused.exit_code, "error[PLN072] change tracking would be enabled of queue" in refused.stderr) == (4, True)
    assert prod("import", "Queue.zip", "--yes", "--no-sync", "--allow", "track:queue").exit_code == 0
    assert prod("plan", "Queue.zip").stdout == "prod: ContosoLake 1.1.0.0: nothing to do\n"


def test_a_plan_is_a_page_and_a_document_too(prod: Run) -> None:
    page = prod("plan", "Next.zip", "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    shown = json.loads(prod("plan", "Next.zip", "--format", "json").stdout)
    assert (shown["linked"], shown["dangers"], shown["changes"][1]["origin"]) == (11, [], "news")


def test_a_plan_tells_what_was_changed_by_hand(prod: Run, tmp_path: Path) -> None:
    (path,) = tmp_path.glob("lakes/contososalesprod/*/_toolkit/link.json")
    edit(path, '"interval_minutes": 60', '"interval_minutes": 15')
    shown = prod("plan", "Lake.zip").stdout
    assert shown.startswith("prod: ContosoLake 1.0.0.0: 1 change, 1 of them drift\n")
    assert "drift: changed in the environment; this brings back what was applied" in shown
