"""The lock of a lake in a storage account: a lease that is renewed, with its holder in the metadata of a file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.lake.accounts import opened
from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.wire import Request
from toolkit.errors import Locked, Retriable, ToolkitError
from toolkit.lake.adls.lake import AdlsLake
from toolkit.lake.adls.lease import AdlsFence
from toolkit.lake.protocol import ABSENT, Fence, Holder

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ANN = Holder("ann", "host-a", 11, NOW)
BOB = Holder("B\u00f6b \u732b", "host-b", 22, NOW)
FILE = "_toolkit/lock/engine.lock"


class Time:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def storage(time: Time) -> Iterator[Storage]:
    with served(clock=time) as storage:
        yield storage


@pytest.fixture
def lake(storage: Storage, time: Time) -> AdlsLake:
    return opened(storage, clock=time, renewed_after=20)


def renewals(storage: Storage) -> int:
    return sum(each.kind == "lease" for each in storage.requests)


def test_a_lease_that_ended_is_taken_over_with_a_higher_number(lake: AdlsLake, time: Time) -> None:
    first = lake.lock("engine", ANN)
    time.goes_on(59)
    with pytest.raises(Locked):
        lake.lock("engine", BOB)
    time.goes_on(2)
    second = lake.lock("engine", BOB)
    assert (first.number, second.number) == (1, 2)
    second.check()
    with pytest.raises(Locked) as caught:
        first.check()
    assert caught.value.code == "LAK005"
    first.release()
    second.check()


def test_a_holder_with_any_name_is_told(lake: AdlsLake) -> None:
    lake.lock("engine", BOB)
    with pytest.raises(Locked) as caught:
        lake.lock("engine", ANN)
    assert "B\u00f6b \u732b on host-b, process 22" in caught.value.what


def test_a_lock_without_a_name_is_told_as_well(storage: Storage, lake: AdlsLake) -> None:
    lake.lock("engine", ANN)
    some = storage.store.file_systems["lake"].nodes
    some[FILE] = replace(some[FILE], metadata={"toolkitheld": "{"})
    with pytest.raises(Locked) as caught:
        lake.lock("engine", BOB)
    assert "somebody whose name was deleted" in caught.value.what


def test_a_check_asks_only_when_the_lease_may_have_ended(storage: Storage, lake: AdlsLake, time: Time) -> None:
    fence = lake.lock("engine", ANN)
    storage.requests.clear()
    time.goes_on(39)
    fence.check()
    assert renewals(storage) == 0
    time.goes_on(1)
    fence.check()
    fence.check()
    assert renewals(storage) == 1


def test_a_lease_that_somebody_broke_is_lost(lake: AdlsLake, time: Time) -> None:
    fence = lake.lock("engine", ANN)
    lake._desk.files.create(FILE)
    time.goes_on(40)
    for _ in range(2):
        with pytest.raises(Locked) as caught:
            fence.check()
        assert caught.value.code == "LAK005"


def test_a_check_that_cannot_be_made_is_no_lost_lock(storage: Storage, lake: AdlsLake, time: Time) -> None:
    fence = lake.lock("engine", ANN)
    time.goes_on(40)
    storage.faults.when(lambda request: request.kind == "lease", "busy", times=6)
    with pytest.raises(Retriable):
        fence.check()
    fence.check()


def thread_of(fence: Fence) -> threading.Thread:
    assert isinstance(fence, AdlsFence)
    return fence._thread


def test_a_thread_renews_the_lease_until_it_is_given_back(storage: Storage) -> None:
    fence = opened(storage, renewed_after=0.001).lock("engine", ANN)
    enough = threading.Event()

    def look(request: Request) -> bool:
        if request.headers.get("x-ms-lease-action") == "renew" and renewals(storage) >= 4:
            enough.set()
        return False

    storage.faults.when(look, "busy")
    assert enough.wait(30)
    fence.release()
    assert not thread_of(fence).is_alive()
    assert storage.store.file_systems["lake"].nodes[FILE].lease.state(NOW) == "available"


def test_a_thread_ends_when_the_lease_is_lost(storage: Storage) -> None:
    lake = opened(storage, renewed_after=0.001)
    fence = lake.lock("engine", ANN)
    lake._desk.files.create(FILE)
    thread_of(fence).join(30)
    with pytest.raises(Locked):
        fence.check()
    fence.release()
    fence.release()


def test_a_lock_that_cannot_be_described_is_given_back(storage: Storage, lake: AdlsLake) -> None:
    lake.lock("engine", ANN).release()
    storage.faults.when(lambda request: request.kind == "metadata", "busy", times=6)
    with pytest.raises(ToolkitError) as caught:
        lake.lock("engine", ANN)
    assert caught.value.code == "LAK030"
    assert lake.lock("engine", BOB).number == 2


def test_a_lock_is_held_though_nothing_can_be_swept(storage: Storage, lake: AdlsLake) -> None:
    storage.faults.when(lambda request: request.kind == "filesystem", "busy", times=6)
    fence = lake.lock("engine", ANN)
    fence.check()
    with pytest.raises(Locked):
        lake.lock("engine", BOB)


def test_who_waits_for_a_dead_holder_is_told_how_long(lake: AdlsLake) -> None:
    lake.lock("engine", ANN)
    with pytest.raises(Locked) as caught:
        lake.lock("engine", BOB)
    assert "its lock ends a minute after it at the latest" in caught.value.fix


def test_a_lock_is_not_a_file_of_the_lake(storage: Storage, lake: AdlsLake) -> None:
    lake.lock("engine", ANN)
    lake.put("a", b"", ABSENT)
    assert [stat.path for stat in lake.list("")] == ["a"]
    assert FILE in storage.store.file_systems["lake"].nodes
