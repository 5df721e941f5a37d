from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import httpx
import pytest

from tests.organization.samples import NOW, Clock, numbered
from toolkit.organization import rows
from toolkit.organization.database import Database

ONE, TWO, THREE, FOUR = (numbered(at) for at in range(1, 5))

FULL = {
    "cts_everyid": ONE,
    "cts_name": 'a"b\\\n',
    "cts_memo": "\u5c71",
    "cts_integer": 1234567,
    "cts_bigint": 2**53 + 1,
    "cts_decimal": Decimal("0.0000000001"),
    "cts_double": 0.5,
    "cts_money": Decimal("1234567.80"),
    "cts_boolean": True,
    "cts_choice": 2,
    "cts_multi": "1;3",
    "cts_lookup": THREE,
    "cts_regarding": THREE,
    "cts_regarding_entitytype": "note",
    "cts_instant": NOW,
    "cts_day": date(2026, 1, 31),
    "cts_wall": datetime(2026, 1, 31, 8, 5),  # noqa: DTZ001 - a wall clock has no zone
    "statecode": 0,
    "statuscode": 1,
}


def insert(database: Database, *new: dict[str, object], entity: str = "cts_every") -> None:
    rows.insert(database, entity, new, Clock())


@pytest.fixture
def full(database: Database) -> Database:
    insert(database, {"noteid": THREE, "title": "three"}, entity="note")
    insert(database, FULL, {"cts_everyid": TWO})
    return database


def values(found: httpx.Response) -> list[dict[str, object]]:
    assert found.status_code == 200, found.text
    value: list[dict[str, object]] = found.json()["value"]
    return value


def refusal(found: httpx.Response) -> tuple[int, str, str]:
    error = found.json()["error"]
    return found.status_code, error["code"], error["message"]


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full")
def test_a_row_has_a_property_for_each_attribute_with_decimals_digit_by_digit(api: httpx.Client) -> None:
    found = api.get(f"cts_everies({ONE})")
    assert '"cts_decimal":0.0000000001,' in found.text
    assert '"cts_money":1234567.80,' in found.text
    assert found.headers["ETag"] == 'W/"2"'
    assert {name: value for name, value in found.json().items() if not name.startswith("@")} == {
        "cts_everyid": ONE,
        "cts_name": 'a"b\\\n',
        "cts_memo": "\u5c71",
        "cts_integer": 1234567,
        "cts_bigint": 2**53 + 1,
        "cts_decimal": 1e-10,
        "cts_double": 0.5,
        "cts_money": 1234567.8,
        "cts_boolean": True,
        "cts_choice": 2,
        "cts_multi": "1,3",
        "_cts_lookup_value": THREE,
        "_cts_regarding_value": THREE,
        "_cts_customer_value": None,
        "_ownerid_value": None,
        "cts_instant": "2026-03-01T12:00:00Z",
        "cts_day": "2026-01-31",
        "cts_wall": "2026-01-31T08:05:00Z",
        "statecode": 0,
        "statuscode": 1,
        "createdon": "2026-03-01T12:00:00Z",
        "modifiedon": "2026-03-01T12:00:00Z",
        "versionnumber": 2,
    }


@pytest.mark.usefixtures("full")
def test_an_empty_row_has_nulls(api: httpx.Client) -> None:
    found = api.get(f"cts_everies({TWO})?$select=cts_name,cts_money,_cts_lookup_value,cts_day").json()
    context = f"{api.base_url}$metadata#cts_everies(cts_everyid,cts_name,cts_money,_cts_lookup_value,cts_day)/$entity"
    assert found == {
        "@odata.context": context,
        "@odata.etag": 'W/"3"',
        "cts_everyid": TWO,
        "cts_name": None,
        "cts_money": None,
        "_cts_lookup_value": None,
        "cts_day": None,
    }


@pytest.mark.usefixtures("full")
def test_annotations_say_what_a_person_would_read(api: httpx.Client) -> None:
    prefer = {"Prefer": 'odata.include-annotations="*"'}
    found = api.get(f"cts_everies({ONE})", headers=prefer)
    assert found.headers["Preference-Applied"] == 'odata.include-annotations="*"'
    suffix = "@OData.Community.Display.V1.FormattedValue"
    shown = {name.removesuffix(suffix): value for name, value in found.json().items() if name.endswith(suffix)}
    assert shown == {
        "cts_integer": "1,234,567",
        "cts_bigint": "9,007,199,254,740,993",
        "cts_decimal": "0.0000000001",
        "cts_double": "0.50000",
        "cts_money": "$1,234,567.80",
        "cts_boolean": "True",
        "cts_choice": "Option 2",
        "cts_multi": "Option 1; Option 3",
        "_cts_lookup_value": "three",
        "_cts_regarding_value": "three",
        "cts_instant": "3/1/2026 12:00 PM",
        "cts_day": "1/31/2026",
        "cts_wall": "1/31/2026 8:05 AM",
        "statecode": "Option 0",
        "statuscode": "1",
        "createdon": "3/1/2026 12:00 PM",
        "modifiedon": "3/1/2026 12:00 PM",
        "versionnumber": "2",
    }


@pytest.mark.usefixtures("full")
def test_lookups_are_annotated_with_their_entity_and_property(api: httpx.Client) -> None:
    prefer = {"Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'}
    found = api.get(f"cts_everies({ONE})?$select=cts_name,_cts_regarding_value,_cts_lookup_value", headers=prefer)
    assert {name: value for name, value in found.json().items() if "@Microsoft" in name} == {
        "_cts_lookup_value@Microsoft.Dynamics.CRM.associatednavigationproperty": "cts_lookup",
        "_cts_lookup_value@Microsoft.Dynamics.CRM.lookuplogicalname": "note",
        "_cts_regarding_value@Microsoft.Dynamics.CRM.associatednavigationproperty": "cts_regarding_note",
        "_cts_regarding_value@Microsoft.Dynamics.CRM.lookuplogicalname": "note",
    }


@pytest.mark.usefixtures("full")
def test_a_pattern_with_a_minus_leaves_annotations_out(api: httpx.Client) -> None:
    prefer = {"Prefer": 'odata.include-annotations="*,-OData.*,-Microsoft.Dynamics.CRM.lookuplogicalname"'}
    found = api.get(f"cts_everies({ONE})?$select=_cts_lookup_value,cts_money", headers=prefer).json()
    assert [name for name in found if "_value@" in name or "money@" in name] == [
        "_cts_lookup_value@Microsoft.Dynamics.CRM.associatednavigationproperty"
    ]


# --- keys and etags -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full")
def test_a_row_that_the_client_has_already_is_not_sent_again(api: httpx.Client) -> None:
    path = f"cts_everies({ONE})"
    assert api.get(path, headers={"If-None-Match": 'W/"2"'}).status_code == 304
    assert api.get(path, headers={"If-None-Match": 'W/"1"'}).status_code == 200


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    "key",
    [ONE.upper(), f"cts_everyid={ONE}", "cts_choice=2", "cts_integer=1234567,cts_boolean=true", "cts_memo='\u5c71'"],
)
def test_a_key_is_an_id_or_values_that_no_other_row_has(api: httpx.Client, key: str) -> None:
    assert api.get(f"cts_everies({key})").json()["cts_everyid"] == ONE


def test_a_key_that_no_row_or_several_have_is_refused(full: Database, api: httpx.Client) -> None:
    insert(full, {"cts_everyid": FOUR, "cts_choice": 2})
    assert refusal(api.get(f"cts_everies({THREE})")) == (
        404,
        "0x80040217",
        f"Entity 'cts_every' With Id = {THREE} Does Not Exist",
    )
    assert refusal(api.get("cts_everies(cts_choice=1)"))[:2] == (404, "0x80040217")
    assert refusal(api.get("cts_everies(cts_choice=2)"))[:2] == (400, "0x80060888")
    for wrong in ("abc", "cts_everyid=abc", "", "cts_nothing=1"):
        assert refusal(api.get(f"cts_everies({wrong})"))[:2] == (400, "0x80060888")


# --- pages ----------------------------------------------------------------------------------------------------------


def titles(found: httpx.Response) -> list[object]:
    return [row["title"] for row in values(found)]


def note(at: int, title: str | None) -> dict[str, object]:
    return {"noteid": numbered(at), "title": title}


@pytest.fixture
def notes(database: Database) -> None:
    titled = [note(at, title) for at, title in enumerate(["b", "A", None, "a", "C", None], 1)]
    insert(database, *titled, entity="note")


def pages(api: httpx.Client, path: str, size: int) -> list[list[object]]:
    found: list[list[object]] = []
    link: str | None = path
    while link and len(found) < 9:
        answer = api.get(link, headers={"Prefer": f"odata.maxpagesize={size}"})
        assert answer.headers["Preference-Applied"] == f"odata.maxpagesize={size}"
        found.append(titles(answer))
        link = answer.json().get("@odata.nextLink")
    return found


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [["b", "A"], [None, "a"], ["C", None]]),
        ("&$orderby=title", [[None, None], ["A", "a"], ["b", "C"]]),
        ("&$orderby=title desc,noteid desc", [["C", "b"], ["a", "A"], [None, None]]),
        ("&$orderby=title asc&$filter=title ne 'b'&$top=1", [[None, None], ["A", "a"], ["C"]]),
        ("&$orderby=versionnumber desc&$filter=versionnumber le 4", [["a", None], ["A", "b"]]),
    ],
)
def test_pages_follow_each_other_in_any_order(api: httpx.Client, query: str, expected: list[list[object]]) -> None:
    assert pages(api, f"notes?$select=title{query}", 2) == expected


@pytest.mark.usefixtures("notes")
def test_a_next_link_keeps_the_query_and_hands_back_a_cookie(api: httpx.Client) -> None:
    query = {"$select": "title", "$filter": "title ne 'x&y+z'"}
    found = api.get("notes", params=query, headers={"Prefer": "odata.maxpagesize=4"})
    link = httpx.URL(found.json()["@odata.nextLink"])
    assert {name: link.params[name] for name in query} == query
    assert link.params["$skiptoken"].startswith('<cookie pagenumber="2" pagingcookie="')
    assert titles(api.get(str(link))) == ["C", None]


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize("token", ["x", '<cookie pagenumber="2" pagingcookie="eA==" istracking="False" />'])
def test_a_cookie_of_another_query_or_server_is_refused(api: httpx.Client, token: str) -> None:
    other = '<cookie pagenumber="2" pagingcookie="WzEsMl0%253D" istracking="False" />'
    assert refusal(api.get("notes", params={"$skiptoken": token}))[:2] == (400, "0x80060888")
    assert refusal(api.get("notes", params={"$skiptoken": other}))[2] == "the paging cookie belongs to another query"


@pytest.mark.usefixtures("notes")
def test_top_limits_and_count_counts(api: httpx.Client) -> None:
    found = api.get("notes?$top=2&$count=true&$select=title", headers={"Prefer": 'odata.include-annotations="*"'})
    assert found.json()["@odata.count"] == 6
    assert found.json()["@Microsoft.Dynamics.CRM.totalrecordcount"] == 6
    assert found.json()["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    assert (titles(found), "@odata.nextLink" in found.json()) == (["b", "A"], False)
    assert api.get("notes/$count?$filter=title eq null").text == "2"


def test_no_more_than_5000_rows_are_counted_or_sent(database: Database, api: httpx.Client) -> None:
    insert(database, *(note(at, "x") for at in range(5001)), entity="note")
    prefer = {"Prefer": 'odata.maxpagesize=9000,odata.include-annotations="*"'}
    found = api.get("notes?$count=true&$select=title", headers=prefer).json()
    assert (len(found["value"]), found["@odata.count"]) == (5000, 5000)
    assert found["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True
    assert len(values(api.get(found["@odata.nextLink"]))) == 1
    assert api.get("notes/$count").text == "5000"


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("$select=nothing", 400, "Could not find a property named 'nothing' on type 'Microsoft.Dynamics.CRM.note'."),
        ("$skip=1", 400, "Skip Clause is not supported in CRM"),
        ("$nothing=1", 400, "The query parameter $nothing is not supported."),
        ("$top=many", 400, "$top needs a whole number of at most 10 digits"),
        ("$count=yes", 400, "$count is true or false"),
        ("$orderby=title up", 400, "title up is no order: a property, then asc or desc"),
        ("$expand=title", 400, "Could not find a property named 'title' on type 'Microsoft.Dynamics.CRM.note'."),
        ("$expand=title($select=a", 400, "the parentheses of title in $expand do not close"),
        ("$apply=aggregate(x)", 501, "the query option $apply is not supported by this server; see docs/web-api.md"),
    ],
)
def test_an_option_that_cannot_be_followed_says_why(api: httpx.Client, query: str, status: int, message: str) -> None:
    found = refusal(api.get(f"notes?{query}"))
    assert (found[0], found[2]) == (status, message)


@pytest.mark.parametrize(("top", "number"), [("0", 0), ("1", 1), ("2147483647", 2)])
def test_at_most_so_many_rows_are_given(api: httpx.Client, top: str, number: int) -> None:
    assert [api.post("notes", json={"title": title}).status_code for title in "ab"] == [204, 204]
    assert len(values(api.get(f"notes?$top={top}"))) == number


def test_options_that_are_no_ones_of_odata_are_left_alone(api: httpx.Client) -> None:
    assert values(api.get("notes?tag=1&$select=*")) == []


# --- expansion ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full")
def test_a_lookup_is_expanded_into_the_row_that_it_leads_to(api: httpx.Client) -> None:
    found = api.get("cts_everies?$select=cts_name&$expand=cts_lookup($select=title),cts_regarding_note")
    assert (
        found.json()
        .get("@odata.context", found.text)
        .endswith("$metadata#cts_everies(cts_everyid,cts_name,cts_lookup(title),cts_regarding_note())")
    )
    first, second = values(found)
    assert first["cts_lookup"] == {"@odata.etag": 'W/"1"', "noteid": THREE, "title": "three"}
    assert (second["cts_lookup"], second["cts_regarding_note"]) == (None, None)
    assert list(first["cts_regarding_note"]) == [  # type: ignore[call-overload]  # JSON
        "@odata.etag",
        "noteid",
        "title",
        "createdon",
        "modifiedon",
        "versionnumber",
    ]


@pytest.mark.usefixtures("full")
def test_rows_are_filtered_and_sorted_by_what_their_lookups_lead_to(api: httpx.Client) -> None:
    found = api.get("cts_everies?$filter=cts_lookup/title eq 'THREE'&$select=cts_name")
    assert [row["cts_everyid"] for row in values(found)] == [ONE]
    found = api.get("cts_everies?$orderby=cts_regarding_note/title desc&$select=cts_name")
    assert [row["cts_everyid"] for row in values(found)] == [ONE, TWO]
