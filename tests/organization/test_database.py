from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.organization.samples import ORGANIZATION
from toolkit.errors import Damaged, NotFound, Refused, ToolkitError
from toolkit.organization import database, schema
from toolkit.organization.database import Violated, current_version, next_version


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "dev" / "organization.sqlite"
    schema.create(path, ORGANIZATION).close()
    return path


def test_a_new_file_holds_its_organization(path: Path) -> None:
    with database.open(path) as opened:
        assert opened.organization() == ORGANIZATION


def test_a_closed_new_file_lies_alone_in_its_folder(path: Path) -> None:
    assert [found.name for found in path.parent.iterdir()] == ["organization.sqlite"]


def test_an_organization_is_never_created_over_another(path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        schema.create(path, ORGANIZATION)
    assert refusal.value.code == "ORG004"
    assert [found.name for found in path.parent.iterdir()] == ["organization.sqlite"]


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError):
        database.create(tmp_path / "organization.sqlite", ORGANIZATION, ["CREATE NONSENSE;"])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as failure:
        database.open(tmp_path / "organization.sqlite")
    assert failure.value.code == "ORG001"


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_of_another_kind_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "organization.sqlite"
    path.write_bytes(content)
    with pytest.raises(Damaged) as failure:
        database.open(path)
    assert failure.value.code == "ORG002"


def test_a_file_whose_pages_are_overwritten_is_damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200] + b"\xff" * 400_000)
    with pytest.raises(Damaged) as failure, database.open(path) as opened:
        opened.organization()
    assert failure.value.code == "ORG002"


def test_a_newer_format_is_refused(path: Path) -> None:
    with database.open(path) as opened, opened.write() as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(Damaged) as failure:
        database.open(path)
    assert failure.value.code == "ORG003"
    assert failure.value.what.endswith("has format 2, and this toolkit reads up to 1")


def test_versions_count_up_from_one(path: Path) -> None:
    with database.open(path) as opened, opened.write() as connection:
        assert [next_version(connection), next_version(connection, 5), next_version(connection)] == [1, 2, 7]
        assert current_version(connection) == 7


def test_a_write_that_fails_leaves_nothing(path: Path) -> None:
    with database.open(path) as opened:
        with pytest.raises(ZeroDivisionError):
            _fail_after(opened, "UPDATE organization SET version_number = 5")
        with opened.read() as connection:
            assert current_version(connection) == 0


def test_a_read_sees_one_state_while_others_write(path: Path) -> None:
    with database.open(path) as opened, opened.read() as connection:
        assert current_version(connection) == 0
        other = threading.Thread(target=_take_version, args=(opened,))
        other.start()
        other.join()
        assert current_version(connection) == 0


def test_writers_of_several_threads_wait_for_each_other(path: Path) -> None:
    with database.open(path) as opened, ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: _take_version(opened), range(40)))
    assert sorted(taken) == list(range(1, 41))


def test_writers_of_several_processes_wait_for_each_other(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from toolkit.organization import database\n"
        "with database.open(Path(sys.argv[1])) as opened:\n"
        "    for _ in range(20):\n"
        "        with opened.write() as connection: database.next_version(connection)\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(2)]
    assert [other.wait() for other in others] == [0, 0]
    with database.open(path) as opened, opened.read() as connection:
        assert current_version(connection) == 40


def test_a_connection_closes_with_its_thread(path: Path) -> None:
    with database.open(path) as opened:
        for _ in range(3):
            thread = threading.Thread(target=_take_version, args=(opened,))
            thread.start()
            thread.join()
        assert len(opened._connections) == 1


def test_a_broken_constraint_says_which(path: Path) -> None:
    with (
        database.open(path) as opened,
        pytest.raises(Violated, match="UNIQUE") as failure,
        opened.write() as connection,
    ):
        connection.execute("INSERT INTO organization SELECT * FROM organization")
    assert failure.value.code == "ORG007"


def test_a_writer_that_never_ends_is_named_as_a_lock(path: Path) -> None:
    with database.open(path) as first, database.open(path) as second, first.write():
        connection = second._connection()
        connection.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(ToolkitError) as failure, second.write():
            pass
    assert failure.value.code == "ORG005"


def test_other_faults_carry_their_cause(path: Path) -> None:
    with database.open(path) as opened, opened.read() as connection, pytest.raises(ToolkitError) as failure:
        connection.execute("SELECT nonsense")
    assert failure.value.code == "ORG006"
    assert failure.value.why == "INVALID_ARGUMENT: [SQLite] Failed to prepare query: no such column: nonsense"


def test_a_file_is_not_touched_before_its_first_use(tmp_path: Path) -> None:
    path = tmp_path / "organization.sqlite"
    path.write_bytes(b"no database at all" * 500)
    with database.at(path) as found, pytest.raises(Damaged) as failure, found.read():
        pass
    assert failure.value.code == "ORG002"


def test_a_write_to_a_read_only_file_says_so_in_words(path: Path) -> None:
    with database.Database(Path(f"file:{path}?immutable=1")) as opened, pytest.raises(ToolkitError) as failure:
        _take_version(opened)
    assert failure.value.code == "ORG006"
    assert failure.value.why == (
        "SQLite writes beside the file even to read it, and the file or its folder may not be written"
    )
    assert failure.value.fix.startswith("allow yourself to write in ")


def test_a_file_that_cannot_be_opened_carries_a_code(tmp_path: Path) -> None:
    with database.Database(tmp_path / "none" / "organization.sqlite") as opened, pytest.raises(ToolkitError) as failure:
        opened.organization()
    assert failure.value.code == "ORG006"


def test_a_transaction_that_ended_by_itself_is_not_rolled_back_again(path: Path) -> None:
    with database.open(path) as opened:
        with pytest.raises(ZeroDivisionError):
            _fail_after(opened, "ROLLBACK")
        assert opened.organization() == ORGANIZATION


def _take_version(opened: database.Database) -> int:
    with opened.write() as connection:
        return next_version(connection)


def _fail_after(opened: database.Database, sql: str) -> None:
    with opened.write() as connection:
        connection.execute(sql)
        _ = 1 / 0


def test_a_write_within_a_write_commits_with_it(path: Path) -> None:
    with database.open(path) as opened:
        with opened.write() as outer, opened.write():
            next_version(outer)
            with opened.read() as inner:
                assert current_version(inner) == 1
        with opened.read() as connection:
            assert current_version(connection) == 1


def test_a_write_within_a_write_that_fails_leaves_what_was_before_it(path: Path) -> None:
    with database.open(path) as opened:
        with opened.write() as outer:
            next_version(outer)
            with pytest.raises(ZeroDivisionError):
                _fail_after(opened, "UPDATE organization SET version_number = 5")
        with opened.write() as connection:
            assert next_version(connection) == 2
