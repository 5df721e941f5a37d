from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.test_rows import COLUMNS, batch
from toolkit.engine.arrays import contents, lengths_of
from toolkit.engine.entries import Entries, entries_from, entries_of, ids_of_letters, joined, text_of_ids
from toolkit.engine.index import digest_of, index_bytes, read_index, scan
from toolkit.engine.lookup import Lookup
from toolkit.engine.rows import delete_record, format_rows
from toolkit.engine.style import sink_time
from toolkit.errors import Damaged, ToolkitError
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import Etag

SINK = datetime(2026, 3, 1, tzinfo=UTC)


def ids(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    return np.array([number.to_bytes(16, "big") for number in numbers], "S16")


def entries(*numbers: int) -> Entries:
    return entries_of(ids(*numbers), np.full(len(numbers), 10), np.arange(len(numbers)) + 100)


@given(st.lists(st.uuids(), max_size=9))
def test_ids_read_back_as_their_text(uuids: list[object]) -> None:
    text = "".join(str(uuid) for uuid in uuids).encode()
    read = ids_of_letters(np.frombuffer(text, np.uint8).reshape(len(uuids), 36))
    assert read is not None
    assert text_of_ids(read) == text


def test_an_index_reads_back_for_its_own_part() -> None:
    sorted_entries = entries(3, 1, 2).sorted()
    data, digest = index_bytes(sorted_entries, Etag("e1"), 30)
    assert digest == digest_of(sorted_entries)
    read = read_index(data, digest_of(sorted_entries))
    assert read is not None
    assert read.offsets.tolist() == [10, 20, 0]
    assert len(data) == 512 + 3 * 36


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"x" + data[1:],
        lambda data: data[:0],
        lambda data: data.replace(b"sha256:", b"sha257:"),
        lambda data: data.replace(b'"format":1', b'"format":9'),
        lambda data: data[:544] + b"\x09" + data[545:],
        lambda data: data[:-1] + b"\x09",
    ],
)
def test_an_index_that_is_not_the_parts_own_is_not_used(damage: object) -> None:
    sorted_entries = entries(1, 2).sorted()
    data = damage(index_bytes(sorted_entries, Etag("e1"), 20)[0])  # type: ignore[operator]  # lambda of the table
    assert read_index(data, digest_of(sorted_entries)) is None


def test_the_entries_of_some_ids_are_found_with_all_their_versions() -> None:
    held = joined([entries(1, 2), entries(2, 4)]).sorted()
    places, which = Lookup(ids(0, 2, 4)).among(held.ids)
    assert (places.tolist(), which.tolist()) == ([1, 2, 3], [1, 1, 2])


def test_a_row_beyond_two_gibibytes_is_refused() -> None:
    with pytest.raises(ToolkitError, match="a row has 2147483648 bytes"):
        entries_of(ids(1), np.array([1 << 31]), np.array([1]))


def test_entries_read_back_from_their_columns() -> None:
    read = entries_from(joined([entries(1), entries_of(ids(2), np.array([5]), np.array([7]), deletes=True)]).to_bytes())
    assert read.deletes.tolist() == [False, True]
    assert read.lengths.tolist() == [10, 5]


def written(lake: MemoryLake, *texts: str) -> Entries:
    rows = [
        {"cts_everythingid": f"00000000-0000-0000-0000-{at:012x}", "text": text, "versionnumber": 7 + at}
        for at, text in enumerate(texts)
    ]
    records = format_rows(batch(*rows), COLUMNS, "cts_everythingid", SINK)
    data = bytes(contents(records.text))
    ended = delete_record(data[: lengths_of(records.text)[0]], COLUMNS, sink_time(SINK))
    lake.put("x.csv", data + ended, "any")
    live = entries_of(records.ids, lengths_of(records.text), records.versions)
    gone = entries_of(records.ids[:1], np.array([len(ended)]), records.versions[:1], start=len(data), deletes=True)
    return joined([live, gone]).sorted()


@pytest.mark.parametrize("chunk", [8 << 20, 700, 1500])
def test_a_scan_finds_the_records_whatever_their_text(chunk: int) -> None:
    lake = MemoryLake()
    expected = written(lake, "plain", 'two\nlines "and, quotes"', "", '"', "\n\n,\n")
    assert digest_of(scan(lake, "x.csv", COLUMNS, chunk=chunk)) == digest_of(expected)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no record", "ENG021"),
        (b'"open\n', "ENG021"),
        (b"a,b,c\n", "ENG022"),
        (b"0000000g-0000-0000-0000-000000000001" + b"," * (len(COLUMNS) - 1) + b"\n", "ENG022"),
        (b"00000000-0000-0000-0000-000000000001" + b"," * (len(COLUMNS) - 1) + b"\n", "ENG022"),
    ],
)
def test_a_file_that_is_not_ours_is_damaged(data: bytes, code: str) -> None:
    lake = MemoryLake()
    lake.put("x.csv", data, "any")
    with pytest.raises(Damaged) as raised:
        scan(lake, "x.csv", COLUMNS)
    assert raised.value.code == code


def test_an_empty_file_has_no_entries() -> None:
    lake = MemoryLake()
    lake.put("x.csv", b"", "any")
    assert len(scan(lake, "x.csv", COLUMNS)) == 0
