"""Bundles between environments, by the command line."""

import csv
import hmac
import json
import shutil
import zipfile
from contextlib import chdir
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from git import Actor, Repo

from tests.cli.conftest import Ids, Run, Ticking
from toolkit.cli import root
from toolkit.cli.session import Session

ROOT = Path(__file__).parents[2]
ACCOUNTS = "--account contososalesprod --account contososerviceprod"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod with the Core solution, and ContosoLake as a zip."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copytree(ROOT / "solutions" / "ContosoLake", folder / "ContosoLake")
    clock, ids = Ticking(), Ids()
    with chdir(folder):
        for line in (
            "init",
            f"env create prod {ACCOUNTS}",
            "import core --yes",
            "env seed prod --rows account=12 --rows incident=5",
            "pack ContosoLake --managed -o Lake.zip",
        ):
            result = CliRunner().invoke(root, line.split(), obj=Session(clock, lambda: "ada@lab", ids, lambda: False))
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def prod(prepared: Path, run: Run, tmp_path: Path) -> Run:
    """A copy of that environment."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return run


@pytest.fixture
def imported(prod: Run) -> Run:
    """The environment with ContosoLake imported."""
    assert prod("import", "Lake.zip", "--yes").exit_code == 0
    return prod


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_plan_shows_changes_and_their_consequence(prod: Run) -> None:
    result = prod("plan", "Lake.zip")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "prod: ContosoLake 1.0.0.0: 3 changes\n  1. import solution    ContosoLake: 1.0.0.0\n"
    )
    assert "initial sync of 12 rows" in result.stdout


def test_a_plan_changes_nothing(prod: Run, tmp_path: Path) -> None:
    prod("plan", "Lake.zip")
    assert not (tmp_path / "lakes").exists()
    assert "ContosoLake" not in prod("solution", "list").stdout


def test_a_plan_is_json_and_markdown_too(prod: Run) -> None:
    shown = json.loads(prod("plan", "Lake.zip", "--format", "json").stdout)
    assert [change["kind"] for change in shown["changes"]] == ["solution.register", "link.create", "link.create"]
    assert "| import solution | ContosoLake |" in prod("plan", "Lake.zip", "--format", "markdown").stdout


def test_a_plan_exits_with_3_while_there_is_something_to_do(prod: Run) -> None:
    assert prod("plan", "Lake.zip", "--exit-code").exit_code == 3
    prod("import", "Lake.zip", "--yes", "--no-sync")
    result = prod("plan", "Lake.zip", "--exit-code")
    assert (result.exit_code, result.stdout) == (0, "prod: ContosoLake 1.0.0.0: nothing to do\n")


def test_import_shows_asks_applies_and_verifies(prod: Run) -> None:
    result = prod("import", "Lake.zip", answer="y\n")
    assert result.exit_code == 0
    assert "3 changes to prod: go on? [y/N]" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "prod: ContosoLake 1.0.0.0: 3 changes"
    assert lines[-1].startswith("verified: ")


def test_a_no_imports_nothing(prod: Run, tmp_path: Path) -> None:
    result = prod("import", "Lake.zip", answer="n\n")
    assert (result.exit_code, "error[CLI004] nothing was changed" in result.stderr) == (1, True)
    assert not (tmp_path / "lakes").exists()
    assert "ContosoLake" not in prod("solution", "list").stdout


def test_import_as_json_is_one_document(prod: Run) -> None:
    done = json.loads(prod("import", "Lake.zip", "--yes", "--format", "json").stdout)
    assert (done["plan"]["empty"], done["verify"]["passed"]) == (False, True)
    written = {each["entity"]: each["written"] for each in done["synced"]["contososalesprod"]["entities"]}
    assert written["account"] == 12


def test_an_import_without_data_verifies_as_pending(prod: Run) -> None:
    result = prod("import", "Lake.zip", "--yes", "--no-sync")
    assert (result.exit_code, "sync pending" in result.stdout) == (0, True)


def test_an_import_that_runs_out_of_time_goes_on_later(prod: Run) -> None:
    result = prod("import", "Lake.zip", "--yes", "--wait", "0")
    assert result.exit_code == 7
    again = prod("import", "Lake.zip", "--yes")
    assert (again.exit_code, again.stdout.splitlines()[-1].endswith("no findings")) == (0, True)


def test_a_source_folder_is_imported_as_it_is(prod: Run) -> None:
    assert prod("import", "ContosoLake", "--yes", "--no-sync").exit_code == 0
    assert "unmanaged" in prod("solution", "list").stdout.splitlines()[1]


def test_an_environment_without_an_overlay_is_warned_about(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "ContosoLake" / "environments" / "prod.yaml").unlink()
    result = prod("plan", "ContosoLake")
    assert result.exit_code == 1
    assert "warning[BND017] the bundle has no overlay for 'prod'" in result.stderr


def exported(folder: Path, entity: str) -> list[dict[str, str]]:
    """The rows of an entity that model.json leads to, by column."""
    (manifest,) = folder.glob("lakes/contososalesprod/*/model.json")
    found = next(each for each in json.loads(manifest.read_text())["entities"] if each["name"] == entity)
    columns = [attribute["name"] for attribute in found["attributes"]]
    texts = [Path(partition["location"]).read_text() for partition in found["partitions"]]
    return [dict(zip(columns, row, strict=True)) for text in texts for row in csv.reader(StringIO(text))]


OPTIONS = """\
output: {labels: 1033}
entities:
  - name: account
    columns: [name, industrycode]
    filter: [{column: numberofemployees, at_least: "1"}]
    mask: {name: hash}
"""


def test_a_newer_bundle_exports_fewer_columns_masked_and_filtered(
    imported: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = exported(tmp_path, "account")
    config = tmp_path / "ContosoLake" / "configs" / "contososales.yaml"
    head, _, tail = config.read_text().partition("entities:\n")
    config.write_text(head + OPTIONS + tail.replace("  - {name: account, partition_strategy: Month}\n", ""))
    edit(tmp_path / "ContosoLake" / "solution.yaml", 'version: "1.0.0.0"', 'version: "1.1.0.0"')
    edit(
        tmp_path / "toolkit.yaml",
        "folder: environments/prod",
        "folder: environments/prod\n    mask_key: {variable: KEY}",
    )
    assert imported("pack", "ContosoLake", "--managed", "-o", "new.zip").exit_code == 0
    failing = imported("import", "new.zip", "--yes")
    assert (failing.exit_code, "error[PLN067]" in failing.stderr) == (1, True)
    assert "why: the environment variable KEY is not set" in failing.stderr
    monkeypatch.setenv("KEY", "a secret of some length")
    assert "re-initialisation without a gap for readers: 12 rows" in imported("plan", "new.zip").stdout
    assert imported("import", "new.zip", "--yes", "--no-sync", "--allow", "entities:6").exit_code == 0
    assert exported(tmp_path, "account") == before
    assert "account: the next pass brings other columns, filter, mask, labels" in imported("status").stdout
    assert imported("import", "new.zip", "--yes").exit_code == 0
    assert imported("snapshot").exit_code == 0
    after = exported(tmp_path, "account")
    kept = {row["Id"]: row["name"] for row in before if row["numberofemployees"] not in {"", "0"}}
    assert {row["Id"]: row["name"] for row in after} == {
        key: hmac.new(b"a secret of some length", name.encode(), sha256).hexdigest() for key, name in kept.items()
    }
    assert {"revenue", "numberofemployees"}.isdisjoint(after[0])
    assert all((row["industrycode"] == "") == (row["industrycode_label"] == "") for row in after)
    assert imported("reconcile", "--checksum").exit_code == 0
    verified = imported("verify", "new.zip")
    assert (verified.exit_code, "a secret" in verified.stdout) == (0, False)


def test_a_lower_version_is_refused(imported: Run, tmp_path: Path) -> None:
    edit(tmp_path / "ContosoLake" / "solution.yaml", 'version: "1.0.0.0"', 'version: "0.9"')
    imported("pack", "ContosoLake", "--managed", "-o", "old.zip")
    result = imported("import", "old.zip", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "must have a higher version" in result.stderr


def test_managed_is_not_replaced_by_unmanaged(imported: Run) -> None:
    result = imported("import", "ContosoLake", "--yes")
    assert result.exit_code == 1
    assert "error[0x80048041]" in result.stderr


def test_verify_finds_a_difference_and_exits_with_5(imported: Run, tmp_path: Path) -> None:
    assert imported("verify", "Lake.zip").exit_code == 0
    edit(
        tmp_path / "ContosoLake" / "configs" / "contososales.yaml", "  - {name: lead, partition_strategy: Month}\n", ""
    )
    result = imported("verify", "ContosoLake")
    assert result.exit_code == 5
    assert "verification failed: " in result.stdout


def test_verify_needs_no_bundle(imported: Run) -> None:
    result = imported("verify", "--format", "junit")
    assert (result.exit_code, 'failures="0"' in result.stdout) == (0, True)


def test_the_history_says_who_and_when(imported: Run) -> None:
    entries = json.loads(imported("history", "--format", "json").stdout)
    assert [(entry["solution"], entry["package"], entry["by"]) for entry in entries] == [
        ("ExportToDataLakeCore", "unmanaged", "ada@lab"),
        ("ContosoLake", "managed", "ada@lab"),
    ]
    assert imported("history").stdout.splitlines()[0].split() == [
        *("at", "by", "what", "solution", "version", "package", "bundle"),
    ]


def test_the_history_shows_an_uninstall(imported: Run) -> None:
    assert imported("uninstall", "ContosoLake", "--yes").exit_code == 0
    entries = json.loads(imported("history", "--format", "json").stdout)
    assert [(entry["solution"], entry["what"]) for entry in entries[-2:]] == [
        ("ContosoLake", "import"),
        ("ContosoLake", "uninstall"),
    ]


def test_the_history_names_the_commit_of_a_bundle_in_a_work_tree(prod: Run, tmp_path: Path) -> None:
    with Repo.init(tmp_path) as repository:
        ada = Actor("ada", "ada@lab.example")
        commit = repository.index.commit("first", author=ada, committer=ada).hexsha
    assert prod("import", "Lake.zip", "--yes", "--no-sync").exit_code == 0
    commits = [entry["commit"] for entry in json.loads(prod("history", "--format", "json").stdout)]
    assert commits == [None, commit]


@pytest.mark.parametrize("bundle", ["ContosoLake", "Lake.zip"])
@pytest.mark.parametrize("command", ["import", "plan", "verify"])
def test_a_bundle_without_an_overlay_for_the_environment_warns_with_the_nearest(
    prod: Run, command: str, bundle: str
) -> None:
    prod("env", "create", "prd", "--account", "contososalesprod")
    result = prod(command, bundle, "--env", "prd")
    assert result.stderr.startswith(
        "warning[BND017] the bundle has no overlay for 'prd', so its own values are used\n"
        f"  at: {bundle}\n"
        "  fix: did you mean 'prod'?\n"
    )


def test_a_bundle_with_an_overlay_for_this_time_needs_none_for_the_environment(prod: Run, tmp_path: Path) -> None:
    prod("env", "create", "prd", "--account", "contososalesprod")
    overlay = tmp_path / "ContosoLake" / "environments" / "prod.yaml"
    assert "BND017" not in prod("plan", "ContosoLake", "--env", "prd", "--overlay", str(overlay)).stderr


def test_a_quiet_import_still_tells_what_verification_finds(imported: Run, tmp_path: Path) -> None:
    for index in tmp_path.glob("lakes/contososalesprod/*/model.json"):
        index.unlink()
    result = imported("-q", "import", "Lake.zip", "--yes", "--no-sync")
    assert (result.exit_code, "verification failed" in result.stdout) == (5, True)


def test_an_environment_without_a_history_says_so(prod: Run) -> None:
    prod("env", "create", "other")
    assert prod("history", "--env", "other").stdout == "nothing was applied to other\n"


def test_uninstalling_a_managed_solution_takes_its_links_along(imported: Run) -> None:
    assert imported("uninstall", "ContosoLake", "--yes").exit_code == 0
    assert imported("lake", "show", "--format", "json").stdout == "[]\n"
    assert "ContosoLake" not in imported("solution", "list").stdout


def test_a_solution_that_others_need_stays(imported: Run) -> None:
    result = imported("uninstall", "ExportToDataLakeCore", "--yes")
    assert (result.exit_code, "ContosoLake" in result.stderr) == (1, True)


def test_a_managed_solution_is_not_exported(imported: Run) -> None:
    result = imported("export", "ContosoLake")
    assert (result.exit_code, "error[0x80048036]" in result.stderr) == (1, True)


def test_diff_with_an_environment_that_does_not_hold_it_shows_all_as_new(prod: Run) -> None:
    result = prod("diff", "env:prod", "Lake.zip", "--exit-code")
    assert result.exit_code == 3
    assert result.stderr == "prod does not hold ContosoLake: everything is new there\n"
    assert "+ entity contososales/account (Month, in place)" in result.stdout


def test_diff_with_a_managed_solution_compares_what_the_environment_says(imported: Run, tmp_path: Path) -> None:
    result = imported("diff", "env:prod", "Lake.zip", "--exit-code")
    assert (result.exit_code, result.stdout) == (0, "no differences\n")
    assert result.stderr.startswith("ContosoLake is managed in prod: ")
    edit(tmp_path / "ContosoLake" / "configs" / "contososales.yaml", "interval_minutes: 60", "interval_minutes: 30")
    imported("pack", "ContosoLake", "--managed", "-o", "next.zip")
    assert imported("diff", "env:prod", "next.zip").stdout == "~ config contososales interval_minutes: 60 -> 30\n"


@pytest.mark.parametrize(
    ("a", "b", "code"),
    [
        ("env:prod", "env:prod", "CLI011"),
        ("env:prod/ContosoLak", "Lake.zip", "CLI011"),
        ("env:prod/ContosoLake", "env:prod/ContosoLake", "CLI012"),
        ("env:prd/ContosoLake", "Lake.zip", "PRJ005"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(imported: Run, a: str, b: str, code: str) -> None:
    result = imported("diff", a, b)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error[{code}]" in result.stderr


def test_a_variable_is_resolved_in_the_link_and_stays_as_written_in_the_zip(
    prod: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = tmp_path / "ContosoLake" / "environments" / "prod.yaml"
    edit(overlay, "storage_account: contososalesprod", "storage_account: contososales${STAGE}")
    assert prod("pack", "ContosoLake", "-o", "Varying.zip").exit_code == 0
    refused = prod("plan", "Varying.zip")
    assert (refused.exit_code, "the environment variable STAGE is not set" in refused.stderr) == (1, True)
    monkeypatch.setenv("STAGE", "prod")
    assert prod("import", "Varying.zip", "--yes", "--no-sync").exit_code == 0
    links = json.loads(prod("lake", "show", "--format", "json").stdout)
    assert sorted(link["account"] for link in links) == ["contososalesprod", "contososerviceprod"]
    with zipfile.ZipFile(tmp_path / "Varying.zip") as packed:
        assert b"contososales${STAGE}" in packed.read("toolkit/environments/prod.yaml")
