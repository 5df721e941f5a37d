"""Lakes in the storage account that the tests serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.filedatalake import FileSystemClient

from tests.lake.dfs.serving import Asked, Storage
from toolkit.lake.adls.account import Patience, StorageAccount
from toolkit.lake.adls.lake import AdlsLake


def account(storage: Storage, **settings: Any) -> StorageAccount:
    """Return the account with its key, unless the settings say otherwise."""
    key = AzureNamedKeyCredential(storage.account, storage.key)
    plain = StorageAccount(storage.account, storage.url, storage.blob_url, key, Patience(jitter=0))
    return replace(plain, **settings)


def delete_file_system(storage: Storage) -> None:
    """Delete the lake's file system, as somebody else may."""
    key = AzureNamedKeyCredential(storage.account, storage.key)
    FileSystemClient(storage.url, "lake", credential=key).delete_file_system()


def opened(
    storage: Storage,
    *,
    file_system: str = "lake",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = lambda _: None,
    renewed_after: float = 3600.0,
    least: int = 4 << 20,
    **settings: Any,
) -> AdlsLake:
    """Return a lake in the account. It does not wait between tries, and locks are not renewed by themselves."""
    return AdlsLake(
        account(storage, **settings), file_system, clock=clock, sleep=sleep, renewed_after=renewed_after, least=least
    )


def told(requests: list[Asked]) -> list[str]:
    """Return requests as texts, without what is at random in them."""
    return [f"{each.method} {each.half} {each.kind}".rstrip() for each in requests]
