"""The Web API of an organization as canned answers, in the form that the documentation gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client
from toolkit.dataverse.publisher_rows import ADDRESS_COLUMNS

USER = "aaaaaaaa-0000-4000-8000-000000000001"
ORGANIZATION = "aaaaaaaa-0000-4000-8000-000000000002"
TENANT = "aaaaaaaa-0000-4000-8000-000000000003"
PUBLISHER = "aaaaaaaa-0000-4000-8000-000000000004"
LAKE = "aaaaaaaa-0000-4000-8000-000000000005"
CORE = "aaaaaaaa-0000-4000-8000-000000000006"
CONFIG = "11111111-0000-4000-8000-000000000001"

Reply = dict[str, Any] | int | tuple[int, dict[str, Any]] | type[httpx.TransportError] | Callable[[httpx.Request], Any]
"""A body of 200, a status without a body, a status with a body, a failure of the connection, or what makes one."""


def error(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": code, "message": message}}


NO_TABLE = error(404, "0x80060888", "Resource not found for the segment 'x'.")


def rows(*found: dict[str, Any]) -> dict[str, Any]:
    return {"@odata.context": "https://contoso.crm.dynamics.com/api/data/v9.2/$metadata#x", "value": list(found)}


def publisher_row(**changes: object) -> dict[str, Any]:
    empty = {f"address{number}_{column}": None for number in (1, 2) for column in ADDRESS_COLUMNS.values()}
    named = {
        "publisherid": PUBLISHER,
        "uniquename": "contoso",
        "friendlyname": "Contoso",
        "description": None,
        "emailaddress": "lake@contoso.example",
        "supportingwebsiteurl": None,
        "customizationprefix": "cts",
        "customizationoptionvalueprefix": 77074,
        "address1_city": "Redmond",
    }
    return {**empty, **named, **changes}


def solution_row(key: str = LAKE, name: str = "ContosoLake", **changes: object) -> dict[str, Any]:
    row = {
        "solutionid": key,
        "uniquename": name,
        "friendlyname": name,
        "version": "1.0.0.0",
        "ismanaged": False,
        "_publisherid_value": PUBLISHER,
    }
    return {**row, **changes}


def config_row(**changes: object) -> dict[str, Any]:
    row = {
        "msdyn_exporttodatalakeconfigid": CONFIG,
        "msdyn_name": "contososales",
        "msdyn_schema": '{"StorageAccountName":"contososales","Entities":[{"Type":"note"}]}',
        "statecode": 0,
        "statuscode": 1,
        "ismanaged": False,
        "iscustomizable": {
            "Value": True,
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "iscustomizableanddeletable",
        },
    }
    return {**row, **changes}


PRIVILEGES = (
    "prvReadSolution",
    "prvWriteSolution",
    "prvReadPublisher",
    "prvReadCustomization",
    "prvCreateCustomization",
    "prvWriteCustomization",
    "prvWriteEntity",
)

USUAL: dict[str, Reply] = {
    "GET WhoAmI": {"UserId": USER, "OrganizationId": ORGANIZATION, "BusinessUnitId": USER},
    "GET RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')": {
        "Detail": {
            "OrganizationId": ORGANIZATION,
            "UniqueName": "unq0aa",
            "FriendlyName": "Contoso Prod",
            "Geo": "EMEA",
            "TenantId": TENANT,
            "OrganizationVersion": "9.2.26014.164",
            "State": "Enabled",
        }
    },
    f"GET systemusers({USER})/systemuserroles_association": rows(
        {"roleid": CONFIG, "_roletemplateid_value": "627090ff-40a3-4053-8790-584edc5be201"}
    ),
    f"GET systemusers({USER})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()": {
        "RolePrivileges": [{"PrivilegeName": name, "Depth": "Global"} for name in PRIVILEGES]
    },
    "GET organizations": rows({"organizationid": ORGANIZATION, "expirechangetrackingindays": 30}),
    "GET publishers": rows(publisher_row()),
    "GET solutions": rows(solution_row(), solution_row(CORE, "ExportToDataLakeCore"), solution_row(CONFIG, "Default")),
    "GET solutioncomponents": rows({"objectid": CONFIG, "_solutionid_value": LAKE}),
    "GET solutioncomponentdefinitions": rows({"solutioncomponenttype": 10042}),
    "GET msdyn_exporttodatalakeconfigs": rows(config_row()),
    "GET synapselinkprofiles": NO_TABLE,
}


@dataclass
class Platform:
    """Canned answers by method and path; a list is used up one by one, its last answer stays. Requests are kept."""

    replies: dict[str, Any] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take lists of its own: they are used up."""
        self.replies = {key: [*reply] if isinstance(reply, list) else reply for key, reply in self.replies.items()}

    def client(self) -> Client:
        address = Address.parse("https://contoso.crm.dynamics.com")
        transport = httpx.MockTransport(self._answer)
        return Client(address, None, transport=transport, sleep=self.slept.append, random=lambda: 1.0)

    def sent(self, method: str = "POST") -> list[str]:
        """Return the paths of the requests of a method, in their order."""
        return [_path(request) for request in self.requests if request.method == method]

    def body(self, path: str) -> dict[str, Any]:
        """Return the body of the last request to a path."""
        last = next(request for request in reversed(self.requests) if _path(request) == path and request.content)
        found: dict[str, Any] = json.loads(last.content)
        return found

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        key = f"{request.method} {_path(request)}"
        reply = self.replies.get(key, USUAL.get(key, NO_TABLE))
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if callable(reply) and not isinstance(reply, type):
            reply = reply(request)
        if isinstance(reply, type):
            raise reply("the line went dead")
        status, body = reply if isinstance(reply, tuple) else (200, reply) if isinstance(reply, dict) else (reply, None)
        return httpx.Response(status) if body is None else httpx.Response(status, json=body)


def _path(request: httpx.Request) -> str:
    return unquote(request.url.path).removeprefix("/api/data/v9.2/")
