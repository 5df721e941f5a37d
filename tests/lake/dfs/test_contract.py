"""The contract of a storage account, on the server here; and on each mutant of it, where it must fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient
from azure.storage.filedatalake import DataLakeServiceClient

from tests.lake.dfs import live
from tests.lake.dfs.contract import CONTRACT, ONCE, Given, Test
from tests.lake.dfs.facts import FACTS, KEYS
from tests.lake.dfs.serving import served
from tests.lake.dfs.store import FileSystem
from tests.server.served import self_signed

NAMES = count(1)
FAILURES = (AssertionError, AzureError, KeyError, ValueError, pytest.fail.Exception)
"""How a test of the contract fails on a mutant."""


class Hours:
    """The time of the service, which only moves on when somebody waits."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """A storage account that is served over TLS, and clients that trust it."""
    tls, hours = self_signed(Path(tmp_path_factory.mktemp("tls"))), Hours()
    options = {**ONCE, "connection_verify": str(tls.certificate)}
    with served(tls=tls, clock=hours) as storage:
        key = AzureNamedKeyCredential(storage.account, storage.key)
        with (
            DataLakeServiceClient(storage.url, credential=key, **options) as service,
            BlobServiceClient(storage.blob_url, credential=key, **options) as blobs,
        ):
            files = service.get_file_system_client("none")
            yield Given(storage.account, storage.key, service, blobs, files, hours, hours.wait, options, storage)


def fresh(account: Given) -> Given:
    """Return the account with a file system in which there is nothing."""
    name = f"lake{next(NAMES)}"
    store = account.here.store
    store.file_systems[name] = FileSystem(store.next_etag(), store.clock())
    return replace(account, files=account.service.get_file_system_client(name))


@pytest.mark.parametrize("test", CONTRACT.facts, ids=lambda test: test.__name__)
def test_the_account_keeps_the_contract(account: Given, test: Test) -> None:
    test(fresh(account))


SIGNED = frozenset({"sas-permissions", "copy-source-is-authorized", "signatures-are-verified"})
"""Facts whose tests sign with the key."""


@pytest.mark.skipif(not live.ACCOUNT, reason="TOOLKIT_LIVE_ACCOUNT names no account: see CONTRIBUTING.md")
@pytest.mark.parametrize(
    "test", [test for test in CONTRACT.facts if test not in CONTRACT.here], ids=lambda test: test.__name__
)
def test_a_real_account_keeps_the_contract(test: Test) -> None:
    if not live.KEY and CONTRACT.facts[test] & SIGNED:
        pytest.skip("TOOLKIT_LIVE_KEY is not set, and this test signs with it")
    with live.given() as given:
        test(given)


def fails(account: Given, test: Test) -> bool:
    """Whether a test fails."""
    try:
        test(fresh(account))
    except FAILURES:
        return True
    return False


@pytest.mark.parametrize("key", [fact.key for fact in FACTS])
def test_an_account_without_a_fact_breaks_the_contract(account: Given, key: str) -> None:
    account.here.holds.off.add(key)
    try:
        assert [test.__name__ for test in CONTRACT.of(key) if fails(account, test)] != []
    finally:
        account.here.holds.off.clear()


def test_every_fact_is_shown_and_what_is_shown_is_a_fact() -> None:
    shown = {key for keys in CONTRACT.facts.values() for key in keys}
    assert shown == KEYS
    assert len(FACTS) == len(KEYS)
