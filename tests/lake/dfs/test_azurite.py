"""One conversation with the blob endpoint: the server here says what was written down, and what azurite says."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock, BlobClient, BlobLeaseClient, BlobServiceClient

from tests.lake.dfs.contract import ONCE, answer_of
from tests.lake.dfs.serving import served

AZURITE = Path(__file__).parent / "azurite/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every azurite has, with the key that its manual names."""

NEW = {"match_condition": MatchConditions.IfMissing}
OTHER = "00000000-0000-0000-0000-000000000001"


def conversation(service: BlobServiceClient) -> Iterator[tuple[str, object]]:
    """Yield what was asked, and the status and the code or the value of the answer."""
    container, blob = service.get_container_client("talk"), service.get_blob_client("talk", "d/a.csv")
    yield "no container", said(container.get_container_properties)
    yield "no container to write to", said(lambda: blob.upload_blob(b"x"))
    yield "create", said(container.create_container)
    yield "create again", said(container.create_container)
    yield "no blob", said(blob.get_blob_properties)
    yield "no blob to read", said(blob.download_blob)
    yield from _blocks(blob)
    yield from _reads(blob)
    yield from _conditions(blob)
    yield from _leases(blob, BlobLeaseClient(blob, OTHER))
    yield "delete", said(blob.delete_blob)
    yield "delete again", said(blob.delete_blob)
    yield "delete the container", said(container.delete_container)


def _blocks(blob: BlobClient) -> Iterator[tuple[str, object]]:
    yield "a block", said(lambda: blob.stage_block("MQ==", b"0123"))
    yield "not there without a list", said(blob.get_blob_properties)
    yield "a list", said(lambda: blob.commit_block_list([BlobBlock("MQ==")], metadata={"writer": "one"}))
    yield "another block", said(lambda: blob.stage_block("Mg==", b"456789"))
    yield "a list of both", said(lambda: blob.commit_block_list([BlobBlock("MQ=="), BlobBlock("Mg==")]))
    yield "a list of what is not there", said(lambda: blob.commit_block_list([BlobBlock("Mw==")]))


def _reads(blob: BlobClient) -> Iterator[tuple[str, object]]:
    yield "all", blob.download_blob().readall()
    yield "a range", blob.download_blob(2, 3).readall()
    yield "a range over the end", blob.download_blob(8, 100).readall()
    # Where a range begins just at the end, azurite answers with nothing; the pages and the server here refuse it.
    yield "a range beyond the end", said(lambda: blob.download_blob(20, 5))
    yield "set metadata", said(lambda: blob.set_blob_metadata({"writer": "two"}))
    yield "metadata", blob.get_blob_properties().metadata


def _conditions(blob: BlobClient) -> Iterator[tuple[str, object]]:
    stale = blob.get_blob_properties().etag
    this: dict[str, Any] = {"etag": stale, "match_condition": MatchConditions.IfNotModified}
    changed: dict[str, Any] = {"etag": stale, "match_condition": MatchConditions.IfModified}
    yield "there already", said(lambda: blob.upload_blob(b"x", overwrite=False))
    yield "unchanged", said(lambda: blob.get_blob_properties(**changed))
    yield "write this version", said(lambda: blob.upload_blob(b"new", overwrite=True, **this))
    yield "write a stale version", said(lambda: blob.upload_blob(b"newer", overwrite=True, **this))
    yield "read a stale version", said(lambda: blob.download_blob(**this))
    yield "delete a stale version", said(lambda: blob.delete_blob(**this))
    yield "the etag is another one", blob.get_blob_properties().etag != stale


def _leases(blob: BlobClient, other: BlobLeaseClient) -> Iterator[tuple[str, object]]:
    lease = BlobLeaseClient(blob)
    yield "lease for too short", said(lambda: lease.acquire(14))
    yield "lease", said(lambda: lease.acquire(15))
    yield "leased", (blob.get_blob_properties().lease.state, blob.get_blob_properties().lease.status)
    yield "lease of somebody else", said(lambda: other.acquire(15))
    yield "renew", said(lease.renew)
    yield "renew what is not one's own", said(BlobLeaseClient(blob, OTHER).renew)
    yield "write without the lease", said(lambda: blob.upload_blob(b"x", overwrite=True))
    yield "write with another lease", said(lambda: blob.upload_blob(b"x", overwrite=True, lease=other))
    yield "write with the lease", said(lambda: blob.upload_blob(b"x", overwrite=True, lease=lease))
    yield "delete without the lease", said(blob.delete_blob)
    yield "break", said(lambda: lease.break_lease(0))
    yield "renew a broken one", said(lease.renew)
    yield "lease again", said(lambda: BlobLeaseClient(blob, OTHER).acquire(15))
    yield "release", said(BlobLeaseClient(blob, OTHER).release)
    yield "free", blob.get_blob_properties().lease.state
    yield "write with no lease there", said(lambda: blob.upload_blob(b"x", overwrite=True, lease=other))


def said(ask: Callable[[], object]) -> tuple[int, str]:
    """Ask, and return the status of the refusal with its code; 0 and nothing when it was done."""
    try:
        ask()
    except HttpResponseError as error:
        return error.status_code or 0, answer_of(error).headers.get("x-ms-error-code", "")
    return 0, ""


def here() -> list[tuple[str, object]]:
    with served(account=ACCOUNT, key=KEY) as storage, client(storage.blob_url) as service:
        return list(conversation(service))


def client(address: str) -> BlobServiceClient:
    return BlobServiceClient(address, credential=AzureNamedKeyCredential(ACCOUNT, KEY), **ONCE)


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Let azurite serve on a free port, and give the address of its account."""
    command = ["node", str(AZURITE), "--inMemoryPersistence", "--skipApiVersionCheck", "--blobPort", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = (re.search(r"successfully listens on (http://\S+:\d+)", line) for line in process.stdout)
            yield f"{next(match for match in found if match)[1]}/{ACCOUNT}"
        finally:
            process.kill()


def test_the_server_here_says_what_is_written_down() -> None:
    answers = dict(here())
    assert [answers[name] for name in ("no container", "create again", "no blob")] == [
        (404, "ContainerNotFound"),
        (409, "ContainerAlreadyExists"),
        (404, "BlobNotFound"),
    ]
    assert (answers["a range over the end"], answers["metadata"]) == (b"89", {"writer": "two"})
    assert answers["leased"] == ("leased", "locked")
    assert answers["write with another lease"] == (412, "LeaseIdMismatchWithBlobOperation")


@pytest.mark.skipif(
    not os.environ.get("TOOLKIT_AZURITE"), reason="TOOLKIT_AZURITE is not set: make azurite installs and asks it"
)
def test_azurite_says_the_same(tmp_path: Path) -> None:
    with azurite(tmp_path) as address, client(address) as service:
        assert list(conversation(service)) == here()
