"""What ``toolkit.yaml`` says of a storage account: where its file systems lie, and who works in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, model_validator

from toolkit.model.base import Frozen
from toolkit.model.config import Cloud
from toolkit.sign_in.method import StorageSignIn
from toolkit.sign_in.origin import is_loopback, origin


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service of a storage account is asked; made by ``parse``, or derived from account and cloud."""

    url: str
    """Without a slash at the end; on loopback it may have the account's name as its path, as emulators do."""
    cloud: Cloud

    @classmethod
    def parse(cls, url: str, cloud: Cloud = Cloud.PUBLIC) -> Endpoint:
        """Read a URL. Raises ValueError, which says why it is none; plain http is one only on loopback."""
        parts = urlsplit(url.strip())
        loopback = is_loopback(parts.hostname or "")
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            message = "an endpoint is like https://contosolake.dfs.core.windows.net"
            raise ValueError(message)
        if parts.scheme == "http" and not loopback:
            message = "plain http is for loopback only; write https"
            raise ValueError(message)
        if parts.username is not None or parts.query or parts.fragment:
            message = "an endpoint has no user, query or fragment; a signature stands in an environment variable"
            raise ValueError(message)
        if re.fullmatch(r"/?([A-Za-z0-9.-]+/?)?" if loopback else r"/?", parts.path) is None:
            message = "an endpoint has no path; a file system is named in the export config"
            raise ValueError(message)
        return cls(origin(parts) + parts.path.rstrip("/"), cloud)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin(urlsplit(self.url))

    @property
    def authority(self) -> str:
        """The host that issues tokens."""
        return self.cloud.authority

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.url).hostname or "")

    @property
    def encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        return self.url.startswith("https:")


def _endpoint(url: str) -> str:
    return Endpoint.parse(url).url


Url = Annotated[str, AfterValidator(_endpoint)]


class FolderEntry(Frozen):
    """A storage account that is a folder on this machine."""

    kind: Literal["folder"] = "folder"
    folder: Annotated[str, Field(min_length=1)]


class AdlsEntry(Frozen):
    """A storage account in Azure with hierarchical namespace: Azure Data Lake Storage Gen2."""

    kind: Literal["adls"]
    sign_in: StorageSignIn = StorageSignIn()
    """Who reads and writes its file systems."""
    cloud: Cloud = Cloud.PUBLIC
    """Where the account is; decides its endpoints, and who issues tokens."""
    endpoint: Url | None = None
    """Where paths are asked for; ``https://<account>.dfs.<domain of the cloud>`` when it is not named."""
    blob_endpoint: Url | None = None
    """The blob half of it; with ``.blob.`` for ``.dfs.`` when it is not named."""
    server_copies: Literal["auto", "never"] = "auto"
    """auto: the service copies what it can copy itself, once a probe has shown that it does; never: bytes are sent."""
    subscription: str = ""
    """The id of the Azure subscription; only for the commands that a refusal proposes."""
    resource_group: str = ""
    """The resource group; likewise."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.endpoint and not self.blob_endpoint and ".dfs." not in self.endpoint:
            message = "endpoint has no .dfs. in its host, so blob_endpoint must be named too"
            raise ValueError(message)
        if why := self.sign_in.unfit(Endpoint.parse(self.endpoint or "https://any", self.cloud)):
            message = f"sign_in: {why}"
            raise ValueError(message)
        return self

    def dfs(self, account: str) -> Endpoint:
        """Return where paths are asked for."""
        return Endpoint(self.endpoint or f"https://{account}.dfs.{self.cloud.storage_suffix}", self.cloud)

    def blob(self, account: str) -> Endpoint:
        """Return the blob half of it."""
        return Endpoint(self.blob_endpoint or self.dfs(account).url.replace(".dfs.", ".blob.", 1), self.cloud)


AccountEntry = FolderEntry | AdlsEntry


class _AnyKind(BaseModel):
    kind: Literal["folder", "adls"] = "folder"


def account_by_kind(data: Any) -> Any:  # noqa: ANN401 - any YAML
    """Read an entry as what its kind says, so that only what is wrong with that kind is told."""
    if not isinstance(data, dict):
        return data if isinstance(data, FolderEntry | AdlsEntry) else FolderEntry.model_validate(data)
    kind = _AnyKind.model_validate(data).kind
    return (FolderEntry if kind == "folder" else AdlsEntry).model_validate(data)
