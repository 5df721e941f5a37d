"""Functions of the organization: who calls, what is here, how many rows, what the user may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.organization import catalog, metadata
from toolkit.organization.database import Connection
from toolkit.server.call import Answer, Call, bad_request
from toolkit.server.query.parameters import parameters, required
from toolkit.server.query.tables import table
from toolkit.server.route import Route
from toolkit.server.rows.records import Reader
from toolkit.server.system.ids import Ids
from toolkit.server.system.tables import ROLE
from toolkit.server.world import World

_VERBS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share")
_PLATFORM = (
    *(
        f"{verb}{kind}"
        for kind in ("Customization", "Solution", "Publisher", "Entity", "Attribute")
        for verb in _VERBS[:4]
    ),
    *(f"Read{kind}" for kind in ("ImportJob", "AsyncOperation", "Organization", "Role", "Privilege")),
    *(f"{verb}Customization" for verb in ("Import", "Export", "Publish")),
)
"""Privileges that are not those of one table, without their prefix."""


def who_am_i(world: World, call: Call) -> Answer:
    """Return the ids of the user, of its business unit and of the organization."""
    with world.read() as connection:
        ids = Ids(connection)
    told = {"BusinessUnitId": ids.business_unit, "UserId": ids.user, "OrganizationId": ids.organization}
    return _answer(call, "WhoAmIResponse", told)


def version(world: World, call: Call) -> Answer:
    """Return the version of the organization."""
    with world.read() as connection:
        found = catalog.organization(connection)
    return _answer(call, "RetrieveVersionResponse", {"Version": str(found.version)})


def current_organization(world: World, call: Call, given: str) -> Answer:
    """Return what the organization is, and where it is reached."""
    kind = parameters(call, given).get("AccessType")
    if kind is None:
        raise bad_request("Required field 'AccessType' is missing")
    with world.read() as connection:
        found, ids = catalog.organization(connection), Ids(connection)
    origin = call.base.partition("/api/data/")[0]
    endpoints = {"WebApplication": f"{origin}/", "OrganizationDataService": call.base}
    detail = {
        "OrganizationId": found.id,
        "FriendlyName": found.environment,
        "OrganizationVersion": str(found.version),
        "EnvironmentId": ids.environment,
        "DatacenterId": None,
        "Geo": found.region,
        "TenantId": found.tenant,
        "UrlName": found.unique_name,
        "UniqueName": found.unique_name,
        "State": "Enabled",
        "Endpoints": _pairs(endpoints),
    }
    return _answer(call, "RetrieveCurrentOrganizationResponse", {"Detail": detail})


def total_record_count(world: World, call: Call, given: str) -> Answer:
    """Return how many rows entities have; Dataverse's numbers are up to a day old, these are of now."""
    names = required(parameters(call, given), "EntityNames")
    if not isinstance(names, list):
        raise bad_request("EntityNames is a list of logical names")
    with world.read() as connection:
        counts = {str(name): _count(connection, str(name)) for name in names}
    return _answer(call, "RetrieveTotalRecordCountResponse", {"EntityRecordCountCollection": _pairs(counts)})


def _count(connection: Connection, entity: str) -> int:
    definition = metadata.definition(connection, entity)
    (row,) = connection.execute(f"SELECT count(*) AS n FROM {metadata.table(definition.name)}")  # noqa: S608 - names of the metadata
    return int(row["n"])


def user_privileges(world: World, call: Call, user: str, given: str | None = None) -> Answer:
    """Return the privileges of the one user: with ``PrivilegeNames`` those of them that it has."""
    wanted = parameters(call, given).get("PrivilegeNames")
    with world.read() as connection:
        ids = Ids(connection)
        names = list(_privileges(connection))
    _refuse_other(ids, user)
    if wanted is not None:
        asked = {str(name).casefold() for name in wanted}
        names = [name for name in names if name.casefold() in asked]
    privileges = [
        {
            "Depth": "Global",
            "PrivilegeId": ids.privilege(name),
            "BusinessUnitId": ids.business_unit,
            "PrivilegeName": name,
        }
        for name in names
    ]
    return _answer(call, "RetrieveUserPrivilegesResponse", {"RolePrivileges": privileges})


def _privileges(connection: Connection) -> Iterator[str]:
    yield from (f"prv{name}" for name in _PLATFORM)
    yield from (f"prv{verb}{entity}" for entity in metadata.names(connection) for verb in _VERBS)


def user_roles(world: World, call: Call, user: str) -> Answer:
    """Return the roles of the one user."""
    with world.read() as connection:
        _refuse_other(Ids(connection), user)
        return Reader(world, connection, call, table(connection, ROLE.set_name)).page()


def _refuse_other(ids: Ids, user: str) -> None:
    if user.lower() != ids.user:
        raise bad_request(f"the one user that calls here is {ids.user}", "0x80040217")


def _answer(call: Call, kind: str, told: Mapping[str, object]) -> Answer:
    return Answer.json({"@odata.context": f"{call.base}$metadata#Microsoft.Dynamics.CRM.{kind}", **told})


def _pairs(values: Mapping[str, object]) -> dict[str, object]:
    """Return a dictionary as Dataverse writes its own."""
    keys = list(values)
    return {"Count": len(keys), "IsReadOnly": False, "Keys": keys, "Values": list(values.values())}


_USER = r"systemusers\((?P<user>[0-9a-fA-F-]{36})\)"
_CRM = r"(?:Microsoft\.Dynamics\.CRM\.)?"
_AREA = "Functions"

ROUTES: tuple[Route, ...] = (
    Route("GET", r"WhoAmI(?:\(\))?", who_am_i, _AREA, "ids of the user, of its business unit and of the organization"),
    Route("GET", r"RetrieveVersion(?:\(\))?", version, _AREA, "the version of the organization"),
    Route(
        "GET",
        r"RetrieveCurrentOrganization\((?P<given>.*)\)",
        current_organization,
        _AREA,
        "what the organization is, and where it is reached",
    ),
    Route(
        "GET",
        r"RetrieveTotalRecordCount\((?P<given>.*)\)",
        total_record_count,
        _AREA,
        "how many rows entities have, of now",
    ),
    Route(
        "GET",
        rf"{_USER}/{_CRM}RetrieveUserPrivileges(?:\(\))?",
        user_privileges,
        _AREA,
        "the privileges of the user that `WhoAmI` names",
    ),
    Route(
        "GET",
        rf"{_USER}/{_CRM}RetrieveUserSetOfPrivilegesByNames\((?P<given>.*)\)",
        user_privileges,
        _AREA,
        "those of the named privileges that it has",
    ),
    Route("GET", rf"{_USER}/systemuserroles_association", user_roles, _AREA, "the roles of that user"),
)
