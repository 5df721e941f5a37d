"""A real storage account, where the environment names one: TOOLKIT_LIVE_ACCOUNT and how it is opened.

TOOLKIT_LIVE_KEY is its key; without one DefaultAzureCredential signs in. TOOLKIT_LIVE_ENDPOINT is the address of its
dfs endpoint where that is not in the public cloud. Every test has a file system of its own, deleted after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import sleep
from uuid import uuid4

from azure.core.credentials import AzureNamedKeyCredential
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.filedatalake import DataLakeServiceClient

from tests.lake.dfs.contract import ONCE, Given
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.lake import AdlsLake

ACCOUNT = os.environ.get("TOOLKIT_LIVE_ACCOUNT", "")
KEY = os.environ.get("TOOLKIT_LIVE_KEY", "")
ENDPOINT = os.environ.get("TOOLKIT_LIVE_ENDPOINT") or f"https://{ACCOUNT}.dfs.core.windows.net"


BLOB = ENDPOINT.replace(".dfs.", ".blob.", 1)


def credential() -> AzureNamedKeyCredential | DefaultAzureCredential:
    """Return what opens the account."""
    return AzureNamedKeyCredential(ACCOUNT, KEY) if KEY else DefaultAzureCredential()


def opened(file_system: str) -> AdlsLake:
    """Return a lake in the account."""
    return AdlsLake(StorageAccount(ACCOUNT, ENDPOINT, BLOB, credential()), file_system)


def fresh_name() -> str:
    """Return a name that no file system has."""
    return f"toolkit-test-{uuid4().hex}"


@contextmanager
def removed(name: str) -> Iterator[None]:
    """Delete a file system at the end, if it is there."""
    with DataLakeServiceClient(ENDPOINT, credential=credential()) as service:
        try:
            yield
        finally:
            files = service.get_file_system_client(name)
            if files.exists():
                files.delete_file_system()


@contextmanager
def given() -> Iterator[Given]:
    """Give what a test of the contract has: clients of the account, and a file system that is empty."""
    name = fresh_name()
    with (
        removed(name),
        DataLakeServiceClient(ENDPOINT, credential=credential(), **ONCE) as service,
        BlobServiceClient(BLOB, credential=credential(), **ONCE) as blobs,
    ):
        files = service.create_file_system(name)
        yield Given(ACCOUNT, KEY, service, blobs, files, lambda: datetime.now(UTC), sleep, ONCE)
