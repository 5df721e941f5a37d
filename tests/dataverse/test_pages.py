"""Pages of rows become Arrow, exactly."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.organization.samples import EVERY, NOTE, numbered
from toolkit.dataverse.pages import Page, link_ahead, reader
from toolkit.errors import SourceError
from toolkit.model.columns import arrow_schema

ROW = {"@odata.etag": 'W/"1"', "cts_everyid": numbered(1), "versionnumber": 1}
NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"


def page(*rows: dict[str, object], **more: object) -> bytes:
    return json.dumps({"@odata.context": "https://x/$metadata#notes", "value": rows, **more}).encode()


def every(**values: object) -> dict[str, Any]:
    (row,) = reader(EVERY).read(page({**ROW, **values})).rows.to_pylist()
    return row


def number(text: str, column: str = "cts_decimal") -> Any:
    body = page({**ROW, column: "@"}).replace(b'"@"', text.encode())
    return reader(EVERY).read(body).rows.column(column)[0].as_py()


def test_a_row_has_every_column_in_the_type_of_its_attribute() -> None:
    row = every(
        cts_name='é,"\n😀 },{ [',
        cts_integer=-5,
        cts_bigint=9_007_199_254_740_993,
        cts_double=0.1,
        cts_boolean=False,
        cts_choice=2,
        cts_multi="1,3",
        _cts_lookup_value="ABCDEF00-0000-0000-0000-000000000001",
        cts_instant="2023-04-07T21:59:01Z",
        cts_day="1900-02-28",
        cts_wall="2026-07-01T08:30:00Z",
    )
    assert {name: value for name, value in row.items() if value is not None} == {
        "cts_everyid": numbered(1),
        "cts_name": 'é,"\n😀 },{ [',
        "cts_integer": -5,
        "cts_bigint": 9_007_199_254_740_993,
        "cts_double": 0.1,
        "cts_boolean": False,
        "cts_choice": 2,
        "cts_multi": "1;3",
        "cts_lookup": "abcdef00-0000-0000-0000-000000000001",
        "cts_instant": datetime(2023, 4, 7, 21, 59, 1, tzinfo=UTC),
        "cts_day": date(1900, 2, 28),
        "cts_wall": datetime(2026, 7, 1, 8, 30),  # noqa: DTZ001 - wall-clock times have no zone
        "versionnumber": 1,
    }


def test_the_entity_of_a_lookup_comes_from_its_annotation() -> None:
    row = every(**{"_ownerid_value": numbered(4), f"_ownerid_value@{NAME}": "team"})
    assert (row["ownerid"], row["ownerid_entitytype"]) == (numbered(4), "team")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", Decimal("1.10")),
        ("-12345678901234567890.0000000001", Decimal("-12345678901234567890.0000000001")),
        ("1.000000000000", Decimal(1)),
        ("1E-10", Decimal("0.0000000001")),
        ("1e3", Decimal(1000)),
        ("0", Decimal(0)),
        ("null", None),
    ],
)
def test_decimals_are_exact(text: str, value: Decimal | None) -> None:
    assert number(text) == value


def test_a_decimal_with_too_many_digits_is_refused_by_its_column() -> None:
    with pytest.raises(SourceError) as failure:
        number("0.000000000012")
    assert (failure.value.code, failure.value.what.split()[3]) == ("DV031", "cts_every.cts_decimal")


@pytest.mark.parametrize("expected", [True, False])
def test_tombstones_stand_among_the_rows(expected: bool) -> None:
    tombstone: dict[str, object] = {
        "@odata.context": "https://x/$metadata#notes/$deletedEntity",
        "id": "AB",
        "reason": "deleted",
    }
    found = reader(NOTE).read(page({"noteid": numbered(1), "versionnumber": 7}, tombstone), tombstones=expected)
    assert found.rows.column("noteid").to_pylist() == [numbered(1)]
    assert found.deleted == ["ab"]


def test_a_page_without_rows_has_the_schema() -> None:
    found = reader(NOTE).read(page())
    assert (found.rows.num_rows, found.rows.schema) == (0, arrow_schema(NOTE))


def test_links_are_taken_as_they_are() -> None:
    found = reader(NOTE).read(page(**{"@odata.deltaLink": "https://x/notes?$deltatoken=9%2108%2f22"}))
    assert found == Page(found.rows, [], None, "https://x/notes?$deltatoken=9%2108%2f22")


def test_a_reader_asks_for_what_it_reads() -> None:
    wanted = reader(EVERY, ["cts_name", "ownerid"])
    assert (wanted.select, wanted.annotated) == ("cts_everyid,cts_name,_ownerid_value,versionnumber", True)
    assert not reader(NOTE).annotated


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"{}",
        b"{}{}",
        b'{"value":null}',
        b'{"value":[{"versionnumber":1}]}',
        b'{"value":[{"noteid":"a"}]}',
        b'{"value":[{"noteid":"a","versionnumber":"1"}]}',
        b'{"value":[{"@odata.context":"x"}]}',
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError) as failure:
        reader(NOTE).read(body)
    assert failure.value.code == "DV030"


@given(
    st.decimals(min_value=-(10**20), max_value=10**20, allow_nan=False, places=10),
    st.sampled_from(["f", "E", "", "zeros"]),
)
def test_any_decimal_is_the_one_that_was_sent(value: Decimal, form: str) -> None:
    text = f"{value:f}00" if form == "zeros" else f"{value:{form}}"
    assert number(text) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_bigint_is_the_one_that_was_sent(value: int) -> None:
    assert every(cts_bigint=value)["cts_bigint"] == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_the_one_that_was_sent_and_hides_no_link(text: str) -> None:
    body = page({**ROW, "cts_name": text, "cts_memo": '"@odata.nextLink":"' + text}, **{"@odata.deltaLink": "d"})
    assert reader(EVERY).read(body).rows.column("cts_name").to_pylist() == [text]
    assert link_ahead(body) is None


@pytest.mark.parametrize("more", [{}, {"@odata.count": 5}])
def test_the_next_link_is_found_before_a_page_is_read(more: dict[str, object]) -> None:
    body = page(**{"@odata.nextLink": 'https://x/notes?$skiptoken=%253c"\u00e9', **more})
    assert link_ahead(body) == reader(NOTE).read(body).next_link == 'https://x/notes?$skiptoken=%253c"\u00e9'


def test_a_link_far_from_the_end_is_found_when_the_page_is_read() -> None:
    body = json.dumps({"@odata.nextLink": "n", "value": [{"noteid": "a" * 40_000, "versionnumber": 1}]}).encode()
    assert (link_ahead(body), reader(NOTE).read(body).next_link) == (None, "n")
