"""Changes of the platform's own tables: publishers, solutions, components, export configs, settings."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.environment.packages import SALES, config, core, package
from tests.organization.dump import dump
from tests.organization.samples import numbered
from toolkit.bundle import wire
from toolkit.organization import catalog, incoming, installation, metadata_ids, solutions
from toolkit.organization.database import Database

FAB = {"uniquename": "fabrikam", "friendlyname": "Fabrikam", "customizationprefix": "fab"}
FAB |= {"customizationoptionvalueprefix": 12345, "address1_city": "Redmond"}  # type: ignore[dict-item]  # as in JSON
SCHEMA = wire.written(config())
HAND = numbered(3)
NOTE = metadata_ids.entity_id("note")
CONFIGS = "msdyn_exporttodatalakeconfigs"
ROW = {"msdyn_name": "byhand", "msdyn_schema": SCHEMA, "iscustomizable": {"Value": True}}


@pytest.fixture(autouse=True)
def _installed(database: Database) -> None:
    install(database, core(), package(config(), package=1))


def install(database: Database, *data: bytes) -> None:
    with database.write() as connection:
        for each in data:
            installation.install(connection, incoming.read(each), upgrade=False)


def made(answer: httpx.Response) -> str:
    """Return the id of a row that was made."""
    assert answer.status_code == 204, answer.text
    assert answer.headers["Location"] == answer.headers["OData-EntityId"]
    return answer.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def key_of(api: httpx.Client, entity_set: str, name: str) -> str:
    (row,) = api.get(f"{entity_set}?$filter=uniquename eq '{name}'").json()["value"]
    return str(row[f"{entity_set[:-1]}id"])


def solution(api: httpx.Client, name: str = "Hand", **more: object) -> httpx.Response:
    bound = f"/publishers({key_of(api, 'publishers', 'contoso')})"
    body = {"uniquename": name, "friendlyname": name, "version": "1.0", "publisherid@odata.bind": bound, **more}
    return api.post("solutions", json=body)


# --- publishers -------------------------------------------------------------------------------------------------------


def test_a_publisher_is_made_read_changed_and_deleted(api: httpx.Client) -> None:
    key = made(api.post("publishers", json=FAB))
    row = api.get(f"publishers({key})").json()
    assert {name: row[name] for name in FAB} == FAB
    assert api.patch(f"publishers({key})", json={"friendlyname": "Fab", "address1_city": None}).status_code == 204
    row = api.get(f"publishers({key})").json()
    assert (row["friendlyname"], row["address1_city"], row["customizationprefix"]) == ("Fab", None, "fab")
    assert api.delete(f"publishers({key})").status_code == 204
    assert error(api.delete(f"publishers({key})")) == (404, "0x80040217")


def test_a_new_row_is_returned_where_that_is_asked(api: httpx.Client) -> None:
    found = api.post("publishers?$select=uniquename", json=FAB, headers={"Prefer": "return=representation"})
    assert (found.status_code, found.json()["uniquename"]) == (201, "fabrikam")
    body, wanted = {"friendlyname": "F"}, {"Prefer": "return=representation"}
    changed = api.patch(f"publishers({found.json()['publisherid']})", json=body, headers=wanted)
    assert (changed.status_code, changed.json()["friendlyname"]) == (200, "F")


def test_a_change_of_a_publisher_keeps_its_names_in_other_languages(database: Database, api: httpx.Client) -> None:
    api.patch(f"publishers({key_of(api, 'publishers', 'contoso')})", json={"friendlyname": "New"})
    with database.read() as connection:
        publisher = catalog.publisher(connection, "contoso")
    assert publisher is not None
    assert publisher.display_names == {1033: "New", 1031: "Contoso GmbH"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"uniquename": "contoso"}, "ENV002"),
        ({"customizationprefix": "mscrm"}, "0x80048d19"),
        ({"uniquename": None}, "0x80060888"),
        ({"colour": 1}, "0x80060888"),
    ],
)
def test_a_publisher_that_breaks_a_rule_is_refused(api: httpx.Client, body: dict[str, Any], code: str) -> None:
    assert error(api.post("publishers", json={**FAB, **body})) == (400, code)


def test_a_publisher_with_solutions_stays_as_it_is_called(api: httpx.Client) -> None:
    key = key_of(api, "publishers", "contoso")
    assert error(api.delete(f"publishers({key})")) == (400, "SRV060")
    assert error(api.patch(f"publishers({key})", json={"uniquename": "other"})) == (400, "0x80060888")


# --- solutions --------------------------------------------------------------------------------------------------------


def test_a_solution_is_made_changed_and_deleted(api: httpx.Client) -> None:
    key = made(solution(api))
    assert api.patch(f"solutions({key})", json={"version": "1.1", "description": "By hand"}).status_code == 204
    row = api.get(f"solutions({key})").json()
    assert (row["version"], row["description"], row["ismanaged"]) == ("1.1", "By hand", False)
    assert api.delete(f"solutions({key})").status_code == 204
    assert error(api.get(f"solutions({key})")) == (404, "0x80040217")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"uniquename": "ContosoLake"}, 400, "0x8004f023"),
        ({"uniquename": "a b"}, 400, "0x80048d19"),
        ({"version": None}, 400, "0x80060888"),
        ({"publisherid@odata.bind": "/publishers(x)"}, 400, "0x80048d19"),
        ({"publisherid@odata.bind": f"/publishers({numbered(1)})"}, 404, "0x80040217"),
    ],
)
def test_a_solution_that_breaks_a_rule_is_refused(
    api: httpx.Client, more: dict[str, Any], status: int, code: str
) -> None:
    assert error(solution(api, **more)) == (status, code)


def test_a_solution_keeps_what_it_is(database: Database, api: httpx.Client) -> None:
    managed, open_ = key_of(api, "solutions", "ContosoLake"), made(solution(api))
    before = dump(database)
    assert error(api.patch(f"solutions({managed})", json={"version": "9.0"})) == (400, "0x8004f012")
    assert error(api.patch(f"solutions({open_})", json={"uniquename": "other"})) == (400, "0x80060888")
    assert error(api.patch(f"solutions({open_})", json={"version": "x"})) == (400, "0x80048d19")
    assert error(api.patch(f"solutions({numbered(1)})", json={"version": "1"})) == (404, "0x80040217")
    assert error(api.delete(f"solutions({key_of(api, 'solutions', 'ExportToDataLakeCore')})")) == (400, "0x8004f01d")
    assert dump(database) == before


def test_a_managed_solution_is_uninstalled_with_its_rows(api: httpx.Client) -> None:
    assert api.delete(f"solutions({key_of(api, 'solutions', 'ContosoLake')})").status_code == 204
    assert api.get(CONFIGS).json()["value"] == []


# --- components and dependencies --------------------------------------------------------------------------------------


def components(api: httpx.Client, name: str) -> list[tuple[int, str]]:
    asked = f"solutioncomponents?$filter=_solutionid_value eq {key_of(api, 'solutions', name)}"
    return [(row["componenttype"], row["objectid"]) for row in api.get(asked).json()["value"]]


def test_components_come_and_go(api: httpx.Client) -> None:
    made(solution(api))
    for kind, key in ((10105, SALES), (1, NOTE), (1, NOTE)):
        body = {"ComponentId": key, "ComponentType": kind, "SolutionUniqueName": "Hand", "AddRequiredComponents": False}
        assert api.post("AddSolutionComponent", json=body).status_code == 200
    assert components(api, "Hand") == [(1, NOTE), (10105, SALES)]
    given = [{"SolutionComponent": {"objectid": key}, "SolutionUniqueName": "Hand"} for key in (SALES, NOTE)]
    for each in given:
        assert api.post("RemoveSolutionComponent", json=each).status_code == 200
    assert components(api, "Hand") == []
    assert error(api.post("RemoveSolutionComponent", json=given[0])) == (404, "0x80040217")


def test_a_component_is_removed_by_its_own_id_too(api: httpx.Client) -> None:
    made(solution(api))
    body = {"ComponentId": SALES, "ComponentType": 10105, "SolutionUniqueName": "Hand"}
    added = api.post("AddSolutionComponent", json=body).json()["id"]
    given = {"SolutionComponent": {"solutioncomponentid": added}, "SolutionUniqueName": "Hand"}
    assert api.post("RemoveSolutionComponent", json=given).status_code == 200
    assert components(api, "Hand") == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"ComponentType": 1}, 404, "0x80040217"),
        ({"ComponentType": 61}, 501, "SRV001"),
        ({"ComponentId": None}, 400, "0x80060888"),
        ({"SolutionUniqueName": "Nothing"}, 404, "ORG050"),
        ({"SolutionUniqueName": "ContosoLake"}, 400, "0x8004f012"),
        (
            {"SolutionUniqueName": "ContosoLake", "ComponentType": 1, "ComponentId": NOTE},
            400,
            "0x8004f012",
        ),
    ],
)
def test_what_cannot_be_a_component_is_refused(
    api: httpx.Client, change: dict[str, Any], status: int, code: str
) -> None:
    made(solution(api))
    body = {"ComponentId": SALES, "ComponentType": 10105, "SolutionUniqueName": "Hand", **change}
    assert error(api.post("AddSolutionComponent", json=body)) == (status, code)


def test_an_exported_solution_names_its_entities(database: Database, api: httpx.Client) -> None:
    made(solution(api))
    body = {"ComponentId": NOTE, "ComponentType": 1, "SolutionUniqueName": "Hand"}
    api.post("AddSolutionComponent", json={**body, "DoNotIncludeSubcomponents": True})
    with database.read() as connection:
        found = incoming.read(installation.export(connection, "Hand", managed=False))
    assert [(each.schema_name, each.behavior) for each in found.bundle.solution.root_components] == [("note", "1")]


def test_what_keeps_a_solution_is_told(database: Database, api: httpx.Client) -> None:
    def told(name: str) -> list[str]:
        found = api.get(f"RetrieveDependenciesForUninstall(SolutionUniqueName='{name}')").json()["value"]
        return [row["dependentcomponentobjectid"] for row in found]

    assert told("ExportToDataLakeCore") == [SALES, key_of(api, "solutions", "ContosoLake")]
    assert told("ContosoLake") == []
    missing = "RetrieveMissingDependencies(SolutionUniqueName=@p)?@p='ContosoLake'"
    assert api.get(missing).json()["value"] == []
    with database.write() as connection:
        solutions.delete(connection, "ExportToDataLakeCore")
    assert len(api.get(missing).json()["value"]) == 1


# --- export configs ---------------------------------------------------------------------------------------------------


def test_a_config_is_made_in_a_solution_changed_and_deleted(api: httpx.Client) -> None:
    made(solution(api))
    named = {"MSCRM.SolutionUniqueName": "Hand"}
    key = made(api.post(CONFIGS, json={"msdyn_exporttodatalakeconfigid": HAND, **ROW}, headers=named))
    assert components(api, "Hand") == [(10105, HAND)]
    assert api.patch(f"{CONFIGS}({key})", json={"msdyn_name": "renamed"}, headers={"If-Match": "*"}).status_code == 204
    row = api.get(f"{CONFIGS}({key})").json()
    assert (row["msdyn_name"], row["msdyn_schema"], row["ismanaged"]) == ("renamed", SCHEMA, False)
    assert row["solutionid"] == "fd140aae-4df4-11dd-bd17-0019b9312238"
    assert api.delete(f"{CONFIGS}({key})").status_code == 204
    assert components(api, "Hand") == []


def test_a_config_gets_an_id_and_keeps_its_text_to_the_character(api: httpx.Client) -> None:
    text = SCHEMA.replace(":", " : ", 1)
    key = made(api.post(CONFIGS, json={**ROW, "msdyn_schema": text}))
    assert api.get(f"{CONFIGS}({key})").json()["msdyn_schema"] == text


def test_a_patch_makes_a_config_that_is_not_there(api: httpx.Client) -> None:
    assert error(api.patch(f"{CONFIGS}({HAND})", json=ROW, headers={"If-Match": "*"})) == (404, "0x80040217")
    assert made(api.patch(f"{CONFIGS}({HAND})", json=ROW)) == HAND
    assert error(api.patch(f"{CONFIGS}({HAND})", json=ROW, headers={"If-None-Match": "*"})) == (412, "0x80060892")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"msdyn_exporttodatalakeconfigid": SALES, **ROW}, 412, "0x80040237"),
        ({**ROW, "msdyn_schema": "no JSON"}, 400, "0x80048d19"),
        ({**ROW, "msdyn_schema": "[" * 100_000}, 400, "0x80048d19"),
        ({"msdyn_name": "a"}, 400, "0x80060888"),
        ({**ROW, "colour": 1}, 400, "0x80060888"),
    ],
)
def test_a_config_that_breaks_a_rule_is_refused(
    database: Database, api: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    before = dump(database)
    assert error(api.post(CONFIGS, json=body)) == (status, code)
    assert dump(database) == before


def test_a_managed_config_is_changed_by_its_solution_only(api: httpx.Client) -> None:
    assert error(api.patch(f"{CONFIGS}({SALES})", json={"msdyn_name": "x"})) == (400, "0x8004f012")
    assert error(api.delete(f"{CONFIGS}({SALES})")) == (400, "0x8004f013")
    assert error(api.delete(f"{CONFIGS}({HAND})")) == (404, "0x80040217")


def test_without_core_there_is_no_table_of_configs(api: httpx.Client) -> None:
    for name in ("ContosoLake", "ExportToDataLakeCore"):
        api.delete(f"solutions({key_of(api, 'solutions', name)})")
    found = [api.get(CONFIGS), api.post(CONFIGS, json=ROW), api.delete(f"{CONFIGS}({HAND})")]
    assert [error(each) for each in found] == [(404, "0x80060888")] * 3


# --- settings ---------------------------------------------------------------------------------------------------------


def test_the_days_of_change_tracking_are_changed(api: httpx.Client) -> None:
    (row,) = api.get("organizations").json()["value"]
    path = f"organizations({row['organizationid']})"
    assert api.patch(path, json={"expirechangetrackingindays": 30}).status_code == 204
    assert api.get(path).json()["expirechangetrackingindays"] == 30
    assert error(api.patch(path, json={"expirechangetrackingindays": -1})) == (400, "0x80048d19")
    assert error(api.patch(path, json={"name": "x"})) == (501, "SRV001")
    assert error(api.patch(f"organizations({HAND})", json={"expirechangetrackingindays": 1})) == (404, "0x80040217")


@pytest.mark.parametrize("entity_set", ["importjobs", "asyncoperations", "solutioncomponents", "roles"])
def test_other_tables_of_the_platform_are_read_only(api: httpx.Client, entity_set: str) -> None:
    assert api.post(entity_set, json={}).status_code == 501
