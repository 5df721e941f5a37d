"""What goes wrong between a lake and its storage account: told by kind, and never with a secret."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError

from tests.lake.accounts import opened
from tests.lake.dfs.serving import Storage, served
from tests.server.served import self_signed
from toolkit.errors import Forbidden, Retriable, ToolkitError
from toolkit.lake.adls.account import Patience
from toolkit.lake.protocol import ABSENT

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="  # noqa: S105 - of nobody


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


def everything_said(error: ToolkitError) -> str:
    return " ".join([str(error), *(f"{each.what} {each.where} {each.why} {each.fix}" for each in error.findings)])


def test_a_busy_account_is_tried_again_and_then_told(storage: Storage) -> None:
    waits: list[float] = []
    storage.faults.when(lambda _: True, "busy", times=6)
    with pytest.raises(Retriable) as caught:
        opened(storage, sleep=waits.append).stat("a")
    assert (caught.value.code, caught.value.after) == ("LAK030", 30.0)
    assert waits == [2, 4, 8, 16, 32]


def test_an_account_that_was_heard_of_is_waited_for(storage: Storage) -> None:
    waits: list[float] = []
    lake = opened(storage, sleep=waits.append)
    lake.stat("a")
    storage.faults.when(lambda _: True, "lost_before", times=6)
    with pytest.raises(Retriable):
        lake.stat("a")
    assert waits == [2, 4, 8, 16, 32]


def test_an_account_that_is_gone_is_waited_for_once_and_not_by_each_request(storage: Storage) -> None:
    waits: list[float] = []
    lake = opened(storage, sleep=waits.append)
    lake.stat("a")
    for times in (6, 3):
        storage.faults.when(lambda _: True, "lost_before", times=times)
        with pytest.raises(Retriable):
            lake.stat("a")
    assert waits == [2, 4, 8, 16, 32, 2, 4]
    lake.stat("a")
    storage.faults.when(lambda _: True, "lost_before", times=5)
    lake.stat("a")
    assert waits[7:] == [2, 4, 8, 16, 32]


def test_a_wait_that_an_answer_asks_for_is_kept(storage: Storage) -> None:
    waits: list[float] = []
    storage.faults.at(1, "busy")
    opened(storage, sleep=waits.append, patience=Patience(base=0, jitter=0)).stat("a")
    assert waits == [1.0]


def test_throttling_is_tried_again_and_then_told(storage: Storage) -> None:
    waits: list[float] = []
    lake = opened(storage, sleep=waits.append)
    storage.faults.at(1, "throttled")
    lake.put("a", b"x", ABSENT)
    assert waits == [2]
    storage.faults.when(lambda _: True, "throttled", times=6)
    with pytest.raises(Retriable) as caught:
        lake.stat("a")
    assert caught.value.code == "LAK030"
    assert waits == [2, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("credential", ["key", "signature"])
def test_a_secret_that_is_wrong_is_refused_and_never_told(storage: Storage, credential: str) -> None:
    held: Any = AzureNamedKeyCredential(storage.account, SECRET)
    if credential == "signature":
        held = AzureSasCredential(f"sv=2024-08-04&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig={SECRET}")
    with pytest.raises(Forbidden) as caught:
        opened(storage, credential=held).put("a", b"x", ABSENT)
    assert caught.value.code == "LAK037"
    assert "it answered 403 AuthenticationFailed (request " in caught.value.why
    assert SECRET not in everything_said(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_that_is_no_key_is_refused_and_never_told(storage: Storage) -> None:
    with pytest.raises(Forbidden) as caught:
        opened(storage, credential=AzureNamedKeyCredential(storage.account, "x")).stat("a")
    assert (caught.value.code, caught.value.why) == ("LAK037", "the account key is not base64")


def test_an_account_that_was_never_heard_of_is_soon_given_up_and_told_without_its_signature() -> None:
    waits: list[float] = []
    with served() as gone:
        pass
    with pytest.raises(Retriable) as caught:
        opened(gone, sleep=waits.append, credential=AzureSasCredential(f"sv=2024-08-04&sp=r&sig={SECRET}")).stat("a")
    assert (caught.value.code, caught.value.why) == ("LAK031", "Connection refused")
    assert waits == [2, 4]
    assert SECRET not in everything_said(caught.value)


def test_a_certificate_that_cannot_be_verified_is_told(tmp_path: Path) -> None:
    with served(tls=self_signed(tmp_path)) as storage, pytest.raises(ToolkitError) as caught:
        opened(storage).stat("a")
    assert caught.value.code == "LAK032"
    assert "REQUESTS_CA_BUNDLE" in caught.value.fix


@dataclass(frozen=True)
class Given:
    """What gives one token, or fails."""

    token: str
    error: Exception | None = None
    expires_on: int = 1 << 40

    def get_token(self, *_: str, **__: Any) -> Given:
        if self.error:
            raise self.error
        return self


def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    tls = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.certificate))
    return served(tls=tls)


def test_a_token_of_another_tenant_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with trusted(monkeypatch, tmp_path) as storage, pytest.raises(Forbidden) as caught:
        opened(storage, credential=Given(SECRET)).stat("a")
    assert caught.value.code == "LAK036"
    assert SECRET not in everything_said(caught.value)


def test_a_sign_in_that_fails_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    waits: list[float] = []
    credential = Given("", ClientAuthenticationError("AADSTS7000215: Invalid client secret provided."))
    with trusted(monkeypatch, tmp_path) as storage, pytest.raises(Forbidden) as caught:
        opened(storage, credential=credential, sleep=waits.append).stat("a")
    assert (caught.value.code, caught.value.why) == ("LAK038", "AADSTS7000215: Invalid client secret provided.")
    assert waits == []


def test_an_account_shows_no_secret_when_it_is_printed(storage: Storage) -> None:
    lake = opened(storage)
    assert storage.key not in repr(lake._account)


def test_the_sdk_is_imported_by_the_first_request_alone() -> None:
    code = "import sys, toolkit.lake.adls.lake; print(sorted(name for name in sys.modules if name.startswith('azure')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
