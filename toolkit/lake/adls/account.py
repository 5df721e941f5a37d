"""A storage account, and how it is asked: what the settings of a project come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from toolkit.model.config import Cloud
from toolkit.model.roles import scope

if TYPE_CHECKING:
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

    from toolkit.sign_in.token import TokenCredential

    Credential = TokenCredential | AzureNamedKeyCredential | AzureSasCredential


@dataclass(frozen=True, slots=True)
class Patience:
    """When a request that failed is sent again: after ``first`` + ``base`` ** number of the failure, in seconds.

    The SDK's own settings cost 18 s for one 503. What an answer asks for in Retry-After counts where it is longer.
    """

    tries: int = 5
    """How often it is sent again."""
    unheard: int = 2
    """The same while nothing was ever heard of the account, whose address may be wrong, or not since all tries of a
    request."""
    first: int = 0
    base: int = 2
    jitter: int = 1
    """How many seconds a wait may be shorter or longer."""
    longest: float = 120.0
    """The longest wait that an answer may ask for."""


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """A storage account with hierarchical namespace."""

    name: str
    dfs: str
    """The address of the dfs endpoint, ``https://<name>.dfs.core.windows.net``."""
    blob: str
    """The address of the blob endpoint."""
    credential: Credential = field(repr=False)
    patience: Patience = Patience()
    server_copies: Literal["auto", "never"] = "auto"
    """Whether the service may be asked to copy by itself, where a probe shows that it does so rightly."""
    cloud: Cloud = Cloud.PUBLIC
    subscription: str = ""
    """The id of the subscription, for the commands that a refusal proposes; empty where it is not known."""
    resource_group: str = ""

    @property
    def location(self) -> str:
        """The address of the dfs endpoint as ``model.json`` spells it, always with its port."""
        parts = urlsplit(self.dfs)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"

    @property
    def resource(self) -> str:
        """Its resource id, as far as it is known."""
        return scope(self.name, self.subscription, self.resource_group)
