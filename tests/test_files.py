import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolkit.files import place_new, write_whole


def no_links(_: Path, __: Path) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.zip"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert (path.read_bytes(), list(path.parent.iterdir())) == (b"new", [path])


def test_several_writers_of_a_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a"
    texts = [bytes([number]) * 10_000 for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: write_whole(path, data), texts))
    assert path.read_bytes() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as failure:
        write_whole(path, b"new")
    assert failure.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_gets_its_name_where_links_are_unknown(tmp_path: Path) -> None:
    draft, path = tmp_path / "draft", tmp_path / "a"
    draft.write_bytes(b"new")
    place_new(draft, path, no_links)
    assert path.read_bytes() == b"new"


def test_a_new_file_never_takes_the_name_of_another(tmp_path: Path) -> None:
    draft, path = tmp_path / "draft", tmp_path / "a"
    draft.write_bytes(b"new")
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        place_new(draft, path)
    with pytest.raises(FileExistsError):
        place_new(draft, path, no_links)
    assert path.read_bytes() == b"old"


def test_another_fault_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        place_new(tmp_path / "none", tmp_path / "a")
