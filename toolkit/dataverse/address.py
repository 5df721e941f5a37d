"""The address of a Dataverse organization, and what follows from it: the base of its Web API, scope and cloud.

Hosts by cloud: https://learn.microsoft.com/power-platform/admin/new-datacenter-regions and, for the sovereign ones,
https://learn.microsoft.com/power-platform/admin/microsoft-dynamics-365-us-government.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit

from toolkit.sign_in.origin import is_loopback, origin

_DATA = "/api/data/"
API = f"{_DATA}v9.2/"


class DataverseCloud(StrEnum):
    """Where an organization is hosted; decides who signs people in."""

    PUBLIC = "public"
    GCC = "gcc"
    GCC_HIGH = "gcc-high"
    DOD = "dod"
    CHINA = "china"
    GERMANY = "germany"
    """Closed by Microsoft in 2021; an organization in Germany today is in the public cloud."""
    OTHER = "other"
    """No host of Microsoft's: an organization that is served by this toolkit, or behind a gateway."""

    @property
    def authority(self) -> str:
        """The host that issues tokens; empty where there is none."""
        return _AUTHORITIES.get(self, "login.microsoftonline.com")


_AUTHORITIES = {
    DataverseCloud.GCC_HIGH: "login.microsoftonline.us",
    DataverseCloud.DOD: "login.microsoftonline.us",
    DataverseCloud.CHINA: "login.chinacloudapi.cn",
    DataverseCloud.GERMANY: "login.microsoftonline.de",
    DataverseCloud.OTHER: "",
}

# The first that fits: GCC shares its domain with the public cloud, and is region 9 of it.
_HOSTS = {
    DataverseCloud.GCC: r"crm9\.dynamics\.com",
    DataverseCloud.PUBLIC: r"crm\d*\.dynamics\.com",
    DataverseCloud.GCC_HIGH: r"crm\d*\.microsoftdynamics\.us",
    DataverseCloud.DOD: r"crm\d*\.appsplatform\.us",
    DataverseCloud.CHINA: r"crm\d*\.dynamics\.cn",
    DataverseCloud.GERMANY: r"crm\d*\.microsoftdynamics\.de",
}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of one organization; made by ``parse``."""

    origin: str
    """Scheme, host and port, such as ``https://contoso.crm4.dynamics.com``."""
    cloud: DataverseCloud

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read the URL of an organization, with or without the path of its Web API.

        Raises ValueError, which says why it is none. Plain http is one only on loopback: what is sent could be read.
        """
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        if parts.scheme not in {"https", "http"} or not host:
            message = "the URL of an organization is like https://contoso.crm4.dynamics.com"
            raise ValueError(message)
        if parts.scheme == "http" and not is_loopback(host):
            message = "plain http is for loopback only; write https"
            raise ValueError(message)
        if parts.username is not None or parts.query or parts.fragment:
            message = "the URL of an organization has no user, query or fragment"
            raise ValueError(message)
        if re.fullmatch(r"/?(api/data/v9\.\d/?)?", parts.path) is None:
            message = "the URL of an organization has no path"
            raise ValueError(message)
        return cls(origin(parts), _cloud(host))

    @property
    def base(self) -> str:
        """The URL below which the Web API is, with a slash at the end."""
        return self.origin + API

    @property
    def scope(self) -> str:
        """The scope of a token for this organization."""
        return f"{self.origin}/.default"

    @property
    def authority(self) -> str:
        """The host that issues tokens for this organization; empty where it is none of Microsoft's."""
        return self.cloud.authority

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.origin).hostname or "")

    @property
    def encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        return self.origin.startswith("https:")

    def own(self, link: str) -> str | None:
        """Return an absolute link as it is followed: at this organization, byte by byte; None where it leads elsewhere.

        The host of a link that was kept may be another one: an administrator gave the environment another URL, or a
        gateway stands before it. A token goes to no other host, so the link is followed at ours.
        """
        path = link.partition("://")[2].partition("/")[2]
        return f"{self.origin}/{path}" if f"/{path}".startswith(_DATA) else None


def query(path: str, options: Mapping[str, str]) -> str:
    """Return a path with query options, their values percent-encoded; a value holds what OData reads, unencoded."""
    return f"{path}?" + "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in options.items())


_SAFE = "/(),$:*@'!;="
"""What may stand in the value of a query option as it is (RFC 3986), and reads better so."""


def _cloud(host: str) -> DataverseCloud:
    fits = (cloud for cloud, pattern in _HOSTS.items() if re.fullmatch(rf"[a-z0-9-]+(\.api)?\.{pattern}", host))
    return next(fits, DataverseCloud.OTHER)
