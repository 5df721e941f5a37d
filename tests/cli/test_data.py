"""``reconcile``, ``estimate``, ``verify --deep`` and ``repair`` by the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

LAKE = Path("lakes/contosodev")


@pytest.fixture
def exported(run: Run) -> Run:
    """Two accounts and their lake."""
    for command in (
        "init",
        "env create dev --account contosodev",
        "import core --env dev --yes",
        "env seed dev --rows account=2 --seed 1",
        "lake link --account contosodev --entity account=Year --name contosodev",
    ):
        result = run(*command.split())
        assert result.exit_code == 0, result.output
    return run


def live() -> Path:
    return next(iter(sorted(LAKE.glob("*/account/*.csv"))))


def test_rows_that_agree_are_equal(exported: Run) -> None:
    result = exported("reconcile", "--env", "dev", "--checksum", "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (result.exit_code, row["source_rows"], row["lake_rows"], row["equal"]) == (0, 2, 2, True)
    assert row["source_checksum"] == row["lake_checksum"]


def test_a_value_that_differs_is_found_and_its_id_named(exported: Run) -> None:
    path = live()
    text = path.read_text()
    path.chmod(0o644)
    # A statecode of 0 stands without quotes between commas.
    path.write_text(text.replace(",0,", ",7,", 1))
    result = exported("reconcile", "--env", "dev", "--checksum")
    assert (result.exit_code, "DIFFERS" in result.stdout) == (5, True)
    assert f"account different: {text[:36]}" in result.stdout


def test_indexes_are_not_compared_for_live_files_that_are_cut_short_or_gone(exported: Run) -> None:
    path = live()
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    result = exported("reconcile", "--env", "dev")
    assert (result.exit_code, "VFY066" in result.stderr, "equal" in result.stdout) == (1, True, False)
    path.unlink()
    result = exported("reconcile", "--env", "dev")
    assert (result.exit_code, "is gone" in result.stderr) == (1, True)
    assert "fix: toolkit repair --config contosodev --env dev makes it good" in result.stderr


def test_a_link_with_incremental_folders_is_passed_over_beside_others(exported: Run) -> None:
    again = "lake link --account contosodev --entity account --name folders --file-system folders --env dev"
    assert exported(*again.split(), "--layout", "incremental").exit_code == 0
    result = exported("reconcile", "--env", "dev", "--checksum")
    assert (result.exit_code, "equal" in result.stdout) == (0, True), result.output
    assert result.stderr == "folders is passed over: there are no checksums of incremental folders\n"
    assert exported("snapshot", "--env", "dev").stderr == (
        "folders is passed over: there are no snapshots of incremental folders\n"
    )
    named = exported("reconcile", "--env", "dev", "--checksum", "--config", "folders")
    assert (named.exit_code, "VFY094" in named.stderr) == (1, True)


def test_an_entity_that_is_not_synced_is_told_so(exported: Run) -> None:
    added = exported("entity", "add", "contact", "--env", "dev", "--no-sync")
    assert added.exit_code == 0, added.output
    result = exported("reconcile", "--env", "dev", "--entity", "contact")
    assert (result.exit_code, "not synced yet" in result.stdout) == (0, True), result.output


def test_an_estimate_counts_rows_bytes_and_requests(exported: Run) -> None:
    result = exported("estimate", "--env", "dev", "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (result.exit_code, row["entity"], row["rows"], row["source_requests"]) == (0, "account", 2, 2)
    assert row["bytes"] > 500


def test_an_estimate_of_a_bundle_needs_no_link(exported: Run) -> None:
    exported("uninstall", "ExportToDataLakeCore", "--env", "dev", "--yes")
    result = exported("estimate", "core", "--env", "dev")
    assert (result.exit_code, result.stdout) == (0, "")


def test_verify_deep_reads_every_file(exported: Run) -> None:
    assert exported("verify", "--env", "dev", "--deep").exit_code == 0
    path = next(iter(sorted(LAKE.glob("*/account/Snapshot/*.csv"))))
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    shallow, deep = exported("verify", "--env", "dev"), exported("verify", "--env", "dev", "--deep")
    assert (shallow.exit_code, deep.exit_code) == (0, 5)
    assert "VFY069" in deep.output


def spoil(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])


def test_a_repair_of_a_whole_lake_says_so(exported: Run) -> None:
    result = exported("repair", "--env", "dev")
    assert (result.exit_code, result.stdout) == (0, "contosodev: nothing is wrong\n")


def test_what_is_wrong_is_told_first_and_then_made_good(exported: Run) -> None:
    snapshot = next(iter(sorted(LAKE.glob("*/account/Snapshot/*.csv"))))
    spoil(snapshot)
    looked = exported("repair", "--env", "dev", "--dry-run")
    assert (looked.exit_code, "VFY069" in looked.stdout, snapshot.exists()) == (0, True, True)
    result = exported("repair", "--env", "dev")
    assert (result.exit_code, "VFY069" in result.stdout) == (0, True), result.output
    assert result.stdout.endswith("contosodev: all was made good\n")
    assert exported("verify", "--env", "dev", "--deep").exit_code == 0
    assert exported("reconcile", "--env", "dev", "--checksum").exit_code == 0


def test_what_cannot_be_made_good_has_a_way_out(exported: Run) -> None:
    assert exported("pin", "q1", "--env", "dev").exit_code == 0
    for path in (*LAKE.glob("*/account/Snapshot/*.csv"), *LAKE.glob("*/_pins/q1/account/*.csv")):
        path.unlink()
    result = exported("repair", "--env", "dev", "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (result.exit_code, {each["code"] for each in row["found"]}) == (1, {"VFY069", "VFY097"})
    assert {each["fix"] for each in row["left"]} == {
        "restore the file from a backup, or give the pin up: toolkit unpin NAME"
    }
