"""Environments side by side."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, prepare
from toolkit.cli.compare import text
from toolkit.engine import EntityStatus
from toolkit.model.config import PartitionStrategy
from toolkit.model.link import EntityState
from toolkit.report import Compared, Comparison

SETUP = (
    "init",
    "env create dev --account contosodev",
    "env create prod --account contosoprod",
    "env create away --account contosoaway",
    "import core --env dev --yes",
    "import core --env prod --yes",
    "env seed dev --rows account=3 --rows contact=2",
    "env seed prod --rows account=1200",
)
ID = "653ae937-c02f-ed11-9db1-0022482dfdbf"


@pytest.fixture
def three(tmp_path: Path, run: Run) -> Run:
    """The environments dev and prod with one config, and away without any link."""
    dev = f"lake link --env dev --id {ID} --account contosodev --entity account --entity contact=append-only"
    prod = f"lake link --env prod --id {ID} --account contosoprod --entity account --entity contact --no-sync"
    prepare(tmp_path, *SETUP, dev, prod)
    return run


def test_entities_are_compared_by_the_id_of_their_config(three: Run) -> None:
    data = json.loads(three("compare", "--envs", "dev,prod", "--format", "json").stdout)
    account, contact = data["entities"]
    assert (data["environments"], account["config"], account["entity"]) == (["dev", "prod"], "contosodev", "account")
    assert account["environments"]["dev"] == {
        "strategy": "Month",
        "append_only": False,
        "state": "Completed",
        "rows": 3,
    }
    assert (contact["differs"], contact["environments"]["dev"]["strategy"]) == (True, "Year")


def test_people_see_two_lines_an_entity_with_a_mark_where_they_differ(three: Run) -> None:
    assert three("compare", "--envs", "dev,prod").stdout == (
        "  entity   dev               prod\n"
        "contosodev\n"
        "* account  Month in place    Month in place\n"
        "           Completed 3       NotStarted 0\n"
        "* contact  Year append-only  Month in place\n"
        "           Completed 2       NotStarted 0\n"
        "\n"
        "2 entities, 2 marked with * because they differ\n"
    )


def test_rows_alone_are_no_difference(three: Run) -> None:
    assert three("sync", "--env", "prod").exit_code == 0
    data = json.loads(three("compare", "--envs", "dev,prod", "--format", "json").stdout)
    assert [(each["entity"], each["differs"]) for each in data["entities"]] == [("account", False), ("contact", True)]


def test_an_environment_without_links_shows_none_and_differs(three: Run) -> None:
    result = three("compare", "--envs", "dev,away", "--format", "markdown", "--exit-code")
    assert result.exit_code == 3
    assert result.stdout.splitlines() == [
        "|  | config | entity | dev | away |",
        "| --- | --- | --- | --- | --- |",
        "| \\* | contosodev | account | Month in place, Completed 3 | - |",
        "| \\* | contosodev | contact | Year append-only, Completed 2 | - |",
    ]


def test_an_environment_that_cannot_be_reached_is_told_and_the_others_are_shown(three: Run, tmp_path: Path) -> None:
    (tmp_path / "environments" / "away" / "record.json").write_text("{")
    result = three("compare", "--format", "json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert (data["environments"], list(data["unreached"])) == (["dev", "prod"], ["away"])
    assert data["unreached"]["away"]["code"] == "STA001"
    markdown = three("compare", "--format", "markdown")
    assert "warning[STA001] away is left out: " in markdown.stderr
    assert markdown.stdout.splitlines()[-1].startswith("away is left out: ")
    assert three("compare", "--envs", "away").exit_code == 1


def test_more_environments_than_fit_are_shown_in_parts() -> None:
    status = EntityStatus(
        "account", EntityState.COMPLETED, append_only=False, strategy=PartitionStrategy.MONTH, rows=1_234_567
    )
    names = ("one", "two", "three", "four", "five")
    account = Compared("contosolake", "account", dict.fromkeys(names, status))
    lines = "\n".join(text(Comparison(names, {}, (account,)))).splitlines()
    assert [line.split() for line in lines if line.startswith("  entity")] == [
        ["entity", "one", "two", "three"],
        ["entity", "four", "five"],
    ]
    assert max(map(len, lines)) <= 80


def test_nothing_linked_is_a_sentence(three: Run) -> None:
    assert three("compare", "--envs", "away").stdout == "nothing is linked\n"


def test_an_environment_that_the_project_has_not_names_the_nearest(three: Run) -> None:
    result = three("compare", "--envs", "dev,prd")
    assert (result.exit_code, "did you mean 'prod'?" in result.stderr) == (1, True)
