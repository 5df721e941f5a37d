"""Why a storage account says no, and what to do: people take its firewall, a missing role and a wrong tenant for one.

The service tells them apart by the code of its answer. Nothing here changes an account or grants a role.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.errors import Forbidden
from toolkit.lake.adls.place import Place
from toolkit.model.roles import DATA_ROLE, assignment, scope


@dataclass(frozen=True, slots=True)
class Cause:
    """What is behind an answer; the texts have places such as ``{account}``, see ``denied``."""

    code: str
    what: str
    fix: str


NETWORK = Cause(
    "LAK034",
    "the firewall of storage account {account} does not let this machine in",
    "az storage account network-rule add --subscription {subscription} --resource-group {group} --account-name "
    "{account} --ip-address <public address of this machine>, which an owner of the account runs; or run where a "
    "private endpoint or an allowed network reaches it",
)
ROLE = Cause(
    "LAK035",
    "the identity may not do that in file system {file_system} of storage account {account}",
    assignment(DATA_ROLE, "{resource}")
    + ", which an owner of the account runs; it takes some minutes to count. A shared access signature needs the "
    "permissions rwdlac",
)
TENANT = Cause(
    "LAK036",
    "storage account {account} does not accept the token: it belongs to the tenant {tenant}",
    "sign in to that tenant: az login --tenant {tenant}, or set tenant in sign_in of the account",
)
KEY = Cause(
    "LAK037",
    "storage account {account} does not accept the key or the shared access signature",
    "set the variable to a key or a signature that is valid now (the clock of this machine must be right), or let an "
    "identity sign in; an account may refuse keys altogether",
)
SIGN_IN = Cause(
    "LAK038",
    "signing in to storage account {account} failed",
    "check sign_in of the account in toolkit.yaml (toolkit doctor names the credential), or: az login",
)
OTHER = Cause(
    "LAK039", "storage account {account} refuses the request", "see the account in the portal; the code says why"
)

CAUSES: Mapping[str, Cause] = {
    "AuthorizationFailure": NETWORK,
    "AuthorizationSourceIPMismatch": NETWORK,
    "AuthorizationPermissionMismatch": ROLE,
    "AuthorizationResourceTypeMismatch": ROLE,
    "AuthorizationServiceMismatch": ROLE,
    "InsufficientAccountPermissions": ROLE,
    "InvalidAuthenticationInfo": TENANT,
    "NoAuthenticationInformation": TENANT,
    "AuthenticationFailed": KEY,
    "AuthorizationProtocolMismatch": KEY,
    "KeyBasedAuthenticationNotPermitted": KEY,
}
"""By the code of the answer: https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes."""


_CHALLENGE = re.compile(r"authorization_uri=\"?\S*/([0-9a-fA-F-]{36})/")


def tenant_in(challenge: str) -> str:
    """Return the tenant that a challenge (the header WWW-Authenticate) names; empty where it names none.

    Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory.
    """
    found = _CHALLENGE.search(challenge)
    return found[1].lower() if found else ""


def denied(cause: Cause, place: Place, why: str, tenant: str = "") -> Forbidden:
    """Return the error for an answer."""
    resource = place.resource or scope(place.account)
    _, _, subscription, _, group, *_ = resource.split("/")
    names = {
        "account": place.account,
        "file_system": place.file_system,
        "resource": resource,
        "subscription": subscription,
        "group": group,
        "tenant": tenant or f"<tenant of {place.account}>",
    }
    return Forbidden(
        cause.code, cause.what.format(**names), where=place.address, why=why, fix=cause.fix.format(**names)
    )
