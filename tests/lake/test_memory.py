"""The lake in memory: what it counts, and how it fails."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from toolkit.errors import Conflict, Locked, ToolkitError
from toolkit.lake.memory import Call, Crashed, Kind, MemoryLake
from toolkit.lake.protocol import ABSENT, Etag, Holder, Lake

ANN = Holder("ann", "host-a", 11, datetime(2026, 5, 1, 12, 0, tzinfo=UTC))


def export(lake: Lake) -> None:
    """Do one small export: stage, commit, publish, take a snapshot, write the manifest."""
    fence = lake.lock("engine", ANN)
    writer = lake.stage("r1", "2024")
    writer.write(b"0123456789")
    writer.copy("seed.csv", 0, 4)
    staged = writer.seal()
    lake.put("_toolkit/a/checkpoint.json", b"{}", ABSENT)
    etag = lake.publish(staged, "a/2024.csv", ABSENT)
    lake.snapshot("a/2024.csv", "a/Snapshot/2024_1.csv", etag)
    lake.put("model.json", b"{}", ABSENT)
    fence.release()


def seeded() -> MemoryLake:
    lake = MemoryLake()
    lake.put("seed.csv", b"seed", ABSENT)
    return lake.reopen()


def files(lake: Lake) -> dict[str, bytes]:
    return {stat.path: lake.read(stat.path) for stat in lake.list("")}


def test_calls_are_counted_in_order() -> None:
    lake = seeded()
    export(lake)
    assert lake.calls == (
        Call("lock", "engine"),
        Call("stage", "_toolkit/staging/r1/2024"),
        Call("write", "_toolkit/staging/r1/2024"),
        Call("copy", "seed.csv"),
        Call("seal", "_toolkit/staging/r1/2024"),
        Call("put", "_toolkit/a/checkpoint.json"),
        Call("publish", "a/2024.csv"),
        Call("snapshot", "a/Snapshot/2024_1.csv"),
        Call("put", "model.json"),
    )


@pytest.mark.parametrize(("kind", "left"), [("before", b""), ("torn", b"01234"), ("after", b"0123456789")])
def test_a_crash_in_a_staged_write_leaves_the_file_short_and_unpublished(kind: Kind, left: bytes) -> None:
    lake = seeded()
    lake.fail(3, kind)
    with pytest.raises(Crashed):
        export(lake)
    assert files(lake.reopen()) == {"_toolkit/staging/r1/2024": left, "seed.csv": b"seed"}


def test_a_crash_in_a_copy_tears_it() -> None:
    lake = seeded()
    lake.fail(4, "torn")
    with pytest.raises(Crashed):
        export(lake)
    assert files(lake.reopen())["_toolkit/staging/r1/2024"] == b"0123456789se"


@pytest.mark.parametrize(("kind", "there"), [("before", False), ("torn", False), ("after", True)])
def test_a_crash_in_a_put_leaves_it_done_or_not_done(kind: Kind, there: bool) -> None:
    lake = seeded()
    lake.fail(9, kind)
    with pytest.raises(Crashed):
        export(lake)
    assert ("model.json" in files(lake.reopen())) is there


@pytest.mark.parametrize("at", range(1, 10))
@pytest.mark.parametrize("kind", ["before", "after", "torn"])
def test_a_crash_at_any_call_ends_the_handle(at: int, kind: Kind) -> None:
    lake = seeded()
    lake.fail(at, kind)
    with pytest.raises(Crashed):
        export(lake)
    assert lake.crashed
    assert len(lake.calls) == at
    attempts: list[Callable[[], object]] = [lambda: lake.stat("a"), lambda: lake.put("a", b"", "any")]
    for attempt in attempts:
        with pytest.raises(Crashed):
            attempt()
    assert not lake.reopen().crashed


def test_a_crash_frees_the_locks_and_the_number_grows() -> None:
    lake = seeded()
    fence = lake.lock("engine", ANN)
    lake.fail(2, "before")
    with pytest.raises(Locked):
        lake.reopen().lock("engine", ANN)
    with pytest.raises(Crashed):
        fence.check()
    fence.release()
    assert lake.reopen().lock("engine", ANN).number == 2


def test_a_dead_process_clears_up_nothing() -> None:
    lake = seeded()
    writer = lake.stage("r1", "2024")
    lake.fail(2, "after")
    with pytest.raises(Crashed):
        writer.write(b"half")
    writer.close()
    assert files(lake.reopen())["_toolkit/staging/r1/2024"] == b"half"


def test_a_fault_that_passes_is_a_coded_error_and_the_handle_goes_on() -> None:
    lake = seeded()
    lake.fail(1, "before", crash=False)
    lake.fail(2, "after", crash=False)
    for _ in range(2):
        with pytest.raises(ToolkitError) as caught:
            lake.put("a.csv", b"x", ABSENT)
        assert caught.value.code == "LAK020"
    with pytest.raises(Conflict):
        lake.put("a.csv", b"x", ABSENT)
    assert lake.read("a.csv") == b"x"


def test_a_publication_whose_answer_was_lost_succeeds_again() -> None:
    lake = seeded()
    staged = lake.stage("r1", "part").seal()
    lake.fail(3, "after", crash=False)
    with pytest.raises(ToolkitError):
        lake.publish(staged, "a.csv", ABSENT)
    assert lake.publish(staged, "a.csv", ABSENT) == staged.etag


def test_a_snapshot_has_an_etag_of_its_own() -> None:
    lake = MemoryLake()
    etag = lake.put("a.csv", b"x", ABSENT)
    assert lake.snapshot("a.csv", "s.csv", etag) != etag


def test_times_come_from_the_clock_that_is_given() -> None:
    lake = MemoryLake(clock=lambda: datetime(2026, 7, 4, tzinfo=UTC))
    lake.put("a.csv", b"x", ABSENT)
    assert [stat.modified for stat in lake.list("")] == [datetime(2026, 7, 4, tzinfo=UTC)]


def test_a_location_names_the_lake() -> None:
    assert MemoryLake("dev").location("a/2024.csv") == "memory://dev/a/2024.csv"


def test_a_conflict_says_what_was_expected_and_what_is_there() -> None:
    lake = MemoryLake()
    with pytest.raises(Conflict) as caught:
        lake.put("a.csv", b"x", Etag("m7"))
    assert caught.value.why == "expected etag m7, found no file"


def test_a_fork_goes_its_own_way() -> None:
    lake = seeded()
    writer = lake.stage("r1", "2024")
    writer.write(b"half")
    other = lake.fork()
    other.put("seed.csv", b"other", "any")
    writer.write(b"more")
    assert files(lake)["seed.csv"] == b"seed"
    assert files(other)["_toolkit/staging/r1/2024"] == b"half"


def test_a_fork_keeps_etags_and_the_numbers_of_locks_but_no_holder() -> None:
    lake = seeded()
    lake.lock("engine", ANN)
    other = lake.fork()
    assert list(other.list("")) == list(lake.list(""))
    assert other.lock("engine", ANN).number == 2


def test_a_killed_process_frees_its_locks_and_makes_no_more_calls() -> None:
    lake = seeded()
    lake.lock("engine", ANN)
    lake.kill()
    with pytest.raises(Crashed):
        lake.stat("seed.csv")
    assert lake.reopen().lock("engine", ANN).number == 2


def test_who_watches_sees_each_call_before_it_is_done() -> None:
    lake, seen = seeded(), []
    lake.watch(lambda call: seen.append((call.operation, "a.csv" in files(lake.fork()))))
    lake.put("a.csv", b"", ABSENT)
    lake.delete("a.csv")
    assert seen == [("put", False), ("delete", True)]


def test_a_lock_that_expired_is_free_and_its_holder_is_told() -> None:
    lake = seeded()
    fence = lake.lock("engine", ANN)
    lake.expire("engine")
    assert lake.reopen().lock("engine", ANN).number == 2
    with pytest.raises(Locked):
        fence.check()


def test_a_broken_lock_is_free_and_its_holder_is_told() -> None:
    lake = MemoryLake("lake")
    assert lake.holder("environment") is None
    lake.break_lock("environment")
    fence = lake.lock("environment", ANN)
    assert lake.holder("environment") == ANN
    lake.break_lock("environment")
    assert lake.holder("environment") is None
    with pytest.raises(Locked):
        fence.check()
    assert lake.lock("environment", ANN).number == fence.number + 1
