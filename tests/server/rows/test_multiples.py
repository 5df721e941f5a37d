from __future__ import annotations

import httpx
import pytest

from tests.organization.samples import Clock, numbered
from toolkit.organization import rows
from toolkit.organization.database import Database

ONE, TWO, THREE = (numbered(at) for at in range(1, 4))


def titles(database: Database) -> list[object]:
    with database.read() as connection:
        return [row["title"] for row in connection.execute("SELECT title FROM rows_note ORDER BY noteid")]


@pytest.fixture
def notes(database: Database) -> Database:
    rows.insert(database, "note", [{"noteid": ONE, "title": "a"}, {"noteid": TWO, "title": "b"}], Clock())
    return database


def do(api: httpx.Client, action: str, *targets: object) -> httpx.Response:
    return api.post(f"notes/Microsoft.Dynamics.CRM.{action}", json={"Targets": targets})


def test_many_rows_are_created_in_one_go(database: Database, api: httpx.Client) -> None:
    found = do(api, "CreateMultiple", {"@odata.type": "Microsoft.Dynamics.CRM.note", "title": "a"}, {"noteid": TWO})
    context = f"{api.base_url}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    assert found.json() == {"@odata.context": context, "Ids": [numbered(0xF001), TWO]}
    assert titles(database) == [None, "a"]


def test_many_rows_are_changed_each_in_its_own_columns(notes: Database, api: httpx.Client) -> None:
    found = do(api, "UpdateMultiple", {"noteid": ONE, "title": "A"}, {"@odata.id": f"notes({TWO})"})
    assert (found.status_code, titles(notes)) == (204, ["A", "b"])


def test_many_rows_are_changed_or_created(notes: Database, api: httpx.Client) -> None:
    found = do(
        api,
        "UpsertMultiple",
        {"@odata.id": "notes(title='b')", "title": "B"},
        {"@odata.id": "notes(title='c')"},
        {"noteid": THREE, "title": "C"},
        {"title": "d"},
    )
    assert (found.status_code, titles(notes)) == (204, ["a", "B", "C", "c", "d"])


@pytest.mark.parametrize(
    ("action", "target", "status"),
    [
        ("CreateMultiple", {"noteid": ONE}, 412),
        ("CreateMultiple", {"nothing": 1}, 400),
        ("UpdateMultiple", {"noteid": THREE, "title": "x"}, 404),
        ("UpdateMultiple", {"title": "x"}, 400),
        ("UpdateMultiple", {"@odata.id": f"logs({ONE})"}, 400),
        ("UpsertMultiple", {"@odata.id": "nothing"}, 400),
        ("UpsertMultiple", 5, 400),
        ("DeleteMultiple", {"noteid": ONE}, 501),
    ],
)
def test_one_target_that_fails_undoes_all(
    notes: Database, api: httpx.Client, action: str, target: object, status: int
) -> None:
    assert do(api, action, {"noteid": ONE if action != "CreateMultiple" else THREE}, target).status_code == status
    assert titles(notes) == ["a", "b"]


def test_targets_have_to_be_given(api: httpx.Client) -> None:
    assert do(api, "CreateMultiple").status_code == 400
    assert api.post("notes/CreateMultiple", json={}).status_code == 400


# --- deletion -------------------------------------------------------------------------------------------------------


def bulk(api: httpx.Client, *conditions: dict[str, object], entity: str = "note", word: str = "And") -> httpx.Response:
    criteria = {"FilterOperator": word, "Conditions": conditions}
    return api.post("BulkDelete", json={"QuerySet": [{"EntityName": entity, "Criteria": criteria}], "JobName": "x"})


def condition(name: str, operator: str, *values: object) -> dict[str, object]:
    return {"AttributeName": name, "Operator": operator, "Values": [{"Value": value} for value in values]}


@pytest.mark.parametrize(
    ("conditions", "word", "left"),
    [
        ([condition("noteid", "In", ONE, THREE)], "And", ["b"]),
        ([condition("title", "Equal", "B")], "And", ["a"]),
        ([condition("title", "NotEqual", "b")], "And", ["b"]),
        ([condition("title", "NotNull"), condition("versionnumber", "LessThan", 2)], "And", ["b"]),
        ([condition("title", "Null"), condition("versionnumber", "GreaterEqual", "2")], "Or", ["a"]),
        ([condition("noteid", "In", THREE)], "And", ["a", "b"]),
        ([], "And", []),
    ],
)
def test_rows_that_a_query_finds_are_deleted(
    notes: Database, api: httpx.Client, conditions: list[dict[str, object]], word: str, left: list[object]
) -> None:
    assert bulk(api, *conditions, word=word).json()["JobId"] == numbered(0xF001)
    assert titles(notes) == left


def test_criteria_may_hold_others(notes: Database, api: httpx.Client) -> None:
    inner = {"FilterOperator": "Or", "Conditions": [condition("title", "Equal", "a"), condition("title", "Equal", "x")]}
    query = {"EntityName": "note", "Criteria": {"Conditions": [condition("title", "NotNull")], "Filters": [inner]}}
    api.post("BulkDelete", json={"QuerySet": [query]})
    assert titles(notes) == ["b"]


def test_a_deletion_that_cannot_be_done_is_refused(notes: Database, api: httpx.Client) -> None:
    assert bulk(api, entity="nothing").status_code == 404
    assert bulk(api, condition("nothing", "Null")).status_code == 400
    assert bulk(api, condition("title", "Like", "a%")).status_code == 501
    assert bulk(api, entity="publisher").status_code == 501
    assert api.post("BulkDelete", json={"QuerySet": []}).status_code == 400
    assert titles(notes) == ["a", "b"]
