"""Functions of the organization."""

from __future__ import annotations

import httpx
import pytest

from tests.organization.samples import ORGANIZATION, Clock, numbered
from toolkit.organization import catalog, rows
from toolkit.organization.catalog import Settings
from toolkit.organization.database import Database

CURRENT = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"


def user(api: httpx.Client) -> str:
    return str(api.get("WhoAmI").json()["UserId"])


def privileges(answer: httpx.Response) -> list[str]:
    return [each["PrivilegeName"] for each in answer.json()["RolePrivileges"]]


@pytest.mark.parametrize("path", ["WhoAmI", "WhoAmI()"])
def test_who_am_i_is_the_same_at_every_time(api: httpx.Client, path: str) -> None:
    found = api.get(path).json()
    assert found["OrganizationId"] == ORGANIZATION.id
    assert found["@odata.context"].endswith("$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse")
    assert found == api.get(path).json()
    assert len({found["UserId"], found["BusinessUnitId"], found["OrganizationId"]}) == 3


def test_the_version_is_that_of_the_organization(api: httpx.Client) -> None:
    assert api.get("RetrieveVersion").json()["Version"] == "9.2.0.0"


def test_the_organization_says_what_it_is_and_where(api: httpx.Client) -> None:
    found = api.get(CURRENT).json()["Detail"]
    assert (found["UniqueName"], found["FriendlyName"], found["Geo"]) == ("unq0aa", "dev", "westeurope")
    assert (found["TenantId"], found["State"]) == (ORGANIZATION.tenant, "Enabled")
    assert found["Endpoints"] == {
        "Count": 2,
        "IsReadOnly": False,
        "Keys": ["WebApplication", "OrganizationDataService"],
        "Values": ["http://org.example/", "http://org.example/api/data/v9.2/"],
    }
    assert api.get("RetrieveCurrentOrganization()").status_code == 400


@pytest.mark.parametrize("text", ["(EntityNames=@p)?@p=['note','log']", '(EntityNames=["note","log"])'])
def test_rows_are_counted(database: Database, api: httpx.Client, text: str) -> None:
    rows.insert(database, "note", [{"noteid": numbered(at)} for at in (1, 2)], Clock())
    found = api.get("RetrieveTotalRecordCount" + text.replace("'", '"')).json()["EntityRecordCountCollection"]
    assert (found["Keys"], found["Values"]) == (["note", "log"], [2, 0])


@pytest.mark.parametrize(
    ("text", "status"), [("(EntityNames=@p)", 400), ("()", 400), ("(EntityNames='a')", 400), ("(a b)", 400)]
)
def test_what_cannot_be_counted_is_refused(api: httpx.Client, text: str, status: int) -> None:
    assert api.get("RetrieveTotalRecordCount" + text).status_code == status


def test_an_unknown_entity_is_not_counted(api: httpx.Client) -> None:
    assert api.get('RetrieveTotalRecordCount(EntityNames=["nothing"])').status_code == 404


def test_the_user_has_the_privileges_of_every_entity_and_of_solutions(api: httpx.Client) -> None:
    found = privileges(api.get(f"systemusers({user(api)})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"))
    assert {"prvReadnote", "prvAppendTonote", "prvCreateCustomization", "prvReadSolution", "prvWriteEntity"} <= {*found}
    assert len(found) == len(set(found))


def test_privileges_are_asked_for_by_name(api: httpx.Client) -> None:
    path = "RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)"
    address = f'systemusers({user(api)})/Microsoft.Dynamics.CRM.{path}?@p=["prvReadNote","prvFly"]'
    assert privileges(api.get(address)) == ["prvReadnote"]


def test_another_user_has_none(api: httpx.Client) -> None:
    found = api.get(f"systemusers({numbered(9)})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")
    assert found.json()["error"]["code"] == "0x80040217"


@pytest.mark.parametrize(("administrator", "names"), [(True, 2), (False, 1)])
def test_roles_follow_the_settings(database: Database, api: httpx.Client, *, administrator: bool, names: int) -> None:
    with database.write() as connection:
        catalog.put_settings(connection, Settings(administrator=administrator))
    found = api.get(f"systemusers({user(api)})/systemuserroles_association?$select=name").json()["value"]
    assert [role["name"] for role in found] == ["System Administrator", "System Customizer"][-names:]
