"""What every lake promises. A further backend joins by one more line in BACKENDS."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lake.accounts import opened
from tests.lake.dfs import live
from tests.lake.dfs.serving import served
from toolkit.errors import Conflict, Damaged, Locked, NotFound, Refused
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import ABSENT, Etag, Fence, Holder, Lake, Staged

SINCE = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ANN = Holder("ann", "host-a", 11, SINCE)
BOB = Holder("bob", "host-b", 22, SINCE)


@dataclass(frozen=True)
class Backend:
    """A lake, and how another process opens the same one."""

    lake: Lake
    reopen: Callable[[], Lake]


def memory(_: Path, __: ExitStack) -> Backend:
    lake = MemoryLake()
    return Backend(lake, lake.reopen)


def folder(at: Path, _: ExitStack) -> Backend:
    return Backend(FolderLake(at / "lake"), lambda: FolderLake(at / "lake"))


def adls(_: Path, until: ExitStack) -> Backend:
    storage = until.enter_context(served())
    return Backend(opened(storage), lambda: opened(storage))


def real(_: Path, until: ExitStack) -> Backend:
    name = live.fresh_name()
    until.enter_context(live.removed(name))
    return Backend(live.opened(name), lambda: live.opened(name))


BACKENDS = {"memory": memory, "folder": folder, "adls": adls, **({"live": real} if live.ACCOUNT else {})}


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with ExitStack() as until:
        yield BACKENDS[request.param](tmp_path, until)


@pytest.fixture
def lake(backend: Backend) -> Lake:
    return backend.lake


def stage(lake: Lake, data: bytes, name: str = "part") -> Staged:
    writer = lake.stage("r1", name)
    writer.write(data)
    return writer.seal()


def paths(lake: Lake, prefix: str = "") -> list[str]:
    return [stat.path for stat in lake.list(prefix)]


# Reading


def test_a_lake_that_does_not_exist_is_empty(lake: Lake) -> None:
    assert lake.stat("model.json") is None
    assert paths(lake) == []
    lake.delete("model.json")
    assert paths(lake) == []


def test_a_file_is_read_whole_in_ranges_and_beyond_its_end(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    assert lake.read("a.csv") == b"0123456789"
    assert lake.read("a.csv", 2, 3) == b"234"
    assert lake.read("a.csv", 7) == b"789"
    assert lake.read("a.csv", 8, 100) == b"89"
    assert lake.read("a.csv", 50, 5) == b""
    assert lake.read("a.csv", 3, 0) == b""


@pytest.mark.parametrize("path", ["gone.csv", "a.csv/below", "account"])
def test_reading_what_is_no_file_says_that_it_is_not_there(lake: Lake, path: str) -> None:
    lake.put("a.csv", b"x", ABSENT)
    lake.put("account/2024.csv", b"x", ABSENT)
    assert lake.stat(path) is None
    with pytest.raises(NotFound) as caught:
        lake.read(path)
    assert caught.value.code == "LAK001"


def test_a_stat_says_path_size_and_etag(lake: Lake) -> None:
    etag = lake.put("account/2024.csv", b"12345", ABSENT)
    stat = lake.stat("account/2024.csv")
    assert stat is not None
    assert (stat.path, stat.size, stat.etag) == ("account/2024.csv", 5, etag)
    assert stat.modified.tzinfo is UTC


def test_a_list_is_in_the_order_of_whole_paths(lake: Lake) -> None:
    for path in ("b/1.csv", "a.csv", "a/z.csv", "a/b/c.csv", "ab/x.csv"):
        lake.put(path, b"", ABSENT)
    assert paths(lake) == ["a.csv", "a/b/c.csv", "a/z.csv", "ab/x.csv", "b/1.csv"]
    assert paths(lake, "a") == ["a/b/c.csv", "a/z.csv"]
    assert paths(lake, "a.csv") == []
    assert paths(lake, "nothing/here") == []


def test_a_list_holds_state_but_none_of_the_lake_s_own_files(lake: Lake) -> None:
    lake.put("_toolkit/link.json", b"{}", ABSENT)
    lake.lock("engine", ANN)
    assert paths(lake) == ["_toolkit/link.json"]
    assert paths(lake, "_toolkit") == ["_toolkit/link.json"]


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "a//b", "a/", "../x", "a/../b", "./a", "a\\b", "a\nb", "a%41b", "_toolkit/lock/serial"]
)
def test_a_path_that_not_every_lake_can_hold_is_refused(lake: Lake, path: str) -> None:
    for attempt in (
        lambda: lake.stat(path),
        lambda: lake.read(path),
        lambda: lake.put(path, b"", "any"),
        lambda: lake.delete(path),
        lambda: lake.create_folder(path),
        lambda: lake.remove_folder(path),
        lambda: lake.snapshot("a", path, Etag("e")),
        lambda: lake.publish(Staged("s", 0, Etag("e")), path, "any"),
    ):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.code == "LAK004"
    assert paths(lake) == []


@pytest.mark.parametrize(("run", "name"), [("..", "x"), ("r", "../../x"), ("", "x"), ("r", "")])
def test_a_run_and_a_name_cannot_lead_out_of_the_staging_folder(lake: Lake, run: str, name: str) -> None:
    with pytest.raises(Refused):
        lake.stage(run, name)


def test_a_location_ends_with_the_path_and_needs_no_file(lake: Lake) -> None:
    assert lake.location("account/2024.csv").endswith("/account/2024.csv")


def test_a_folder_can_be_made_twice_and_is_not_listed(lake: Lake) -> None:
    lake.create_folder("account")
    lake.create_folder("account")
    assert paths(lake) == []
    assert lake.stat("account") is None
    lake.put("account/2024.csv", b"", ABSENT)
    assert paths(lake) == ["account/2024.csv"]


def test_a_folder_that_files_have_left_is_removed_with_those_below_it(lake: Lake) -> None:
    lake.remove_folder("2026")
    lake.put("2026/account/2024.csv", b"", ABSENT)
    lake.remove_folder("2026")
    assert paths(lake) == ["2026/account/2024.csv"]
    lake.delete("2026/account/2024.csv")
    lake.remove_folder("2026")
    assert paths(lake) == []


# Put


def test_every_put_changes_the_etag_even_of_equal_bytes(lake: Lake) -> None:
    etags = [lake.put("model.json", b"same", "any") for _ in range(50)]
    assert len(set(etags)) == 50


def test_an_etag_does_not_come_back_when_a_file_is_deleted_and_written_again(lake: Lake) -> None:
    first = lake.put("model.json", b"same", ABSENT)
    lake.delete("model.json")
    assert lake.put("model.json", b"same", ABSENT) != first


def test_a_put_on_condition_of_the_etag_replaces_the_file(lake: Lake) -> None:
    first = lake.put("c.json", b"one", ABSENT)
    second = lake.put("c.json", b"two", first)
    stat = lake.stat("c.json")
    assert stat is not None
    assert stat.etag == second
    assert lake.read("c.json") == b"two"


def test_a_put_whose_condition_fails_changes_nothing(lake: Lake) -> None:
    first = lake.put("c.json", b"one", ABSENT)
    second = lake.put("c.json", b"two", first)
    for expect in (ABSENT, first):
        with pytest.raises(Conflict) as caught:
            lake.put("c.json", b"three", expect)
        assert caught.value.code == "LAK002"
    with pytest.raises(Conflict):
        lake.put("other.json", b"three", second)
    assert [(stat.path, stat.etag) for stat in lake.list("")] == [("c.json", second)]


def test_of_concurrent_puts_on_one_condition_one_wins(backend: Backend) -> None:
    first = backend.lake.put("c.json", b"start", ABSENT)
    start = threading.Barrier(8)

    def attempt(number: int) -> int | None:
        lake = backend.reopen()
        start.wait()
        try:
            lake.put("c.json", str(number).encode(), first)
        except Conflict:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(attempt, range(8)) if number is not None]
    assert len(winners) == 1
    assert backend.lake.read("c.json") == str(winners[0]).encode()


# Stage and publish


def test_a_staged_file_is_published_with_the_etag_it_was_sealed_with(lake: Lake) -> None:
    staged = stage(lake, b"rows")
    assert (staged.path, staged.size) == ("_toolkit/staging/r1/part", 4)
    assert lake.publish(staged, "account/2024.csv", ABSENT) == staged.etag
    assert [(stat.path, stat.size, stat.etag) for stat in lake.list("")] == [("account/2024.csv", 4, staged.etag)]
    assert lake.read("account/2024.csv") == b"rows"


def test_an_unsealed_file_is_seen_only_in_the_staging_folder(backend: Backend) -> None:
    writer = backend.lake.stage("r1", "account/2024")
    writer.write(b"half")
    other = backend.reopen()
    assert paths(other, "account") == []
    assert all(path.startswith("_toolkit/staging/r1/") for path in paths(other))
    writer.close()
    assert paths(other) == []


def test_a_flushed_file_stays_when_it_is_closed_and_another_process_copies_from_it(backend: Backend) -> None:
    writer = backend.lake.stage("r1", "part")
    writer.write(b"1234")
    writer.flush()
    writer.write(b"5")
    writer.close()
    other = backend.reopen().stage("r2", "part")
    other.copy("_toolkit/staging/r1/part", 0, 4)
    other.write(b"6")
    assert backend.lake.read(other.seal().path) == b"12346"
    assert backend.lake.read("_toolkit/staging/r1/part")[:4] == b"1234"


def test_a_flushed_file_goes_on_and_is_sealed_as_another_is(lake: Lake) -> None:
    writer = lake.stage("r1", "part")
    writer.write(b"12")
    writer.flush()
    writer.write(b"3")
    staged = writer.seal()
    assert lake.publish(staged, "a/2024.csv", ABSENT) == staged.etag
    assert lake.read("a/2024.csv") == b"123"


def test_closing_a_sealed_file_leaves_it(lake: Lake) -> None:
    writer = lake.stage("r1", "part")
    writer.write(b"x")
    staged = writer.seal()
    writer.close()
    writer.close()
    assert lake.read(staged.path) == b"x"


def test_a_sealed_or_closed_file_takes_no_more_bytes(lake: Lake) -> None:
    writer = lake.stage("r1", "part")
    writer.seal()
    closed = lake.stage("r1", "other")
    closed.close()
    for ended in (writer, closed):
        with pytest.raises(ValueError, match="sealed or closed"):
            ended.write(b"x")
        with pytest.raises(ValueError, match="sealed or closed"):
            ended.seal()


def test_a_sealed_file_survives_reopening_and_is_published_by_another_process(backend: Backend) -> None:
    staged = stage(backend.lake, b"rows")
    other = backend.reopen()
    assert other.publish(staged, "account/2024.csv", ABSENT) == staged.etag
    assert backend.lake.read("account/2024.csv") == b"rows"


def test_publishing_again_is_success_whatever_the_condition(lake: Lake) -> None:
    old = lake.put("account/2024.csv", b"old", ABSENT)
    staged = stage(lake, b"new")
    assert lake.publish(staged, "account/2024.csv", old) == staged.etag
    assert lake.publish(staged, "account/2024.csv", old) == staged.etag
    assert lake.publish(staged, "account/2024.csv", ABSENT) == staged.etag
    assert lake.read("account/2024.csv") == b"new"


def test_a_publication_whose_condition_fails_changes_nothing(lake: Lake) -> None:
    etag = lake.put("account/2024.csv", b"old", ABSENT)
    staged = stage(lake, b"new")
    for expect in (ABSENT, staged.etag):
        with pytest.raises(Conflict) as caught:
            lake.publish(staged, "account/2024.csv", expect)
        assert caught.value.code == "LAK002"
    assert lake.read("account/2024.csv") == b"old"
    assert lake.publish(staged, "account/2024.csv", etag) == staged.etag


def test_what_is_not_staged_cannot_be_published(lake: Lake) -> None:
    lost = Staged("_toolkit/staging/r1/lost", 1, Etag("e"))
    with pytest.raises(NotFound):
        lake.publish(lost, "a.csv", "any")
    stage(lake, b"x")
    with pytest.raises(NotFound) as caught:
        lake.publish(lost, "a.csv", "any")
    assert caught.value.code == "LAK001"
    assert lake.stat("a.csv") is None


def test_a_file_that_was_staged_anew_is_not_published_as_the_earlier_one(lake: Lake) -> None:
    first = stage(lake, b"one")
    second = stage(lake, b"two")
    with pytest.raises(Conflict) as caught:
        lake.publish(first, "a.csv", "any")
    assert caught.value.code == "LAK002"
    assert lake.publish(second, "a.csv", ABSENT) == second.etag
    assert lake.read("a.csv") == b"two"


def test_giving_up_a_file_does_not_touch_a_newer_one_of_its_name(lake: Lake) -> None:
    old = lake.stage("r1", "part")
    new = lake.stage("r1", "part")
    new.write(b"new")
    old.close()
    staged = new.seal()
    assert lake.read(staged.path) == b"new"


# Copy


def test_ranges_of_a_file_are_copied_between_written_bytes(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    lake.put("b.csv", b"abc", ABSENT)
    writer = lake.stage("r1", "part")
    writer.copy("a.csv", 2, 3)
    writer.write(memoryview(b"-"))
    writer.copy("a.csv", 9, 1)
    writer.copy("b.csv", 0, 3)
    writer.copy("b.csv", 3, 0)
    assert lake.read(writer.seal().path) == b"234-9abc"


def test_a_range_beyond_the_end_is_no_range(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    writer = lake.stage("r1", "part")
    with pytest.raises(Damaged) as caught:
        writer.copy("a.csv", 8, 3)
    assert caught.value.code == "LAK006"
    assert "ends at byte 10, before byte 11" in caught.value.what
    with pytest.raises(NotFound):
        writer.copy("gone.csv", 0, 1)
    assert writer.seal().size == 0


def test_many_ranges_of_a_file_are_copied_at_once(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    writer = lake.stage("r1", "part")
    writer.write(b"-")
    writer.copy_ranges("a.csv", [0, 2, 3, 9], [1, 3, 5, 10])
    writer.copy_ranges("a.csv", [], [])
    writer.write(b"-")
    assert lake.read(writer.seal().path) == b"-02349-"


def test_what_lies_between_ranges_is_looked_at_while_they_are_copied(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    writer = lake.stage("r1", "part")
    assert writer.copy_ranges("a.csv", [1, 6], [3, 7], [3, 8], 2) == b"3489"
    assert writer.copy_ranges("a.csv", [], [], [0], 1) == b"0"
    with pytest.raises(Damaged) as caught:
        writer.copy_ranges("a.csv", [0], [1], [9], 2)
    assert caught.value.code == "LAK006"
    assert lake.read(writer.seal().path) == b"126"


def test_none_of_many_ranges_may_go_beyond_the_end(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    writer = lake.stage("r1", "part")
    with pytest.raises(Damaged) as caught:
        writer.copy_ranges("a.csv", [0, 8], [3, 11])
    assert caught.value.code == "LAK006"
    with pytest.raises(NotFound):
        writer.copy_ranges("gone.csv", [0], [1])
    assert writer.seal().size == 0


def test_many_ranges_are_read_one_after_the_other_as_far_as_the_file_goes(lake: Lake) -> None:
    lake.put("a.csv", b"0123456789", ABSENT)
    assert lake.read_ranges("a.csv", [0, 2, 3, 8, 20], [1, 3, 5, 12, 30]) == b"023489"
    assert lake.read_ranges("a.csv", [], []) == b""
    with pytest.raises(NotFound):
        lake.read_ranges("gone.csv", [0], [1])


@pytest.mark.parametrize("size", [0, 2, 4, 9000])
def test_a_file_is_as_long_as_what_was_written_whatever_was_said_before(lake: Lake, size: int) -> None:
    writer = lake.stage("r1", "part", size)
    writer.write(b"rows")
    staged = writer.seal()
    assert (staged.size, lake.read(staged.path)) == (4, b"rows")


# Snapshots


def test_a_snapshot_keeps_its_bytes_when_the_file_is_replaced_and_deleted(lake: Lake) -> None:
    etag = lake.put("a/2024.csv", b"old", ABSENT)
    copy = lake.snapshot("a/2024.csv", "a/Snapshot/2024_1.csv", etag)
    lake.put("a/2024.csv", b"new", etag)
    lake.delete("a/2024.csv")
    assert lake.read("a/Snapshot/2024_1.csv") == b"old"
    stat = lake.stat("a/Snapshot/2024_1.csv")
    assert stat is not None
    assert stat.etag == copy


def test_a_snapshot_leaves_the_etag_of_its_file(lake: Lake) -> None:
    etag = lake.put("a.csv", b"old", ABSENT)
    lake.snapshot("a.csv", "s.csv", etag)
    stat = lake.stat("a.csv")
    assert stat is not None
    assert stat.etag == etag


def test_a_snapshot_taken_again_is_success_even_after_the_file_went_on(lake: Lake) -> None:
    etag = lake.put("a.csv", b"old", ABSENT)
    copy = lake.snapshot("a.csv", "s.csv", etag)
    assert lake.snapshot("a.csv", "s.csv", etag) == copy
    lake.put("a.csv", b"new", etag)
    assert lake.snapshot("a.csv", "s.csv", etag) == copy


def test_a_snapshot_of_a_file_that_changed_is_a_conflict(lake: Lake) -> None:
    old = lake.put("a.csv", b"old", ABSENT)
    lake.put("a.csv", b"new", old)
    with pytest.raises(Conflict) as caught:
        lake.snapshot("a.csv", "s.csv", old)
    assert caught.value.code == "LAK002"
    assert lake.stat("s.csv") is None


def test_a_snapshot_never_replaces_another_one(lake: Lake) -> None:
    old = lake.put("a.csv", b"old", ABSENT)
    lake.snapshot("a.csv", "s.csv", old)
    new = lake.put("a.csv", b"new", old)
    with pytest.raises(Conflict):
        lake.snapshot("a.csv", "s.csv", new)
    assert lake.read("s.csv") == b"old"


def test_a_snapshot_of_nothing_says_so(lake: Lake) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            lake.snapshot("gone.csv", "s.csv", Etag("e"))
        lake.put("a.csv", b"", "any")


# Delete


def test_a_file_is_deleted_once_and_again(lake: Lake) -> None:
    lake.put("account/2024.csv", b"x", ABSENT)
    lake.put("account/2025.csv", b"y", ABSENT)
    lake.delete("account/2024.csv")
    lake.delete("account/2024.csv")
    assert paths(lake) == ["account/2025.csv"]


def test_a_staged_file_can_be_deleted_and_staged_again(lake: Lake) -> None:
    lake.delete(stage(lake, b"x", "account/2024").path)
    assert paths(lake) == []
    assert lake.read(stage(lake, b"y", "account/2024").path) == b"y"


# Locks


def test_a_lock_that_is_held_names_its_holder(backend: Backend) -> None:
    backend.lake.lock("engine", ANN)
    for lake in (backend.lake, backend.reopen()):
        with pytest.raises(Locked) as caught:
            lake.lock("engine", BOB)
        assert caught.value.code == "LAK003"
        assert "ann on host-a, process 11, since 2026-05-01 12:00:00Z" in caught.value.what


def test_locks_of_different_names_do_not_meet(lake: Lake) -> None:
    assert lake.lock("engine", ANN).number == 1
    assert lake.lock("apply", BOB).number == 1


def test_the_number_grows_with_every_holder(backend: Backend) -> None:
    for number in (1, 2, 3):
        fence = backend.reopen().lock("engine", ANN)
        assert fence.number == number
        fence.check()
        fence.release()


def test_the_number_is_higher_than_one_that_the_caller_knows(backend: Backend) -> None:
    backend.lake.lock("engine", ANN, above=5).release()
    numbers = []
    for above in (0, 3, 20):
        fence = backend.reopen().lock("engine", ANN, above=above)
        numbers.append(fence.number)
        fence.release()
    assert numbers == [7, 8, 21]


def test_a_lock_that_was_given_back_is_no_longer_held(lake: Lake) -> None:
    fence = lake.lock("engine", ANN)
    fence.release()
    fence.release()
    with pytest.raises(Locked) as caught:
        fence.check()
    assert caught.value.code == "LAK005"
    lake.lock("engine", BOB).check()
    with pytest.raises(Locked):
        fence.check()


def test_of_many_threads_one_gets_the_lock(backend: Backend) -> None:
    start = threading.Barrier(8)

    def attempt(number: int) -> Fence | None:
        lake = backend.reopen()
        start.wait()
        try:
            return lake.lock("engine", Holder(f"t{number}", "host", number, SINCE))
        except Locked:
            return None

    with ThreadPoolExecutor(8) as pool:
        fences = [fence for fence in pool.map(attempt, range(8)) if fence is not None]
    assert [fence.number for fence in fences] == [1]
