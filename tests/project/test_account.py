"""Storage accounts in toolkit.yaml: what the file may say of them, and that no secret stands in it."""

from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import Invalid, Refused
from toolkit.model.config import Cloud
from toolkit.project import AdlsEntry, FolderEntry, Project
from toolkit.project.account import Endpoint

KEY = "QUJD" * 21 + "QQ=="
SAS = "sv=2024-11-04&ss=b&srt=sco&sp=rwdlac&sig=" + "QUJD" * 10


def written(folder: Path, accounts: str) -> Path:
    path = folder / "toolkit.yaml"
    path.write_text(f"environments:\n  dev: {{folder: dev}}\naccounts:\n  contosolake: {accounts}\n")
    return path


def findings(folder: Path, accounts: str) -> list[tuple[str, int | None, str]]:
    with pytest.raises(Invalid) as caught:
        Project.load(written(folder, accounts))
    told = [text for each in caught.value.findings for text in (each.what, each.why, each.fix)]
    assert not any(secret in text for text in told for secret in (KEY, SAS))
    return [(each.code, each.where.line, each.where.key) for each in caught.value.findings]


def adls(**keys: Any) -> AdlsEntry:
    return AdlsEntry(kind="adls", **keys)


def test_an_account_is_a_folder_unless_its_kind_says_otherwise(tmp_path: Path) -> None:
    assert Project.load(written(tmp_path, "{folder: lakes/x}")).file.accounts == {
        "contosolake": FolderEntry(folder="lakes/x")
    }
    assert Project.load(written(tmp_path, "{kind: adls}")).file.accounts == {"contosolake": adls()}


@pytest.mark.parametrize(
    ("cloud", "dfs", "blob", "authority"),
    [
        (
            "public",
            "https://contosolake.dfs.core.windows.net",
            "https://contosolake.blob.core.windows.net",
            "login.microsoftonline.com",
        ),
        (
            "usgov",
            "https://contosolake.dfs.core.usgovcloudapi.net",
            "https://contosolake.blob.core.usgovcloudapi.net",
            "login.microsoftonline.us",
        ),
        (
            "china",
            "https://contosolake.dfs.core.chinacloudapi.cn",
            "https://contosolake.blob.core.chinacloudapi.cn",
            "login.chinacloudapi.cn",
        ),
    ],
)
def test_endpoints_and_who_issues_tokens_follow_from_the_cloud(cloud: str, dfs: str, blob: str, authority: str) -> None:
    entry = adls(cloud=cloud)
    found = (entry.dfs("contosolake").url, entry.blob("contosolake").url, entry.dfs("contosolake").authority)
    assert found == (dfs, blob, authority)


def test_a_private_endpoint_is_named_and_its_blob_half_follows() -> None:
    entry = adls(endpoint="https://contosolake.privatelink.dfs.core.windows.net/", cloud=Cloud.PUBLIC)
    assert entry.dfs("contosolake").url == "https://contosolake.privatelink.dfs.core.windows.net"
    assert entry.blob("contosolake").url == "https://contosolake.privatelink.blob.core.windows.net"


def test_an_endpoint_of_another_form_names_both_halves() -> None:
    entry = adls(endpoint="https://lake.contoso.com", blob_endpoint="https://blobs.contoso.com:8443")
    assert (entry.dfs("x").url, entry.blob("x").url) == ("https://lake.contoso.com", "https://blobs.contoso.com:8443")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("contosolake.dfs.core.windows.net", "an endpoint is like"),
        ("http://contosolake.dfs.core.windows.net", "plain http is for loopback only"),
        ("https://me@contosolake.dfs.core.windows.net", "no user"),
        ("https://contosolake.dfs.core.windows.net/?x=1", "no user, query"),
        ("https://contosolake.dfs.core.windows.net/files", "no path"),
    ],
)
def test_what_is_no_endpoint_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Endpoint.parse(url)


def test_an_emulator_on_this_machine_is_asked_over_plain_http() -> None:
    endpoint = Endpoint.parse("http://127.0.0.1:10000/contosolake")
    assert (endpoint.url, endpoint.origin) == ("http://127.0.0.1:10000/contosolake", "http://127.0.0.1:10000")
    assert (endpoint.loopback, endpoint.encrypted) == (True, False)


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ("{kind: ads, folder: x}", [("DOC012", 4, "accounts.contosolake.kind")]),
        ("{kind: adls, folder: x}", [("DOC010", 4, "accounts.contosolake.folder")]),
        ("{kind: adls, endpoint: 'https://lake.contoso.com'}", [("DOC012", 4, "accounts.contosolake")]),
        ("{kind: adls, sign_in: {method: none}}", [("DOC012", 4, "accounts.contosolake.sign_in.method")]),
        (
            "{kind: adls, endpoint: 'http://127.0.0.1:1/x', blob_endpoint: 'http://127.0.0.1:1/x'}",
            [("DOC012", 4, "accounts.contosolake")],
        ),
        ("{kind: adls, verify_tls: false}", [("DOC010", 4, "accounts.contosolake.verify_tls")]),
    ],
)
def test_mistakes_are_told_at_their_place(tmp_path: Path, accounts: str, expected: list[Any]) -> None:
    assert findings(tmp_path, accounts) == expected


def test_a_key_that_is_written_into_the_file_is_refused_and_never_told(tmp_path: Path) -> None:
    assert findings(tmp_path, f"{{kind: adls, sign_in: {{method: account_key, variable: '{KEY}'}}}}") == [
        ("DOC012", 4, "accounts.contosolake.sign_in.variable"),
        ("PRJ052", 4, ""),
    ]


def test_a_secret_is_told_by_its_name_too(tmp_path: Path) -> None:
    assert findings(tmp_path, "{kind: adls, account_key: hello}") == [
        ("DOC010", 4, "accounts.contosolake.account_key"),
        ("PRJ052", 4, "accounts.contosolake.account_key"),
    ]


@pytest.mark.parametrize(
    "text", [KEY, f"AccountName=contosolake;AccountKey={KEY}", f"https://contosolake.dfs.core.windows.net/?{SAS}"]
)
def test_a_secret_is_found_wherever_it_stands(tmp_path: Path, text: str) -> None:
    codes = findings(tmp_path, f"{{kind: adls, subscription: '{text}'}}")
    assert codes == [("PRJ052", 4, "")]


def test_a_folder_is_never_put_in_the_place_of_an_account_in_azure(tmp_path: Path) -> None:
    project = Project.load(written(tmp_path, "{kind: adls}"))
    project.refuse_folders({"contosolake": "", "another": "x"})
    with pytest.raises(Refused) as caught:
        project.refuse_folders({"contosolake": "x"})
    assert (caught.value.code, caught.value.where.key) == ("PRJ051", "accounts.contosolake")
