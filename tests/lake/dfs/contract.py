"""What a storage account promises to whoever uses the SDK, test by test, each with the facts that it shows.

The tests run against the server here, against mutants of it, and against a real account when there is one: so they use
clients alone, but for those that are marked as ``here`` since they look at or change what a real service hides.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    LinearRetry,
    generate_blob_sas,
)
from azure.storage.filedatalake import (
    AccountSasPermissions,
    DataLakeFileClient,
    DataLakeLeaseClient,
    DataLakeServiceClient,
    FileSystemClient,
    FileSystemSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_file_system_sas,
)

from tests.lake.dfs.blobs import COPY_LIMIT
from tests.lake.dfs.serving import Storage
from tests.lake.dfs.signing import Token
from tests.lake.dfs.wire import Request

ONCE: dict[str, Any] = {"retry_policy": LinearRetry(backoff=0, retry_total=0, random_jitter_range=0)}
"""Options of a client that does not try again: a test looks at single answers."""

MISSING: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
"""On condition that nothing is there. The SDK takes no ``etag`` beside it."""


def same(etag: str) -> dict[str, Any]:
    """Return the condition that it is this version."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


@dataclass(frozen=True)
class Given:
    """What a test has: an account's clients, an empty file system, and a way to let time go by."""

    account: str
    key: str
    service: DataLakeServiceClient
    blobs: BlobServiceClient
    files: FileSystemClient
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    options: Mapping[str, Any] = field(default_factory=dict)
    """What every client is made with."""
    storage: Storage | None = field(default=None, repr=False)

    @property
    def here(self) -> Storage:
        """The account that is served here."""
        assert self.storage is not None
        return self.storage

    def file(self, path: str, data: bytes = b"") -> DataLakeFileClient:
        """Write a file."""
        file = self.files.get_file_client(path)
        file.create_file()
        if data:
            file.append_data(data, 0)
            file.flush_data(len(data))
        return file

    def blob(self, path: str) -> BlobClient:
        """Return the client of a path on the blob endpoint."""
        return self.blobs.get_blob_client(self.files.file_system_name, path)

    @property
    def container(self) -> ContainerClient:
        """The client of the file system on the blob endpoint."""
        return self.blobs.get_container_client(self.files.file_system_name)

    def another(self, credential: Any = None) -> DataLakeServiceClient:
        """Return a client of somebody else; without a credential, of nobody."""
        return DataLakeServiceClient(self.service.url, credential=credential, **self.options)

    def reader(self, address: str) -> BlobClient:
        """Return a client of whoever has an address with a signature."""
        return BlobClient.from_blob_url(address, **self.options)

    def signed(self, path: str, permission: str = "r", **more: Any) -> str:
        """Return the address of a blob with a signature that permits something."""
        expiry = more.pop("expiry", self.now() + timedelta(hours=1))
        allowed = BlobSasPermissions.from_string(permission)
        name = self.files.file_system_name
        sas = generate_blob_sas(
            self.account, name, path, account_key=self.key, permission=allowed, expiry=expiry, **more
        )
        return f"{self.blob(path).url}?{sas}"


Test = Callable[[Given], None]


@dataclass(frozen=True)
class Contract:
    """The tests, and the facts that each shows; ``here`` names those that a real account cannot be asked."""

    facts: dict[Test, frozenset[str]] = field(default_factory=dict)
    here: set[Test] = field(default_factory=set)

    def shows(self, *facts: str, here: bool = False) -> Callable[[Test], Test]:
        """Register a test."""

        def register(test: Test) -> Test:
            self.facts[test] = frozenset(facts)
            if here:
                self.here.add(test)
            return test

        return register

    def of(self, fact: str) -> list[Test]:
        """Return the tests that show a fact."""
        return [test for test, facts in self.facts.items() if fact in facts]


CONTRACT = Contract()
shows = CONTRACT.shows


@contextmanager
def refused(status: int, code: str) -> Iterator[None]:
    """Expect a refusal."""
    with pytest.raises(HttpResponseError) as caught:
        yield
    assert (caught.value.status_code, answer_of(caught.value).headers.get("x-ms-error-code")) == (status, code)


def answer_of(error: HttpResponseError) -> Any:
    """Return the answer that an error is about."""
    assert error.response is not None
    return error.response


def etag_of(file: DataLakeFileClient) -> str:
    """Return the etag of a file now."""
    etag = file.get_file_properties().etag
    assert etag
    return str(etag)


def bytes_of(file: DataLakeFileClient) -> bytes:
    """Return what a file holds."""
    return bytes(file.download_file().readall())


# File systems


@shows("container-create-201", "file-system-exists-409", "container-delete-202", "deleted-name-is-taken-for-a-while")
def a_name_of_a_file_system_is_free_only_some_time_after_it_was_deleted(given: Given) -> None:
    name = f"{given.files.file_system_name}x"
    made = given.service.create_file_system(name)
    with refused(409, "ContainerAlreadyExists"):
        given.service.create_file_system(name)
    made.delete_file_system()
    with refused(409, "ContainerBeingDeleted"):
        given.service.create_file_system(name)


@shows("file-system-create-201", "file-system-delete-202", "missing-file-system-404", here=True)
def the_dfs_endpoint_itself_creates_and_deletes_file_systems(given: Given) -> None:
    client = given.service.get_file_system_client(f"{given.files.file_system_name}y")
    with refused(404, "FilesystemNotFound"):
        client._client.file_system.delete()
    client._client.file_system.create()
    with refused(409, "FilesystemAlreadyExists"):
        client._client.file_system.create()
    client._client.file_system.delete()


@shows("missing-file-system-404")
def a_path_of_no_file_system_says_so(given: Given) -> None:
    with refused(404, "FilesystemNotFound"):
        given.service.get_file_client("nowhere", "a").create_file()


@shows("missing-container-404")
def a_file_system_that_is_not_there_is_a_container_that_is_not_there(given: Given) -> None:
    with refused(404, "ContainerNotFound"):
        given.service.get_file_system_client("nowhere").get_file_system_properties()


# Create


@shows("create-201", "create-overwrites", "flush-200")
def a_file_that_is_created_again_is_empty_and_another_version(given: Given) -> None:
    file = given.file("a.csv", b"old")
    before = etag_of(file)
    assert file.create_file()["etag"] not in ("", before)
    assert bytes_of(file) == b""


@shows("if-none-match-on-writes")
def a_file_that_must_be_new_does_not_replace_one(given: Given) -> None:
    file = given.file("a.csv", b"old")
    with refused(409, "PathAlreadyExists"):
        file.create_file(**MISSING)
    assert bytes_of(file) == b"old"
    given.files.get_file_client("b.csv").create_file(**MISSING)


@shows("create-makes-parents", "list-names-directories")
def the_directories_above_a_new_file_are_there(given: Given) -> None:
    given.file("a/b/c.csv")
    assert [(path.name, path.is_directory) for path in given.files.get_paths()] == [
        ("a", True),
        ("a/b", True),
        ("a/b/c.csv", False),
    ]


@shows("create-keeps-the-kind", "nothing-below-a-file")
def a_path_keeps_its_kind(given: Given) -> None:
    given.files.create_directory("d")
    given.file("f")
    with refused(409, "PathConflict"):
        given.files.get_file_client("d").create_file()
    with refused(409, "PathConflict"):
        given.files.get_file_client("f/below").create_file()


@shows()
def a_directory_that_is_created_again_keeps_what_is_in_it(given: Given) -> None:
    given.file("d/f", b"x")
    given.files.create_directory("d")
    assert [path.name for path in given.files.get_paths()] == ["d", "d/f"]


# Rename


@shows("rename-201", "rename-removes-source", "rename-keeps-etag", "rename-answers-without-etag")
def a_renamed_file_keeps_its_etag_which_the_answer_does_not_name(given: Given) -> None:
    file = given.file("a.csv", b"rows")
    etag = etag_of(file)
    answer = given.files.get_file_client("b.csv")._rename_path(f"/{given.files.file_system_name}/a.csv")
    assert answer["etag"] is None
    renamed = given.files.get_file_client("b.csv")
    assert (etag_of(renamed), bytes_of(renamed)) == (etag, b"rows")
    assert [path.name for path in given.files.get_paths()] == ["b.csv"]


@shows("rename-of-missing-404", "rename-needs-the-parent")
def a_rename_needs_its_source_and_the_directory_of_its_destination(given: Given) -> None:
    with refused(404, "SourcePathNotFound"):
        given.files.get_file_client("a.csv").rename_file(f"{given.files.file_system_name}/b.csv")
    file = given.file("a.csv")
    with refused(404, "RenameDestinationParentPathNotFound"):
        file.rename_file(f"{given.files.file_system_name}/no/b.csv")


@shows("if-none-match-on-writes", "if-match-on-writes", "source-conditions")
def a_rename_has_conditions_of_both_sides(given: Given) -> None:
    source, there = given.file("a.csv", b"new"), given.file("b.csv", b"old")
    to = f"{given.files.file_system_name}/b.csv"
    with refused(409, "PathAlreadyExists"):
        source.rename_file(to, **MISSING)
    with refused(412, "ConditionNotMet"):
        source.rename_file(to, **same(etag_of(source)))
    with refused(412, "SourceConditionNotMet"):
        source.rename_file(to, source_etag=etag_of(there), source_match_condition=MatchConditions.IfNotModified)
    source.rename_file(to, **same(etag_of(there)))
    assert bytes_of(there) == b"new"


@shows("rename-decodes-source")
def a_percent_code_in_the_address_of_a_source_is_decoded(given: Given) -> None:
    given.file("a b.csv", b"x")
    given.files.get_file_client("c.csv")._rename_path(f"/{given.files.file_system_name}/a%20b.csv")
    assert [path.name for path in given.files.get_paths()] == ["c.csv"]


@shows("overwriting-breaks-leases")
def a_lease_does_not_protect_from_a_rename_or_a_create(given: Given) -> None:
    there, source = given.file("b.csv"), given.file("a.csv")
    there.acquire_lease(-1)
    source.rename_file(f"{given.files.file_system_name}/b.csv")
    assert there.get_file_properties().lease.state == "broken"
    given.file("b.csv")


# Append and flush


@shows("append-202", "append-is-invisible-until-flush", "append-at-any-position", "flush-changes-etag")
def what_is_appended_in_any_order_is_there_after_the_flush(given: Given) -> None:
    file = given.file("a.csv")
    before = etag_of(file)
    file.append_data(b"56", 4)
    file.append_data(b"1234", 0)
    assert (etag_of(file), bytes_of(file)) == (before, b"")
    assert file.flush_data(6)["etag"] == etag_of(file) != before
    assert bytes_of(file) == b"123456"


@shows()
def an_append_that_is_sent_again_counts_once(given: Given) -> None:
    file = given.file("a.csv")
    for _ in range(2):
        file.append_data(b"1234", 0)
    for _ in range(2):
        file.flush_data(4)
    assert bytes_of(file) == b"1234"


@shows("flush-position-is-the-length")
def a_flush_elsewhere_than_at_the_end_and_after_a_gap_is_refused(given: Given) -> None:
    file = given.file("a.csv", b"12")
    file.append_data(b"56", 4)
    with refused(400, "InvalidFlushPosition"):
        file.flush_data(6)
    file.append_data(b"34", 2)
    with refused(400, "InvalidFlushPosition"):
        file.flush_data(7)
    file.flush_data(6)
    file.flush_data(6)
    assert bytes_of(file) == b"123456"


@shows("flush-retains-on-demand")
def what_lies_after_the_position_of_a_flush_is_retained_on_demand(given: Given) -> None:
    file = given.file("a.csv")
    file.append_data(b"12", 0)
    file.append_data(b"34", 2)
    file.flush_data(2, retain_uncommitted_data=True)
    assert bytes_of(file) == b"12"
    file.flush_data(4)
    assert bytes_of(file) == b"1234"


@shows("if-match-on-writes", "flush-if-none-match-304")
def a_flush_has_conditions(given: Given) -> None:
    file = given.file("a.csv", b"12")
    stale = etag_of(file)
    file.append_data(b"34", 2)
    file.flush_data(4, **same(stale))
    with refused(412, "ConditionNotMet"):
        file.flush_data(4, **same(stale))
    with refused(304, "ConditionNotMet"):
        file.flush_data(4, **MISSING)


@shows("checksum-is-verified")
def a_body_that_is_not_what_was_sent_is_refused(given: Given) -> None:
    blob = given.blob("a.csv")
    other = base64.b64encode(bytes(16)).decode()
    with refused(400, "Md5Mismatch"):
        blob.upload_blob(b"rows", raw_request_hook=lambda request: _with(request, "Content-MD5", other))


def _with(request: Any, name: str, value: str) -> None:
    request.http_request.headers[name] = value


# Read


@shows("missing-path-404", "missing-blob-404")
def what_is_not_there_is_not_found(given: Given) -> None:
    file = given.files.get_file_client("gone.csv")
    with refused(404, "PathNotFound"):
        file.append_data(b"x", 0)
    with refused(404, "PathNotFound"):
        file.delete_file()
    with refused(404, "BlobNotFound"):
        file.download_file()


@shows("range-206", "range-beyond-the-end-416")
def a_range_is_read_as_far_as_the_file_goes(given: Given) -> None:
    blob = given.file("a.csv", b"0123456789")
    assert blob.download_file(2, 3).readall() == b"234"
    assert blob.download_file(8, 100).readall() == b"89"
    with refused(416, "InvalidRange"):
        blob.download_file(10, 1)


@shows("if-match-on-reads", "if-none-match-on-reads")
def a_read_has_conditions(given: Given) -> None:
    file = given.file("a.csv", b"old")
    stale = etag_of(file)
    assert file.download_file(**same(stale)).readall() == b"old"
    with refused(304, "ConditionNotMet"):
        file.get_file_properties(etag=stale, match_condition=MatchConditions.IfModified)
    given.file("a.csv", b"new")
    with refused(412, "ConditionNotMet"):
        file.download_file(**same(stale))


@shows("missing-path-404")
def the_dfs_endpoint_itself_reads_and_describes(given: Given) -> None:
    file = given.file("d/a.csv", b"0123456789")
    file.set_metadata({"writer": "one"})
    path = file._client.path
    assert b"".join(path.read()) == b"0123456789"
    said = path.get_properties(cls=_headers)
    assert (said["x-ms-resource-type"], said["Content-Length"]) == ("file", 10)
    assert said["x-ms-properties"] == f"writer={base64.b64encode(b'one').decode()}"
    folder = given.files.get_directory_client("d")._client.path
    assert folder.get_properties(cls=_headers)["x-ms-resource-type"] == "directory"
    assert given.files._client.file_system.get_properties(cls=_headers)["x-ms-namespace-enabled"] == "true"
    with refused(404, "PathNotFound"):
        given.files.get_file_client("gone.csv")._client.path.get_properties()


def _headers(_answer: object, _body: object, headers: dict[str, Any]) -> dict[str, Any]:
    """Take the headers of an answer, where the SDK's own generated layer is asked."""
    return headers


@shows("directory-is-marked")
def a_directory_looks_like_an_empty_blob_with_a_mark(given: Given) -> None:
    given.files.create_directory("d")
    assert given.blob("d").get_blob_properties().metadata == {"hdi_isfolder": "true"}
    given.file("f")
    assert given.blob("f").get_blob_properties().metadata == {}


@shows("set-properties-200", "set-metadata-200")
def metadata_is_set_on_either_endpoint_and_changes_the_etag(given: Given) -> None:
    file = given.files.get_file_client("a.csv")
    first = file.create_file(metadata={"writer": "one"})["etag"]
    assert file.get_file_properties().metadata == {"writer": "one"}
    second = file.set_metadata({"writer": "two"})["etag"]
    encoded = f"writer={base64.b64encode(b'three').decode()}"
    third = _set_properties(file, encoded)
    assert file.get_file_properties().metadata == {"writer": "three"}
    assert len({first, second, third, ""}) == 4


def _set_properties(file: DataLakeFileClient, encoded: str) -> str:
    said = file._client.path.update(action="setProperties", mode="set", body=b"", properties=encoded, cls=_headers)
    return str(said["ETag"])


@shows("errors-are-json-or-xml")
def a_refusal_has_a_body_in_the_manner_of_its_endpoint(given: Given) -> None:
    with pytest.raises(HttpResponseError) as caught:
        given.files.get_file_client("gone.csv").append_data(b"x", 0)
    assert json.loads(answer_of(caught.value).text())["error"]["code"] == "PathNotFound"
    with pytest.raises(HttpResponseError) as caught:
        given.blob("gone.csv").download_blob()
    root = ET.fromstring(answer_of(caught.value).text().lstrip("\ufeff"))  # noqa: S314 - no stranger wrote it
    assert root.findtext("Code") == "BlobNotFound"


# List


@shows("list-is-paged")
def a_list_comes_in_pages(given: Given) -> None:
    for name in ("a.csv", "a/x.csv", "b.csv"):
        given.file(name)
    pages = [[path.name for path in page] for page in given.files.get_paths(max_results=2).by_page()]
    assert [len(page) for page in pages] == [2, 2]
    assert sorted(name for page in pages for name in page) == ["a", "a.csv", "a/x.csv", "b.csv"]


@shows("list-of-one-level", "list-of-missing-404")
def a_list_is_of_a_directory_and_of_one_level_or_of_all(given: Given) -> None:
    for name in ("a/b/c.csv", "a/d.csv", "ab/x.csv"):
        given.file(name)
    assert [path.name for path in given.files.get_paths("a", recursive=False)] == ["a/b", "a/d.csv"]
    assert [path.name for path in given.files.get_paths("a")] == ["a/b", "a/b/c.csv", "a/d.csv"]
    with refused(404, "PathNotFound"):
        list(given.files.get_paths("gone"))


@shows("list-etag-without-quotes")
def the_etag_of_a_list_is_the_one_of_the_file_without_quotes(given: Given) -> None:
    etag = etag_of(given.file("a.csv", b"12345"))
    assert [(path.etag, path.content_length) for path in given.files.get_paths()] == [(etag.strip('"'), 5)]
    assert etag.startswith('"')


# Delete


@shows("path-delete-200", "delete-of-full-directory-409", "if-match-on-writes")
def a_path_is_deleted_on_condition_and_a_full_directory_on_demand(given: Given) -> None:
    file = given.file("d/a.csv", b"x")
    stale = etag_of(file)
    given.file("d/a.csv", b"y")
    with refused(412, "ConditionNotMet"):
        file.delete_file(**same(stale))
    with refused(409, "DirectoryNotEmpty"):
        given.files.get_directory_client("d")._delete(recursive=False)
    given.files.get_directory_client("d").delete_directory()
    assert list(given.files.get_paths()) == []


@shows("blob-delete-202", "blob-delete-of-full-directory-409")
def a_blob_is_deleted_and_a_directory_only_when_it_is_empty(given: Given) -> None:
    given.file("d/a.csv")
    with refused(409, "DirectoryIsNotEmpty"):
        given.blob("d").delete_blob()
    given.blob("d/a.csv").delete_blob()
    given.blob("d").delete_blob()
    assert list(given.files.get_paths()) == []


# Leases


@shows("lease-acquire-201", "lease-is-exclusive", "lease-renew-200", "lease-release-200", "lease-release-frees")
def a_lease_has_one_holder_until_it_is_released(given: Given) -> None:
    file = given.file("lock")
    lease = file.acquire_lease(15)
    with refused(409, "LeaseAlreadyPresent"):
        file.acquire_lease(15)
    lease.renew()
    assert file.get_file_properties().lease.state == "leased"
    lease.release()
    file.acquire_lease(15).release()


@shows("lease-is-taken-again-by-its-id")
def a_lease_whose_answer_was_lost_is_acquired_again(given: Given) -> None:
    file = given.file("lock")
    one = "00000000-0000-0000-0000-000000000001"
    file.acquire_lease(15, one)
    file.acquire_lease(15, one).release()


@shows("lease-acquire-201", "lease-is-exclusive", "lease-release-200")
def the_dfs_endpoint_itself_leases(given: Given) -> None:
    file = given.file("lock")
    one, other = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"

    def lease(action: str, **said: str) -> None:
        headers = {f"x-ms-{name.replace('_', '-')}": value for name, value in said.items()}
        file._client.path.lease(action, headers=headers)

    lease("acquire", lease_duration="15", proposed_lease_id=one)
    with refused(409, "LeaseAlreadyPresent"):
        lease("acquire", lease_duration="15", proposed_lease_id=other)
    lease("change", lease_id=one, proposed_lease_id=other)
    with refused(409, "LeaseIdMismatchWithLeaseOperation"):
        lease("release", lease_id=one)
    lease("release", lease_id=other)
    with refused(409, "LeaseNotPresentWithLeaseOperation"):
        lease("break")


@shows("lease-guards-writes", "lease-release-frees")
def a_leased_file_system_is_deleted_with_the_id_of_its_lease_alone(given: Given) -> None:
    lease = given.files.acquire_lease(15)
    assert given.files.get_file_system_properties().lease.state == "leased"
    with refused(412, "LeaseIdMissing"):
        given.files.delete_file_system()
    lease.release()
    given.files.delete_file_system()


@shows("lease-ends-by-itself")
def a_lease_ends_after_its_time(given: Given) -> None:
    file = given.file("lock")
    lease = file.acquire_lease(15)
    given.wait(16)
    assert file.get_file_properties().lease.state == "expired"
    file.acquire_lease(15, lease_id="00000000-0000-0000-0000-000000000001")
    with refused(409, "LeaseIdMismatchWithLeaseOperation"):
        lease.renew()


@shows("lease-lasts-15-to-60")
def a_lease_is_for_15_to_60_seconds_or_for_ever(given: Given) -> None:
    file = given.file("lock")
    for seconds in (14, 61):
        with refused(400, "InvalidHeaderValue"):
            file.acquire_lease(seconds)
    file.acquire_lease(-1).release()


@shows("lease-acts-need-the-id")
def nobody_acts_on_the_lease_of_somebody_else(given: Given) -> None:
    file = given.file("lock")
    file.acquire_lease(15)
    other = DataLakeLeaseClient(file, "00000000-0000-0000-0000-000000000001")
    for act in (other.renew, other.release):
        with refused(409, "LeaseIdMismatchWithLeaseOperation"):
            act()


@shows("lease-break-202", "lease-broken-cannot-renew")
def a_lease_that_was_broken_is_free_and_cannot_be_renewed(given: Given) -> None:
    file = given.file("lock")
    lease = file.acquire_lease(60)
    assert lease.break_lease(0) == 0
    assert file.get_file_properties().lease.state == "broken"
    with refused(409, "LeaseIsBrokenAndCannotBeRenewed"):
        lease.renew()
    file.acquire_lease(15).release()


@shows("lease-guards-writes", "lease-id-must-match", "lease-id-needs-a-lease")
def a_leased_file_is_written_with_the_id_of_the_lease_alone(given: Given) -> None:
    file = given.file("a.csv", b"12")
    other = "00000000-0000-0000-0000-000000000001"
    with refused(412, "LeaseNotPresent"):
        file.append_data(b"34", 2, lease=other)
    lease = file.acquire_lease(15)
    with refused(412, "LeaseIdMissing"):
        file.append_data(b"34", 2)
    with refused(412, "LeaseIdMissing"):
        file.delete_file()
    with refused(412, "LeaseIdMismatch"):
        file.append_data(b"34", 2, lease=other)
    file.append_data(b"34", 2, lease=lease)
    file.flush_data(4, lease=lease)
    given.wait(16)
    with refused(412, "LeaseLost"):
        file.append_data(b"56", 4, lease=lease)


@shows("lease-guards-writes")
def a_leased_source_is_renamed_with_the_id_of_its_lease_alone(given: Given) -> None:
    file = given.file("a.csv")
    lease = file.acquire_lease(15)
    to = f"{given.files.file_system_name}/b.csv"
    with refused(412, "LeaseIdMissing"):
        file.rename_file(to)
    file.rename_file(to, source_lease=lease)


# The blob endpoint


@shows("account-information")
def an_account_says_what_it_is(given: Given) -> None:
    said = given.blobs.get_account_information()
    assert (said["account_kind"], str(said["is_hns_enabled"])) == ("StorageV2", "True")
    assert said["sku_name"].partition("_")[0] in ("Standard", "Premium")


@shows("put-blob-201", "put-block-201")
def a_blob_of_listed_blocks_is_a_file(given: Given) -> None:
    blob = given.blob("d/a.csv")
    blob.stage_block("MQ==", b"12")
    blob.stage_block("Mg==", b"34")
    assert [path.name for path in given.files.get_paths()] == []
    blob.commit_block_list([BlobBlock("Mg=="), BlobBlock("MQ==")])
    assert bytes_of(given.files.get_file_client("d/a.csv")) == b"3412"
    with refused(400, "InvalidBlockList"):
        blob.commit_block_list([BlobBlock("Mw==")])


@shows("block-list-names-committed-too")
def a_list_of_blocks_names_those_of_the_last_one_and_new_ones(given: Given) -> None:
    blob = given.blob("a.csv")
    for name, data in (("MQ==", b"12"), ("Mg==", b"34")):
        blob.stage_block(name, data)
        blob.commit_block_list([BlobBlock("MQ=="), *([BlobBlock("Mg==")] if name == "Mg==" else [])])
    assert blob.download_blob().readall() == b"1234"


@shows("no-block-list-over-a-dfs-file", "no-flush-over-a-blob")
def no_file_is_written_through_both_endpoints(given: Given) -> None:
    given.file("a.csv", b"rows")
    blob = given.blob("a.csv")
    blob.stage_block("MQ==", b"12")
    with pytest.raises(HttpResponseError):  # no page says with which code
        blob.commit_block_list([BlobBlock("MQ==")])
    given.blob("b.csv").upload_blob(b"12")
    file = given.files.get_file_client("b.csv")
    file.append_data(b"34", 2)
    with refused(409, "InvalidFlushOperation"):
        file.flush_data(4)


@shows("copy-202", "copy-takes-metadata-along", "source-conditions", "if-none-match-on-writes")
def a_file_is_copied_on_the_server_on_conditions_of_both_sides(given: Given) -> None:
    source = given.files.get_file_client("a.csv")
    source.create_file(metadata={"writer": "one"})
    source.append_data(b"rows", 0)
    etag = source.flush_data(4)["etag"]
    copy = given.blob("b.csv")
    with refused(412, "SourceConditionNotMet"):
        copy.start_copy_from_url(
            given.blob("a.csv").url, source_etag='"0x0"', source_match_condition=MatchConditions.IfNotModified
        )
    said = copy.start_copy_from_url(
        given.blob("a.csv").url, source_etag=etag, source_match_condition=MatchConditions.IfNotModified, **MISSING
    )
    assert said["copy_status"] == "success"
    assert (copy.download_blob().readall(), copy.get_blob_properties().metadata) == (b"rows", {"writer": "one"})
    assert etag_of(source) == etag != copy.get_blob_properties().etag
    with refused(409, "BlobAlreadyExists"):
        copy.start_copy_from_url(given.blob("a.csv").url, **MISSING)


@shows("copy-source-is-authorized")
def other_copies_want_a_signature_for_their_source(given: Given) -> None:
    given.file("a.csv", b"0123456789")
    plain, signed = given.blob("a.csv").url, given.signed("a.csv")
    copy = given.blob("b.csv")
    with refused(401, "CannotVerifyCopySource"):
        copy.stage_block_from_url("MQ==", plain, 2, 3)
    with refused(401, "CannotVerifyCopySource"):
        copy.upload_blob_from_url(plain)
    copy.stage_block_from_url("MQ==", signed, 2, 3)
    copy.commit_block_list([BlobBlock("MQ==")])
    assert copy.download_blob().readall() == b"234"
    given.blob("c.csv").upload_blob_from_url(signed)
    given.blob("d.csv").start_copy_from_url(signed, requires_sync=True)
    assert [len(bytes_of(given.files.get_file_client(name))) for name in ("b.csv", "c.csv", "d.csv")] == [3, 10, 10]


@shows("copy-from-url-has-a-limit", here=True)
def a_copy_that_is_done_at_once_has_a_limit(given: Given) -> None:
    file = given.file("a.csv")
    store = given.here.store.file_systems[given.files.file_system_name]
    store.nodes["a.csv"] = replace(store.nodes["a.csv"], data=bytes(COPY_LIMIT + 1))
    with refused(409, "CannotVerifyCopySource"):
        given.blob("b.csv").start_copy_from_url(given.signed("a.csv"), requires_sync=True)
    file.delete_file()


# Who may


@shows("signatures-are-verified")
def another_key_and_another_account_are_refused(given: Given) -> None:
    other = base64.b64encode(b"another key").decode()
    for account, key in ((given.account, other), ("another", given.key)):
        credential = AzureNamedKeyCredential(account, key)
        with given.another(credential) as client, refused(403, "AuthenticationFailed"):
            client.get_file_client(given.files.file_system_name, "a").create_file()


@shows("clock-skew-403", here=True)
def a_request_of_another_time_of_day_is_refused(given: Given) -> None:
    door, now = given.here.door, given.here.door.now
    door.now = lambda: datetime.now(UTC) + timedelta(minutes=16)
    try:
        with refused(403, "AuthenticationFailed"):
            given.file("a")
    finally:
        door.now = now


@shows("anonymous-401")
def a_request_of_nobody_is_refused(given: Given) -> None:
    with given.another() as client, refused(401, "NoAuthenticationInformation"):
        client.get_file_client(given.files.file_system_name, "a").append_data(b"x", 0)


@dataclass(frozen=True)
class Bearer:
    """Shows one token."""

    token: str

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self.token, 1 << 40)


@shows("tokens-are-verified", "tokens-expire", "tokens-need-a-role", here=True)
def a_token_is_of_the_provider_and_of_somebody_with_a_role_and_has_not_expired(given: Given) -> None:
    now, roles = given.here.door.now(), frozenset({"Storage Blob Data Contributor"})
    given.here.door.tokens["good"] = Token(now + timedelta(hours=1), roles)
    given.here.door.tokens["late"] = Token(now - timedelta(hours=1), roles)
    given.here.door.tokens["poor"] = Token(now + timedelta(hours=1), frozenset())
    given.here.door.tokens["other"] = Token(now + timedelta(hours=1), None)
    answers = {
        "good": (201, None),
        "late": (401, "InvalidAuthenticationInfo"),
        "poor": (403, "AuthorizationPermissionMismatch"),
        "other": (401, "InvalidAuthenticationInfo"),
        "forged": (401, "InvalidAuthenticationInfo"),
    }
    for token, (status, code) in answers.items():
        with given.another(Bearer(token)) as client:
            file = client.get_file_client(given.files.file_system_name, "a")
            with refused(status, code) if code else nullcontext():
                file.create_file()


@shows("tokens-need-tls", here=True)
def a_token_is_taken_over_tls_alone(given: Given) -> None:
    given.here.door.tokens["good"] = Token(given.here.door.now() + timedelta(hours=1), frozenset({"any"}))
    name = given.files.file_system_name
    address = f"/{given.account}.dfs.core.windows.net/{name}/a"
    request = Request("PUT", "dfs", address, name, "a", {"resource": "file"}, {"authorization": "Bearer good"})
    assert given.here.answer(request).status == 403
    assert given.here.answer(replace(request, secure=True)).status == 201


@shows("sas-permissions", "signatures-are-verified")
def a_signature_is_of_the_account_or_of_a_file_system(given: Given) -> None:
    name, until = given.files.file_system_name, given.now() + timedelta(hours=1)
    kinds = ResourceTypes(file_system=True, object=True)
    reads = AccountSasPermissions(read=True, list=True)
    account = generate_account_sas(given.account, given.key, kinds, reads, until)
    container = generate_file_system_sas(
        given.account, name, given.key, FileSystemSasPermissions(read=True, list=True), until
    )
    given.file("a.csv", b"rows")
    for sas in (account, container):
        with given.another(AzureSasCredential(sas)) as client:
            files = client.get_file_system_client(name)
            assert [path.name for path in files.get_paths()] == ["a.csv"]
            assert bytes_of(files.get_file_client("a.csv")) == b"rows"
            with refused(403, "AuthorizationPermissionMismatch"):
                files.get_file_client("b.csv").create_file()
        forged = AzureSasCredential(sas.replace("sp=rl", "sp=rcl"))
        with given.another(forged) as client, refused(403, "AuthenticationFailed"):
            client.get_file_client(name, "b.csv").create_file()


@shows("sas-expires", "sas-permissions", "signatures-are-verified")
def a_shared_access_signature_permits_what_it_says_as_long_as_it_says(given: Given) -> None:
    given.file("a.csv", b"rows")
    with given.reader(given.signed("a.csv")) as reader:
        assert reader.download_blob().readall() == b"rows"
        with refused(403, "AuthorizationPermissionMismatch"):
            reader.delete_blob()
    yesterday = given.signed("a.csv", expiry=given.now() - timedelta(days=1))
    forged = given.signed("a.csv").replace("sp=r", "sp=rd")
    for address in (yesterday, forged):
        with given.reader(address) as client, refused(403, "AuthenticationFailed"):
            client.download_blob()
