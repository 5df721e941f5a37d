import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

PROPERTIES = """\
choices:
  cts_outcome:
    - {value: 770740000, labels: {1033: Passed}}
    - {value: 770740001, labels: {1033: Failed}}
entities:
  - name: cts_inspection
    display_name: Inspection
    primary_name: cts_name
    attributes:
      - {name: cts_name, type: string, max_length: 100}
      - {name: cts_outcome, type: choice, global_choice: cts_outcome}
      - {name: cts_accountid, type: lookup, targets: [account]}
"""


@pytest.fixture
def dev(run: Run) -> Run:
    """A project with the environment dev, which sees one storage account."""
    assert run("init", "-q").exit_code == 0
    assert run("env", "create", "dev", "--account", "contososalesdev").exit_code == 0
    return run


def test_create_says_what_it_made(run: Run) -> None:
    run("init")
    result = run("env", "create", "dev", "--organization-id", "0a0a0a0a-0000-4000-8000-000000000001")
    assert (result.exit_code, result.stdout) == (
        0,
        "created dev, the organization org0a0a0a0a (0a0a0a0a-0000-4000-8000-000000000001)\n",
    )


def test_create_twice_is_refused_and_changes_nothing(dev: Run, tmp_path: Path) -> None:
    before = (tmp_path / "toolkit.yaml").read_text()
    result = dev("env", "create", "dev")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[PRJ006] there is an environment 'dev' already\n")
    assert (tmp_path / "toolkit.yaml").read_text() == before


def test_a_wrong_option_is_named_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    run("init")
    result = run("env", "create", "dev", "--tenant", "nonsense", "--account", "NOT_A_NAME")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[CLI020] --tenant has a wrong value\n  why: a GUID is")
    assert not (tmp_path / "environments").exists()


def test_without_a_project_the_way_to_one_is_named(run: Run) -> None:
    result = run("env", "list")
    assert result.exit_code == 1
    assert "error[PRJ001]" in result.stderr
    assert "run `toolkit init`" in result.stderr


def test_the_first_environment_is_the_default(dev: Run) -> None:
    dev("env", "create", "prod")
    assert dev("env", "list").stdout.splitlines() == [
        "environment  default  kind      folder",
        "dev          yes      embedded  environments/dev",
        "prod         no       embedded  environments/prod",
    ]


def test_show_tells_organization_accounts_and_entities(dev: Run) -> None:
    shown = json.loads(dev("env", "show", "--format", "json").stdout)
    assert shown["environment"] == "dev"
    assert shown["accounts"][0]["account"] == "contososalesdev"
    assert shown["accounts"][0]["region"] == shown["region"] == "westeurope"
    assert {"entity": "account", "rows": 0, "change_tracking": True} in shown["entities"]


def test_show_tells_the_name_of_the_file_system_that_a_link_would_make(run: Run) -> None:
    run("init")
    run("env", "create", "dev", "--organization-id", "0a0a0a0a-0000-4000-8000-000000000001")
    shown = json.loads(run("env", "show", "--format", "json").stdout)
    assert shown["file_system"] == "commondataservice-dev-org-0a0a0a0a000040008000000000000001"


def test_properties_of_accounts_are_those_of_the_options(run: Run) -> None:
    run("init")
    flags = ("--account-flat", "--account-kind", "BlobStorage", "--account-role", "Reader", "--not-administrator")
    run("env", "create", "dev", "--account", "contosoflat=elsewhere", *flags)
    shown = json.loads(run("env", "show", "dev", "--format", "json").stdout)
    (account,) = shown["accounts"]
    assert (account["kind"], account["hierarchical_namespace"]) == ("BlobStorage", False)
    assert account["location"].endswith("/elsewhere")
    assert shown["administrator"] is False


def test_a_mistyped_environment_is_answered_with_the_nearest(dev: Run) -> None:
    result = dev("env", "show", "dve")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no environment 'dve'" in result.stderr
    assert "fix: did you mean 'dev'?" in result.stderr


def test_custom_entities_are_defined_in_yaml(dev: Run, tmp_path: Path) -> None:
    (tmp_path / "inspection.yaml").write_text(PROPERTIES)
    dev("publisher", "create", "contoso", "--prefix", "cts")
    result = dev("env", "define", "dev", "inspection.yaml")
    assert (result.exit_code, result.stdout) == (0, "defined 1 entity: cts_inspection\n")
    shown = json.loads(dev("env", "show", "--format", "json").stdout)
    assert "cts_inspection" in [each["entity"] for each in shown["entities"]]


def test_a_prefix_without_a_publisher_is_refused_with_its_line(dev: Run, tmp_path: Path) -> None:
    (tmp_path / "inspection.yaml").write_text(PROPERTIES)
    result = dev("env", "define", "dev", "inspection.yaml")
    assert result.exit_code == 1
    assert "error[ORG010] cts_inspection does not begin with the prefix of a publisher\n  at: inspection.yaml:6" in (
        result.stderr
    )


def test_a_bad_file_beside_a_good_one_defines_neither(dev: Run, tmp_path: Path) -> None:
    dev("publisher", "create", "contoso", "--prefix", "cts")
    (tmp_path / "a.yaml").write_text(PROPERTIES)
    (tmp_path / "b.yaml").write_text("entities: [{name: thing}]\n")
    assert dev("env", "define", "dev", "a.yaml", "b.yaml").exit_code == 1
    shown = json.loads(dev("env", "show", "--format", "json").stdout)
    assert "cts_inspection" not in [each["entity"] for each in shown["entities"]]


def test_an_account_can_be_shown_to_an_environment_later(dev: Run) -> None:
    assert dev("env", "define", "dev", "--account", "contosoother=x").stdout == "defined contosoother\n"
    shown = json.loads(dev("env", "show", "--format", "json").stdout)
    assert [account["account"] for account in shown["accounts"]] == ["contosoother", "contososalesdev"]


def test_nothing_to_define_is_an_error_of_usage(dev: Run) -> None:
    result = dev("env", "define", "dev")
    assert (result.exit_code, "give FILE or --account" in result.stderr) == (2, True)


def test_seed_adds_rows(dev: Run) -> None:
    result = dev("env", "seed", "dev", "--rows", "account=30", "--rows", "contact=20")
    assert (result.exit_code, result.stdout) == (0, "added 50 rows to dev\n")
    shown = json.loads(dev("env", "show", "--format", "json").stdout)
    assert {"entity": "account", "rows": 30, "change_tracking": True} in shown["entities"]


def test_seed_shows_its_progress_when_asked(dev: Run) -> None:
    result = dev("env", "seed", "dev", "--rows", "account=30", "-v")
    assert "seeding account: 30 of 30\n" in result.stderr


def test_seed_of_an_unknown_entity_adds_nothing(dev: Run) -> None:
    result = dev("env", "seed", "dev", "--rows", "acount=3", "--rows", "contact=3")
    assert result.exit_code == 1
    assert "acount" in result.stderr
    shown = json.loads(dev("env", "show", "--format", "json").stdout)
    assert sum(each["rows"] for each in shown["entities"]) == 0


def test_churn_does_so_many_operations(dev: Run) -> None:
    dev("env", "seed", "dev", "--rows", "account=30")
    result = dev("env", "churn", "dev", "--operations", "20", "--format", "json")
    done = json.loads(result.stdout)
    assert done["created"] + done["updated"] + done["deleted"] == 20


def test_churn_does_so_many_seconds_of_them(dev: Run) -> None:
    dev("env", "seed", "dev", "--rows", "account=30")
    assert " in dev\n" in dev("env", "churn", "dev", "--seconds", "5", "--rate", "1").stdout


def test_churn_of_an_empty_environment_says_what_to_do(dev: Run) -> None:
    result = dev("env", "churn", "dev")
    assert (result.exit_code, "toolkit env seed dev" in result.stderr) == (1, True)


def test_churn_for_both_is_an_error_of_usage(dev: Run) -> None:
    assert dev("env", "churn", "dev", "--seconds", "1", "--operations", "1").exit_code == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed dev --rows account=1 --seed -1", "-1 is not in the range x>=0"),
        ("churn dev --rate 0", "'0' is not a number above 0, at most 100,000"),
        ("churn dev --rate -1", "'-1' is not a number above 0"),
        ("churn dev --rate nan", "'nan' is not a number above 0"),
        ("churn dev --rate inf", "'inf' is not a number above 0"),
        ("churn dev --rate fast", "'fast' is no number"),
        ("churn dev --seconds -1", "'-1' is not a number above 0, at most 86,400"),
        ("churn dev --seconds 1e9", "'1e9' is not a number above 0"),
        ("churn dev --operations -3", "-3 is not in the range x>=1"),
        ("churn dev --operations 0", "0 is not in the range x>=1"),
        ("churn dev --seed -1", "-1 is not in the range x>=0"),
    ],
)
def test_a_number_that_makes_no_sense_is_an_error_of_usage(dev: Run, line: str, said: str) -> None:
    result = dev("env", *line.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("text", ["account=-5", "account=1e9", "account=x", "account", "account=0", "account=10000001"])
def test_what_is_no_number_of_rows_says_what_is(dev: Run, text: str) -> None:
    result = dev("env", "seed", "dev", "--rows", text)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error[CLI031] {text} says no number of rows\n"
        "  why: a number is 1 to 10,000,000, in digits alone; seed again for more\n"
        "  fix: write account=20000, each entity once\n"
    )


def test_seed_of_one_entity_twice_is_refused_instead_of_losing_one(dev: Run) -> None:
    result = dev("env", "seed", "dev", "--rows", "account=5", "--rows", "Account=7")
    assert result.exit_code == 1
    assert "Account=7 says no number of rows\n  why: the entity was named before\n" in result.stderr


def test_seed_of_no_entity_says_so(dev: Run) -> None:
    result = dev("env", "seed", "dev", "--rows", "=5")
    assert (result.exit_code, "=5 says no number of rows\n  why: no entity is named\n" in result.stderr) == (1, True)


def test_an_empty_name_is_not_the_default_environment(dev: Run) -> None:
    result = dev("status", "--env", "")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[PRJ005] there is no environment ''" in result.stderr
