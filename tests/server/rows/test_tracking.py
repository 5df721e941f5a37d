"""Change tracking over HTTP, as Microsoft's page on it has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.organization.samples import NOTE, NOW, Clock, attribute, numbered
from tests.server.served import direct
from toolkit.organization import catalog, definitions, rows
from toolkit.organization.catalog import Settings
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.server.rows.delta_tokens import DeltaToken, SkipToken, encoded

TRACK = {"Prefer": "odata.track-changes"}
EXPIRED = {
    "code": "0x80044352",
    "message": "Version stamp associated with the client has expired. Please perform a full sync.",
}


class Moved:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Moved:
    return Moved()


@pytest.fixture
def api(database: Database, clock: Moved) -> Iterator[httpx.Client]:
    with direct(database, clock=clock) as opened:
        yield opened


def add(database: Database, *numbers: int) -> None:
    rows.insert(database, "note", [{"noteid": numbered(at), "title": f"note {at}"} for at in numbers], Clock())


def pages(api: httpx.Client, path: str, prefer: str = "odata.track-changes") -> list[dict[str, Any]]:
    found = [api.get(path, headers={"Prefer": prefer}).raise_for_status().json()]
    while (link := found[-1].get("@odata.nextLink")) is not None:
        found.append(api.get(link, headers={"Prefer": prefer}).raise_for_status().json())
    return found


def delta(api: httpx.Client, path: str = "notes?$select=title") -> str:
    link = pages(api, path)[-1]["@odata.deltaLink"]
    assert isinstance(link, str)
    return link


def error(answer: httpx.Response) -> object:
    assert answer.status_code == 400
    return answer.json()["error"]


# --- the first load ---------------------------------------------------------------------------------------------------


def test_the_first_load_ends_with_a_delta_link(database: Database, api: httpx.Client) -> None:
    add(database, 1)
    found = api.get("notes?$select=title", headers=TRACK)
    assert found.headers["Preference-Applied"] == "odata.track-changes"
    assert found.json() == {
        "@odata.context": f"{api.base_url}$metadata#notes(title)",
        "@odata.deltaLink": f"{api.base_url}notes?$select=title&$deltatoken=1%2103%2f01%2f2026%2012%3a00%3a00",
        "value": [{"@odata.etag": 'W/"1"', "noteid": numbered(1), "title": "note 1"}],
    }


def test_without_a_select_all_columns_come(database: Database, api: httpx.Client) -> None:
    add(database, 1)
    found = api.get("notes", headers=TRACK).json()
    assert found["@odata.context"] == f"{api.base_url}$metadata#notes"
    assert list(found["value"][0]) == ["@odata.etag", "noteid", "title", "createdon", "modifiedon", "versionnumber"]


def test_pages_have_a_next_link_and_only_the_last_one_a_delta_link(database: Database, api: httpx.Client) -> None:
    add(database, 1, 2, 3, 4, 5)
    found = pages(api, "notes?$select=title", "odata.track-changes,odata.maxpagesize=2")
    assert [[row["title"] for row in page["value"]] for page in found] == [
        ["note 1", "note 2"],
        ["note 3", "note 4"],
        ["note 5"],
    ]
    assert ["@odata.deltaLink" in page for page in found] == [False, False, True]
    assert {page["@odata.context"] for page in found} == {f"{api.base_url}$metadata#notes(title)"}


def test_the_page_size_is_applied_and_said(database: Database, api: httpx.Client) -> None:
    add(database, 1)
    found = api.get("notes", headers={"Prefer": "odata.track-changes,odata.maxpagesize=9000"})
    assert found.headers["Preference-Applied"] == "odata.track-changes,odata.maxpagesize=5000"


def test_a_row_that_is_deleted_during_the_first_load_is_a_tombstone_of_the_next(
    database: Database, api: httpx.Client
) -> None:
    add(database, 1, 2, 3)
    first = api.get("notes?$select=title", headers={"Prefer": "odata.track-changes,odata.maxpagesize=2"}).json()
    rows.delete(database, "note", [numbered(1)], Clock())
    last = api.get(first["@odata.nextLink"], headers=TRACK).json()
    assert [row["title"] for row in last["value"]] == ["note 3"]
    assert [row["id"] for row in pages(api, last["@odata.deltaLink"])[0]["value"]] == [numbered(1)]


# --- what has changed -------------------------------------------------------------------------------------------------


def test_a_delta_has_updates_first_and_then_deletes(database: Database, api: httpx.Client) -> None:
    add(database, 1, 2)
    link = delta(api)
    rows.delete(database, "note", [numbered(1)], Clock())
    rows.update(database, "note", [{"noteid": numbered(2), "title": "other"}], Clock())
    found = api.get(link)
    assert "Preference-Applied" not in found.headers
    assert found.json() == {
        "@odata.context": f"{api.base_url}$metadata#notes(title)/$delta",
        "@odata.deltaLink": f"{api.base_url}notes?$select=title&$deltatoken=4%2103%2f01%2f2026%2012%3a00%3a00",
        "value": [
            {"@odata.etag": 'W/"4"', "noteid": numbered(2), "title": "other"},
            {
                "@odata.context": f"{api.base_url}$metadata#notes/$deletedEntity",
                "id": numbered(1),
                "reason": "deleted",
            },
        ],
    }


def test_a_row_that_came_and_went_is_a_tombstone(database: Database, api: httpx.Client) -> None:
    link = delta(api)
    add(database, 7)
    rows.delete(database, "note", [numbered(7)], Clock())
    assert [row["id"] for row in api.get(link).json()["value"]] == [numbered(7)]


def test_nothing_changed_is_an_empty_delta_with_a_link(api: httpx.Client) -> None:
    found = api.get(delta(api)).json()
    assert found["value"] == []
    assert found["@odata.deltaLink"].endswith("$deltatoken=0%2103%2f01%2f2026%2012%3a00%3a00")


def test_a_page_of_a_delta_is_filled_up_with_tombstones(database: Database, api: httpx.Client) -> None:
    add(database, *range(1, 6))
    link = delta(api)
    rows.update(database, "note", [{"noteid": numbered(at), "title": "new"} for at in (1, 2, 3)], Clock())
    rows.delete(database, "note", [numbered(4), numbered(5)], Clock())
    found = pages(api, link, "odata.track-changes,odata.maxpagesize=2")
    assert [[row.get("reason", row.get("title")) for row in page["value"]] for page in found] == [
        ["new", "new"],
        ["new", "deleted"],
        ["deleted"],
    ]
    assert {page["@odata.context"] for page in found} == {f"{api.base_url}$metadata#notes(title)/$delta"}


def test_a_full_page_of_rows_leaves_the_tombstones_to_the_next(database: Database, api: httpx.Client) -> None:
    add(database, 1, 2, 3)
    link = delta(api)
    rows.update(database, "note", [{"noteid": numbered(at), "title": "new"} for at in (1, 2)], Clock())
    rows.delete(database, "note", [numbered(3)], Clock())
    found = pages(api, link, "odata.track-changes,odata.maxpagesize=2")
    assert [len(page["value"]) for page in found] == [2, 1]


def test_changes_during_a_delta_come_with_the_next_one(database: Database, api: httpx.Client) -> None:
    add(database, 1, 2, 3)
    link = delta(api)
    rows.update(database, "note", [{"noteid": numbered(at), "title": "new"} for at in (1, 2, 3)], Clock())
    first = api.get(link, headers={"Prefer": "odata.maxpagesize=2"}).json()
    rows.update(database, "note", [{"noteid": numbered(1), "title": "newest"}], Clock())
    rest = pages(api, first["@odata.nextLink"])
    assert [row["title"] for row in rest[-1]["value"]] == ["new"]
    assert [row["title"] for row in api.get(rest[-1]["@odata.deltaLink"]).json()["value"]] == ["newest"]


def test_changes_are_counted(database: Database, api: httpx.Client) -> None:
    add(database, 1, 2)
    token = delta(api).partition("$deltatoken=")[2]
    add(database, 3)
    rows.delete(database, "note", [numbered(1)], Clock())
    found = api.get(f"notes/$count?$deltatoken={token}")
    assert (found.text, found.headers["Content-Type"]) == ("2", "text/plain")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["$filter=title eq 'a'", "$orderby=title", "$expand=owner", "$top=5"])
def test_options_are_refused_in_the_documented_words(api: httpx.Client, option: str) -> None:
    name = option.partition("=")[0]
    message = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert error(api.get(f"notes?{option}", headers=TRACK)) == {"code": "0x80060888", "message": message}


def test_an_entity_without_change_tracking_is_refused(api: httpx.Client) -> None:
    message = "Change tracking is not enabled for the entity 'log'."
    assert error(api.get("logs", headers=TRACK)) == {"code": "0x80040203", "message": message}


def test_an_unknown_column_is_refused(api: httpx.Client) -> None:
    message = "Could not find a property named 'colour' on type 'Microsoft.Dynamics.CRM.note'."
    assert error(api.get("notes?$select=colour", headers=TRACK)) == {"code": "0x80060888", "message": message}


@pytest.mark.parametrize("token", ["", "17", "17!13/45/2026 00:00:00", "17!03/01/2026 12:00:00!", "' OR 1=1"])
def test_what_is_no_delta_token_is_refused(api: httpx.Client, token: str) -> None:
    found = error(api.get("notes", params={"$deltatoken": token}))
    assert found == {"code": "0x80060888", "message": "The delta token of the request is not valid."}


def test_a_token_expires_after_the_days_of_the_organization(api: httpx.Client, clock: Moved) -> None:
    link = delta(api)
    clock.now += timedelta(days=7)
    assert api.get(link).status_code == 200
    clock.now += timedelta(seconds=1)
    assert error(api.get(link)) == EXPIRED


def test_the_days_are_a_setting_of_the_organization(database: Database, api: httpx.Client, clock: Moved) -> None:
    with database.write() as connection:
        catalog.put_settings(connection, Settings(change_tracking_expiry_days=30))
    link = delta(api)
    clock.now += timedelta(days=29)
    assert api.get(link).status_code == 200


def test_a_token_expires_when_the_attributes_change(database: Database, api: httpx.Client) -> None:
    add(database, 1)
    link = delta(api)
    more = (*NOTE.attributes, attribute("colour", "string", max_length=10))
    definitions.define(database, Definitions(entities=(NOTE.model_copy(update={"attributes": more}),)))
    assert error(api.get(link)) == EXPIRED
    assert api.get(delta(api)).json()["value"] == []


def test_a_token_expires_with_the_tombstones_that_it_has_not_seen(database: Database, api: httpx.Client) -> None:
    add(database, 1)
    link = delta(api)
    rows.delete(database, "note", [numbered(1)], Clock())
    rows.expire(database, NOW + timedelta(days=1))
    assert error(api.get(link)) == EXPIRED


def test_a_token_from_after_a_restore_has_expired(api: httpx.Client) -> None:
    token = DeltaToken(99, NOW)
    assert error(api.get("notes", params={"$deltatoken": str(token)})) == EXPIRED


def test_the_next_page_of_a_first_load_expires_too(database: Database, api: httpx.Client, clock: Moved) -> None:
    add(database, 1, 2, 3)
    link = api.get("notes", headers={"Prefer": "odata.track-changes,odata.maxpagesize=2"}).json()["@odata.nextLink"]
    clock.now += timedelta(days=8)
    assert error(api.get(link, headers=TRACK)) == EXPIRED


def test_what_is_counted_expires_too(api: httpx.Client, clock: Moved) -> None:
    token = delta(api).partition("$deltatoken=")[2]
    clock.now += timedelta(days=8)
    assert error(api.get(f"notes/$count?$deltatoken={token}")) == EXPIRED


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_delta_token_has_the_form_of_dataverse() -> None:
    token = DeltaToken(919042, datetime.fromisoformat("2017-08-22T08:10:44+00:00"))
    assert encoded(str(token)) == "919042%2108%2f22%2f2017%2008%3a10%3a44"
    assert DeltaToken.parse("919042!08/22/2017 08:10:44") == token


def test_a_skip_token_says_where_a_page_begins() -> None:
    token = SkipToken(3, full=True, row=17, tombstone=40, token=DeltaToken(40, NOW))
    assert SkipToken.parse(str(token)) == token
    assert 'pagenumber="3"' in str(token)
    assert SkipToken.parse(str(token).replace("%2520", "%2529")) is None
