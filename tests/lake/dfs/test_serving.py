"""The server itself: faults, signatures and the end of a connection, where no contract reaches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.filedatalake import DataLakeServiceClient, FileSystemClient, LinearRetry

from tests.lake.dfs.faults import KINDS, Kind
from tests.lake.dfs.serving import Storage, served


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


def file_system(storage: Storage, retries: int = 0) -> FileSystemClient:
    policy = LinearRetry(backoff=0, retry_total=retries, random_jitter_range=0)
    credential = AzureNamedKeyCredential(storage.account, storage.key)
    return DataLakeServiceClient(storage.url, credential=credential, retry_policy=policy).get_file_system_client("lake")


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_seen_once_and_the_service_did_what_its_kind_says(storage: Storage, kind: Kind) -> None:
    files = file_system(storage)
    files.create_file_system()
    storage.faults.at(2, kind)
    if kind == "slow":
        files.create_file("a")
    else:
        with pytest.raises(AzureError):
            files.create_file("a")
    done = kind in ("lost_after", "slow", "reset_answer")
    assert list(storage.store.file_systems["lake"].nodes) == (["a"] if done else [])
    assert [asked.fault for asked in storage.requests] == [None, kind]
    files.create_file("b")


def test_a_client_that_tries_again_does_not_see_a_lost_answer(storage: Storage) -> None:
    files = file_system(storage, retries=1)
    files.create_file_system()
    storage.faults.at(2, "lost_after")
    files.create_file("a")
    assert [asked.status for asked in storage.requests] == [201, 0, 201]


def test_a_process_that_dies_reaches_nothing_any_more(storage: Storage) -> None:
    files = file_system(storage)
    files.create_file_system()
    storage.faults.die(2, "lost_after")
    for name in ("a", "b"):
        with pytest.raises(AzureError):
            files.create_file(name)
    assert list(storage.store.file_systems["lake"].nodes) == ["a"]


def test_a_wrong_key_is_refused(storage: Storage) -> None:
    storage.door.key = "b3RoZXI="
    with pytest.raises(HttpResponseError) as caught:
        file_system(storage).create_file_system()
    assert caught.value.status_code == 403
    assert "ErrorCode:AuthenticationFailed" in str(caught.value)
