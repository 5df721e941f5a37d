"""The product from end to end on a storage account, by its command line alone; a server on this machine plays Azure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from tests.lake.dfs.serving import HNS, Storage, served
from tests.lake.dfs.store import Node
from tests.test_story import Line, data, done, ids, invoked, ticking

PROJECT = """\
accounts:
  contososales:
    kind: adls
    endpoint: {url}
    sign_in: {{method: account_key, variable: LAKE_KEY}}
environments:
"""
DEV = "commondataservice-dev-org-00000000000040008000000000000001"
LINK = "lake link --account contososales --entity account=Year"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two environments with the Core solution and some rows."""
    folder = tmp_path_factory.mktemp("prepared")
    clock, new_id = ticking(), ids()
    with chdir(folder):
        for text in (
            "init",
            "env create dev --account contososales --account elsewhere",
            "env create prod --account contososales",
            "import core --env dev --yes",
            "import core --env prod --yes",
            "env seed dev --rows account=6 --rows contact=4 --seed 7",
            "env seed prod --rows account=3 --seed 8",
        ):
            done(invoked(text, clock, new_id))
    return folder


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


@pytest.fixture
def line(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage) -> Line:
    """Run a command line in a copy of the two environments, which the served account is named in."""
    return beside(prepared, tmp_path, monkeypatch, storage)


def beside(prepared: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage) -> Line:
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    said = (folder / "toolkit.yaml").read_text().partition("environments:\n")[2].partition("# Where")[0]
    (folder / "toolkit.yaml").write_text(PROJECT.format(url=storage.url) + said)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LAKE_KEY", storage.key)
    clock, new_id = ticking(), ids()
    return lambda text: invoked(text, clock, new_id)


def files(storage: Storage, file_system: str) -> dict[str, Node]:
    nodes = storage.store.file_systems[file_system].nodes
    return {path: node for path, node in nodes.items() if not node.directory}


def manifest(storage: Storage, file_system: str) -> str:
    return files(storage, file_system)["model.json"].data.decode()


def test_two_environments_export_side_by_side_into_one_account(line: Line, storage: Storage) -> None:
    done(line(f"{LINK} --env dev"))
    done(line(f"{LINK} --env prod"))
    done(line("env churn dev --operations 5 --seed 3"))
    done(line("sync --env dev"))
    done(line("snapshot --env dev"))
    done(line("verify --deep --env dev"))
    done(line("verify --env prod"))
    (shown,) = data(line("lake show --env dev --format json"))
    assert shown["location"] == f"{storage.url}/{DEV}"
    assert f"{storage.url}/{DEV}/account/Snapshot/" in manifest(storage, DEV)
    done(line("lake unlink contososales --env dev --yes --delete-data --allow delete:account"))
    assert '"entities":[]' in manifest(storage, DEV)
    assert [path for path in files(storage, DEV) if path.startswith("account/")] == []
    done(line("verify --env prod"))


def test_what_is_done_by_hand_is_done_in_azure_too(line: Line, storage: Storage) -> None:
    done(line(f"{LINK} --env dev"))
    done(line("pin release --env dev"))
    (row,) = data(line("status --env dev --format json"))
    assert (row["entity"], row["state"], row["rows"]) == ("account", "Completed", 6)
    pinned = [path for path in files(storage, DEV) if path.startswith("_pins/release/account/")]
    assert pinned != []
    gone = next(path for path in files(storage, DEV) if path.endswith(".csv") and path.count("/") == 1)
    del storage.store.file_systems[DEV].nodes[gone]
    assert "toolkit repair --config contososales --env dev makes it good" in done(line("verify --deep --env dev"))
    done(line("repair --env dev"))
    assert "toolkit repair" not in done(line("verify --deep --env dev"))
    assert "equal" in done(line("reconcile --env dev"))
    erased = files(storage, DEV)[pinned[0]].data[:36].decode()
    done(line(f"erase account {erased} --env dev"))
    assert [path for path, node in files(storage, DEV).items() if f"\n{erased},".encode() in b"\n" + node.data] == []
    done(line("unpin release --env dev"))
    assert [path for path in files(storage, DEV) if path.startswith("_pins/")] == []


def test_an_entity_is_taken_off_a_link_to_azure_and_linked_again(line: Line, storage: Storage) -> None:
    done(line(f"{LINK} --entity contact=Year --env dev"))
    done(line("entity remove contact --env dev --yes"))
    assert [row["entity"] for row in data(line("status --env dev --format json"))] == ["account"]
    assert any(path.startswith("_kept/contact/") for path in files(storage, DEV))
    done(line("entity add contact=Year --env dev"))
    assert {(row["entity"], row["rows"]) for row in data(line("status --env dev --format json"))} == {
        ("account", 6),
        ("contact", 4),
    }


def test_the_doctor_examines_an_account_before_anything_is_linked(line: Line, storage: Storage) -> None:
    checks = data(line("doctor --env dev --account contososales --format json"))["checks"]
    assert {check["check"]: check["what"] for check in checks if check["check"] in {"accounts", "lakes"}} == {
        "accounts": "contososales: StorageV2, replication LRS, hierarchical namespace on, tenant "
        "00000000-0000-0000-0000-00000000aaaa, the storage account 'contososales' is in another tenant than the "
        "environment, the storage account 'contososales' is not read-access geo-redundant, not checked: region, role "
        "Owner, role Storage Blob Data Contributor",
        "lakes": "no lake is linked yet",
    }
    live = data(line("doctor --env dev --live --account contososales --yes --format json"))
    assert (live["passed"], live["checks"][-1]["check"]) == (True, "cleaning up")
    assert storage.store.file_systems == {}


def test_one_environment_exports_to_azure_and_to_a_folder(line: Line, storage: Storage, tmp_path: Path) -> None:
    done(line(f"{LINK} --env dev --name azure"))
    done(line("lake link --account elsewhere --entity contact=Year --env dev --name folder"))
    states = {(row["config"], row["rows"]) for row in data(line("status --env dev --format json"))}
    assert states == {("azure", 6), ("folder", 4)}
    assert (tmp_path / "lakes" / "elsewhere" / DEV / "model.json").is_file()
    assert f"{storage.url}/{DEV}/account/Snapshot/" in manifest(storage, DEV)
    done(line("verify --env dev"))


def test_two_links_never_share_a_file_system(line: Line, storage: Storage) -> None:
    done(line(f"{LINK} --env dev --no-sync"))
    before = files(storage, DEV)
    for text in (f"{LINK} --env prod --file-system {DEV}", f"{LINK} --env dev --name second"):
        refused = line(text)
        assert refused.exit_code == 1
        assert "PLN03" in refused.output
    assert files(storage, DEV) == before


@pytest.mark.parametrize("path", ["model.json", "Microsoft.Athena.TrickleFeedService/account-model.json"])
def test_a_file_system_that_somebody_else_writes_is_refused_until_it_is_empty(
    line: Line, storage: Storage, path: str
) -> None:
    done(line(f"{LINK} --env prod --no-sync --file-system theirs"))
    held = storage.store.file_systems["theirs"]
    held.nodes.clear()
    parent, _, _ = path.rpartition("/")
    held.nodes |= {parent: folder(storage)} if parent else {}
    held.nodes[path] = storage.store.written(Node("", storage.store.clock(), data=b"{}"))
    refused = line(f"{LINK} --env dev --file-system theirs --no-sync")
    assert refused.exit_code == 1
    assert f"belongs to another exporter: {path.partition('/')[0]} is there" in refused.output
    assert set(files(storage, "theirs")) == {path}
    held.nodes.clear()
    done(line(f"{LINK} --env dev --file-system theirs --no-sync"))


def folder(storage: Storage) -> Node:
    return storage.store.written(Node("", storage.store.clock(), directory=True))


def test_a_flat_account_is_refused_before_anything_is_made(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(information={**HNS, "x-ms-is-hns-enabled": "false"}) as storage:
        line = beside(prepared, tmp_path, monkeypatch, storage)
        refused = line(f"{LINK} --env dev")
        examined = line("doctor --env dev --account contososales")
    assert refused.exit_code == 1
    assert "error[PLN022] the storage account 'contososales' has no hierarchical namespace" in refused.output
    assert "PLN022" in examined.output
    assert storage.store.file_systems == {}


def test_a_lake_whose_account_is_gone_from_toolkit_yaml_is_no_folder_of_a_dataverse_organization(
    line: Line, tmp_path: Path
) -> None:
    path = tmp_path / "toolkit.yaml"
    path.write_text(
        "environments:\n  live: {kind: dataverse, url: 'http://127.0.0.1:1', sign_in: {method: none}, state: live}\n"
    )
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "record.json").write_text(
        '{"environment": "live", "organization": "00000000-0000-4000-8000-000000000001", "lakes": [{"config": '
        '"00000000-0000-4000-8000-000000000007", "account": "contososales", "file_system": "sales"}]}'
    )
    refused = line("lake show --env live")
    assert refused.exit_code == 1
    assert "error[PRJ050] toolkit.yaml names no storage account 'contososales'" in refused.output
    assert not (tmp_path / "lakes").exists()


def test_an_account_that_lets_nobody_write_changes_nothing(line: Line, storage: Storage) -> None:
    storage.faults.when(lambda request: request.method in {"PUT", "PATCH"}, "expired", times=99)
    refused = line(f"{LINK} --env dev --no-sync")
    assert refused.exit_code == 1
    assert "LAK036" in refused.output
    assert data(line("entity list --env dev --format json")) == []
    assert data(line("lake show --env dev --format json")) == []


def test_an_account_that_refuses_us_does_not_keep_another_lake_from_its_work(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(line(f"{LINK} --env dev --name azure --no-sync"))
    done(line("lake link --account elsewhere --entity contact=Year --env dev --name folder --no-sync"))
    monkeypatch.setenv("LAKE_KEY", "QUJD" * 10)
    synced = line("sync --env dev")
    assert synced.exit_code == 1
    assert "LAK037" in synced.output
    assert "folder: 1 entity, 4 rows written" in synced.output
