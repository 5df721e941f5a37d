"""Tokens as the platform gives them, to the SDK's own credentials, over TLS that the client is told to trust."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.storage.filedatalake import DataLakeServiceClient

from tests.lake.dfs.contract import ONCE
from tests.lake.dfs.identity import SECRET
from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.signing import TENANT
from tests.server.served import self_signed
from toolkit.server.serving import Certificate


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(Path(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def storage(tls: Certificate) -> Iterator[Storage]:
    with served(tls=tls) as storage:
        yield storage


@pytest.fixture
def managed(storage: Storage, tls: Certificate, monkeypatch: pytest.MonkeyPatch) -> DefaultAzureCredential:
    """The credential of a machine whose platform names an identity endpoint."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", storage.identity_url)
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)
    return DefaultAzureCredential(connection_verify=str(tls.certificate))


def service(storage: Storage, credential: TokenCredential, **options: Any) -> DataLakeServiceClient:
    return DataLakeServiceClient(storage.url, credential=credential, **ONCE, **options)


def test_a_managed_identity_opens_the_account(
    storage: Storage, tls: Certificate, managed: DefaultAzureCredential
) -> None:
    with service(storage, managed, connection_verify=str(tls.certificate)) as client:
        client.create_file_system("lake").create_file("a.csv")
    assert list(storage.store.file_systems["lake"].nodes) == ["a.csv"]
    assert storage.identity.given == ["https://storage.azure.com"]


def test_an_identity_without_a_role_is_refused(
    storage: Storage, tls: Certificate, managed: DefaultAzureCredential
) -> None:
    storage.identity.roles = frozenset()
    options = {"connection_verify": str(tls.certificate)}
    with service(storage, managed, **options) as client, pytest.raises(HttpResponseError) as caught:
        client.create_file_system("lake")
    assert (caught.value.status_code, storage.store.file_systems) == (403, {})
    assert "AuthorizationPermissionMismatch" in str(caught.value)


def test_a_token_that_the_service_takes_no_more_is_tried_once_more_and_then_given_up(
    storage: Storage, tls: Certificate, managed: DefaultAzureCredential
) -> None:
    with service(storage, managed, connection_verify=str(tls.certificate)) as client:
        client.create_file_system("lake")
        storage.door.tokens.clear()
        with pytest.raises(ClientAuthenticationError):
            client.create_file_system("other")
    assert [asked.status for asked in storage.requests if asked.half == "blob"] == [201, 401, 401]


def test_a_client_with_a_secret_gets_a_token_from_its_authority(storage: Storage, tls: Certificate) -> None:
    def credential(secret: str) -> ClientSecretCredential:
        return ClientSecretCredential(
            TENANT,
            "client",
            secret,
            authority=storage.address,
            disable_instance_discovery=True,
            connection_verify=str(tls.certificate),
        )

    with service(storage, credential(SECRET), connection_verify=str(tls.certificate)) as client:
        client.create_file_system("lake")
    options = {"connection_verify": str(tls.certificate)}
    with service(storage, credential("wrong"), **options) as client, pytest.raises(ClientAuthenticationError) as caught:
        client.create_file_system("other")
    assert "AADSTS7000215" in str(caught.value)
    assert list(storage.store.file_systems) == ["lake"]


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    storage: Storage, managed: DefaultAzureCredential
) -> None:
    with service(storage, managed) as client, pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        client.create_file_system("lake")
    assert storage.store.file_systems == {}
