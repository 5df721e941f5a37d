"""Why a storage account says no: each cause by its own code, with the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.signing import TENANT, Door, Token
from tests.lake.dfs.wire import Refusal, Request
from tests.server.served import self_signed
from toolkit.errors import Forbidden, NotFound, ToolkitError
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.lake import AdlsLake
from toolkit.model.roles import DATA_ROLE
from toolkit.project import AdlsEntry, Lakes

SUBSCRIPTION = "99999999-0000-0000-0000-000000000000"
RESOURCE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/data/providers/Microsoft.Storage/storageAccounts/contososales"
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """Serve an account over TLS, with a certificate that the environment trusts."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    with served(tls=certificate) as storage:
        yield storage


def lake(storage: Storage, sign_in: dict[str, str], **held: str) -> Any:
    entry = AdlsEntry.model_validate(
        {
            "kind": "adls",
            "endpoint": storage.url,
            "sign_in": sign_in,
            "subscription": SUBSCRIPTION,
            "resource_group": "data",
        }
    )
    lakes = Lakes(Path("toolkit.yaml"), {"contososales": entry}, sleep=lambda _: None, variables=held.get)
    return lakes.open("contososales", "sales")


TOKEN = {"method": "token", "variable": "HELD"}


def refused(ask: Callable[[], object], kind: type[ToolkitError] = Forbidden) -> ToolkitError:
    with pytest.raises(kind) as caught:
        ask()
    return caught.value


def test_a_token_with_the_role_gets_in_over_tls_that_the_environment_trusts(storage: Storage) -> None:
    storage.door.tokens["tok"] = Token(LATER, frozenset({DATA_ROLE}))
    opened = lake(storage, TOKEN, HELD="tok")
    opened.put("model.json", b"{}", "any")
    assert opened.read("model.json") == b"{}"


def test_a_certificate_that_nobody_vouches_for_is_refused(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    error = refused(lambda: lake(storage, TOKEN, HELD="tok").stat("model.json"), ToolkitError)
    assert (error.code, "REQUESTS_CA_BUNDLE" in error.fix) == ("LAK032", True)


def test_a_missing_role_names_the_command_with_what_is_known_of_the_account(storage: Storage) -> None:
    storage.door.tokens["tok"] = Token(LATER, roles=frozenset())
    error = refused(lambda: lake(storage, TOKEN, HELD="tok").put("model.json", b"{}", "any"))
    assert error.code == "LAK035"
    assert error.fix.startswith(
        'az role assignment create --role "Storage Blob Data Contributor" --assignee <object id of the identity> '
        f'--scope "{RESOURCE}", which an owner of the account runs'
    )


def test_a_token_of_another_tenant_is_answered_with_the_tenant_of_the_account(storage: Storage) -> None:
    error = refused(lambda: lake(storage, TOKEN, HELD="strange").stat("model.json"))
    assert error.code == "LAK036"
    assert f"az login --tenant {TENANT}" in error.fix


def test_a_credential_that_must_not_ask_in_the_tenant_of_the_account_is_the_wrong_tenant_too(storage: Storage) -> None:
    class Strict:
        def get_token(self, *_: str, **options: Any) -> Any:
            if tenant := options.get("tenant_id"):
                raise ClientAuthenticationError(
                    f"The current credential is not configured to acquire tokens for tenant {tenant}. To enable ..."
                )
            return type("Held", (), {"token": "strange", "expires_on": int(LATER.timestamp())})()

    account = StorageAccount("contososales", storage.url, storage.blob_url, Strict())
    error = refused(lambda: AdlsLake(account, "sales", sleep=lambda _: None).stat("model.json"))
    assert (error.code, f"az login --tenant {TENANT}" in error.fix) == ("LAK036", True)


def test_a_firewall_is_told_from_a_missing_role(storage: Storage) -> None:
    class Wall(Door):
        def __call__(self, _: Request) -> None:
            raise Refusal(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")

    storage.door = Wall(storage.account, storage.key, storage.holds, storage.store.clock)
    error = refused(lambda: lake(storage, TOKEN, HELD="tok").stat("model.json"))
    assert error.code == "LAK034"
    assert error.fix.startswith(
        f"az storage account network-rule add --subscription {SUBSCRIPTION} --resource-group data "
        "--account-name contososales --ip-address"
    )


@pytest.mark.parametrize(
    ("method", "held"),
    [
        ("account_key", "QUJD" * 10),
        ("connection_string", f"AccountName=contososales;AccountKey={'QUJD' * 10}"),
        ("sas", f"sv=2024-11-04&ss=b&srt=sco&sp=rwdlac&se={LATER:%Y-%m-%dT%H:%M:%SZ}&sig={'QUJD' * 10}"),
    ],
)
def test_a_wrong_key_or_signature_is_told_and_never_printed(storage: Storage, method: str, held: str) -> None:
    error = refused(lambda: lake(storage, {"method": method, "variable": "HELD"}, HELD=held).stat("model.json"))
    assert error.code == "LAK037"
    assert "QUJD" not in f"{error.what} {error.why} {error.fix} {error.where}"


def test_a_secret_that_is_not_set_is_named_before_anything_is_asked(storage: Storage) -> None:
    error = refused(lambda: lake(storage, {"method": "sas", "variable": "HELD"}), NotFound)
    assert (error.code, storage.requests) == ("DV020", [])
