from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.organization.samples import EVERY
from toolkit.model.columns import arrow_type
from toolkit.server import exact_json
from toolkit.server.rows import annotating, rendering

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DECIMALS = st.decimals(-(10**12), 10**12, places=10, allow_nan=False)
MONEY = st.decimals(-(10**12), 10**12, places=2, allow_nan=False)
INSTANTS = st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "cts_name": TEXTS,
    "cts_integer": st.integers(-(2**31), 2**31 - 1),
    "cts_bigint": st.integers(-(2**63), 2**63 - 1),
    "cts_decimal": DECIMALS,
    "cts_double": st.floats(-1e11, 1e11),
    "cts_money": MONEY,
    "cts_boolean": st.booleans(),
    "cts_multi": st.sampled_from(["1", "1;3", "1;2;3"]),
    "cts_instant": INSTANTS,
    "cts_day": st.dates(date(1753, 1, 1)),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | each for name, each in VALUES.items()}), max_size=4)


def column(name: str, values: list[object]) -> pa.Array[Any]:
    attribute = EVERY.attribute(name)
    assert attribute is not None
    return pa.array(values, arrow_type(attribute))


def json_of(name: str, value: Any) -> str:
    """Return one value as JSON, in plain Python."""
    match value:
        case datetime():
            return json.dumps(value.replace(microsecond=0, tzinfo=None).isoformat() + "Z")
        case date():
            return json.dumps(value.isoformat())
        case Decimal():
            return format(value, "f")
        case _ if name == "cts_multi" and value:
            return json.dumps(value.replace(";", ","))
        case _:
            return json.dumps(value, ensure_ascii=False)


def shown(name: str, value: Any) -> str:
    """Return one value as a person reads it, in plain Python."""
    match value:
        case datetime():
            return (
                f"{shown(name, value.date())} {value.hour % 12 or 12}:{value:%M} {'PM' if value.hour >= 12 else 'AM'}"
            )
        case date():
            return f"{value.month}/{value.day}/{value.year}"
        case Decimal() if name == "cts_money":
            return f"{'-' if value < 0 else ''}${abs(value):,.2f}"
        case Decimal():
            return f"{value:,.10f}"
        case float():
            return f"{value:,.5f}"
        case _:
            return f"{value:,}"


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_a_page_holds_the_json_of_each_value_of_each_row(found: list[dict[str, Any]]) -> None:
    members: list[rendering.Piece] = []
    for name in VALUES:
        attribute = EVERY.attribute(name)
        assert attribute is not None
        members += rendering.member(name, rendering.value(attribute, column(name, [row[name] for row in found])))
    expected = [{name: exact_json.loads(json_of(name, value)) for name, value in row.items()} for row in found]
    page = exact_json.loads(f"[{bytes(rendering.array(members)).decode()}]")
    assert [alike(row) for row in page] == [alike(row) for row in expected]


def alike(row: Mapping[str, Any]) -> dict[str, object]:
    """Return a row whose values keep their digits, but for a double: it is a number, however it is spelled."""
    number = row["cts_double"]
    texts = {name: str(value) for name, value in row.items()}
    return {**texts, "cts_double": None if number is None else float(number)}


@pytest.mark.parametrize("name", ["cts_integer", "cts_decimal", "cts_double", "cts_money", "cts_instant", "cts_day"])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_value_is_shown_as_python_formats_it(name: str, data: st.DataObject) -> None:
    attribute, values = EVERY.attribute(name), data.draw(st.lists(st.none() | VALUES[name], max_size=4))
    assert attribute is not None
    found = annotating.shown(attribute, column(name, values))
    assert found is not None
    assert found.to_pylist() == [None if each is None else shown(name, each) for each in values]


def test_a_member_is_left_out_where_a_row_has_no_text() -> None:
    texts = rendering.escaped(pa.array([None, 'a"b\n', ""]))
    pieces = [*rendering.optional("note", texts), *rendering.member("n", pa.array(["1", None, "3"]))]
    assert rendering.objects(pieces).to_pylist() == [
        '{"n":1}',
        r'{"note":"a\"b\n","n":null}',
        '{"note":"","n":3}',
    ]


def test_a_part_of_a_column_is_escaped_as_the_whole_is() -> None:
    whole = pa.array(['"', None, "plain", "\\", "\u5c71\x00"])
    assert rendering.escaped(whole.slice(2)).to_pylist() == ["plain", r"\\", "\u5c71\\u0000"]
