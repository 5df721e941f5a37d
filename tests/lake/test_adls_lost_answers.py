"""Requests whose first answer is lost: the SDK sends them again by itself, and the second answer is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.lake.accounts import opened
from tests.lake.dfs.faults import KINDS, Kind
from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.wire import Request
from tests.scale import LONG
from toolkit.errors import Conflict
from toolkit.lake.adls.lake import AdlsLake
from toolkit.lake.protocol import ABSENT, Holder

ANN = Holder("ann", "host-a", 11, datetime(2026, 5, 1, 12, 0, tzinfo=UTC))
# A token is not asked for here, so none can expire.
FAULTS = [kind for kind in KINDS if kind != "expired"] if LONG else ["lost_after"]


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


@pytest.fixture
def lake(storage: Storage) -> AdlsLake:
    return opened(storage)


def lost(storage: Storage, matches: Callable[[Request], bool]) -> None:
    storage.faults.when(matches, "lost_after")


def renames(request: Request) -> bool:
    return "x-ms-rename-source" in request.headers


def test_a_flush_is_known_by_its_writer_and_size(storage: Storage, lake: AdlsLake) -> None:
    lost(storage, lambda request: request.kind == "flush")
    writer = lake.stage("r", "part")
    writer.write(b"rows")
    staged = writer.seal()
    assert [each.status for each in storage.requests if each.kind == "flush"] == [0, 412]
    assert lake.publish(staged, "a", ABSENT) == staged.etag


def test_a_rename_is_known_by_the_etag_that_it_kept(storage: Storage, lake: AdlsLake) -> None:
    staged = lake.stage("r", "part").seal()
    lost(storage, renames)
    assert lake.publish(staged, "a", ABSENT) == staged.etag
    assert [each.status for each in storage.requests if each.path == "lake/a"] == [0, 404, 200]


@pytest.mark.parametrize("expect", ["absent", "any", "etag"])
def test_a_put_whose_rename_was_done_is_done(storage: Storage, lake: AdlsLake, expect: str) -> None:
    first = lake.put("c.json", b"one", ABSENT) if expect == "etag" else ABSENT
    lost(storage, renames)
    etag = lake.put("c.json", b"two", "any" if expect == "any" else first)
    there = lake.stat("c.json")
    assert there is not None
    assert (lake.read("c.json"), there.etag) == (b"two", etag)


def test_a_put_that_was_done_and_replaced_before_its_writer_knew_is_a_conflict(
    storage: Storage, lake: AdlsLake
) -> None:
    lost(storage, renames)

    def replaces(request: Request) -> bool:
        if renames(request) and (some := storage.store.file_systems["lake"].nodes).get("c.json"):
            some["c.json"] = storage.store.written(some["c.json"])
        return False

    storage.faults.when(replaces, "busy")
    with pytest.raises(Conflict) as caught:
        lake.put("c.json", b"one", ABSENT)
    assert caught.value.code == "LAK002"


def test_a_delete_that_was_done_is_done(storage: Storage, lake: AdlsLake) -> None:
    lake.put("a", b"", ABSENT)
    lost(storage, lambda request: request.method == "DELETE")
    lake.delete("a")
    assert lake.stat("a") is None


def test_a_file_system_and_a_folder_that_were_made_are_there(storage: Storage, lake: AdlsLake) -> None:
    lost(storage, lambda request: request.kind == "container")
    lost(storage, lambda request: request.kind == "directory" and "lake" in storage.store.file_systems)
    lake.create_folder("account")
    assert list(storage.store.file_systems["lake"].nodes) == ["account"]


def test_a_lock_that_was_taken_is_held(storage: Storage, lake: AdlsLake) -> None:
    lake.lock("engine", ANN).release()
    lost(storage, lambda request: request.headers.get("x-ms-lease-action") == "acquire")
    lost(storage, lambda request: request.headers.get("x-ms-lease-action") == "release")
    lost(storage, lambda request: request.kind == "metadata")
    fence = lake.lock("engine", ANN)
    assert fence.number == 2
    fence.check()
    fence.release()
    assert lake.lock("engine", ANN).number == 3


def everything(lake: AdlsLake) -> list[object]:
    """Do one of each."""
    fence = lake.lock("engine", ANN)
    lake.put("c.json", b"{}", ABSENT)
    writer = lake.stage("r", "part")
    writer.write(b"0123456789")
    writer.flush()
    writer.copy("c.json", 0, 2)
    etag = lake.publish(writer.seal(), "account/2026.csv", ABSENT)
    lake.snapshot("account/2026.csv", "account/Snapshot/2026.csv", etag)
    lake.delete("c.json")
    lake.create_folder("contact")
    fence.check()
    fence.release()
    paths = [stat.path for stat in lake.list("")]
    return [fence.number, paths, lake.read("account/Snapshot/2026.csv"), lake.read_ranges("account/2026.csv", [1], [3])]


DONE = [1, ["account/2026.csv", "account/Snapshot/2026.csv"], b"0123456789{}", b"12"]


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_goes_wrong_once_with_any_request_is_not_noticed(kind: Kind) -> None:
    with served() as storage:
        assert everything(opened(storage)) == DONE
        count = len(storage.requests)
    for number in range(1, count + 1):
        with served() as storage:
            storage.faults.at(number, kind)
            assert (number, everything(opened(storage))) == (number, DONE)
            assert storage.faults.count >= count
