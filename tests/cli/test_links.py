"""Links and their entities by hand, and the engine's commands."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner

from tests.cli.conftest import START, Ids, Run, Stopping, Ticking, lake_of
from toolkit.cli import root
from toolkit.cli.doing import patience
from toolkit.cli.session import Session
from toolkit.engine import EntityReport, Retry
from toolkit.engine.opening import WRITER_LOCK
from toolkit.errors import Finding, Severity
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Holder
from toolkit.model.link import EntityState
from toolkit.organization import rows
from toolkit.organization.database import Database

# --- lake -----------------------------------------------------------------------------------------------------------


def test_link_shows_its_plan_and_what_was_written(dev: Run) -> None:
    result = dev("lake", "link", "--account", "contosodev", "--entity", "account", "--file-system", "files")
    assert result.exit_code == 0
    assert "create link        contosodev: contosodev/files" in result.stdout
    assert "contosodev: 1 entity, 30 rows written" in result.stdout


def test_link_without_data_leaves_it_to_the_engine(dev: Run) -> None:
    dev("lake", "link", "--account", "contosodev", "--entity", "account", "--no-sync")
    (row,) = json.loads(dev("status", "--format", "json").stdout)
    assert (row["state"], row["last_synced"]) == ("NotStarted", None)


def test_the_lakes_are_shown(linked: Run, tmp_path: Path) -> None:
    (shown,) = json.loads(linked("lake", "show", "--format", "json").stdout)
    assert (shown["config"], shown["entities"], shown["interval_minutes"]) == ("contosodev", 1, 60)
    assert shown["location"] == str(lake_of(tmp_path))
    assert linked("lake", "show").stdout.startswith("contosodev\n  id                ")


def test_an_environment_without_a_lake_says_so(dev: Run) -> None:
    assert dev("lake", "show").stdout == "dev is not linked to a lake; see: toolkit lake link --help\n"


def test_a_lake_that_is_linked_is_refused(linked: Run) -> None:
    result = linked("lake", "link", "--account", "contosodev", "--entity", "contact")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error[PLN")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--account", "NOT_ONE"), "error[CLI020] --account has a wrong value"),
        (("--account", "NOT_ONE"), "why: a storage account's name has 3 to 24 lower-case letters and digits"),
        (("--account", "contosodev", "--file-system", "A--b"), "why: a file system's name has lower-case letters"),
        (("--account", "contosodev", "--id", "1"), "error[CLI020] --id has a wrong value"),
        (
            ("--account", "contosodev", "--interval", "1"),
            "error[CLI020] --interval has a wrong value\n  why: it should be",
        ),
        (("--account", "contosodev", "--entity", "account=Monthly"), "error[CLI021] account=Monthly: 'Monthly'"),
        (("--account", "contosodev", "--entity", "a b"), "error[CLI022] 'a b' is no logical name of an entity"),
        (("--account", "contosodevv", "--entity", "account"), "did you mean 'contosodev'?"),
    ],
)
def test_a_wrong_option_links_nothing(dev: Run, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = dev("lake", "link", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert not (tmp_path / "lakes").exists()


def test_unlink_asks_first(linked: Run) -> None:
    result = linked("lake", "unlink", "contosodev", answer="n\n")
    assert result.exit_code == 1
    assert "2 changes to dev: go on? [y/N]" in result.stderr
    assert "error[CLI004] nothing was changed" in result.stderr
    assert len(json.loads(linked("lake", "show", "--format", "json").stdout)) == 1


def test_unlink_keeps_the_data_aside(linked: Run, tmp_path: Path) -> None:
    assert linked("lake", "unlink", "contosodev", answer="y\n").exit_code == 0
    assert linked("lake", "show", "--format", "json").stdout == "[]\n"
    assert list((lake_of(tmp_path) / "_kept" / "account").iterdir())


def test_unlink_can_leave_the_data_to_a_later_sync(linked: Run, tmp_path: Path) -> None:
    assert linked("lake", "unlink", "contosodev", "--yes", "--no-sync").exit_code == 0
    assert not (lake_of(tmp_path) / "_kept").exists()
    assert linked("sync", "--config", "contosodev").stdout == "contosodev: 0 entities, retired: account\n"
    assert list((lake_of(tmp_path) / "_kept" / "account").iterdir())
    assert linked("status").stdout == "dev exports nothing\n"
    assert "error[CLI029]" in linked("sync").stderr


def test_a_lake_that_is_linked_anew_before_its_old_data_left_has_one_link(linked: Run, tmp_path: Path) -> None:
    linked("lake", "unlink", "contosodev", "--yes", "--no-sync")
    assert linked("lake", "link", "--account", "contosodev", "--entity", "contact").exit_code == 0
    assert len(json.loads(linked("lake", "show", "--format", "json").stdout)) == 1
    assert [row["entity"] for row in json.loads(linked("status", "--format", "json").stdout)] == ["contact"]
    assert list((lake_of(tmp_path) / "_kept" / "account").iterdir())


# --- pins ------------------------------------------------------------------------------------------------------------


def test_pins_are_made_listed_and_given_up(linked: Run, tmp_path: Path) -> None:
    assert linked("pin", "q1").stdout.startswith("pinned q1: ")
    (row,) = json.loads(linked("pins", "--format", "json").stdout)
    assert (row["config"], row["name"], row["by"], row["entities"]) == ("contosodev", "q1", "ada@lab", 1)
    assert row["manifest"] == str(lake_of(tmp_path) / "_pins" / "q1" / "model.json")
    assert linked("unpin", "q1").stdout == "unpinned q1\n"
    assert linked("pins").stdout == "nothing is pinned in dev; see: toolkit pin --help\n"


# --- erase -----------------------------------------------------------------------------------------------------------


def first_account(folder: Path) -> str:
    return next(lake_of(folder).glob("account/*.csv")).read_text()[:36]


def test_a_row_is_erased_and_the_search_proves_it(linked: Run, tmp_path: Path) -> None:
    row = first_account(tmp_path)
    dry = json.loads(linked("erase", "account", row, "--dry-run", "--format", "json").stdout)
    result = linked("erase", "account", row.upper(), "--format", "json")
    erased = json.loads(result.stdout)
    assert (result.exit_code, erased["id"], erased["in_source"]) == (0, row, True)
    assert [file["path"] for file in erased["files"]] == [file["path"] for file in dry["files"]]
    assert dry["searched"]["occurrences"] > 2
    assert erased["searched"]["occurrences"] == 0
    # A generated account may be the parent of another.
    assert {each["code"] for each in json.loads(result.stderr)["findings"]} - {"CLI075"} == {"CLI073"}


def test_a_row_that_only_the_lake_lost_comes_back_when_rows_are_compared(linked: Run, tmp_path: Path) -> None:
    linked("erase", "account", first_account(tmp_path))
    failed = linked("verify")
    assert (failed.exit_code, "VFY070" in failed.stdout + failed.stderr) == (5, True)
    compared = linked("sync", "--compare", "--entity", "account")
    assert compared.stdout.startswith("contosodev: 1 entity, 1 row written, ")
    assert linked("verify").exit_code == 0


def test_an_erasure_tells_people_what_it_found(linked: Run, tmp_path: Path) -> None:
    row = first_account(tmp_path)
    assert f"account {row} is in 3 files:" in linked("erase", "account", row, "--dry-run").stdout
    assert linked("erase", "account", row).stdout.startswith(f"erased account {row} from 3 files\nsearched ")
    again = linked("erase", "account", row)
    assert again.stdout.startswith(f"account {row} is nowhere in the lake: nothing was changed\nsearched ")
    assert again.exit_code == 0


def test_an_erasure_of_a_row_that_the_source_has_no_more_warns_of_nothing(linked: Run, tmp_path: Path) -> None:
    row = linked_account_without_children(tmp_path)
    with Database(tmp_path / "environments" / "dev" / "organization.sqlite") as database:
        rows.delete(database, "account", [row], Ticking())
    result = linked("erase", "account", row)
    assert (result.exit_code, result.stderr) == (0, "")


def linked_account_without_children(folder: Path) -> str:
    """The id of an account that stands in its own record alone."""
    text = "".join(path.read_text() for path in lake_of(folder).glob("account/*.csv"))
    ids = [record[:36] for record in text.splitlines() if re.match(r"[0-9a-f]{8}-", record)]
    return next(row for row in ids if text.count(row) == 2)


def test_an_erasure_is_refused_while_somebody_writes(linked: Run, tmp_path: Path) -> None:
    row = first_account(tmp_path)
    fence = FolderLake(lake_of(tmp_path)).lock(WRITER_LOCK, Holder("bob@lab", "here", 1, START))
    result = linked("erase", "account", row)
    fence.release()
    assert (result.exit_code, result.stdout) == (6, "")
    assert "bob@lab" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("account", "17"), "error[CLI071] '17' is no GUID"),
        (("acount", "00000000-0000-0000-0000-000000000000"), "fix: did you mean 'account'?"),
    ],
)
def test_a_mistyped_erasure_changes_nothing(linked: Run, words: tuple[str, ...], said: str) -> None:
    result = linked("erase", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


# --- entity ---------------------------------------------------------------------------------------------------------


def test_entities_are_added_each_in_its_way(linked: Run) -> None:
    result = linked("entity", "add", "contact=Year", "task=append-only")
    assert result.exit_code == 0
    assert "contosodev: 3 entities, 30 rows written" in result.stdout
    assert linked("entity", "list").stdout.splitlines() == [
        "entity   change tracking  read     config      strategy  mode",
        "account  yes              changes  contosodev  Month     in place",
        "contact  yes              changes  contosodev  Year      in place",
        "task     yes              changes  contosodev  Year      append-only",
    ]


def test_an_entity_that_cannot_be_tracked_is_added_and_marked_scan(linked: Run) -> None:
    linked("env", "seed", "dev", "--rows", "lead=3", "--rows", "accountleads=4")
    added = linked("entity", "add", "accountleads")
    assert (added.exit_code, "PLN066" in added.stderr, added.stdout.count("PLN066")) == (0, False, 1)
    rows = {row["entity"]: row for row in json.loads(linked("entity", "list", "--format", "json").stdout)}
    assert (rows["accountleads"]["read"], rows["accountleads"]["mode"]) == ("scan", "append-only")
    shown = [line.split() for line in linked("status").stdout.splitlines() if line.startswith("accountleads")]
    assert shown[0][:6] == ["accountleads", "Completed", "Year,", "append-only,", "scan", "4"]
    assert linked("verify").exit_code == 0


def test_an_entity_that_is_not_tracked_yet_is_refused_with_the_command(linked: Run) -> None:
    result = linked("entity", "add", "queue")
    assert (result.exit_code, "fix: toolkit entity track queue" in result.stderr) == (1, True)


def test_all_entities_are_listed_when_asked(linked: Run) -> None:
    rows = json.loads(linked("entity", "list", "--all", "--format", "json").stdout)
    tracked = {row["entity"]: (row["config"], row["change_tracking"]) for row in rows}
    assert tracked["account"] == ("contosodev", True)
    assert tracked["queue"] == (None, False)


def test_an_entity_that_is_taken_off_leaves_the_manifest_and_is_kept(linked: Run, tmp_path: Path) -> None:
    linked("entity", "add", "contact")
    assert linked("entity", "remove", "account", "--yes").exit_code == 0
    manifest = json.loads((lake_of(tmp_path) / "model.json").read_text())
    assert [entity["name"] for entity in manifest["entities"]] == ["contact"]
    assert list((lake_of(tmp_path) / "_kept" / "account").iterdir())


def test_tracking_is_enabled_once(dev: Run) -> None:
    assert (
        "track entity       annotation: off -> on, and never off again" in dev("entity", "track", "annotation").stdout
    )
    assert dev("entity", "track", "annotation").stdout == "dev: nothing to do\n"


def test_several_links_need_a_name(linked: Run) -> None:
    linked("lake", "link", "--account", "contosotwo", "--entity", "contact", "--no-sync")
    result = linked("entity", "add", "task")
    assert "error[CLI023] there are several links" in result.stderr
    assert "fix: add --config NAME (contosodev, contosotwo)" in result.stderr
    assert linked("entity", "add", "task", "--config", "contosotwo", "--no-sync").exit_code == 0


def test_a_mistyped_link_is_answered_with_the_nearest(linked: Run) -> None:
    result = linked("entity", "add", "task", "--config", "contosodve")
    assert "error[CLI024] there is no link of a config 'contosodve'" in result.stderr
    assert "fix: did you mean 'contosodev'?" in result.stderr


@pytest.mark.parametrize(("words", "status"), [(("--no-sync",), 0), (("--wait", "0s"), 7)])
def test_the_data_of_an_entity_that_leaves_can_wait(linked: Run, words: tuple[str, ...], status: int) -> None:
    linked("entity", "add", "contact")
    assert linked("entity", "remove", "Account", "--yes", *words).exit_code == status
    assert [row["entity"] for row in json.loads(linked("entity", "list", "--format", "json").stdout)] == ["contact"]


# --- the names of a config ------------------------------------------------------------------------------------------

SALES = "6f0cde0a-5e5f-4f35-9f5c-0a3f4f4d6c01"
OVERLAY = "configs:\n  contosotwo: {storage_account: contosodev, interval_minutes: 30}\n"


@pytest.fixture(scope="module")
def overlaid(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment prod with a config whose row is named contosotwo, and whose link an overlay named contosodev."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("overlaid"), dirs_exist_ok=True)
    clock, ids = Ticking(), Ids()
    (folder / "overlay.yaml").write_text(OVERLAY)
    with chdir(folder):
        for line in (
            "env create prod --account contosodev",
            "import core --env prod --yes",
            "publisher create contoso --prefix cts",
            f"lake link --account contosotwo --id {SALES} --entity account --no-sync",
            "solution create Lake --publisher contoso",
            "solution add Lake --config contosotwo",
            "export Lake -o Lake.zip",
            "import Lake.zip --env prod --overlay overlay.yaml --yes --no-sync",
        ):
            result = CliRunner().invoke(root, line.split(), obj=Session(clock, lambda: "ada@lab", ids, lambda: False))
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def renamed(overlaid: Path, run: Run, tmp_path: Path) -> Run:
    """A copy of that environment."""
    shutil.copytree(overlaid, tmp_path, dirs_exist_ok=True)
    return run


@pytest.mark.parametrize("name", ["contosotwo", "contosodev", SALES, f"{{{SALES.upper()}}}"])
@pytest.mark.parametrize(
    "line",
    [
        "status --config NAME",
        "sync --config NAME --entity account",
        "entity add contact --no-sync --config NAME",
        "entity remove account --yes --no-sync --config NAME",
        "lake unlink NAME --yes --no-sync",
        "solution add Lake --config NAME",
    ],
)
def test_a_config_is_known_by_its_id_and_by_the_names_of_link_and_row(renamed: Run, line: str, name: str) -> None:
    result = renamed(*line.replace("NAME", name).split(), "--env", "prod")
    assert result.exit_code == 0, result.output


def test_a_name_that_two_configs_have_names_neither(linked: Run) -> None:
    assert linked("lake", "link", "--account", "contosotwo", "--name", "contosodev", "--no-sync").exit_code == 0
    result = linked("lake", "unlink", "contosodev", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "error[CLI033] several export configs are named 'contosodev'\n  at: dev\n  fix: give"
    )
    assert len(json.loads(linked("lake", "show", "--format", "json").stdout)) == 2


@pytest.mark.parametrize("command", ["sync", "snapshot", "status", "run"])
def test_a_config_that_is_not_there_is_never_passed_over(linked: Run, command: str) -> None:
    result = linked(command, "--config", "contosodve")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[CLI024] there is no link of a config 'contosodve'" in result.stderr
    assert "fix: did you mean 'contosodev'?" in result.stderr


@pytest.mark.parametrize("command", ["sync", "snapshot"])
def test_an_entity_that_is_not_linked_is_never_passed_over(linked: Run, command: str) -> None:
    result = linked(command, "--entity", "acount")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error[CLI032] the entity 'acount' is not linked\n  at: contosodev\n  fix: did you mean 'account'?\n"
    )


def test_a_pass_is_limited_to_the_links_that_have_the_entity(linked: Run) -> None:
    linked("lake", "link", "--account", "contosotwo", "--entity", "contact", "--no-sync")
    assert linked("sync", "--entity", "Contact").stdout.startswith("contosotwo: 1 entity, 20 rows written")


# --- rows -----------------------------------------------------------------------------------------------------------


def test_sync_tells_what_it_wrote(linked: Run) -> None:
    linked("env", "seed", "dev", "--rows", "account=5", "--seed", "2")
    assert linked("sync").stdout.startswith("contosodev: 1 entity, 5 rows written, ")
    assert linked("sync").stdout == "contosodev: nothing new\n"


def test_sync_tells_of_each_time_that_it_tries_again(capsys: pytest.CaptureFixture[str]) -> None:
    report = EntityReport(
        "account", EntityState.FAILED, error=Finding("SRC009", Severity.ERROR, "busy"), retry_after=30
    )
    patience(Session()).tell(Retry((report,), 30.04, 1, 12))
    assert capsys.readouterr().err == "account: tried again in 30 s (1 of 12): SRC009 busy\n"


def test_sync_tells_that_it_wrote_a_lost_manifest(linked: Run, tmp_path: Path) -> None:
    (lake_of(tmp_path) / "model.json").unlink()
    assert linked("sync").stdout == "contosodev: model.json written anew\n"


def test_snapshot_takes_what_changed(linked: Run) -> None:
    linked("env", "seed", "dev", "--rows", "account=1", "--seed", "2")
    linked("sync")
    assert linked("snapshot", "--entity", "account").stdout == "contosodev: 1 entity, 1 snapshot\n"
    assert linked("snapshot").stdout == "contosodev: nothing new\n"


def test_another_organization_is_refused_until_it_takes_over(linked: Run, tmp_path: Path) -> None:
    assert linked("env", "create", "copy", "--account", "other").exit_code == 0
    folders = tmp_path / "environments"
    shutil.copy(folders / "copy/organization.sqlite", folders / "dev/organization.sqlite")
    refused = linked("sync", "--env", "dev")
    assert (refused.exit_code, refused.stderr[:13]) == (1, "error[ENG003]")
    taken = linked("sync", "--take-over", "--env", "dev")
    assert taken.exit_code == 0
    assert "contosodev: account taken over; all rows are compared" in taken.stderr
    assert "ENG036" in taken.stderr
    assert json.loads((lake_of(tmp_path) / "_toolkit/link.json").read_text())["generation"] == 2
    assert linked("sync", "--env", "dev").exit_code == 0
    again = linked("sync", "--take-over", "--env", "dev")
    assert "contosodev: nothing taken over" in again.stderr


def test_without_a_link_there_is_nothing_to_sync(dev: Run) -> None:
    result = dev("sync")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[CLI029] there is no link\n  at: dev\n")
    assert dev("status").stdout == "dev exports nothing\n"


def test_status_fits_a_terminal_and_is_whole_as_json(linked: Run) -> None:
    lines = linked("status").stdout.splitlines()
    assert lines[0] == "contosodev (times are UTC)"
    assert lines[1].split() == ["entity", "state", "how", "rows", "synced", "snapshot"]
    assert lines[2].startswith("account  Completed  Month, in place    30  12:")
    (row,) = json.loads(linked("status", "--format", "json").stdout)
    assert row["last_synced"].startswith("2026-03-01T12:")


def defined(folder: Path, attributes: str) -> str:
    """A file that defines an entity with these attributes."""
    (folder / "inspection.yaml").write_text(f"entities:\n  - name: cts_inspection\n    attributes: [{attributes}]\n")
    return "inspection.yaml"


def test_a_new_column_is_told_by_sync_and_by_status(linked: Run, tmp_path: Path) -> None:
    linked("publisher", "create", "contoso", "--prefix", "cts")
    score = "{name: cts_score, type: integer}"
    linked("env", "define", "dev", defined(tmp_path, score))
    linked("entity", "add", "cts_inspection")
    linked("env", "define", "dev", defined(tmp_path, f"{score}, {{name: cts_note, type: string, max_length: 40}}"))
    told = "cts_inspection: cts_note added (string(40))"
    assert linked("sync").stderr.startswith(f"note[ENG061] {told}\n")
    assert linked("status").stdout.splitlines()[-1].startswith(f"{told}, 12:")
    rows = json.loads(linked("status", "--format", "json").stdout)
    assert [change["column"] for row in rows for change in row["schema_changes"]] == ["cts_note"]


@pytest.mark.parametrize("line", ["status", "lake show"])
def test_what_the_lake_knows_is_shown_without_the_organization(linked: Run, tmp_path: Path, line: str) -> None:
    (tmp_path / "environments" / "dev" / "organization.sqlite").write_bytes(b"no database at all" * 500)
    result = linked(*line.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("contosodev")


def test_status_tells_of_a_link_without_entities(linked: Run) -> None:
    linked("lake", "link", "--account", "contosotwo")
    assert linked("status").stdout.splitlines()[-1] == "contosotwo has no entities"


@pytest.fixture
def half(linked: Run, tmp_path: Path) -> Run:
    """The environment with two links, of which the first cannot be read."""
    assert linked("lake", "link", "--account", "contosotwo", "--entity", "contact").exit_code == 0
    (lake_of(tmp_path) / "_toolkit" / "link.json").write_text("{")
    return linked


@pytest.mark.parametrize("command", [("sync",), ("status",), ("lake", "show")])
def test_a_link_that_cannot_be_read_is_told_and_the_others_go_on(half: Run, command: tuple[str, ...]) -> None:
    result = half(*command)
    assert result.exit_code == 1
    assert "STA001" in result.stderr
    assert "contosotwo" in result.stdout


def test_verify_finds_the_link_that_cannot_be_read(half: Run) -> None:
    result = half("verify")
    assert (result.exit_code, "STA001" in result.stdout) == (5, True)


def test_a_command_about_a_link_that_can_be_read_is_done(half: Run) -> None:
    assert half("sync", "--config", "contosotwo").exit_code == 0
    assert half("lake", "unlink", "contosotwo", "--yes").exit_code == 0


def test_a_name_that_no_readable_link_has_may_be_that_of_one_that_cannot_be_read(half: Run) -> None:
    result = half("sync", "--config", "named-by-an-overlay")
    assert (result.exit_code, "STA001" in result.stderr, "CLI024" in result.stderr) == (1, True, False)


@pytest.mark.parametrize("command", [("sync", "--config"), ("lake", "unlink", "--yes")])
def test_a_command_about_a_link_that_cannot_be_read_says_why(half: Run, command: tuple[str, ...]) -> None:
    result = half(*command, "contosodev")
    assert (result.exit_code, "STA001" in result.stderr) == (1, True)


@pytest.mark.parametrize("command", [("sync",), ("run",), ("entity", "add", "lead")])
def test_where_no_link_can_be_read_a_command_says_why(linked: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (lake_of(tmp_path) / "_toolkit" / "link.json").unlink()
    result = linked(*command)
    assert (result.exit_code, "STA003" in result.stderr) == (1, True)
    assert linked("status").stdout == "dev exports nothing that can be read\n"


def test_a_link_whose_document_is_gone_is_mended_as_its_fix_says(linked: Run, tmp_path: Path) -> None:
    (lake_of(tmp_path) / "_toolkit" / "link.json").unlink()
    (command,) = re.findall(r"toolkit (lake link .*? --env dev)", linked("status", "--format", "json").stderr)
    assert linked("lake", "link", "--account", "contosodev").exit_code == 1
    assert linked(*command.split(), "--entity", "account").exit_code == 0
    assert linked("status").exit_code == 0
    assert linked("verify").exit_code == 0


def test_a_lake_that_somebody_holds_is_locked(linked: Run, tmp_path: Path) -> None:
    fence = FolderLake(lake_of(tmp_path)).lock(WRITER_LOCK, Holder("bob@lab", "lab", os.getpid(), START))
    try:
        result = linked("sync")
        assert result.exit_code == 6
        assert "bob@lab" in result.stderr
        added = linked("entity", "add", "contact")
        assert (added.exit_code, "the engine that runs picks it up" in added.stdout) == (0, True)
    finally:
        fence.release()


@pytest.mark.parametrize("form", ["text", "json"])
def test_run_exports_until_it_is_told_to_stop(dev: Run, tmp_path: Path, form: str) -> None:
    dev("lake", "link", "--account", "contosodev", "--entity", "account", "--no-sync")
    before = signal.getsignal(signal.SIGTERM)
    session = Session(
        Stopping(lake_of(tmp_path) / "account" / "Snapshot"), lambda: "ada@lab", on_terminal=lambda: False
    )
    result = CliRunner().invoke(root, ["run", "--every", "1s", "--format", form], obj=session)
    assert result.exit_code == 0
    assert result.stderr == "exporting contosodev; Ctrl-C stops\nstopped\n"
    assert signal.getsignal(signal.SIGTERM) == before
    if form == "json":
        events = [json.loads(line) for line in result.stdout.splitlines()]
        kinds = [event["event"] for event in events]
        assert (kinds[:3], kinds[-1]) == (["start", "pass", "snapshot"], "stop")
        assert events[1]["entities"][0]["written"] == 30
    else:
        assert "contosodev: 1 entity, 30 rows written" in result.stdout


def line_about(config: str, output: IO[str]) -> str:
    """The next line of an engine that is about a config; an engine that ends instead has none."""
    return next((line for line in output if f" {config}: " in line), "")


def test_run_picks_up_links_that_come_and_go(linked: Run) -> None:
    command = [sys.executable, "-m", "toolkit", "run", "--every", "0.1s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stderr
        assert running.stderr.readline() == "exporting contosodev; Ctrl-C stops\n"
        linked("lake", "link", "--account", "contosotwo", "--entity", "contact", "--no-sync")
        assert "contosotwo: 1 entity, 20 rows written" in line_about("contosotwo", running.stdout)
        assert linked("lake", "unlink", "contosodev", "--yes").exit_code == 0
        assert "contosodev: 0 entities, retired: account" in line_about("contosodev", running.stdout)
        running.terminate()
        assert running.wait(timeout=30) == 0
        said = running.stderr.read().splitlines()
    assert (said[0], said[-1]) == ("exporting contosotwo", "stopped")
    assert [each["config"] for each in json.loads(linked("status", "--format", "json").stdout)] == ["contosotwo"]


def test_run_of_a_lake_that_somebody_holds_ends_with_the_status_of_a_lock(linked: Run, tmp_path: Path) -> None:
    fence = FolderLake(lake_of(tmp_path)).lock(WRITER_LOCK, Holder("bob@lab", "lab", os.getpid(), START))
    try:
        assert linked("run").exit_code == 6
    finally:
        fence.release()


def test_a_link_document_that_is_gone_ends_the_run(linked: Run, tmp_path: Path) -> None:
    from toolkit.cli.run import read_again
    from toolkit.errors import Damaged
    from toolkit.site import read_link

    lake = FolderLake(lake_of(tmp_path))
    found = read_link(lake)
    assert found is not None
    lake.delete("_toolkit/link.json")
    with pytest.raises(Damaged):
        read_again(found)
    assert linked("run").exit_code == 1


@pytest.mark.parametrize(("text", "status"), [("soon", 2), ("0s", 7)])
def test_the_time_to_wait_is_a_duration(dev: Run, text: str, status: int) -> None:
    result = dev("lake", "link", "--account", "contosodev", "--entity", "account", "--wait", text)
    assert result.exit_code == status


@pytest.mark.parametrize("every", ["0", "0s", "-1", "nan", "25h", "99999999999999999999h"])
def test_the_time_between_passes_is_neither_nothing_nor_for_ever(linked: Run, every: str) -> None:
    result = linked("run", "--every", every)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error[CLI001] invalid value for '--every'" in result.stderr


@pytest.mark.parametrize("wait", ["-1", "inf", "99999999999999999999h"])
def test_a_time_to_wait_that_cannot_be_is_an_error_of_usage(dev: Run, wait: str) -> None:
    result = dev("lake", "link", "--account", "contosodev", "--wait", wait)
    assert (result.exit_code, "invalid value for '--wait'" in result.stderr) == (2, True)


def test_a_file_system_that_another_exporter_left_is_taken_over_and_linked(dev: Run, tmp_path: Path) -> None:
    folder = tmp_path / "lakes" / "contosodev" / "old"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    where = ("--account", "contosodev", "--file-system", "old")
    refused = dev("lake", "link", *where, "--entity", "account")
    assert (refused.exit_code, "when its exporter is gone: toolkit lake adopt" in refused.stderr) == (1, True)
    assert dev("lake", "adopt", *where).stderr.startswith("error[CLI003] this needs a yes")
    result = dev("lake", "adopt", *where, "--yes")
    assert (result.exit_code, result.stdout.startswith("moved 1 file (2 B) of contosodev/old to _kept/adopted/")) == (
        0,
        True,
    )
    assert dev("lake", "link", *where, "--entity", "account").exit_code == 0
