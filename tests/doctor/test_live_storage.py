"""The live doctor on a storage account that a server on this machine plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.wire import Request
from toolkit.doctor.live_storage import StorageTrial, storage_trial
from toolkit.errors import Refused
from toolkit.project import AccountEntry, AdlsEntry, FolderEntry, Lakes
from toolkit.sign_in.method import StorageSignIn

NAME = "toolkit-doctor-000000000001"


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


def begun(storage: Storage, **keys: Any) -> StorageTrial:
    sign_in = StorageSignIn(method="account_key", variable="KEY")
    entry = AdlsEntry(kind="adls", endpoint=storage.url, sign_in=sign_in, **keys)
    accounts: dict[str, AccountEntry] = {storage.account: entry, "files": FolderEntry(folder="files")}
    lakes = Lakes(Path("toolkit.yaml"), accounts, sleep=lambda _: None, variables=lambda _: storage.key)
    subject: Any = SimpleNamespace(new_id=lambda: "00000000-0000-4000-8000-000000000001")
    assert storage_trial(subject, "files", lakes) is None
    found = storage_trial(subject, storage.account, lakes)
    assert found is not None
    return found


def said(trial: StorageTrial) -> dict[str, tuple[str, str]]:
    return {check.name: (check.outcome.value, check.said) for check in trial.tried()}


def test_every_fact_is_confirmed_and_nothing_stays(storage: Storage) -> None:
    trial = begun(storage)
    assert trial.does == f"write files in contososales/{NAME}"
    found = said(trial)
    # What the service does there is not written down, so that any answer is fine that keeps the files.
    assert found.pop("onto a folder")[0] == "ok"
    assert found == {
        "toolkit.yaml": ("ok", f"contososales is a storage account in Azure at {storage.url}"),
        "account": ("ok", "kind StorageV2, replication LRS, tenant 00000000-0000-0000-0000-00000000aaaa"),
        "writing": (
            "ok",
            f"contososales/{NAME} was made, and a file in it: its etag is the same by dfs and by blob",
        ),
        "renaming": (
            "ok",
            "a rename keeps the etag; on condition that nothing is there it is refused with 409",
        ),
        "old etag": ("ok", "a flush on condition of an old etag is refused with 412 ConditionNotMet"),
        "server copies": (
            "ok",
            "the service copies and splices files that were written through dfs, and moves the copies",
        ),
        "cleaning up": ("ok", f"contososales/{NAME} is deleted"),
    }
    assert storage.store.file_systems == {}


def test_copies_of_the_service_are_not_tried_where_they_are_switched_off(storage: Storage) -> None:
    assert said(begun(storage, server_copies="never"))["server copies"] == ("not checked", "server_copies is never")


def test_a_service_that_does_not_copy_is_told_and_is_no_failure(storage: Storage) -> None:
    storage.faults.when(lambda request: "x-ms-copy-source" in request.headers, "expired", times=9)
    outcome, words = said(begun(storage))["server copies"]
    assert outcome == "not checked"
    assert words.endswith("lakes read and write bytes instead")


def test_a_fact_that_does_not_hold_is_told_and_the_rest_is_tried() -> None:
    with served(off=frozenset({"rename-keeps-etag"})) as storage:
        found = said(begun(storage))
    assert found["renaming"] == ("fail", "a rename changes the etag of a file")
    assert found["old etag"][0] == "ok"
    assert storage.store.file_systems == {}


def test_an_interruption_deletes_the_file_system(storage: Storage) -> None:
    with closing(begun(storage).tried()) as steps:
        while next(steps).name != "writing":
            pass
        assert list(storage.store.file_systems) == [NAME]
    assert storage.store.file_systems == {}


def test_what_could_not_be_deleted_is_named(storage: Storage) -> None:
    def deletes(request: Request) -> bool:
        return request.method == "DELETE" and request.path == ""

    storage.faults.when(deletes, "expired", times=9)
    with pytest.raises(Refused) as caught:
        begun(storage).clean()
    assert (caught.value.code, caught.value.what) == ("DR021", f"contososales/{NAME} is left")
