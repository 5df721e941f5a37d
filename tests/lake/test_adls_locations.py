"""Addresses in model.json: the CDM object model's ADLS adapter takes them to its paths and back, and reads by them."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential

from tests.lake.dfs.serving import served
from tests.lake.dfs.signing import Token
from tests.server.served import self_signed
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.lake import AdlsLake
from toolkit.model.roles import DATA_ROLE

KEY = AzureNamedKeyCredential("contososales", "QUJD" * 10)


def adapter(hostname: str, token: Callable[[], str] = lambda: "") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cdm.storage.adls import ADLSAdapter  # type: ignore[import-untyped]  # ships no types

    class Provider:
        def get_token(self) -> str:
            return f"Bearer {token()}"

    return ADLSAdapter(hostname, "sales", token_provider=Provider())


@pytest.mark.parametrize("suffix", ["core.windows.net", "core.usgovcloudapi.net", "core.chinacloudapi.cn"])
def test_the_cdm_object_model_takes_a_location_to_a_path_and_back(suffix: str) -> None:
    account = StorageAccount("contososales", f"https://contososales.dfs.{suffix}", "https://unused", KEY)
    location = AdlsLake(account, "sales").location("account/Snapshot/2026-03_1772366400.csv")
    assert location == f"https://contososales.dfs.{suffix}:443/sales/account/Snapshot/2026-03_1772366400.csv"
    cdm = adapter(f"contososales.dfs.{suffix}")
    path = cdm.create_corpus_path(location)
    assert path == "/account/Snapshot/2026-03_1772366400.csv"
    assert cdm.create_adapter_path(path) == location


def test_the_cdm_object_model_reads_what_a_lake_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    with served(tls=certificate) as storage:
        storage.door.tokens["tok"] = Token(datetime.now(UTC) + timedelta(hours=1), frozenset({DATA_ROLE}))
        account = StorageAccount(
            storage.account, storage.url, storage.blob_url, AzureNamedKeyCredential(storage.account, storage.key)
        )
        AdlsLake(account, "sales").put("model.json", b'{"name": "cdm"}', "any")
        cdm = adapter(storage.url.removeprefix("https://"), lambda: "tok")
        assert asyncio.run(cdm.read_async("/model.json")) == '{"name": "cdm"}'
