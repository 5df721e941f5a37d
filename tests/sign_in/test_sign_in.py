from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.identity import CertificateCredential, ClientSecretCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from toolkit.dataverse.address import Address
from toolkit.errors import NotFound, Refused
from toolkit.sign_in.credential import credential, storage_credential
from toolkit.sign_in.method import SignIn, StorageSignIn

PUBLIC = Address.parse("https://contoso.crm4.dynamics.com")
GOVERNMENT = Address.parse("https://contoso.crm.microsoftdynamics.us")
SERVED = Address.parse("http://127.0.0.1:8080")
OTHER = Address.parse("https://dataverse.example.com")
TENANT, CLIENT = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
APPLICATION = {"tenant": TENANT, "client_id": CLIENT}


def made(sign_in: SignIn, address: Address = PUBLIC, folder: Path = Path(), **variables: str) -> Any:
    """Return the credential of azure-identity that is asked in the end."""
    late: Any = credential(sign_in, address, folder=folder, variables=variables.get)
    return late._make()


# the form


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"method": "client_secret", **APPLICATION, "variable": "SECRET"},
        {"method": "certificate", **APPLICATION, "certificate": "a.pem"},
        {"method": "certificate", **APPLICATION, "certificate": "a.pem", "variable": "PASSWORD"},
        {"method": "managed_identity"},
        {"method": "managed_identity", "client_id": CLIENT},
        {"method": "azure_cli", "tenant": "contoso.onmicrosoft.com"},
        {"method": "token", "variable": "TOKEN"},
        {"method": "none"},
    ],
)
def test_each_method_has_its_keys(form: dict[str, Any]) -> None:
    assert SignIn(**form).method == form.get("method", "default")


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"method": "client_secret", "tenant": TENANT}, "method client_secret needs client_id, variable"),
        ({"method": "token"}, "method token needs variable"),
        ({"method": "none", "variable": "X"}, "method none has no variable"),
        ({"tenant": TENANT}, "method default has no tenant"),
        ({"method": "client_secret", **APPLICATION, "variable": "a secret~"}, "should match pattern"),
        ({"method": "secret"}, "Input should be"),
    ],
)
def test_keys_that_a_method_lacks_or_does_not_have_are_refused(form: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SignIn(**form)


@pytest.mark.parametrize(
    ("form", "address", "why"),
    [
        ({}, PUBLIC, ""),
        ({"method": "none"}, SERVED, ""),
        ({"method": "token", "variable": "T"}, SERVED, ""),
        ({"method": "token", "variable": "T"}, OTHER, ""),
        ({"method": "none"}, PUBLIC, "method none is for loopback only"),
        ({}, SERVED, "method default needs https"),
        ({"method": "azure_cli"}, OTHER, "is for hosts of Dataverse"),
    ],
)
def test_tokens_go_over_tls_and_to_hosts_of_dataverse_only(form: dict[str, Any], address: Address, why: str) -> None:
    found = SignIn(**form).unfit(address)
    assert why in found
    assert bool(found) is bool(why)


# credentials


def test_nobody_signs_in_with_method_none() -> None:
    assert credential(SignIn(method="none"), SERVED, folder=Path()) is None


def test_a_client_secret_is_asked_of_the_clouds_own_authority() -> None:
    sign_in = SignIn(method="client_secret", variable="HELD", **APPLICATION)
    found = made(sign_in, GOVERNMENT, HELD="a secret")
    assert type(found) is ClientSecretCredential
    assert found._authority == "https://login.microsoftonline.us"


def test_a_certificate_is_read_beside_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_bytes(certificate(b"a password"))
    sign_in = SignIn(method="certificate", certificate="app.pem", variable="HELD", **APPLICATION)
    assert type(made(sign_in, folder=tmp_path, HELD="a password")) is CertificateCredential


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "app.pem").write_bytes(content)
    sign_in = SignIn(method="certificate", certificate="app.pem", **APPLICATION)
    with pytest.raises(Refused) as caught:
        made(sign_in, folder=tmp_path)
    assert (caught.value.code, str(caught.value.where)) == ("DV021", str(tmp_path / "app.pem"))


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({}, "DefaultAzureCredential"),
        ({"method": "managed_identity", "client_id": CLIENT}, "ManagedIdentityCredential"),
        ({"method": "azure_cli"}, "AzureCliCredential"),
    ],
)
def test_the_other_methods_are_those_of_azure_identity(form: dict[str, Any], name: str) -> None:
    assert type(made(SignIn(**form))).__name__ == name


def test_a_given_token_is_read_anew_whenever_it_is_asked_for() -> None:
    variables = {"HELD": "first"}
    found = credential(SignIn(method="token", variable="HELD"), SERVED, folder=Path(), variables=variables.get)
    assert found is not None
    before = found.get_token(SERVED.scope).token
    variables["HELD"] = "second"
    assert (before, found.get_token(SERVED.scope).token) == ("first", "second")
    assert "second" not in repr(found.get_token(SERVED.scope))


def test_the_line_end_of_a_token_is_left_out() -> None:
    given = credential(SignIn(method="token", variable="TOKEN"), SERVED, folder=Path(), variables=lambda _: "ey.J-_~\n")
    assert given is not None
    assert (given.get_token().token,) == ("ey.J-_~",)


@pytest.mark.parametrize("text", ["two words", "two\nlines", "\u00e9", "\n"])
def test_a_variable_that_holds_no_token_is_refused_without_its_value(text: str) -> None:
    given = credential(SignIn(method="token", variable="TOKEN"), SERVED, folder=Path(), variables=lambda _: text)
    assert given is not None
    with pytest.raises(Refused) as caught:
        given.get_token()
    assert (caught.value.code, caught.value.what) == ("DV022", "the environment variable TOKEN holds no token")
    assert text not in caught.value.why


def test_a_variable_that_is_not_set_is_named_when_the_first_token_is_needed() -> None:
    found = credential(SignIn(method="token", variable="TOKEN"), SERVED, folder=Path(), variables=lambda _: None)
    assert found is not None
    with pytest.raises(NotFound) as caught:
        found.get_token(SERVED.scope)
    assert (caught.value.code, caught.value.what) == ("DV020", "the environment variable TOKEN is not set")


# storage accounts

KEY = "a2V5" * 22
SUFFIX = "core.windows.net"


def storage(method: Any, held: str | None) -> Any:
    sign_in = StorageSignIn(method=method, variable="HELD")
    return storage_credential(sign_in, "contosolake", SUFFIX, PUBLIC, folder=Path(), variables=lambda _: held)


@pytest.mark.parametrize(
    ("method", "held"),
    [
        ("account_key", f"{KEY}\n"),
        ("connection_string", f"DefaultEndpointsProtocol=https;AccountName=contosolake;AccountKey={KEY};"),
        ("connection_string", f"accountname=contosolake;ACCOUNTKEY={KEY};EndpointSuffix=core.windows.net"),
    ],
)
def test_a_key_signs_the_requests_of_its_account(method: str, held: str) -> None:
    found = storage(method, held)
    assert type(found) is AzureNamedKeyCredential
    assert found.named_key == ("contosolake", KEY)


@pytest.mark.parametrize(
    ("method", "held"),
    [
        ("sas", "?sv=2024-11-04&ss=b&sig=abc%3D"),
        ("sas", "https://contosolake.dfs.core.windows.net/files?sv=2024-11-04&ss=b&sig=abc%3D"),
        ("connection_string", "BlobEndpoint=https://x;SharedAccessSignature=sv=2024-11-04&ss=b&sig=abc%3D"),
    ],
)
def test_a_signature_is_taken_without_what_stands_before_it(method: str, held: str) -> None:
    found = storage(method, held)
    assert type(found) is AzureSasCredential
    assert found.signature == "sv=2024-11-04&ss=b&sig=abc%3D"


@pytest.mark.parametrize(
    ("method", "held", "what"),
    [
        ("account_key", "no key at all", "account key"),
        ("account_key", "abc", "account key"),
        ("sas", "sv=2024-11-04&ss=b", "shared access signature"),
        ("sas", "sv=2024-11-04&sig=a b", "shared access signature"),
        ("connection_string", f"AccountName=another;AccountKey={KEY}", "connection string of contosolake"),
        (
            "connection_string",
            f"AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn",
            f"connection string for {SUFFIX}",
        ),
        ("connection_string", "AccountName=contosolake", "connection string"),
    ],
)
def test_a_variable_that_holds_no_such_secret_is_refused_without_its_value(method: str, held: str, what: str) -> None:
    with pytest.raises(Refused) as caught:
        storage(method, held)
    assert (caught.value.code, caught.value.what) == ("DV023", f"the environment variable HELD holds no {what}")
    assert not any(held in text for text in (caught.value.why, caught.value.fix, str(caught.value.where)))


@pytest.mark.parametrize("method", ["account_key", "sas", "connection_string"])
def test_a_secret_that_is_not_set_is_named(method: str) -> None:
    with pytest.raises(NotFound) as caught:
        storage(method, None)
    assert (caught.value.code, caught.value.what) == ("DV020", "the environment variable HELD is not set")


def test_a_storage_account_takes_the_tokens_of_azure_identity_too() -> None:
    target = Address.parse("https://contoso.crm.dynamics.cn")
    sign_in = StorageSignIn(method="client_secret", variable="HELD", **APPLICATION)
    late: Any = storage_credential(sign_in, "lake", SUFFIX, target, folder=Path(), variables=lambda _: "a secret")
    assert late._make()._authority == "https://login.chinacloudapi.cn"


@pytest.mark.parametrize(
    ("form", "address", "why"),
    [
        ({}, PUBLIC, ""),
        ({"method": "account_key", "variable": "K"}, SERVED, ""),
        ({}, SERVED, "method default needs https"),
        ({"method": "token", "variable": "T"}, SERVED, "method token needs https"),
    ],
)
def test_no_token_of_a_storage_account_goes_over_plain_http(form: dict[str, Any], address: Address, why: str) -> None:
    assert StorageSignIn(**form).unfit(address) == why


def test_options_of_the_sdk_reach_the_credential_that_is_asked() -> None:
    given = credential(SignIn(method="token", variable="HELD"), SERVED, folder=Path(), variables=lambda _: "tok")
    assert given is not None
    assert given.get_token("scope", tenant_id=TENANT, enable_cae=True).token.startswith("tok")


def certificate(password: bytes) -> bytes:
    """Return a self-signed certificate with its private key, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")]), datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(password)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, encryption) + signed.public_bytes(pem)
