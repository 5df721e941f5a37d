from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import reference
from tests.engine.world import attribute
from toolkit.engine.arrays import contents, lengths_of
from toolkit.engine.columns import columns_of
from toolkit.engine.rows import delete_record, format_rows, split_record
from toolkit.engine.style import Style, sink_time
from toolkit.errors import ToolkitError
from toolkit.model.config import Times
from toolkit.model.entity import AttributeType, DateTimeBehavior, Entity
from toolkit.source.protocol import arrow_schema

SINK = datetime(2026, 3, 1, 0, 5, 9, tzinfo=UTC)
A_GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

EVERYTHING = Entity(
    name="cts_everything",
    set_name="cts_everythings",
    primary_id="cts_everythingid",
    attributes=(
        attribute("cts_everythingid", AttributeType.UNIQUEIDENTIFIER),
        attribute("text", AttributeType.STRING, max_length=100),
        attribute("memo", AttributeType.MEMO, max_length=2000),
        attribute("number", AttributeType.INTEGER),
        attribute("big", AttributeType.BIGINT),
        attribute("rate", AttributeType.DECIMAL, precision=10),
        attribute("exact", AttributeType.DECIMAL),
        attribute("price", AttributeType.MONEY, precision=2),
        attribute("ratio", AttributeType.DOUBLE),
        attribute("flag", AttributeType.BOOLEAN),
        attribute("colour", AttributeType.CHOICE),
        attribute("colours", AttributeType.MULTISELECT),
        attribute("statecode", AttributeType.STATE),
        attribute("statuscode", AttributeType.STATUS),
        attribute("parentid", AttributeType.LOOKUP, targets=("account",)),
        attribute("customerid", AttributeType.CUSTOMER, targets=("account", "contact")),
        attribute("ownerid", AttributeType.OWNER, targets=("systemuser", "team")),
        attribute("at", AttributeType.DATETIME),
        attribute("wall", AttributeType.DATETIME, behavior=DateTimeBehavior.TIME_ZONE_INDEPENDENT),
        attribute("day", AttributeType.DATETIME, behavior=DateTimeBehavior.DATE_ONLY),
        attribute("createdon", AttributeType.DATETIME),
        attribute("modifiedon", AttributeType.DATETIME),
        attribute("versionnumber", AttributeType.BIGINT),
    ),
)
SCHEMA = arrow_schema(EVERYTHING)
COLUMNS = columns_of(EVERYTHING)


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    whole = [{"cts_everythingid": A_GUID, "versionnumber": 1, **row} for row in rows]
    arrays = [pa.array([row.get(field.name) for row in whole], field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def formatted(*rows: dict[str, Any]) -> str:
    return bytes(contents(format_rows(batch(*rows), COLUMNS, "cts_everythingid", SINK).text)).decode()


def fields(**row: Any) -> dict[str, str]:
    line = split_record(formatted(row).encode())
    return {column.name: field.decode() for column, field in zip(COLUMNS, line, strict=True)}


@pytest.mark.parametrize(
    ("name", "value", "spelled"),
    [
        ("text", "", '""'),
        ("text", None, ""),
        ("text", 'say "no"', '"say ""no"""'),
        ("text", "a\r\nb,c", '"a\nb,c"'),
        ("text", "\u65e5\u672c", '"\u65e5\u672c"'),
        ("number", -7, "-7"),
        ("rate", Decimal(0), "0.0000000000"),
        ("rate", Decimal("0.0000000001"), "0.0000000001"),
        ("rate", Decimal("-12345678901234567.5"), "-12345678901234567.5000000000"),
        ("price", Decimal("1.1"), "1.10"),
        ("exact", Decimal("1.1"), "1.1000000000"),
        ("ratio", 0.1, "0.1"),
        ("flag", True, "True"),
        ("flag", False, "False"),
        ("colours", "1;2;3", '"1;2;3"'),
        ("parentid", A_GUID, A_GUID),
        ("customerid_entitytype", "account", '"account"'),
        ("at", datetime(2018, 5, 25, 16, 21, 9, 5, tzinfo=UTC), '"2018-05-25T16:21:09.0000050Z"'),
        ("wall", datetime(2018, 5, 25, 16, 21, 9), '"2018-05-25T16:21:09.0000000Z"'),  # noqa: DTZ001 - has no zone
        ("day", date(2018, 5, 25), '"2018-05-25T00:00:00.0000000"'),
        ("createdon", datetime(2018, 5, 25, 16, 21, 9, tzinfo=UTC), '"2018-05-25T16:21:09.0000000+00:00"'),
    ],
)
def test_a_value_is_spelled_as_the_service_spells_it(name: str, value: Any, spelled: str) -> None:
    assert fields(**{name: value})[name] == spelled


def test_a_record_begins_with_id_and_sink_times_and_ends_with_is_delete() -> None:
    line = split_record(formatted({}).encode())
    assert line[:4] == [A_GUID.encode(), b'"3/1/2026 12:05:09 AM"', b'"3/1/2026 12:05:09 AM"', A_GUID.encode()]
    assert line[-4:] == [b"1", b"", b"", b""]


@pytest.mark.parametrize(
    ("hour", "text"),
    [
        (0, "3/1/2026 12:05:09 AM"),
        (11, "3/1/2026 11:05:09 AM"),
        (12, "3/1/2026 12:05:09 PM"),
        (23, "3/1/2026 11:05:09 PM"),
    ],
)
def test_the_time_of_a_pass_has_twelve_hours(hour: int, text: str) -> None:
    assert sink_time(SINK.replace(hour=hour)) == text


DATETIMES = st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - zones are added below
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
GUIDS = st.uuids().map(str)
DECIMALS = st.decimals(Decimal("-1e15"), Decimal("1e15"), allow_nan=False, places=10)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


ROWS = st.fixed_dictionaries(
    {
        "cts_everythingid": GUIDS,
        "versionnumber": st.integers(0, 2**63 - 1),
        "text": maybe(TEXTS),
        "memo": maybe(TEXTS),
        "number": maybe(st.integers(-(2**31), 2**31 - 1)),
        "rate": maybe(DECIMALS),
        "exact": maybe(DECIMALS),
        "price": maybe(st.decimals(Decimal("-1e15"), Decimal("1e15"), allow_nan=False, places=2)),
        "flag": maybe(st.booleans()),
        "customerid": maybe(GUIDS),
        "customerid_entitytype": maybe(st.sampled_from(["account", "contact"])),
        "at": maybe(DATETIMES.map(lambda at: at.replace(tzinfo=UTC))),
        "wall": maybe(DATETIMES),
        "day": maybe(st.dates(date(1753, 1, 1))),
        "createdon": maybe(DATETIMES.map(lambda at: at.replace(tzinfo=UTC))),
    }
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=5))
def test_rows_equal_those_of_the_obvious_implementation(rows: list[dict[str, Any]]) -> None:
    records = format_rows(batch(*rows), COLUMNS, "cts_everythingid", SINK)
    expected = [reference.record(row, COLUMNS, "cts_everythingid", "3/1/2026 12:05:09 AM") for row in rows]
    assert bytes(contents(records.text)).decode() == "".join(expected)
    assert lengths_of(records.text).tolist() == [len(line.encode()) for line in expected]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_double_reads_back_as_itself(values: list[float]) -> None:
    lines = formatted(*({"ratio": value} for value in values)).splitlines()
    place = [column.name for column in COLUMNS].index("ratio")
    assert [float(line.split(",")[place]) for line in lines] == values


@pytest.mark.parametrize(
    ("row", "code", "what"),
    [
        ({"price": Decimal("1.005")}, "ENG012", f"price of row {A_GUID} has more digits than the 2"),
        ({"parentid": "x" * 36}, "ENG011", f"parentid of row {A_GUID} is not a guid"),
        ({"parentid": "12"}, "ENG011", f"parentid of row {A_GUID} is not a guid"),
        ({"cts_everythingid": "12"}, "ENG011", "the id of row 12 is not a guid"),
        ({"cts_everythingid": A_GUID.upper()}, "ENG011", f"the id of row {A_GUID.upper()} is not a guid"),
    ],
)
def test_a_value_that_cannot_be_spelled_names_its_row(row: dict[str, Any], code: str, what: str) -> None:
    good = {"price": Decimal(1), "parentid": A_GUID}
    with pytest.raises(ToolkitError) as raised:
        formatted({**good, "cts_everythingid": "1" * 8 + A_GUID[8:]}, {**good, **row})
    assert raised.value.code == code
    assert raised.value.what.startswith(what)


def test_a_time_beyond_the_year_9999_names_its_row() -> None:
    rows = batch({"at": SINK}, {"at": SINK})
    place = rows.schema.get_field_index("at")
    late = pa.array([0, 400_000_000_000_000_000], pa.int64()).cast(pa.timestamp("us", "UTC"))
    with pytest.raises(ToolkitError, match=f"at of row {A_GUID} is a time outside the years") as raised:
        format_rows(rows.set_column(place, SCHEMA.field(place), late), COLUMNS, "cts_everythingid", SINK)
    assert raised.value.code == "ENG013"


def test_a_column_that_the_source_no_longer_has_is_left_empty() -> None:
    rows = batch({"text": "x"}).drop_columns(["text"])
    text = format_rows(rows, COLUMNS, "cts_everythingid", SINK).text[0].as_py()
    assert split_record(text.encode())[4] == b""


def test_columns_behind_is_delete_are_part_of_the_record() -> None:
    later = (*(column for column in COLUMNS if column.name != "memo"), COLUMNS[5])
    text = format_rows(batch({"memo": "late"}), later, "cts_everythingid", SINK).text[0].as_py()
    assert text.endswith(',,"late"\n')


def test_a_slice_of_a_batch_is_formatted_without_its_neighbours() -> None:
    rows = batch(*({"text": f"row {number}"} for number in range(4)))
    records = format_rows(rows.slice(1, 2), COLUMNS, "cts_everythingid", SINK)
    assert [split_record(text.as_py().encode())[4] for text in records.text] == [b'"row 1"', b'"row 2"']
    assert np.all(records.versions == 1)


def test_a_delete_row_has_id_version_createdon_and_sink_times() -> None:
    last = formatted({"text": 'a,"b"\n,', "createdon": SINK, "versionnumber": 12}).encode()
    line = split_record(delete_record(last, COLUMNS, sink_time(SINK)))
    assert [field for field in line if field] == [
        A_GUID.encode(),
        b'"3/1/2026 12:05:09 AM"',
        b'"3/1/2026 12:05:09 AM"',
        b"12",
        b'"2026-03-01T00:05:09.0000000+00:00"',
        b"True",
    ]


def test_iso_times_are_instants_that_end_in_z() -> None:
    rows = batch({"createdon": SINK, "modifiedon": SINK, "at": SINK, "day": date(2024, 2, 29)})
    iso = Style(times=Times.ISO)
    line = split_record(format_rows(rows, COLUMNS, "cts_everythingid", SINK, iso).text[0].as_py().encode())
    found = {column.name: field.decode() for column, field in zip(COLUMNS, line, strict=True)}
    assert found["SinkCreatedOn"] == found["SinkModifiedOn"] == '"2026-03-01T00:05:09Z"'
    assert found["createdon"] == found["modifiedon"] == found["at"] == '"2026-03-01T00:05:09.0000000Z"'
    assert found["day"] == '"2024-02-29T00:00:00.0000000"'


def test_rows_are_encoded_as_in_a_sample_of_the_real_service() -> None:
    corpus = os.environ.get("TOOLKIT_CORPUS")
    if corpus is None:
        pytest.skip("TOOLKIT_CORPUS is not set")
    sample = (Path(corpus) / "lake" / "service-rows.csv").read_bytes().splitlines(keepends=True)[0]
    theirs, ours = (
        split_record(sample),
        split_record(formatted({"text": "acc1", "at": SINK, "createdon": SINK}).encode()),
    )
    assert [sample[-1:], theirs[-1], theirs[8]] == [b"\n", b"", b""]
    shapes = {name: at for at, name in enumerate(column.name for column in COLUMNS)}
    assert len(theirs[0]) == len(ours[0])
    assert len(theirs[-2]) == len(ours[shapes["at"]])
    assert len(theirs[-3]) == len(ours[shapes["createdon"]])
    assert theirs[6][:1] == ours[shapes["text"]][:1] == b'"'
