from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.organization.samples import Clock, numbered
from toolkit.model.entity import DateTimeBehavior
from toolkit.organization import metadata, rows
from toolkit.organization.database import Database
from toolkit.server.system.ids import Ids

ONE, TWO = numbered(1), numbered(2)
MADE = numbered(0xF001)
"""The first id that the world makes."""


def read(database: Database, row_id: str, entity: str = "note") -> dict[str, Any] | None:
    return rows.read(database, entity, row_id)


def refusal(found: httpx.Response) -> tuple[int, str, str]:
    error = found.json()["error"]
    return found.status_code, error["code"], error["message"]


@pytest.fixture
def note(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": ONE, "title": "one"}], Clock())


# --- creating -------------------------------------------------------------------------------------------------------


def test_a_created_row_has_an_address(database: Database, api: httpx.Client) -> None:
    found = api.post("notes", json={"title": "new"})
    address = f"{api.base_url}notes({MADE})"
    assert (found.status_code, found.content) == (204, b"")
    assert (found.headers["OData-EntityId"], found.headers["Location"]) == (address, address)
    row = read(database, MADE)
    assert row is not None
    assert row["title"] == "new"


def test_a_created_row_comes_back_when_that_is_preferred(api: httpx.Client) -> None:
    prefer = {"Prefer": 'return=representation,odata.include-annotations="*"', "If-None-Match": "null"}
    found = api.post("notes?$select=title", json={"noteid": ONE, "title": "new"}, headers=prefer)
    assert (found.status_code, found.headers["OData-EntityId"]) == (201, f"{api.base_url}notes({ONE})")
    assert found.headers["Preference-Applied"] == 'return=representation,odata.include-annotations="*"'
    assert (found.json()["title"], found.json()["@odata.etag"]) == ("new", 'W/"1"')


def test_every_type_is_written_as_it_is_read(database: Database, api: httpx.Client) -> None:
    values = {
        "cts_name": "a",
        "cts_integer": 5,
        "cts_bigint": 2**53 + 1,
        "cts_double": 0.5,
        "cts_boolean": False,
        "cts_choice": 2,
        "cts_multi": "1,3",
        "cts_instant": "2026-03-01T12:00:00Z",
        "cts_day": "2026-01-31",
        "cts_wall": "2026-01-31T08:05:00Z",
        "statecode": 1,
        "statuscode": 2,
    }
    body = httpx.Request("POST", "http://x", json={**values, "cts_everyid": ONE}).content.decode()
    exact = body[:-1] + ',"cts_decimal":99999999999.0123456789,"cts_money":1.005}'
    assert api.post("cts_everies", content=exact).status_code == 204
    found = api.get(f"cts_everies({ONE})")
    assert {name: found.json()[name] for name in values} == values
    assert '"cts_decimal":99999999999.0123456789,' in found.text
    assert '"cts_money":1.01,' in found.text
    assert read(database, ONE, "cts_every")["cts_multi"] == "1;3"  # type: ignore[index]  # it is there


def test_a_new_row_has_a_state_a_status_and_an_owner(database: Database, api: httpx.Client) -> None:
    with database.read() as connection:
        user = Ids(connection).user
    for row_id, more in ((ONE, {}), (TWO, {"statuscode": 2})):
        api.post("cts_everies", json={"cts_everyid": row_id, **more})
    found = [read(database, row_id, "cts_every") or {} for row_id in (ONE, TWO)]
    assert [(row["statecode"], row["statuscode"]) for row in found] == [(0, 1), (1, 2)]
    assert [(row["ownerid"], row["ownerid_entitytype"]) for row in found] == [(user, "systemuser")] * 2


def test_what_the_platform_stamps_is_left_alone(database: Database, api: httpx.Client) -> None:
    api.post("notes", json={"noteid": ONE, "createdon": "2020-01-01T00:00:00Z", "versionnumber": 99, "title": ""})
    assert read(database, ONE) == {
        "noteid": ONE,
        "title": None,
        "createdon": Clock().now,
        "modifiedon": Clock().now,
        "versionnumber": 1,
    }


@pytest.mark.usefixtures("note")
def test_lookups_are_bound_by_an_address_and_emptied_by_null(database: Database, api: httpx.Client) -> None:
    api.post(
        "cts_everies",
        json={
            "cts_everyid": TWO,
            "cts_lookup@odata.bind": f"/notes({ONE})",
            "cts_regarding_note@odata.bind": f"{api.base_url}notes(title='one')",
        },
    )
    row = read(database, TWO, "cts_every") or {}
    assert (row["cts_lookup"], row["cts_regarding"], row["cts_regarding_entitytype"]) == (ONE, ONE, "note")
    api.patch(f"cts_everies({TWO})", json={"cts_lookup": None, "cts_regarding_note@odata.bind": None})
    row = read(database, TWO, "cts_every") or {}
    assert (row["cts_lookup"], row["cts_regarding"], row["cts_regarding_entitytype"]) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"nothing": 1}', 400, "0x80048d19"),
        ('{"nothing@odata.bind": "/notes(x)"}', 400, "0x80048d19"),
        ('{"cts_lookup@odata.bind": "notes"}', 400, "0x80048d19"),
        (f'{{"cts_lookup@odata.bind": "/notes({TWO})"}}', 404, "0x80040217"),
        (f'{{"cts_lookup@odata.bind": "/nothings({TWO})"}}', 404, "0x80060888"),
        (f'{{"cts_lookup@odata.bind": "/logs({numbered(5)})"}}', 400, "0x80048d19"),
        ('{"cts_lookup@odata.bind": ["/notes(x)"]}', 501, "SRV001"),
        ('{"cts_lookup": {"title": "deep"}}', 501, "SRV001"),
        ('{"cts_integer": "5"}', 400, "0x80048d19"),
        ('{"cts_integer": true}', 400, "0x80048d19"),
        ('{"cts_integer": 3000000000}', 400, "ORG023"),
        ('{"cts_decimal": "1"}', 400, "0x80048d19"),
        ('{"cts_money": 1e999}', 400, "0x80048d19"),
        ('{"cts_boolean": 1}', 400, "0x80048d19"),
        ('{"cts_name": 5}', 400, "0x80048d19"),
        ('{"cts_name": "longer than ten"}', 400, "ORG022"),
        ('{"cts_choice": 9}', 400, "ORG024"),
        ('{"cts_multi": "a"}', 400, "0x80048d19"),
        ('{"cts_day": "soon"}', 400, "0x80048d19"),
        ('{"cts_everyid": "abc"}', 400, "0x80048d19"),
        ('{"cts_name": NaN}', 400, "0x80048d19"),
        ("[]", 400, "0x80048d19"),
        ("{", 400, "0x80048d19"),
    ],
)
def test_a_body_that_cannot_be_written_is_refused(
    database: Database, api: httpx.Client, body: str, status: int, code: str
) -> None:
    rows.insert(database, "log", [{"noteid": numbered(5)}], Clock())
    assert refusal(api.post("cts_everies", content=body))[:2] == (status, code)
    assert rows.count(database, "cts_every") == 0


@pytest.mark.usefixtures("note")
def test_an_id_that_is_there_is_refused(api: httpx.Client) -> None:
    assert refusal(api.post("notes", json={"noteid": ONE}))[:2] == (412, "0x80040237")


# --- changing -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("note")
def test_a_change_leaves_the_rest_of_a_row(database: Database, api: httpx.Client) -> None:
    found = api.patch(f"notes({ONE.upper()})", json={"title": "two"})
    assert (found.status_code, found.headers["OData-EntityId"]) == (204, f"{api.base_url}notes({ONE})")
    row = read(database, ONE) or {}
    assert (row["title"], row["createdon"], row["versionnumber"]) == ("two", Clock().now, 2)


def test_a_change_of_a_row_that_is_not_there_creates_it(database: Database, api: httpx.Client) -> None:
    prefer = {"Prefer": "return=representation"}
    assert api.patch(f"notes({ONE})", json={"title": "a"}, headers=prefer).status_code == 201
    assert api.patch(f"notes({ONE})", json={"title": "b"}, headers=prefer).status_code == 200
    assert rows.count(database, "note") == 1


def test_a_change_under_an_alternate_key_creates_a_row_of_it(database: Database, api: httpx.Client) -> None:
    for title in ("a", "b"):
        api.patch("cts_everies(cts_name='it''s',cts_integer=5)", json={"cts_memo": title})
    assert rows.count(database, "cts_every") == 1
    row = read(database, MADE, "cts_every") or {}
    assert (row["cts_name"], row["cts_integer"], row["cts_memo"]) == ("it's", 5, "b")
    found = refusal(api.patch(f"cts_everies(_ownerid_value={ONE})", json={}))
    assert found[:2] == (501, "SRV001")


def test_if_match_of_anything_only_changes_and_if_none_match_only_creates(api: httpx.Client) -> None:
    assert refusal(api.patch(f"notes({ONE})", json={}, headers={"If-Match": "*"}))[:2] == (404, "0x80040217")
    assert api.patch(f"notes({ONE})", json={}, headers={"If-None-Match": "*"}).status_code == 204
    assert api.patch(f"notes({ONE})", json={}, headers={"If-Match": "*"}).status_code == 204
    assert refusal(api.patch(f"notes({ONE})", json={}, headers={"If-None-Match": "*"}))[:2] == (412, "0x80040237")


@pytest.mark.usefixtures("note")
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_etag_of_an_earlier_version_is_refused(api: httpx.Client, method: str) -> None:
    changed = api.patch(f"notes({ONE})", json={"title": "b"}, headers={"If-Match": 'W/"1"'})
    assert changed.status_code == 204
    found = api.request(method, f"notes({ONE})", json={}, headers={"If-Match": 'W/"1"'})
    assert refusal(found)[:2] == (412, "0x80060882")
    assert api.request(method, f"notes({ONE})", json={}, headers={"If-Match": 'W/"2"'}).status_code == 204


def test_state_and_status_follow_each_other(database: Database, api: httpx.Client) -> None:
    api.post("cts_everies", json={"cts_everyid": ONE})
    seen = []
    for body in ({"statecode": 1}, {"statuscode": 1}, {"cts_name": "a"}):
        api.patch(f"cts_everies({ONE})", json=body)
        row = read(database, ONE, "cts_every") or {}
        seen.append((row["statecode"], row["statuscode"]))
    assert seen == [(1, 2), (0, 1), (0, 1)]


@pytest.mark.usefixtures("note")
def test_one_property_is_read_changed_and_emptied(api: httpx.Client) -> None:
    path = f"notes({ONE})/title"
    assert api.get(path).json() == {"@odata.context": f"{api.base_url}$metadata#notes({ONE})/title", "value": "one"}
    assert api.put(path, json={"value": "two"}).status_code == 204
    assert api.get(path).json()["value"] == "two"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 204
    assert api.put(f"notes({TWO})/title", json={"value": "x"}).status_code == 404
    assert api.get(f"notes({ONE})/nothing").status_code == 400


# --- deleting -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("note")
def test_a_deleted_row_leaves_a_tombstone(database: Database, api: httpx.Client) -> None:
    assert api.delete(f"notes({ONE})").status_code == 204
    assert refusal(api.delete(f"notes({ONE})"))[:2] == (404, "0x80040217")
    with database.read() as connection:
        assert [row["id"] for row in connection.execute("SELECT id FROM tombstone")] == [ONE]


def test_a_table_of_the_platform_is_written_by_its_own_calls_alone(api: httpx.Client) -> None:
    assert refusal(api.post("asyncoperations", json={}))[:2] == (501, "SRV001")


# --- an earlier time of creation ------------------------------------------------------------------------------------


def test_a_row_may_be_said_to_be_created_earlier(database: Database, api: httpx.Client) -> None:
    with database.write() as connection:
        known = metadata.definition(connection, "note")
        day = known.attributes[2].model_copy(
            update={"name": "overriddencreatedon", "behavior": DateTimeBehavior.DATE_ONLY}
        )
        metadata.put(connection, known.model_copy(update={"attributes": (*known.attributes, day)}))
    api.post("notes", json={"noteid": ONE, "overriddencreatedon": "2020-02-01"})
    assert api.get(f"notes({ONE})/createdon").json()["value"] == "2020-02-01T00:00:00Z"
