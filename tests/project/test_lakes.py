"""From the accounts of toolkit.yaml to lakes: folders, and accounts in Azure that a server on this machine plays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.signing import Token
from tests.server.served import self_signed
from toolkit.errors import Refused, Retriable
from toolkit.lake.folder import FolderLake
from toolkit.model.config import Cloud
from toolkit.model.environment import StorageAccount, unknown
from toolkit.project import AccountEntry, AdlsEntry, FolderEntry, Lakes
from toolkit.sign_in.method import StorageSignIn


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


def azure(storage: Storage, **keys: Any) -> AdlsEntry:
    sign_in = StorageSignIn(method="account_key", variable="LAKE_KEY")
    return AdlsEntry(kind="adls", endpoint=storage.url, sign_in=sign_in, **keys)


def lakes(folder: Path, storage: Storage | None = None, *, unnamed: bool = True, **keys: Any) -> Lakes:
    accounts: dict[str, AccountEntry] = {"files": FolderEntry(folder="elsewhere")}
    if storage is not None:
        accounts[storage.account] = azure(storage, **keys)
    held = {"LAKE_KEY": storage.key if storage else ""}
    return Lakes(folder / "toolkit.yaml", accounts, unnamed=unnamed, sleep=lambda _: None, variables=held.get)


def test_a_folder_stands_in_for_an_account_that_is_named_and_for_any_other_where_that_is_safe(tmp_path: Path) -> None:
    found = lakes(tmp_path)
    assert isinstance(found.open("files", "sales"), FolderLake)
    assert found.place("files") == str(tmp_path / "elsewhere")
    assert found.place("other") == str(tmp_path / "lakes" / "other")
    assert found.look("files") is None


def test_rows_of_dataverse_never_go_to_a_folder_that_nobody_named(tmp_path: Path) -> None:
    found = lakes(tmp_path, unnamed=False)
    for ask in (lambda: found.open("contosoprod", "sales"), lambda: found.look("contosoprod")):
        with pytest.raises(Refused) as caught:
            ask()
        assert (caught.value.code, caught.value.where.key) == ("PRJ050", "accounts")
        assert "contosoprod: {kind: adls}" in caught.value.fix
    assert not (tmp_path / "lakes").exists()


def test_an_account_in_azure_is_asked_what_it_is(tmp_path: Path, storage: Storage) -> None:
    assert lakes(tmp_path, storage).look(storage.account) == StorageAccount(
        name="contososales",
        kind="StorageV2",
        hierarchical_namespace=True,
        replication="LRS",
        tenant="00000000-0000-0000-0000-00000000aaaa",
        roles=None,
        cloud=Cloud.PUBLIC,
    )


def test_a_flat_account_is_told_by_what_it_says_of_itself(tmp_path: Path) -> None:
    told = {"x-ms-sku-name": "Standard_RAGRS", "x-ms-account-kind": "StorageV2", "x-ms-is-hns-enabled": "false"}
    with served(information=told) as storage:
        found = lakes(tmp_path, storage).look(storage.account)
    assert found is not None
    assert (found.hierarchical_namespace, found.replication) == (False, "RAGRS")


def test_a_lake_in_azure_is_deleted_with_all_that_is_in_it(tmp_path: Path, storage: Storage) -> None:
    found = lakes(tmp_path, storage)
    found.open(storage.account, "sales").put("model.json", b"{}", "any")
    assert list(storage.store.file_systems) == ["sales"]
    found.drop(storage.account, "sales")
    found.drop(storage.account, "sales")
    assert storage.store.file_systems == {}


def test_an_identity_that_may_not_ask_for_the_kind_learns_the_tenant_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    with served(tls=certificate) as storage:
        storage.door.tokens["tok"] = Token(datetime.now(UTC) + timedelta(hours=1), frozenset())
        sign_in = StorageSignIn(method="token", variable="HELD")
        entry = AdlsEntry(kind="adls", endpoint=storage.url, sign_in=sign_in, cloud=Cloud.CHINA)
        there = Lakes(tmp_path / "x.yaml", {"mylake": entry}, sleep=lambda _: None, variables=lambda _: "tok")
        found = there.look("mylake")
    assert found == unknown("mylake").model_copy(
        update={"tenant": "00000000-0000-0000-0000-00000000aaaa", "cloud": Cloud.CHINA}
    )


def test_the_proxy_of_the_environment_is_asked_unless_no_proxy_names_the_account(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = lakes(tmp_path, storage).open(storage.account, "sales")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(Retriable) as caught:
        opened.stat("model.json")
    assert (caught.value.code, "HTTPS_PROXY" in caught.value.fix) == ("LAK031", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert opened.stat("model.json") is None
