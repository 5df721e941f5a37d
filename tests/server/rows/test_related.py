from __future__ import annotations

import httpx
import pytest

from tests.organization.samples import Clock, attribute, numbered
from toolkit.model.entity import Entity
from toolkit.organization import details, metadata, rows
from toolkit.organization.database import Database
from toolkit.organization.details import AttributeDetail, EntityDetail, ManyToMany

ONE, TWO, THREE, FOUR = (numbered(at) for at in range(1, 5))
JOINED = "cts_every_note"
REGARDING = {"cts_regarding": ONE}
LED = "note_cts_every_cts_lookup"

INTERSECT = Entity(
    name="cts_every_note",
    set_name="cts_every_noteset",
    primary_id="cts_every_noteid",
    intersect=True,
    custom=True,
    attributes=(
        attribute("cts_every_noteid", "uniqueidentifier"),
        attribute("cts_everyid", "uniqueidentifier"),
        attribute("noteid", "uniqueidentifier"),
        attribute("versionnumber", "bigint"),
    ),
)


@pytest.fixture
def related(database: Database) -> Database:
    """Two notes; two rows that lead to the first of them; and a relationship that joins notes with such rows."""
    with database.write() as connection:
        both = ManyToMany(
            schema_name=JOINED,
            entity1="cts_every",
            attribute1="cts_everyid",
            entity2="note",
            attribute2="noteid",
        )
        metadata.put(connection, INTERSECT)
        details.put(connection, INTERSECT.name, EntityDetail(many_to_many=both))
    rows.insert(database, "note", [{"noteid": ONE, "title": "one"}, {"noteid": TWO, "title": "two"}], Clock())
    led = [
        {
            "cts_everyid": row_id,
            "cts_name": name,
            "cts_lookup": ONE,
            "cts_regarding": ONE,
            "cts_regarding_entitytype": kind,
        }
        for row_id, name, kind in ((THREE, "c", "note"), (FOUR, "d", "log"))
    ]
    rows.insert(database, "cts_every", led, Clock())
    return database


def names(found: httpx.Response, name: str = "cts_name") -> list[object]:
    assert found.status_code == 200, found.text
    return [row[name] for row in found.json()["value"]]


def lookup(database: Database, row_id: str) -> object:
    return (rows.read(database, "cts_every", row_id) or {})["cts_lookup"]


@pytest.mark.usefixtures("related")
def test_rows_that_lead_to_a_row_are_a_collection_of_it(api: httpx.Client) -> None:
    assert names(api.get(f"notes({ONE})/{LED}?$orderby=cts_name desc")) == ["d", "c"]
    assert names(api.get(f"notes({ONE})/{LED}?$filter=cts_name eq 'd'&$select=cts_name")) == ["d"]
    assert names(api.get(f"notes({ONE})/note_cts_every_cts_regarding")) == ["c"]
    assert names(api.get(f"notes({TWO})/{LED}")) == []
    assert api.get(f"notes({ONE})/{LED}/$count").text == "2"
    assert api.get(f"notes({numbered(9)})/{LED}").status_code == 404
    assert api.get(f"notes({ONE})/nothing").status_code == 400


@pytest.mark.usefixtures("related")
def test_a_collection_has_pages(api: httpx.Client) -> None:
    found = api.get(f"notes({ONE})/{LED}", headers={"Prefer": "odata.maxpagesize=1"})
    assert names(found) == ["c"]
    assert names(api.get(found.json()["@odata.nextLink"])) == ["d"]


@pytest.mark.usefixtures("related")
def test_the_row_of_a_lookup_is_read_through_it(api: httpx.Client) -> None:
    found = api.get(f"cts_everies({THREE})/cts_lookup?$select=title").json()
    assert (found["@odata.context"], found["title"]) == (f"{api.base_url}$metadata#notes(noteid,title)/$entity", "one")
    assert api.get(f"cts_everies({THREE})/cts_regarding_note").json()["title"] == "one"
    api.delete(f"cts_everies({THREE})/cts_lookup/$ref")
    assert api.get(f"cts_everies({THREE})/cts_lookup").status_code == 204


@pytest.mark.usefixtures("related")
def test_collections_are_expanded_into_arrays(api: httpx.Client) -> None:
    api.post(f"notes({TWO})/{JOINED}/$ref", json={"@odata.id": f"{api.base_url}cts_everies({FOUR})"})
    query = f"notes?$select=title&$expand={LED}($select=cts_name;$orderby=cts_name desc),{JOINED}($select=cts_name)"
    first, second = api.get(query).json()["value"]
    assert [row["cts_name"] for row in first[LED]] == ["d", "c"]
    assert (first[JOINED], second[LED], [row["cts_name"] for row in second[JOINED]]) == ([], [], ["d"])
    (first, _) = api.get(f"notes?$expand={LED}($top=1;$filter=cts_name ne 'c')").json()["value"]
    assert [row["cts_name"] for row in first[LED]] == ["d"]


@pytest.mark.usefixtures("related")
def test_expansion_goes_ten_levels_deep(api: httpx.Client) -> None:
    def levels(number: int) -> str:
        return f"{LED}($expand=cts_lookup($expand={levels(number - 2)}))" if number else f"{LED}"

    assert api.get(f"notes?$expand={levels(8)}").status_code == 200
    assert api.get(f"notes?$expand={levels(10)}").status_code == 400


def test_rows_are_joined_and_released(related: Database, api: httpx.Client) -> None:
    for _ in range(2):
        found = api.post(f"cts_everies({THREE})/{JOINED}/$ref", json={"@odata.id": f"/notes({ONE})"})
        assert found.status_code == 204
    api.post(f"cts_everies({THREE})/{JOINED}/$ref", json={"@odata.id": f"/notes({TWO})"})
    assert names(api.get(f"cts_everies({THREE})/{JOINED}"), "title") == ["one", "two"]
    assert api.delete(f"cts_everies({THREE})/{JOINED}({ONE})/$ref").status_code == 204
    address = {"$id": f"{api.base_url}cts_everies({THREE})"}
    assert api.delete(f"notes({TWO})/{JOINED}/$ref", params=address).status_code == 204
    assert rows.count(related, INTERSECT.name) == 0


def test_a_lookup_is_set_and_emptied_from_either_side(related: Database, api: httpx.Client) -> None:
    api.put(f"cts_everies({THREE})/cts_lookup/$ref", json={"@odata.id": f"/notes({TWO})"})
    assert lookup(related, THREE) == TWO
    api.post(f"notes({ONE})/{LED}/$ref", json={"@odata.id": f"/cts_everies({THREE})"})
    assert lookup(related, THREE) == ONE
    api.delete(f"notes({TWO})/{LED}({THREE})/$ref")
    assert lookup(related, THREE) == ONE
    api.delete(f"notes({ONE})/{LED}({THREE})/$ref")
    assert lookup(related, THREE) is None
    api.post(f"notes({TWO})/note_cts_every_cts_regarding/$ref", json={"@odata.id": f"/cts_everies({THREE})"})
    assert api.get(f"cts_everies({THREE})/cts_regarding_note").json()["title"] == "two"
    api.delete(f"notes({TWO})/note_cts_every_cts_regarding({THREE})/$ref")
    assert (rows.read(related, "cts_every", THREE) or {})["cts_regarding_entitytype"] is None


@pytest.mark.usefixtures("related")
def test_what_cannot_be_related_is_refused(api: httpx.Client) -> None:
    path = f"notes({ONE})/{LED}"
    assert api.post(f"{path}/$ref", json={"@odata.id": f"/notes({ONE})"}).status_code == 400
    assert api.post(f"{path}/$ref", json={}).status_code == 400
    assert api.post(f"notes({ONE})/nothing/$ref", json={"@odata.id": f"/notes({ONE})"}).status_code == 400
    assert api.delete(f"{path}/$ref").status_code == 400
    assert api.delete(f"{path}({numbered(9)})/$ref").status_code == 404


def test_a_navigation_property_is_spelled_as_its_schema_name(related: Database, api: httpx.Client) -> None:
    with related.write() as connection:
        named = {"cts_lookup": AttributeDetail(schema_name="cts_Lookup")}
        details.put(connection, "cts_every", EntityDetail(attributes=named))
    prefer = {"Prefer": 'odata.include-annotations="*"'}
    found = api.get(f"cts_everies({THREE})?$select=_cts_lookup_value", headers=prefer).json()
    assert found["_cts_lookup_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "cts_Lookup"
    bind = {"cts_Lookup@odata.bind": f"/notes({TWO})"}
    assert api.patch(f"cts_everies({THREE})", json=bind).status_code == 204
    assert api.patch(f"cts_everies({THREE})", json={"cts_lookup@odata.bind": None}).status_code == 400


def test_an_alternate_key_is_kept_by_every_write(related: Database, api: httpx.Client) -> None:
    with related.write() as connection:
        connection.execute('CREATE UNIQUE INDEX "key_note_title" ON rows_note (title)')
    found = [
        api.post("notes", json={"title": "one"}),
        api.patch(f"notes({TWO})", json={"title": "one"}),
    ]
    assert [(each.status_code, each.json()["error"]["code"]) for each in found] == [(412, "0x80060892")] * 2
