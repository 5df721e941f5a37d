"""What a storage account is: kind, replication, hierarchical namespace and tenant, as the data plane tells them.

Its region, and the roles that an identity holds, the data plane does not tell: they stay unknown. Imports the SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient

from toolkit import __version__
from toolkit.errors import Forbidden
from toolkit.lake.adls.account import StorageAccount
from toolkit.lake.adls.denied import KEY, ROLE, tenant_in
from toolkit.lake.adls.failures import asking
from toolkit.lake.adls.place import Place, Rejected
from toolkit.lake.adls.retrying import Again
from toolkit.model.environment import StorageAccount as Properties
from toolkit.model.environment import unknown

_UNTOLD = frozenset({ROLE.code, KEY.code})
"""How an identity may be refused that may write files all the same: the documents name keys and signatures alone."""


def properties(account: StorageAccount, pause: Callable[[float], None]) -> Properties:
    """Ask an account what it is. What it does not tell is None.

    Raises Forbidden for its firewall and for another tenant, Retriable where it cannot be reached.
    """
    place = Place(account.name, "", account.location, account.resource)
    with asking(place):
        told: dict[str, object] = {"tenant": _tenant(account, pause), "cloud": account.cloud}
    try:
        with asking(place):
            information = _service(account, account.credential, pause).get_account_information()
    except Forbidden as error:
        if error.code not in _UNTOLD or not hasattr(account.credential, "get_token"):
            raise
    else:
        told |= _told(information)
    return unknown(account.name).model_copy(update=told)


def _told(information: Mapping[str, Any]) -> dict[str, object]:
    hierarchical = information.get("is_hns_enabled")
    return {
        "kind": information.get("account_kind"),
        "replication": str(information.get("sku_name") or "").rpartition("_")[2] or None,
        "hierarchical_namespace": None if hierarchical is None else str(hierarchical).lower() == "true",
    }


def _tenant(account: StorageAccount, pause: Callable[[float], None]) -> str | None:
    """Ask without signing in, and read the tenant off the challenge; None where there is none."""
    try:
        _service(account, None, pause).get_account_information()
    except HttpResponseError as error:
        response: Any = error.response
        return tenant_in(response.headers.get("WWW-Authenticate", "")) or None
    return None


def delete_file_system(account: StorageAccount, name: str, pause: Callable[[float], None]) -> None:
    """Delete a file system with all that is in it. None there is success."""
    place = Place(account.name, name, f"{account.location}/{name}", account.resource)
    try:
        with asking(place):
            _service(account, account.credential, pause).delete_container(name)
    except Rejected as rejected:
        if not rejected.missing:
            raise


def _service(account: StorageAccount, credential: Any, pause: Callable[[float], None]) -> BlobServiceClient:  # noqa: ANN401 - the SDK's own kinds
    return BlobServiceClient(
        account.blob,
        credential,
        retry_policy=Again(account.patience, pause),
        user_agent=f"export-to-data-lake-toolkit/{__version__}",
    )
