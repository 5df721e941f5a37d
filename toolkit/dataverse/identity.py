"""The organization behind an address, and who asks: identity, privileges, settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from toolkit.dataverse.client import Client
from toolkit.dataverse.tables import rows, selected
from toolkit.errors import ToolkitError
from toolkit.model.environment import Organization
from toolkit.model.version import Version

IMPORT_PRIVILEGES = (
    "prvReadSolution",
    "prvWriteSolution",
    "prvReadPublisher",
    "prvReadCustomization",
    "prvCreateCustomization",
    "prvWriteCustomization",
)
"""What an import of export configs needs at least. Source: the documented privileges of ``ImportSolution``, of which
"the exact set depends on the entity types"; these are the ones that do not."""
TRACK_PRIVILEGES = ("prvWriteEntity", "prvWriteCustomization")
"""What enabling change tracking needs: it changes a table's definition."""

_ADMINISTRATOR = "627090ff-40a3-4053-8790-584edc5be201"
"""The template of the role System Administrator, the same in every organization."""
_CURRENT = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a client is signed in as: ids of the user and of the organization."""

    user: str
    organization: str


def who_am_i(client: Client) -> Caller:
    """Return who the client is signed in as."""
    found = client.get("WhoAmI").json()
    return Caller(found["UserId"].lower(), found["OrganizationId"].lower())


def organization(client: Client) -> Organization:
    """Return the organization; its region is the geography that the platform names."""
    found = client.get(_CURRENT).json()["Detail"]
    return Organization(
        id=found["OrganizationId"],
        unique_name=found["UniqueName"],
        environment=found["FriendlyName"],
        region=found["Geo"] or "",
        tenant=found["TenantId"],
        version=Version(found["OrganizationVersion"]),
    )


def missing_privileges(client: Client, user: str, needed: Collection[str]) -> list[str]:
    """Return those of the needed privileges that a user does not hold, in their order."""
    found = client.get(f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()").json()
    held = {privilege["PrivilegeName"].casefold() for privilege in found["RolePrivileges"]}
    return [name for name in needed if name.casefold() not in held]


def is_administrator(client: Client, user: str) -> bool | None:
    """Whether a user has the role System Administrator; None where roles cannot be read."""
    try:
        roles = rows(
            client, selected(f"systemusers({user})/systemuserroles_association", "roleid,_roletemplateid_value")
        )
    except ToolkitError:
        # Who may not read roles may still be allowed to do all that is asked for.
        return None
    return any((role["_roletemplateid_value"] or "").lower() == _ADMINISTRATOR for role in roles)


def change_tracking_expiry(client: Client) -> int:
    """Return for how many days the organization keeps what changed."""
    (found,) = rows(client, selected("organizations", "organizationid,expirechangetrackingindays"))
    return int(found["expirechangetrackingindays"])
