"""The source over the Web API, with canned answers; what all sources promise is in tests/contracts/test_source.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.dataverse.canned import BASE, ORGANIZATION, Canned, page
from tests.organization.samples import EVERY, NOTE, UNTRACKED, Clock, attribute, numbered
from toolkit.errors import CursorExpired, EntityGone, Forbidden, SourceError
from toolkit.model.entity import TableType
from toolkit.source.dataverse import DataverseSource
from toolkit.source.protocol import Batch, Cursor, Deleted, Source

SELECT = "notes?$select=noteid,title,createdon,modifiedon,versionnumber"


def row(number: int) -> dict[str, Any]:
    return {"@odata.etag": f'W/"{number}"', "noteid": numbered(number), "title": f"{number}", "versionnumber": number}


def canned(*entities: Any) -> tuple[Canned, DataverseSource]:
    web = Canned(*(entities or (NOTE, UNTRACKED, EVERY)))
    return web, DataverseSource(web.client, page_size=2)


def read(source: DataverseSource, after: Cursor | None = None, columns: Sequence[str] | None = None) -> list[Batch]:
    return list(source.changes("note", columns, after))


def ids(batches: list[Batch]) -> list[Any]:
    return [each for batch in batches for each in batch.rows.column("noteid").to_pylist()]


def two_pages(web: Canned) -> None:
    web.say("notes?$select", page([row(1), row(2)], following="notes?$skiptoken=a%2520b"))
    web.say("notes?$skiptoken", page([row(3)], delta="notes?$deltatoken=9%2108%2f22"))


def test_a_first_pass_follows_the_links_with_the_same_preferences_on_every_page() -> None:
    web, source = canned()
    two_pages(web)
    batches = read(source)
    assert [(batch.rows.num_rows, batch.final) for batch in batches] == [(2, False), (1, True)]
    assert web.preferred[-2:] == ["odata.track-changes,odata.maxpagesize=2"] * 2


def test_links_are_followed_as_they_were_given() -> None:
    web, source = canned()
    two_pages(web)
    raw: list[bytes] = []
    web.client._http.event_hooks = {"request": [lambda request: raw.append(request.url.raw_path)]}
    cursor = read(source)[-1].resume
    web.say("notes?$deltatoken", page([], delta="notes?$deltatoken=x"))
    read(source, cursor)
    assert raw[-2:] == [b"/api/data/v9.2/notes?$skiptoken=a%2520b", b"/api/data/v9.2/notes?$deltatoken=9%2108%2f22"]


def test_a_link_far_from_the_end_of_its_page_is_followed_too() -> None:
    web, source = canned()
    two_pages(web)
    first = {"@odata.nextLink": f"{BASE}notes?$skiptoken=a%2520b", "value": [row(1), row(2) | {"title": "a" * 40_000}]}
    web.say("notes?$select", first)
    assert ids(read(source)) == [numbered(1), numbered(2), numbered(3)]


def test_a_killed_load_goes_on_from_the_last_page_without_asking_for_it_again() -> None:
    web, source = canned()
    two_pages(web)
    (first, _) = read(source)
    web.asked.clear()
    later = DataverseSource(web.client, page_size=2)
    assert ids(read(later, first.resume)) == [numbered(3)]
    assert web.times(SELECT) == 0


def test_annotations_are_asked_for_where_a_lookup_needs_them() -> None:
    web, source = canned()
    web.say("cts_everies", page([], delta="d"))
    list(source.changes("cts_every", ["ownerid"], None))
    assert web.preferred[-1].endswith(',odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"')
    assert web.asked[-1] == "cts_everies?$select=cts_everyid,_ownerid_value,versionnumber"


def test_a_last_page_without_any_link_is_an_error() -> None:
    web, source = canned()
    web.say("notes", page([row(1)]))
    with pytest.raises(SourceError) as failure:
        read(source)
    assert failure.value.code == "SRC011"


def test_a_row_that_nobody_saw_may_be_deleted() -> None:
    web, source = canned()
    two_pages(web)
    cursor = read(source)[-1].resume
    web.say("notes?$deltatoken", page([], deleted=[numbered(9).upper()], delta="notes?$deltatoken=2"))
    (batch,) = read(source, cursor)
    assert (batch.deleted, batch.final) == ((Deleted(numbered(9)),), True)


def test_a_row_that_was_created_again_is_not_deleted() -> None:
    web, source = canned()
    two_pages(web)
    cursor = read(source)[-1].resume
    web.say("notes?$deltatoken", page([row(1), row(2)], following="notes?$skiptoken=c"))
    web.say("notes?$skiptoken=c", page([], deleted=[numbered(2), numbered(1), numbered(3)], delta="notes?d"))
    web.say("notes?$select=noteid,versionnumber&$filter", page([row(1)]))
    *_, last = read(source, cursor)
    assert web.asked[-1].endswith(f"$filter=noteid eq {numbered(2)} or noteid eq {numbered(1)}")
    assert last.deleted == (Deleted(numbered(2)), Deleted(numbered(3)))


def test_a_pass_that_goes_on_looks_for_every_row_that_may_be_there_again() -> None:
    web, source = canned()
    two_pages(web)
    cursor = read(source)[-1].resume
    web.say("notes?$deltatoken", page([row(1)], following="notes?$skiptoken=c"))
    web.say("notes?$skiptoken=c", page([], deleted=[numbered(1), numbered(3)], delta="notes?d"))
    web.say("notes?$select=noteid,versionnumber&$filter", page([row(1)]))
    (last,) = read(source, read(source, cursor)[0].resume)
    assert last.deleted == (Deleted(numbered(3)),)


@pytest.mark.parametrize("status", [400, 410])
def test_an_expired_token_ends_the_cursor_and_what_is_known_of_metadata(status: int) -> None:
    web, source = canned()
    two_pages(web)
    cursor = read(source)[-1].resume
    web.refuse("notes?$deltatoken", "0x80044352", status)
    web.define(NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("added", "integer"))}))
    with pytest.raises(CursorExpired) as failure:
        read(source, cursor)
    assert failure.value.where.path == "note"
    web.say("notes?$select=noteid,title,createdon,modifiedon,versionnumber,added", page([], delta="d"))
    assert read(source)[-1].rows.schema.names[-1] == "added"


def test_fewer_columns_can_be_read_from_a_link_and_no_others() -> None:
    web, source = canned()
    two_pages(web)
    title = read(source, columns=["title"])[-1].resume
    web.say("notes?$deltatoken", page([row(7)], delta="d"))
    (batch,) = read(source, title, columns=[])
    assert batch.rows.schema.names == ["noteid", "versionnumber"]
    with pytest.raises(CursorExpired, match="expired"):
        read(source, title)


def test_an_entity_without_change_tracking_is_read_whole_without_a_token() -> None:
    web, source = canned()
    web.say("logs", page([row(1)], following="logs?$skiptoken=2"))
    web.say("logs?$skiptoken", page([row(2)]))
    batches = list(source.changes("log", None, None))
    assert [batch.final for batch in batches] == [False, True]
    assert web.preferred[-1] == "odata.maxpagesize=2"
    with pytest.raises(SourceError) as failure:
        list(source.changes("log", None, batches[-1].resume))
    assert failure.value.code == "SRC002"


def test_a_read_of_all_rows_is_of_no_more_use_once_changes_are_tracked() -> None:
    web, source = canned()
    web.say("logs", page([row(1)]))
    (batch,) = source.changes("log", None, None)
    web.define(UNTRACKED.model_copy(update={"change_tracking": True}), changed=True)
    source.entities()
    with pytest.raises(CursorExpired):
        list(source.changes("log", None, batch.resume))


@pytest.mark.parametrize("kind", [TableType.ELASTIC, TableType.VIRTUAL])
def test_elastic_and_virtual_tables_are_refused_with_a_reason(kind: TableType) -> None:
    _, source = canned(NOTE.model_copy(update={"table_type": kind}))
    with pytest.raises(SourceError, match="cannot be exported") as failure:
        read(source)
    assert (failure.value.code, str(kind) in failure.value.why) == ("SRC010", True)


def test_a_table_without_versions_is_refused_with_a_reason() -> None:
    _, source = canned(NOTE.model_copy(update={"attributes": NOTE.attributes[:-1]}))
    with pytest.raises(SourceError) as failure:
        source.count("note")
    assert (failure.value.code, failure.value.why) == ("SRC010", "its rows have no version")


def test_few_rows_are_counted_by_one_request() -> None:
    web, source = canned()
    web.say("notes/$count", text="\ufeff4999")
    assert (source.count("note"), source.size("note"), web.times("notes?")) == (4999, 4999, 0)


def test_many_rows_are_counted_one_by_one_and_guessed_at_by_two_requests() -> None:
    web, source = canned()
    web.say("notes/$count", text="5000")
    web.say("notes?$select=noteid,versionnumber", page([row(1), row(2)], following="notes?$skiptoken=2"))
    web.say("notes?$skiptoken", page([row(3)]))
    web.say("RetrieveTotalRecordCount(EntityNames=['note'])", {"EntityRecordCountCollection": {"Values": [7000]}})
    assert (source.count("note"), source.size("note")) == (3, 7000)


def test_a_row_that_does_not_exist_is_told_from_a_table_that_does_not() -> None:
    web, source = canned()
    web.refuse(f"notes({numbered(1)})?$select=noteid", "0x80040217", 404)
    assert not source.has("note", numbered(1))
    web.refuse(f"notes({numbered(1)})?$select=noteid", "0x80060888", 404)
    web.define(changed=True)
    with pytest.raises(EntityGone):
        source.has("note", numbered(1))


def test_a_refusal_of_what_was_changed_since_ends_the_cursor() -> None:
    web, source = canned()
    two_pages(web)
    cursor = read(source)[-1].resume
    web.refuse("notes?$deltatoken", "0x80060888")
    with pytest.raises(SourceError) as failure:
        read(source, cursor)
    assert failure.value.code == "0x80060888"
    web.define(NOTE.model_copy(update={"attributes": NOTE.attributes[::2]}), changed=True)
    with pytest.raises(CursorExpired):
        read(source, cursor)


def test_what_the_identity_may_not_read_is_forbidden() -> None:
    web, source = canned()
    web.refuse("notes", "0x80040220", 403)
    with pytest.raises(Forbidden):
        read(source)


def test_metadata_is_read_again_only_when_it_changed() -> None:
    web, source = canned()
    assert source.entities() is source.entities()
    assert web.times("RetrieveMetadataChanges(Query=@p1)") == 1
    web.define(NOTE, changed=True)
    assert list(source.entities()) == ["note"]


def test_metadata_is_read_again_for_a_column_that_is_not_known() -> None:
    web, source = canned()
    web.say("notes", page([], delta="d"))
    read(source)
    web.define(NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("added", "integer"))}), changed=True)
    (batch,) = read(source, columns=["added"])
    assert batch.rows.schema.names == ["noteid", "versionnumber", "added"]


def test_an_entity_that_appears_is_found() -> None:
    web, source = canned(UNTRACKED)
    with pytest.raises(EntityGone):
        source.count("note")
    web.define(NOTE, changed=True)
    web.say("notes/$count", text="0")
    assert source.count("note") == 0


def test_what_is_refused_of_the_organization_is_a_failure_of_the_source() -> None:
    web, source = canned()
    web.refuse("RetrieveMetadataChanges", "0x80040216")
    with pytest.raises(SourceError) as failure:
        source.entities()
    assert failure.value.code == "0x80040216"


def test_the_organization_is_asked_for_again_after_a_while() -> None:
    web, clock = Canned(NOTE), Clock()
    source = DataverseSource(web.client, clock=clock)
    assert (source.organization, source.organization) == (ORGANIZATION, ORGANIZATION)
    clock.now += timedelta(minutes=10)
    assert (source.organization, web.times("WhoAmI")) == (ORGANIZATION, 2)


def test_only_asking_tells_whether_something_changed() -> None:
    source: Source = canned()[1]
    assert source.mark() is None


def test_a_link_to_something_else_than_the_web_api_is_not_followed() -> None:
    web, source = canned()
    elsewhere = page([row(1)])
    web.say("notes", {**elsewhere, "@odata.nextLink": "https://elsewhere.example/notes"})
    with pytest.raises(SourceError) as failure:
        read(source)
    assert (failure.value.code, web.asked[-1].startswith("https://elsewhere")) == ("DV015", False)
