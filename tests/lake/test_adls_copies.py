"""Copies that the service makes by itself: used where a probe shows that they are right, and given up otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from azure.core.credentials import AzureSasCredential
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from tests.lake.accounts import opened, told
from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.signing import Token
from tests.lake.dfs.store import Node
from tests.lake.dfs.wire import Request
from tests.server.served import self_signed
from toolkit.errors import Conflict, Retriable
from toolkit.lake.adls.copies import Blocks
from toolkit.lake.adls.lake import ASIDE, AdlsLake
from toolkit.lake.adls.place import Rejected
from toolkit.lake.adls.writer import AdlsWriter
from toolkit.lake.protocol import ABSENT

DATA = bytes(range(256)) * 4


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


@pytest.fixture
def lake(storage: Storage) -> AdlsLake:
    """A lake that lets the service copy whatever has a hundred bytes, with file ``a``."""
    lake = opened(storage, least=100)
    lake.put("a", DATA, ABSENT)
    return lake


def spliced(lake: AdlsLake) -> bytes:
    writer = lake.stage("r", "part")
    writer.write(b"head")
    writer.copy_ranges("a", [0, 300, 310, 400], [300, 305, 320, 1024])
    writer.write(b"tail")
    staged = writer.seal()
    assert staged.size == 947
    lake.publish(staged, "spliced", "any")
    return lake.read("spliced")


EXPECTED = b"head" + DATA[:300] + DATA[300:305] + DATA[310:320] + DATA[400:1024] + b"tail"


def moved(storage: Storage) -> int:
    """Return the bytes that requests and answers had, but for what lists and errors say."""
    return sum(each.sent + (each.received if each.status == 206 else 0) for each in storage.requests)


def test_a_snapshot_moves_no_bytes_once_the_probe_was_made(storage: Storage, lake: AdlsLake) -> None:
    etag = lake.put("a", DATA, "any")
    lake.snapshot("a", "first", etag)
    storage.requests.clear()
    copy = lake.snapshot("a", "second", etag)
    assert (told(storage.requests), moved(storage)) == (
        ["HEAD blob", "HEAD blob", "PUT blob", "HEAD blob", "PUT dfs"],
        0,
    )
    assert lake.read("second") == DATA
    assert lake.snapshot("a", "second", etag) == copy


def test_a_splice_moves_only_what_is_short_or_new(storage: Storage, lake: AdlsLake) -> None:
    assert spliced(lake) == EXPECTED
    storage.requests.clear()
    writer = lake.stage("r", "part")
    writer.write(b"head")
    writer.copy_ranges("a", [0, 300, 310, 400], [300, 305, 320, 1024])
    assert lake.publish(writer.seal(), "spliced", "any") != ABSENT
    assert told(storage.requests)[:2] == ["HEAD blob", "DELETE dfs"]
    sent = sorted(each.sent for each in storage.requests if each.kind == "block")
    assert sent == [0, 0, 4, 10]
    assert [each.received for each in storage.requests if each.method == "GET"] == [10]


def test_what_is_left_out_is_looked_at_in_the_same_reading(storage: Storage, lake: AdlsLake) -> None:
    spliced(lake)
    writer = lake.stage("r", "part")
    storage.requests.clear()
    looked = writer.copy_ranges("a", [5, 300, 306, 420], [300, 305, 320, 900], [2, 305, 400, 1000], 1)
    assert looked == bytes([DATA[2], DATA[305], DATA[400], DATA[1000]])
    assert lake.read(writer.seal().path) == DATA[5:305] + DATA[306:320] + DATA[420:900]
    assert [each.received for each in storage.requests if each.method == "GET"] == [1, 15, 1, 1, 794]


def test_a_lake_probes_once_and_leaves_nothing_of_it(storage: Storage, lake: AdlsLake) -> None:
    spliced(lake)
    assert [path for path in storage.store.file_systems["lake"].nodes if path.startswith(f"{ASIDE}/")] == []
    copies = [each for each in storage.requests if each.half == "blob" and each.method == "PUT"]
    spliced(lake)
    again = [each for each in storage.requests if each.half == "blob" and each.method == "PUT"]
    assert (len(copies), len(again) - len(copies)) == (13, 6)


def test_nothing_is_left_to_the_service_where_that_is_switched_off(storage: Storage) -> None:
    lake = opened(storage, least=100, server_copies="never")
    etag = lake.put("a", DATA, ABSENT)
    lake.snapshot("a", "s", etag)
    assert (lake.read("s"), spliced(lake)) == (DATA, EXPECTED)
    assert {each.kind for each in storage.requests if each.half == "blob" and each.method == "PUT"} == {"container"}


def test_files_below_the_least_size_are_read_and_written(storage: Storage) -> None:
    lake = opened(storage)
    etag = lake.put("a", DATA, ABSENT)
    lake.snapshot("a", "s", etag)
    assert spliced(lake) == EXPECTED
    assert {each.kind for each in storage.requests if each.half == "blob" and each.method == "PUT"} == {"container"}


def test_a_file_that_was_begun_with_appends_gets_no_blocks(storage: Storage, lake: AdlsLake) -> None:
    writer = lake.stage("r", "part")
    writer.write(b"head")
    writer.flush()
    writer.copy("a", 0, 1024)
    assert lake.read(writer.seal().path) == b"head" + DATA
    assert [each for each in storage.requests if each.kind == "block"] == []


def test_a_file_of_blocks_is_flushed_and_goes_on(lake: AdlsLake) -> None:
    writer = lake.stage("r", "part")
    writer.copy("a", 0, 1024)
    writer.flush()
    assert lake.read("_toolkit/staging/r/part") == DATA
    writer.write(b"tail")
    writer.close()
    assert lake.read("_toolkit/staging/r/part") == DATA
    again = lake.stage("r", "part")
    again.copy("a", 0, 1024)
    again.close()
    assert lake.stat("_toolkit/staging/r/part") is None


def replaced_at(storage: Storage, kind: str) -> None:
    """Let file ``a`` be replaced just before the next request of this kind."""

    def look(request: Request) -> bool:
        if request.kind == kind and "replaced" not in done:
            done.add("replaced")
            some = storage.store.file_systems["lake"].nodes
            some["a"] = storage.store.written(some["a"])
        return False

    done: set[str] = set()
    storage.faults.when(look, "busy")


@pytest.mark.parametrize("kind", ["block", "blocklist"])
def test_a_source_that_is_replaced_meanwhile_is_a_conflict(storage: Storage, lake: AdlsLake, kind: str) -> None:
    lake.snapshot("a", "s", lake.put("a", DATA, "any"))
    replaced_at(storage, kind)
    writer = lake.stage("r", "part")
    writer.copy("a", 0, 1024)
    with pytest.raises(Conflict) as caught:
        writer.seal()
    assert caught.value.code == "LAK002"
    writer.close()
    assert lake._desk.copies._proven is True


# A service that does otherwise


def broken(storage: Storage, how: Callable[[Node], Node]) -> None:
    """Let whatever is moved within the lake's own folder be other than it was: the results of the probe are."""

    def look(request: Request) -> bool:
        source = request.headers.get("x-ms-rename-source", "")
        if f"{ASIDE}/" in source and f"{ASIDE}/" in request.path:
            some = storage.store.file_systems["lake"].nodes
            path = source.split("/", 2)[2]
            some[path] = how(some[path])
        return False

    storage.faults.when(look, "busy")


@pytest.mark.parametrize(
    "how",
    [
        lambda node: replace(node, data=node.data[:-1]),
        lambda node: replace(node, data=bytes(len(node.data))),
        lambda node: replace(node, etag='"another"'),
    ],
    ids=["short", "other bytes", "other etag"],
)
def test_a_probe_that_shows_anything_else_means_reading_and_writing(
    storage: Storage, lake: AdlsLake, how: Callable[[Node], Node]
) -> None:
    broken(storage, how)
    assert spliced(lake) == EXPECTED
    etag = lake.put("a", DATA, "any")
    storage.requests.clear()
    lake.snapshot("a", "s", etag)
    assert lake.read("s") == DATA
    assert [each for each in storage.requests if each.half == "blob" and each.method == "PUT"] == []
    assert [path for path in storage.store.file_systems["lake"].nodes if path.startswith(f"{ASIDE}/")] == []


def test_an_outage_in_a_probe_decides_nothing(storage: Storage, lake: AdlsLake) -> None:
    storage.faults.when(lambda request: request.kind == "block", "busy", times=12)
    with pytest.raises(Retriable):
        spliced(lake)
    storage.requests.clear()
    assert spliced(lake) == EXPECTED
    assert any(each.kind == "block" for each in storage.requests)


def refuse_copies(storage: Storage) -> None:
    """Let no copy have a right source any more, as when a network rule shuts the service itself out."""

    def look(request: Request) -> bool:
        if "x-ms-copy-source" in request.headers:
            cast("dict[str, str]", request.headers)["x-ms-copy-source"] += "-gone"
        return False

    storage.faults.when(look, "busy")


def test_a_splice_that_the_service_refuses_later_is_read_and_written(storage: Storage, lake: AdlsLake) -> None:
    spliced(lake)
    refuse_copies(storage)
    assert spliced(lake) == EXPECTED
    storage.requests.clear()
    assert spliced(lake) == EXPECTED
    assert [each for each in storage.requests if each.kind == "block"] == []


def test_a_copy_that_the_service_refuses_later_is_read_and_written(storage: Storage, lake: AdlsLake) -> None:
    spliced(lake)
    refuse_copies(storage)
    etag = lake.put("a", DATA, "any")
    lake.snapshot("a", "s", etag)
    assert lake.read("s") == DATA


def copying(storage: Storage, *states: str) -> None:
    """Let copies be in these states, one after the other, each time that somebody asks."""
    rest = list(states)

    def look(request: Request) -> bool:
        node = storage.store.file_systems["lake"].nodes.get(request.path)
        if request.method == "HEAD" and node is not None and node.copied and rest:
            said = {**node.copied, "x-ms-copy-status": rest.pop(0)}
            storage.store.file_systems["lake"].nodes[request.path] = replace(node, copied=said)
        return False

    storage.faults.when(look, "busy")


def test_a_copy_that_takes_its_time_is_waited_for(storage: Storage) -> None:
    waits: list[float] = []
    lake = opened(storage, least=100, sleep=waits.append)
    etag = lake.put("a", DATA, ABSENT)
    lake.snapshot("a", "first", etag)
    copying(storage, "pending", "pending", "success")
    storage.requests.clear()
    lake.snapshot("a", "second", etag)
    assert waits == [0.2, 0.5]
    assert moved(storage) == 0


@pytest.mark.parametrize("state", ["failed", "aborted"])
def test_a_copy_that_fails_is_read_and_written(storage: Storage, lake: AdlsLake, state: str) -> None:
    etag = lake.put("a", DATA, "any")
    lake.snapshot("a", "first", etag)
    copying(storage, "pending", state)
    lake.snapshot("a", "second", etag)
    assert lake.read("second") == DATA
    assert [path for path in storage.store.file_systems["lake"].nodes if path.startswith(f"{ASIDE}/")] == []


# Who may read the source


def test_a_signature_copies_by_itself(storage: Storage) -> None:
    text = generate_account_sas(
        storage.account,
        storage.key,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    lake = opened(storage, least=100, credential=AzureSasCredential(text))
    etag = lake.put("a", DATA, ABSENT)
    assert spliced(lake) == EXPECTED
    storage.requests.clear()
    lake.snapshot("a", "s", etag)
    assert lake.publish(lake.stage("r", "x").seal(), "x", ABSENT) != ABSENT
    assert moved(storage) == 0


@dataclass(frozen=True)
class Given:
    """What gives one token."""

    token: str
    expires_on: int = 1 << 40

    def get_token(self, *_: str, **__: Any) -> Given:
        return self


def test_a_token_copies_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.certificate))
    with served(tls=tls) as storage:
        storage.door.tokens["t"] = Token(datetime.max.replace(tzinfo=UTC), frozenset({"Storage Blob Data Contributor"}))
        lake = opened(storage, least=100, credential=Given("t"))
        etag = lake.put("a", DATA, ABSENT)
        assert spliced(lake) == EXPECTED
        storage.requests.clear()
        lake.snapshot("a", "s", etag)
        assert moved(storage) == 0


def test_a_splice_that_has_another_length_is_no_file(lake: AdlsLake) -> None:
    spliced(lake)
    writer = lake.stage("r", "part")
    writer.copy("a", 0, 1024)
    assert isinstance(writer, AdlsWriter)
    assert isinstance(writer._sink, Blocks)
    writer._sink._size += 1
    with pytest.raises(Rejected) as caught:
        writer.seal()
    assert caught.value.why == "the file of blocks is not as long as they are"
    assert not lake._desk.copies._proven
