"""The folder lake: what only files, links, processes and a failing disk can show."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import Locked, NotFound, ToolkitError
from toolkit.lake.disk import System
from toolkit.lake.fence import FileFence, forget_all, try_lock
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import ABSENT, Etag, Holder, Staged

ANN = Holder("ann", "host-a", 11, datetime(2026, 5, 1, 12, 0, tzinfo=UTC))

STARTER = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from toolkit.errors import Locked
from toolkit.lake.folder import FolderLake
from toolkit.lake.protocol import Holder
fences = []
def start(_):
    try:
        holder = Holder("starter", "host", os.getpid(), datetime(2026, 5, 1, tzinfo=UTC))
        fences.append(FolderLake(Path(sys.argv[1])).lock("engine", holder))
        return f"got {fences[-1].number}"
    except Locked as error:
        return error.code
sys.stdin.readline()
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    print(*pool.map(start, range(int(sys.argv[2]))), sep=",", flush=True)
"""
WAIT = "sys.stdin.readline()\n"
FORK_AND_DIE = """
ready, done = os.pipe()
child = os.fork()
if child:
    os.read(ready, 1)  # the child runs, and has let go of the lock
    print(child, flush=True)
    os.kill(os.getpid(), 9)
os.write(done, b".")
sys.stdin.readline()
"""


def starter(root: Path, threads: int = 1, then: str = WAIT) -> subprocess.Popen[str]:
    """Start a process that tries to take the lock once it is told to, and then does what the script ``then`` says."""
    command = [sys.executable, "-c", STARTER + then, str(root), str(threads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("end\n")


def fails(number: int) -> Callable[..., NoReturn]:
    """Return a call of the operating system that fails with an error number."""

    def call(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


def stage(lake: FolderLake, data: bytes) -> Staged:
    writer = lake.stage("r1", "part")
    writer.write(data)
    return writer.seal()


def everything(root: Path) -> list[str]:
    """Return every file on disk but the one that serialises the lake."""
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return [path for path in found if path != "_toolkit/lock/serial"]


# Files and links


def test_the_root_is_created_by_the_first_write_and_by_nothing_before(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "account" / "lake")
    assert lake.stat("a.csv") is None
    assert list(lake.list("")) == []
    lake.delete("a.csv")
    with pytest.raises(NotFound):
        lake.publish(Staged("s", 0, Etag("e")), "a.csv", "any")
    with pytest.raises(NotFound):
        lake.snapshot("a.csv", "s.csv", Etag("e"))
    assert list(tmp_path.iterdir()) == []
    lake.put("a.csv", b"x", ABSENT)
    assert (tmp_path / "account" / "lake" / "a.csv").read_bytes() == b"x"


def test_a_location_is_the_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake = FolderLake(Path("lakes/dev"))
    assert lake.location("account/2024.csv") == f"{tmp_path}/lakes/dev/account/2024.csv"


def test_an_etag_is_inode_size_and_time_of_change(tmp_path: Path) -> None:
    etag = FolderLake(tmp_path).put("a.csv", b"12345", ABSENT)
    found = (tmp_path / "a.csv").stat()
    assert etag == f"{found.st_ino:x}-5-{found.st_mtime_ns:x}"


def test_a_file_changed_by_another_program_has_another_etag(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    etag = lake.put("a.csv", b"12345", ABSENT)
    (tmp_path / "a.csv").write_bytes(b"123456")
    found = lake.stat("a.csv")
    assert found is not None
    assert found.etag != etag


def test_a_snapshot_is_a_read_only_hard_link_with_the_same_etag(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    etag = lake.put("a.csv", b"x", ABSENT)
    assert lake.snapshot("a.csv", "Snapshot/a_1.csv", etag) == etag
    assert (tmp_path / "Snapshot/a_1.csv").samefile(tmp_path / "a.csv")
    assert stat.S_IMODE((tmp_path / "Snapshot/a_1.csv").stat().st_mode) == 0o444


def test_a_live_file_made_read_only_by_its_snapshot_is_still_replaced(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    etag = lake.put("a.csv", b"old", ABSENT)
    lake.snapshot("a.csv", "s.csv", etag)
    lake.put("a.csv", b"new", etag)
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) & stat.S_IWUSR
    assert lake.read("s.csv") == b"old"


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_where_links_are_not_to_be_had_a_snapshot_is_a_read_only_copy(tmp_path: Path, number: int) -> None:
    lake = FolderLake(tmp_path, System(link=fails(number)))
    etag = lake.put("a.csv", b"old", ABSENT)
    copy = lake.snapshot("a.csv", "s.csv", etag)
    assert not (tmp_path / "s.csv").samefile(tmp_path / "a.csv")
    assert stat.S_IMODE((tmp_path / "s.csv").stat().st_mode) == 0o444
    lake.put("a.csv", b"new", etag)
    assert lake.snapshot("a.csv", "s.csv", etag) == copy
    assert lake.read("s.csv") == b"old"
    assert everything(tmp_path) == ["a.csv", "s.csv"]


def test_a_link_that_fails_for_another_reason_is_an_error(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path, System(link=fails(errno.ENOSPC)))
    etag = lake.put("a.csv", b"old", ABSENT)
    with pytest.raises(ToolkitError) as caught:
        lake.snapshot("a.csv", "s.csv", etag)
    assert caught.value.code == "LAK010"
    assert everything(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("call", [None, fails(errno.EXDEV), lambda *_: 0])
def test_ranges_are_copied_where_the_kernel_cannot(tmp_path: Path, call: Callable[..., int] | None) -> None:
    lake = FolderLake(tmp_path, System(copy_range=call))
    lake.put("a.csv", b"0123456789", ABSENT)
    writer = lake.stage("r1", "part")
    writer.copy("a.csv", 1, 4)
    writer.copy("a.csv", 8, 2)
    assert lake.read(writer.seal().path) == b"123489"


def test_a_kernel_copy_that_stops_early_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def two_bytes(source: int, target: int, count: int, start: int) -> int:
        return os.write(target, os.pread(source, min(count, 2), start)) if start < 4 else 0

    lake = FolderLake(tmp_path, System(copy_range=two_bytes))
    lake.put("a.csv", b"0123456789", ABSENT)
    writer = lake.stage("r1", "part")
    writer.copy("a.csv", 0, 9)
    assert lake.read(writer.seal().path) == b"012345678"


def test_a_kernel_copy_that_fails_is_an_error(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path, System(copy_range=fails(errno.ENOSPC)))
    lake.put("a.csv", b"0123456789", ABSENT)
    with closing(lake.stage("r1", "part")) as writer, pytest.raises(ToolkitError) as caught:
        writer.copy("a.csv", 0, 10)
    assert caught.value.code == "LAK010"


def test_a_file_that_becomes_shorter_while_it_is_copied_is_an_error(tmp_path: Path) -> None:
    def shorten(*_: int) -> int:
        os.truncate(tmp_path / "a.csv", 3)
        return 0

    lake = FolderLake(tmp_path, System(copy_range=shorten))
    lake.put("a.csv", b"0123456789", ABSENT)
    with closing(lake.stage("r1", "part")) as writer, pytest.raises(ToolkitError) as caught:
        writer.copy("a.csv", 0, 10)
    assert caught.value.code == "LAK013"
    assert "became shorter" in caught.value.why


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=9), st.integers(1, 20))
def test_ranges_are_copied_and_read_whatever_fits_a_block(pieces: list[tuple[int, int]], block: int) -> None:
    edges = list(accumulate(length for piece in pieces for length in piece))
    starts, ends = edges[::2], edges[1::2]
    heads = [start for start, end in zip([0, *ends], starts, strict=False) if end - start >= 3]
    data = bytes(range(200))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.lake.disk.BLOCK", block)
        lake = FolderLake(Path(folder))
        lake.put("a.csv", data, ABSENT)
        writer = lake.stage("r1", "part")
        looked = b"".join(data[head : head + 3] for head in heads)
        assert writer.copy_ranges("a.csv", starts, ends, heads, 3) == looked
        wanted = b"".join(data[start:end] for start, end in zip(starts, ends, strict=True))
        assert lake.read(writer.seal().path) == wanted == lake.read_ranges("a.csv", starts, ends)


def test_a_file_that_becomes_shorter_while_ranges_are_copied_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shorten(file: int, data: bytes | memoryview) -> int:
        os.truncate(tmp_path / "a.csv", 3)
        return os.write(file, data)

    monkeypatch.setattr("toolkit.lake.disk.BLOCK", 4)
    FolderLake(tmp_path).put("a.csv", b"0123456789", ABSENT)
    with closing(FolderLake(tmp_path, System(write=shorten)).stage("r1", "part")) as writer:
        with pytest.raises(ToolkitError) as caught:
            writer.copy_ranges("a.csv", [0, 7], [5, 9])
        assert "became shorter" in caught.value.why


@pytest.mark.parametrize("call", [None, fails(errno.EOPNOTSUPP)])
def test_no_room_is_made_where_the_file_system_cannot(tmp_path: Path, call: Callable[..., None] | None) -> None:
    writer = FolderLake(tmp_path, System(allocate=call)).stage("r1", "part", 100)
    writer.write(b"rows")
    assert writer.seal().size == 4


def test_the_pages_of_a_file_that_is_handed_over_need_not_stay_in_memory(tmp_path: Path) -> None:
    advice: list[tuple[int, int, int]] = []
    system = System(advise=lambda _, *what: advice.append(what))
    with closing(FolderLake(tmp_path, system).stage("r1", "part")) as writer:
        writer.write(b"rows")
        writer.hand_over()
    assert advice == [(0, 0, os.POSIX_FADV_DONTNEED)]


@pytest.mark.parametrize("call", [None, System().advise])
def test_what_is_handed_over_is_in_the_file_all_the_same(tmp_path: Path, call: Callable[..., None] | None) -> None:
    lake = FolderLake(tmp_path, System(advise=call))
    writer = lake.stage("r1", "part")
    writer.write(b"rows, ")
    writer.hand_over()
    writer.write(b"more rows")
    assert lake.read(writer.seal().path) == b"rows, more rows"


def test_a_disk_without_room_for_a_file_is_an_error_before_it_is_written(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path, System(allocate=fails(errno.ENOSPC)))
    with pytest.raises(ToolkitError) as caught:
        lake.stage("r1", "part", 100)
    assert caught.value.code == "LAK010"
    assert everything(tmp_path) == []


def test_what_is_done_together_makes_each_folder_durable_once_at_the_end(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    for path in ("a/1.csv", "a/2.csv", "b/1.csv"):
        lake.put(path, b"x", ABSENT)
    synced: list[str] = []
    lake = FolderLake(tmp_path, System(fsync=lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))))
    with lake.together():
        lake.delete("a/1.csv")
        with lake.together():
            lake.delete("a/2.csv")
        lake.delete("b/1.csv")
        assert synced == []
    assert synced == [str(tmp_path / "a"), str(tmp_path / "b")]
    lake.put("a/3.csv", b"x", ABSENT)
    assert synced[2:] == [str(tmp_path / "_toolkit/lock/aside"), str(tmp_path / "a")]


def test_what_another_thread_does_meanwhile_is_durable_at_once(tmp_path: Path) -> None:
    synced: list[int] = []
    lake = FolderLake(tmp_path, System(fsync=synced.append))
    lake.put("a.csv", b"x", ABSENT)
    with lake.together(), ThreadPoolExecutor(1) as pool:
        before = len(synced)
        pool.submit(lake.delete, "a.csv").result()
        assert len(synced) == before + 1


def test_after_an_error_in_what_is_done_together_nothing_waits_any_more(tmp_path: Path) -> None:
    synced: list[int] = []
    lake = FolderLake(tmp_path, System(fsync=synced.append))
    etag = lake.put("a.csv", b"x", ABSENT)

    def fail() -> None:
        with lake.together():
            lake.delete("a.csv")
            lake.snapshot("a.csv", "s.csv", etag)

    with pytest.raises(NotFound):
        fail()
    before = len(synced)
    stage(lake, b"x")
    assert len(synced) > before


def test_empty_folders_of_a_run_go_and_those_of_entities_stay(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.publish(stage(lake, b"x"), "account/2024.csv", ABSENT)
    lake.put("_toolkit/account/checkpoint.json", b"{}", ABSENT)
    lake.delete("_toolkit/account/checkpoint.json")
    lake.delete("account/2024.csv")
    folders = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_dir())
    assert folders == ["_toolkit", "_toolkit/lock", "account"]


def test_a_folder_stays_while_another_file_is_in_it(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    other = lake.stage("r1", "other")
    lake.publish(stage(lake, b"x"), "a.csv", ABSENT)
    other.write(b"y")
    assert lake.read(other.seal().path) == b"y"


def test_a_created_folder_is_there_for_people(tmp_path: Path) -> None:
    FolderLake(tmp_path / "lake").create_folder("account/Snapshot")
    assert (tmp_path / "lake/account/Snapshot").is_dir()


# Failures


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "LAK010"),
        (errno.EDQUOT, "LAK010"),
        (errno.EROFS, "LAK011"),
        (errno.EACCES, "LAK012"),
        (errno.EPERM, "LAK012"),
        (errno.EIO, "LAK013"),
    ],
)
def test_a_failing_disk_is_an_error_that_says_why_and_how_to_mend_it(tmp_path: Path, number: int, code: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        FolderLake(tmp_path, System(write=fails(number))).put("model.json", b"x", ABSENT)
    error = caught.value
    assert (error.code, error.where.path, error.why) == (code, f"{tmp_path}/model.json", os.strerror(number))
    assert error.fix
    assert isinstance(error.__cause__, OSError)
    assert everything(tmp_path) == []


def test_a_disk_that_fills_up_in_a_staged_file_leaves_nothing_once_it_is_closed(tmp_path: Path) -> None:
    def half_then_full(file: int, data: bytes | memoryview) -> int:
        if os.fstat(file).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(file, data[: len(data) // 2])

    writer = FolderLake(tmp_path, System(write=half_then_full)).stage("r1", "part")
    with pytest.raises(ToolkitError) as caught:
        writer.write(b"0123456789")
    assert caught.value.code == "LAK010"
    assert (tmp_path / "_toolkit/staging/r1/part").read_bytes() == b"01234"
    writer.close()
    assert everything(tmp_path) == []


def test_a_seal_that_cannot_be_made_durable_is_no_seal(tmp_path: Path) -> None:
    def fail_on_files(file: int) -> None:
        if stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    writer = FolderLake(tmp_path, System(fsync=fail_on_files)).stage("r1", "part")
    writer.write(b"x")
    with pytest.raises(ToolkitError) as caught:
        writer.seal()
    assert caught.value.code == "LAK013"
    writer.close()
    assert everything(tmp_path) == []


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.put("account", b"x", ABSENT)
    with pytest.raises(ToolkitError) as caught:
        lake.put("account/2024.csv", b"x", ABSENT)
    assert caught.value.code == "LAK013"


class Stopped(BaseException):
    """The process stops at this call."""


def test_a_stop_before_the_rename_leaves_the_old_file_whole(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise Stopped

    lake = FolderLake(tmp_path)
    etag = lake.put("model.json", b"old", ABSENT)
    staged = stage(lake, b"new")
    dying = FolderLake(tmp_path, System(replace=stop))
    with pytest.raises(Stopped):
        dying.put("model.json", b"new", etag)
    with pytest.raises(Stopped):
        dying.publish(staged, "model.json", etag)
    assert lake.read("model.json") == b"old"
    assert lake.publish(staged, "model.json", etag) == staged.etag


def test_a_stop_after_the_rename_leaves_the_new_file_and_publishing_again_succeeds(tmp_path: Path) -> None:
    def rename_and_stop(source: Path, target: Path) -> None:
        source.replace(target)
        raise Stopped

    lake = FolderLake(tmp_path)
    etag = lake.put("model.json", b"old", ABSENT)
    staged = stage(lake, b"new")
    with pytest.raises(Stopped):
        FolderLake(tmp_path, System(replace=rename_and_stop)).publish(staged, "model.json", etag)
    assert lake.read("model.json") == b"new"
    assert lake.publish(staged, "model.json", etag) == staged.etag


def test_a_temporary_file_left_by_a_killed_writer_is_hidden_and_replaced(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.put("a.csv", b"x", ABSENT)
    (tmp_path / "_toolkit/lock/aside").write_bytes(b"half a manif")
    assert [found.path for found in lake.list("")] == ["a.csv"]
    lake.put("b.csv", b"y", ABSENT)
    assert everything(tmp_path) == ["a.csv", "b.csv"]


def test_a_clock_that_was_set_back_gives_no_etag_twice(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    future = 4_000_000_000_000_000_000
    (tmp_path / "_toolkit/lock").mkdir(parents=True)
    (tmp_path / "_toolkit/lock/serial").write_bytes(future.to_bytes(8, "big"))
    lake.put("a.csv", b"x", ABSENT)
    lake.put("b.csv", b"x", ABSENT)
    assert [(tmp_path / name).stat().st_mtime_ns - future for name in ("a.csv", "b.csv")] == [1, 2]


def test_a_list_that_cannot_look_into_a_folder_fails_instead_of_leaving_it_out(tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to(tmp_path / "lake")
    with pytest.raises(ToolkitError) as caught:
        FolderLake(tmp_path / "lake").list("")
    assert caught.value.code == "LAK013"


@pytest.mark.parametrize("name", ["a%20b.csv", "a\\b.csv", "a\nb.csv"])
def test_a_stray_file_that_no_path_can_name_is_left_out_of_a_list(tmp_path: Path, name: str) -> None:
    lake = FolderLake(tmp_path)
    lake.put("account/2020.csv", b"x", ABSENT)
    (tmp_path / "account" / name).touch()
    assert [stat.path for stat in lake.list("account")] == ["account/2020.csv"]


def test_a_writer_that_cannot_clean_up_lets_go_of_its_file_all_the_same(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    writer = lake.stage("r1", "part")
    (tmp_path / "_toolkit/lock/serial").unlink()
    (tmp_path / "_toolkit/lock/serial").mkdir()
    with pytest.raises(ToolkitError):
        writer.close()
    with pytest.raises(ValueError, match="sealed or closed"):
        writer.write(b"x")


def test_a_file_that_goes_while_a_list_is_read_is_left_out(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.put("a.csv", b"x", ABSENT)
    lake.put("b.csv", b"x", ABSENT)
    found = lake.list("")
    lake.delete("b.csv")
    assert [one.path for one in found] == ["a.csv"]


# Locks between processes


def test_of_twenty_starters_in_five_processes_one_gets_the_lock(tmp_path: Path) -> None:
    starters = [starter(tmp_path, threads=4) for _ in range(5)]
    for process in starters:
        say(process)
    answers = sorted(said for process in starters for said in answer(process).split(","))
    for process in starters:
        end(process)
    assert answers == ["LAK003"] * 19 + ["got 1"]


def test_a_killed_holder_frees_the_lock_at_once_and_the_number_grows(tmp_path: Path) -> None:
    process = starter(tmp_path)
    say(process)
    assert answer(process) == "got 1"
    lake = FolderLake(tmp_path)
    with pytest.raises(Locked, match=f"starter on host, process {process.pid}"):
        lake.lock("engine", ANN)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert lake.lock("engine", ANN).number == 2


def test_a_forked_child_does_not_keep_the_lock_of_its_killed_parent(tmp_path: Path) -> None:
    with starter(tmp_path, then=FORK_AND_DIE) as parent:
        say(parent)
        assert answer(parent) == "got 1"
        child = int(answer(parent))
        assert parent.wait() == -signal.SIGKILL
        os.kill(child, 0)  # it lives
        assert FolderLake(tmp_path).lock("engine", ANN).number == 2
        end(parent)


def test_a_fence_that_is_forgotten_leaves_the_lock_to_the_parent(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    held = try_lock(path)
    assert held is not None
    parents = os.dup(held)
    fence = FileFence(1, held, tmp_path / "engine.json")
    forget_all()
    fence.release()
    assert try_lock(path) is None
    os.close(parents)


def test_a_holder_whose_lock_went_to_another_one_is_told(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    fence = lake.lock("engine", ANN)
    (tmp_path / "_toolkit/lock/engine.lock").unlink()
    assert lake.lock("engine", ANN).number == 2
    with pytest.raises(Locked) as caught:
        fence.check()
    assert caught.value.code == "LAK005"


def test_a_holder_whose_name_was_deleted_still_holds_the_lock(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    fence = lake.lock("engine", ANN)
    (tmp_path / "_toolkit/lock/engine.json").unlink()
    with pytest.raises(Locked, match="somebody whose name was deleted"):
        lake.lock("engine", ANN)
    with pytest.raises(Locked):
        fence.check()


def test_the_holder_is_written_down_beside_the_lock(tmp_path: Path) -> None:
    FolderLake(tmp_path).lock("engine", ANN)
    assert json.loads((tmp_path / "_toolkit/lock/engine.json").read_text()) == {
        "format": 1,
        "number": 1,
        "name": "ann",
        "host": "host-a",
        "pid": 11,
        "since": "2026-05-01T12:00:00Z",
        "purpose": "",
    }


def test_a_lock_whose_document_is_damaged_is_taken_and_written_anew(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.lock("engine", ANN).release()
    (tmp_path / "_toolkit/lock/engine.json").write_text("{")
    fence = lake.lock("engine", ANN, above=7)
    fence.check()
    assert fence.number == 8
    with pytest.raises(Locked, match="ann on host-a"):
        lake.lock("engine", ANN)


def test_a_lock_whose_document_is_damaged_while_it_is_held_is_held_all_the_same(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    fence = lake.lock("engine", ANN)
    (tmp_path / "_toolkit/lock/engine.json").write_text("{")
    with pytest.raises(Locked, match="name was deleted"):
        lake.lock("engine", ANN)
    with pytest.raises(Locked):
        fence.check()
    fence.release()
    lake.lock("engine", ANN).check()


def test_a_lock_that_cannot_be_written_down_is_given_back(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.lock("engine", ANN).release()
    with pytest.raises(ToolkitError) as caught:
        FolderLake(tmp_path, System(write=fails(errno.ENOSPC))).lock("engine", ANN)
    assert caught.value.code == "LAK010"
    assert lake.lock("engine", ANN).number == 2


def test_a_broken_lock_is_free_and_its_holder_is_told(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "lake")
    lake.break_lock("environment")
    assert lake.holder("environment") is None
    fence = lake.lock("environment", ANN)
    assert lake.holder("environment") == ANN
    lake.break_lock("environment")
    assert lake.holder("environment") is None
    with pytest.raises(Locked):
        fence.check()
    assert lake.lock("environment", ANN).number > fence.number


def test_a_holder_whose_name_was_deleted_is_told_as_such(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "lake")
    fence = lake.lock("environment", ANN)
    (tmp_path / "lake" / "_toolkit" / "lock" / "environment.json").unlink()
    found = lake.holder("environment")
    assert found is not None
    assert found.name == "somebody whose name was deleted"
    fence.release()
    assert lake.holder("environment") is None
