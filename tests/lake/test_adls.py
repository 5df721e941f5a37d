"""What a lake in a storage account does beside what all lakes promise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.lake.accounts import delete_file_system, opened, told
from tests.lake.dfs.serving import Storage, served
from tests.lake.dfs.wire import Request
from toolkit.errors import Conflict, Refused, Retriable
from toolkit.lake.adls import sinks, traffic, writer
from toolkit.lake.adls.lake import ASIDE, COPY_OF, AdlsLake
from toolkit.lake.adls.place import Rejected
from toolkit.lake.protocol import ABSENT, Holder

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ANN = Holder("ann", "host-a", 11, NOW)


@pytest.fixture
def storage() -> Iterator[Storage]:
    with served() as storage:
        yield storage


@pytest.fixture
def lake(storage: Storage) -> AdlsLake:
    return opened(storage)


def nodes(storage: Storage) -> list[str]:
    return sorted(storage.store.file_systems["lake"].nodes)


# Where things are


def test_a_location_is_spelled_with_the_port_as_the_service_does() -> None:
    with served() as storage:
        lake = opened(storage, dfs="https://contososales.dfs.core.windows.net")
    assert lake.location("account/2026.csv") == ("https://contososales.dfs.core.windows.net:443/lake/account/2026.csv")
    assert lake.location("") == "https://contososales.dfs.core.windows.net:443/lake"
    assert lake.location("a b.csv").endswith("/lake/a%20b.csv")


def test_an_address_of_another_port_keeps_it(storage: Storage) -> None:
    assert opened(storage).location("a").startswith("http://127.0.0.1:")
    assert opened(storage, dfs="http://host").location("a") == "http://host:80/lake/a"


def test_several_lakes_of_an_account_do_not_meet(storage: Storage) -> None:
    first, second = opened(storage, file_system="one"), opened(storage, file_system="two")
    first.put("a", b"1", ABSENT)
    second.put("a", b"2", ABSENT)
    assert (first.read("a"), second.read("a")) == (b"1", b"2")


# The file system


@pytest.mark.parametrize("write", ["put", "stage", "folder", "lock"])
def test_the_first_write_makes_the_file_system(storage: Storage, lake: AdlsLake, write: str) -> None:
    match write:
        case "put":
            lake.put("a", b"", ABSENT)
        case "stage":
            lake.stage("r", "a").seal()
        case "folder":
            lake.create_folder("a")
        case _:
            lake.lock("engine", ANN).release()
    assert list(storage.store.file_systems) == ["lake"]


def test_nothing_but_a_write_makes_the_file_system(storage: Storage, lake: AdlsLake) -> None:
    lake.stage("r", "a").close()
    lake.delete("a")
    lake.remove_folder("a")
    assert list(lake.list("")) == []
    assert list(storage.store.file_systems) == []


class Time:
    """A clock that sleeping turns on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_the_name_of_a_deleted_file_system_is_waited_for() -> None:
    time = Time()
    with served(clock=time) as storage:
        lake = opened(storage, sleep=time.sleep)
        lake.put("a", b"1", ABSENT)
        delete_file_system(storage)
        assert lake.stat("a") is None
        lake.put("a", b"2", ABSENT)
        assert lake.read("a") == b"2"
    assert timedelta(seconds=30) <= time.now - NOW < timedelta(seconds=40)


def test_a_file_system_that_is_deleted_for_too_long_is_told() -> None:
    with served(clock=lambda: NOW) as storage:
        lake = opened(storage)
        lake.put("a", b"1", ABSENT)
        delete_file_system(storage)
        with pytest.raises(Retriable) as caught:
            lake.put("a", b"2", ABSENT)
    assert (caught.value.code, caught.value.after) == ("LAK033", 30.0)
    assert "still taken after 90 s" in caught.value.why


# Requests


def test_a_put_writes_aside_and_moves_it(storage: Storage, lake: AdlsLake) -> None:
    lake.create_folder("account")
    storage.requests.clear()
    lake.put("account/model.json", b"{}", ABSENT)
    assert told(storage.requests) == ["PUT dfs file", "PATCH dfs append", "PATCH dfs flush", "PUT dfs"]
    assert all(each.path.startswith(f"lake/{ASIDE}/") for each in storage.requests[:3])


def test_a_put_that_fails_leaves_nothing_aside(storage: Storage, lake: AdlsLake) -> None:
    lake.put("c.json", b"one", ABSENT)
    with pytest.raises(Conflict):
        lake.put("c.json", b"two", ABSENT)
    assert nodes(storage) == ["_toolkit", "_toolkit/lock", ASIDE, "c.json"]


def test_a_file_cannot_be_put_where_a_folder_is(storage: Storage, lake: AdlsLake) -> None:
    lake.put("account/2026.csv", b"", ABSENT)
    with pytest.raises(Rejected) as caught:
        lake.put("account", b"", "any")
    assert caught.value.code == "LAK040"
    assert nodes(storage)[-2:] == ["account", "account/2026.csv"]


def test_a_published_file_leaves_no_folder_behind(storage: Storage, lake: AdlsLake) -> None:
    first, second = lake.stage("r", "a/1").seal(), lake.stage("r", "a/2").seal()
    lake.publish(first, "1.csv", ABSENT)
    assert "_toolkit/staging/r/a" in nodes(storage)
    lake.publish(second, "2.csv", ABSENT)
    assert nodes(storage) == ["1.csv", "2.csv", "_toolkit", "_toolkit/staging"]


def test_what_is_published_together_leaves_its_folder_with_one_request(storage: Storage, lake: AdlsLake) -> None:
    staged = [lake.stage("r", str(number)).seal() for number in range(5)]
    storage.requests.clear()
    with lake.together(), lake.together():
        for each in staged:
            lake.publish(each, each.path[-1], ABSENT)
    assert told(storage.requests) == ["PUT dfs"] * 5 + ["DELETE dfs"]


def test_a_long_list_comes_in_pages(storage: Storage, lake: AdlsLake) -> None:
    lake.put("f/00000", b"", ABSENT)
    some = storage.store.file_systems["lake"].nodes
    some |= {f"f/{number:05}": some["f/00000"] for number in range(6000)}
    storage.requests.clear()
    assert sum(1 for _ in lake.list("f")) == 6000
    assert told(storage.requests) == ["GET dfs filesystem"] * 2


def test_a_file_whose_name_is_no_path_is_left_out(storage: Storage, lake: AdlsLake) -> None:
    lake.put("a", b"", ABSENT)
    storage.store.file_systems["lake"].nodes["b%41"] = storage.store.file_systems["lake"].nodes["a"]
    assert [stat.path for stat in lake.list("")] == ["a"]


def test_near_ranges_come_with_one_request(storage: Storage, lake: AdlsLake) -> None:
    lake.put("a", bytes(range(100)), ABSENT)
    storage.requests.clear()
    assert lake.read_ranges("a", list(range(0, 100, 10)), list(range(1, 100, 10))) == bytes(range(0, 100, 10))
    assert told(storage.requests) == ["GET blob"]


def test_folders_that_runs_left_empty_go_with_the_next_lock(storage: Storage, lake: AdlsLake) -> None:
    for name in ("a/kept", "b/given/up"):
        lake.stage("r1", name).seal()
    writer = lake.stage("r2", "part")
    writer.write(b"x")
    writer.flush()
    lake._desk.files.delete("_toolkit/staging/r1/b/given/up")
    lake.lock("engine", ANN).release()
    staging = [path for path in nodes(storage) if path.startswith("_toolkit/staging/")]
    kept = ["r1", "r1/a", "r1/a/kept", "r2", "r2/part"]
    assert staging == [f"_toolkit/staging/{name}" for name in kept]


def test_what_dead_processes_left_aside_goes_with_the_next_lock() -> None:
    time = Time()
    with served(clock=time) as storage:
        lake = opened(storage, clock=time)
        lake.put("a", b"", ABSENT)
        some = storage.store.file_systems["lake"].nodes
        some[f"{ASIDE}/old"] = some["a"]
        time.sleep(3600 * 25)
        lake.put("b", b"", ABSENT)
        some[f"{ASIDE}/new"] = some["b"]
        lake.lock("engine", ANN).release()
        assert [path for path in nodes(storage) if path.startswith(f"{ASIDE}/")] == [f"{ASIDE}/new"]


# Bytes


def test_a_large_file_goes_in_blocks_and_is_read_in_pieces(storage: Storage, lake: AdlsLake) -> None:
    data = bytes(range(256)) * (5 << 14)
    staged = lake.stage("r", "part", len(data))
    staged.write(memoryview(data)[:7])
    staged.write(data[7:])
    lake.publish(staged.seal(), "a", ABSENT)
    sent = [each.sent for each in storage.requests if each.kind == "append"]
    assert sorted(sent, reverse=True) == [8 << 20, 8 << 20, 4 << 20]
    assert lake.read("a") == data
    assert lake.read("a", 5, 17 << 20) == data[5 : 5 + (17 << 20)]


def test_a_writer_sends_what_it_has_when_others_keep_back_a_lot(storage: Storage, lake: AdlsLake) -> None:
    staged = lake.stage("r", "part")
    lake._desk.traffic.keep(traffic.WAITING)
    staged.write(bytes(writer.SMALLEST - 1))
    assert storage.requests == []
    staged.write(b"x")
    lake._desk.traffic.keep(-traffic.WAITING)
    staged.write(b"more")
    assert staged.seal().size == writer.SMALLEST + 4
    assert sorted(each.sent for each in storage.requests if each.kind == "append") == [4, writer.SMALLEST]


def test_a_file_has_no_more_blocks_than_the_service_takes(storage: Storage, lake: AdlsLake) -> None:
    sending = sinks.Sending(lake._desk.traffic, "here")
    assert sending.block == 8 << 20
    sending.count = sinks.MANY
    assert sending.block == 32 << 20
    sending.count = sinks.MOST
    with pytest.raises(Refused) as caught:
        sending.start(lambda: None)
    assert (caught.value.code, caught.value.why) == ("LAK041", "the service takes 50,000 blocks for a file")
    assert storage.requests == []


def test_requests_run_beside_their_callers_but_not_too_many() -> None:
    some = traffic.Traffic()
    go, running = threading.Event(), []

    def work() -> None:
        running.append(1)
        go.wait()

    futures = [some.start(work) for _ in range(traffic.AT_ONCE)]
    late = threading.Thread(target=lambda: futures.append(some.start(work)))
    late.start()
    late.join(0.05)
    assert (len(running), late.is_alive()) == (traffic.AT_ONCE, True)
    go.set()
    late.join()
    for future in futures:
        future.result()
    assert len(running) == traffic.AT_ONCE + 1


# What changes meanwhile


def replaced_at(storage: Storage, *numbers: int) -> None:
    """Let file ``a`` be replaced before the GET requests of these numbers, the first is 1."""
    counted: list[int] = []

    def look(request: Request) -> bool:
        if request.method == "GET":
            counted.append(1)
        if request.method == "GET" and len(counted) in numbers:
            some = storage.store.file_systems["lake"].nodes
            some["a"] = storage.store.written(some["a"])
        return False

    storage.faults.when(look, "busy")


def test_a_file_that_is_replaced_while_it_is_read_is_read_anew(storage: Storage, lake: AdlsLake) -> None:
    lake.put("a", b"o" * (9 << 20), ABSENT)
    replaced_at(storage, 2)
    storage.requests.clear()
    assert lake.read("a") == b"o" * (9 << 20)
    assert [each.status for each in storage.requests] == [206, 412, 206, 206]


def test_a_file_that_becomes_shorter_while_it_is_read_is_read_anew(lake: AdlsLake) -> None:
    lake.put("a", b"o" * (9 << 20), ABSENT)
    there = lake.stat("a")
    assert there is not None
    lake.put("a", b"n", "any")
    with pytest.raises(Rejected) as caught:
        lake._desk.files.read("a", 8 << 20, 5, there.etag)
    assert caught.value.status == 412


def test_a_file_that_changes_all_the_time_is_told(storage: Storage, lake: AdlsLake) -> None:
    lake.put("a", b"o" * (9 << 20), ABSENT)
    replaced_at(storage, 2, 4, 6)
    with pytest.raises(Conflict) as caught:
        lake.read_ranges("a", [0, 8 << 20], [1, 9 << 20])
    assert (caught.value.code, caught.value.why) == ("LAK002", "it was replaced 3 times while it was read")


def test_a_file_that_is_replaced_while_it_is_copied_is_a_conflict(storage: Storage) -> None:
    lake = opened(storage, server_copies="never")
    lake.put("a", b"o" * (9 << 20), ABSENT)
    replaced_at(storage, 2)
    staged = lake.stage("r", "part")
    with pytest.raises(Conflict):
        staged.copy("a", 0, 9 << 20)
    staged.close()
    assert lake.stat("_toolkit/staging/r/part") is None


def test_a_copy_that_fails_half_way_leaves_nothing(storage: Storage) -> None:
    lake = opened(storage, server_copies="never")
    etag = lake.put("a", b"o" * (9 << 20), ABSENT)
    replaced_at(storage, 2)
    with pytest.raises(Conflict):
        lake.snapshot("a", "s", etag)
    assert nodes(storage) == ["_toolkit", "_toolkit/lock", ASIDE, "a"]


def test_a_file_is_not_spliced_of_two_contents_of_another(lake: AdlsLake) -> None:
    lake.put("a", b"0123", ABSENT)
    staged = lake.stage("r", "part")
    staged.copy("a", 0, 2)
    lake.put("a", b"4567", "any")
    with pytest.raises(Conflict):
        staged.copy("a", 2, 2)


def test_a_snapshot_that_somebody_else_makes_meanwhile_is_taken(storage: Storage, lake: AdlsLake) -> None:
    etag = lake.put("a", b"1", ABSENT)

    def look(request: Request) -> bool:
        if "x-ms-rename-source" in request.headers:
            some = storage.store.file_systems["lake"].nodes
            some["s"] = replace(some["a"], etag='"theirs"', metadata={COPY_OF: etag})
        return False

    storage.faults.when(look, "busy")
    assert lake.snapshot("a", "s", etag) == "theirs"
    assert nodes(storage) == ["_toolkit", "_toolkit/lock", ASIDE, "a", "s"]


def test_a_writer_finds_out_that_another_one_took_its_file(lake: AdlsLake) -> None:
    first = lake.stage("r", "part")
    first.write(b"one")
    first.flush()
    lake.stage("r", "part").seal()
    first.write(b"more")
    with pytest.raises(Conflict):
        first.flush()
