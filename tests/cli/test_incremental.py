"""Incremental folders through the command line, with the embedded environment on this disk."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, prepare
from tests.engine.incremental.reader import Reader
from toolkit.lake.folder import FolderLake


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment dev with a link of accounts, whose folders are incremental."""
    return prepare(
        tmp_path_factory.mktemp("prepared"),
        "init",
        "env create dev --account contosodev --account contosotwo",
        "import core --yes",
        "env seed dev --rows account=30 --rows contact=20",
        "lake link --account contosodev --entity account --layout incremental",
    )


@pytest.fixture
def reader(dev: Run, tmp_path: Path) -> Reader:
    assert dev is not None
    (lake,) = (tmp_path / "lakes" / "contosodev").iterdir()
    return Reader(FolderLake(lake))


def data(run: Run, *arguments: str) -> Any:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_link_fills_its_first_folder(reader: Reader, tmp_path: Path) -> None:
    (folder,) = reader.folders
    (lake,) = (tmp_path / "lakes" / "contosodev").iterdir()
    assert {path.name for path in lake.iterdir()} == {
        folder,
        reader.in_progress,
        "Changelog",
        "_toolkit",
        "model.json",
    }
    assert len(reader.rows("account")) == 30
    assert reader.lake.stat(f"{folder}/OptionsetMetadata/OptionsetMetadata.csv") is not None
    assert reader.lake.stat(f"{folder}/Microsoft.Athena.TrickleFeedService/account-EntityMetadata.json") is not None


def test_a_sync_closes_a_folder_with_what_changed(dev: Run, reader: Reader) -> None:
    assert dev("env", "churn", "dev", "--operations", "20", "--seed", "3").exit_code == 0
    result = dev("sync")
    assert (result.exit_code, len(reader.folders)) == (0, 2)
    assert f"folder {reader.folders[1]}" in result.stdout
    assert data(dev, "status")[0]["rows"] == len(reader.rows("account"))
    assert dev("sync").stdout == "contosodev: nothing new\n"


def test_verify_finds_nothing_and_then_what_is_wrong(dev: Run, reader: Reader) -> None:
    assert dev("verify").exit_code == 0
    (folder,) = reader.folders
    files = [stat.path for stat in reader.lake.list(f"{folder}/account")]
    reader.lake.delete(files[0])
    reader.lake.put("Changelog/changelog.info", b"", "any")
    reader.lake.put("2020-01-01T00.00.00Z/model.json", b"{}", "any")
    result = dev("verify")
    assert result.exit_code == 5
    assert [code for code in ("VFY091", "VFY092", "VFY093") if code in result.stdout] == ["VFY091", "VFY092", "VFY093"]


def test_a_deep_look_reads_the_keys(dev: Run, reader: Reader) -> None:
    assert dev("verify", "--deep").exit_code == 0
    (keys,) = [stat.path for stat in reader.lake.list("_toolkit/account/keys")]
    reader.lake.put(keys, b"", "any")
    assert dev("verify").exit_code == 0
    result = dev("verify", "--deep")
    assert (result.exit_code, "ENG093" in result.stdout) == (5, True)


def test_rows_are_reconciled_by_their_keys(dev: Run) -> None:
    (row,) = data(dev, "reconcile")
    assert (row["source_rows"], row["lake_rows"], row["equal"]) == (30, 30, True)
    result = dev("reconcile", "--checksum")
    assert (result.exit_code, "VFY094" in result.stderr) == (1, True)


def test_folders_are_not_pinned(dev: Run) -> None:
    result = dev("pin", "july")
    assert (result.exit_code, "ENG096" in result.stderr) == (1, True)


def test_a_file_of_a_closed_folder_that_is_damaged_is_found_and_left_to_a_backup(dev: Run, reader: Reader) -> None:
    assert dev("repair").stdout == "contosodev: nothing is wrong\n"
    (folder,) = reader.folders
    file = next(stat.path for stat in reader.lake.list(f"{folder}/account"))
    reader.lake.put(file, b"x" + reader.lake.read(file)[1:], "any")
    assert dev("verify").exit_code == 0
    result = dev("verify", "--deep")
    assert (result.exit_code, "VFY099" in result.stdout) == (5, True)
    result = dev("repair")
    assert (result.exit_code, "VFY099" in result.stdout) == (1, True)
    assert result.stdout.endswith("fix: restore the file from a backup\ncontosodev: not all was made good\n")


def test_a_repair_writes_anew_what_readers_of_folders_look_at_first(dev: Run, reader: Reader) -> None:
    reader.lake.put("Changelog/changelog.info", b"", "any")
    result = dev("repair")
    assert (result.exit_code, "VFY091" in result.stdout) == (0, True), result.output
    assert dev("verify", "--deep").exit_code == 0


def test_entities_come_and_go(dev: Run, reader: Reader) -> None:
    assert dev("entity", "add", "contact").exit_code == 0
    assert len(reader.rows("contact")) == 20
    result = dev("entity", "remove", "account", "--yes")
    assert (result.exit_code, "its data stays in the folders that are there" in result.stdout) == (0, True)
    assert len(reader.rows("account")) == 30
    assert [each["entity"] for each in data(dev, "status")] == ["contact"]


def test_data_in_folders_is_not_deleted(dev: Run) -> None:
    for command in (("entity", "remove", "account"), ("lake", "unlink", "contosodev")):
        result = dev(*command, "--delete-data", "--yes")
        assert (result.exit_code, "PLN061" in result.stderr) == (1, True)


def test_an_ended_link_leaves_its_folders(dev: Run, reader: Reader) -> None:
    assert dev("lake", "unlink", "contosodev", "--yes").exit_code == 0
    assert len(reader.rows("account")) == 30
    assert data(dev, "lake", "show") == []


def test_the_layout_is_shown_and_stays(dev: Run) -> None:
    assert data(dev, "lake", "show")[0]["layout"] == "incremental"
    again = dev("lake", "link", "--account", "contosodev", "--entity", "contact")
    assert (again.exit_code, "PLN030" in again.stderr) == (1, True)


def test_snapshot_says_that_there_are_none_and_passes_over_a_link_beside_others(dev: Run) -> None:
    result = dev("snapshot")
    assert (result.exit_code, "ENG094" in result.stderr) == (1, True)
    assert dev("lake", "link", "--account", "contosotwo", "--entity", "contact").exit_code == 0
    assert dev("snapshot").stdout == "contosotwo: nothing new\n"


def test_another_layout_in_the_same_file_system_is_refused_by_the_engine(dev: Run, reader: Reader) -> None:
    assert dev("lake", "unlink", "contosodev", "--yes").exit_code == 0
    result = dev("lake", "link", "--account", "contosodev", "--entity", "account")
    assert (result.exit_code, "ENG095" in result.stderr) == (1, True)
    assert len(reader.folders) == 1
