"""Bodies that are not what they should be: refused, whatever they hold, and never an unexpected error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.metadata.calls import Api, label, metadata_api, string
from tests.server.metadata.test_changes import condition
from tests.server.metadata.test_changes import path as changes_path
from tests.server.metadata.test_writes import COLOURS, EVERY, NOTE, gadget, many_to_many, one_to_many

Way = tuple[str | int, ...]

CHOICE: dict[str, object] = {
    "@odata.type": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
    "SchemaName": "cts_Choice",
    "RequiredLevel": {"Value": "None"},
    "OptionSet": {"IsGlobal": False, "Options": [{"Value": 1, "Label": label("One")}]},
}
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "CreateEntities", {"Entities": [gadget()]}),
    ("PUT", EVERY, {"DisplayName": label("Every"), "ChangeTrackingEnabled": True, "TableType": "Standard"}),
    ("POST", f"{NOTE}/Attributes", CHOICE),
    ("POST", f"{NOTE}/Attributes", string("cts_Text", MaxLength=3, FormatName={"Value": "Email"}, MinValue=1)),
    ("PUT", f"{EVERY}/Attributes(LogicalName='cts_choice')", CHOICE),
    ("POST", f"{EVERY}/Keys", {"SchemaName": "cts_Key", "KeyAttributes": ["cts_name"], "DisplayName": label("Key")}),
    ("POST", "RelationshipDefinitions", one_to_many()),
    ("POST", "RelationshipDefinitions", many_to_many()),
    ("POST", "GlobalOptionSetDefinitions", COLOURS),
]
QUERY: Any = {
    "Properties": {"AllProperties": False, "PropertyNames": ["LogicalName", "Attributes"]},
    "Criteria": {"FilterOperator": "Or", "Conditions": [condition("LogicalName", "In", ["note"])], "Filters": []},
    "AttributeQuery": {"Properties": {"PropertyNames": ["LogicalName"]}, "Criteria": {"Conditions": []}},
}
junk = st.sampled_from([None, 1, -5, 1.5, True, "", "x", [], [1], {}, {"a": 1}])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with metadata_api(Path(tmp_path_factory.mktemp("shapes"))) as opened:
        yield opened


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    """Yield the way to every place in a JSON value, that to the whole first."""
    yield way
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from ways(inner, (*way, key))


def put(value: Any, way: Way, new: object) -> Any:
    if not way:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = new
    return changed


@given(data=st.data(), new=junk)
@settings(deadline=None, max_examples=80)
def test_no_body_of_a_change_is_an_unexpected_error(api: Api, data: st.DataObject, new: object) -> None:
    method, path, body = data.draw(st.sampled_from(WRITES))
    way = data.draw(st.sampled_from(list(ways(body))))
    assert api.call(method, path, put(body, way, new)).status in {200, 204, 400, 404, 501}


@given(way=st.sampled_from(list(ways(QUERY))), new=junk)
@settings(deadline=None, max_examples=40)
def test_no_query_of_changes_is_an_unexpected_error(api: Api, way: Way, new: object) -> None:
    assert api.call("GET", changes_path(put(QUERY, way, new))).status in {200, 400}


@pytest.mark.parametrize(
    "body",
    [{"DisplayName": "Note"}, {"DisplayName": {"LocalizedLabels": [{"Label": "Note"}]}}, {"TableType": ["Standard"]}],
)
def test_a_refusal_names_the_place(api: Api, body: dict[str, object]) -> None:
    answer = api.call("PUT", NOTE, body)
    told = json.loads(answer.body)["error"]
    assert (answer.status, told["code"]) == (400, "0x80048d19")
    assert told["message"].startswith(next(iter(body)))


@pytest.mark.parametrize("stamp", ["1!99/99/2020 10:00:00", "7"])
def test_a_stamp_that_cannot_be_read_is_refused(api: Api, stamp: str) -> None:
    assert api.refused("GET", changes_path(QUERY, stamp)) == (400, "0x80060888")
