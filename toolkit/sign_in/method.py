"""How to sign in: what ``toolkit.yaml`` says. No secret ever stands in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from toolkit.model.base import Frozen
from toolkit.model.names import VariableName

Method = Literal["default", "client_secret", "certificate", "managed_identity", "azure_cli", "token", "none"]
StorageMethod = Literal[
    "default",
    "client_secret",
    "certificate",
    "managed_identity",
    "azure_cli",
    "token",
    "account_key",
    "sas",
    "connection_string",
]

_NOTHING: frozenset[str] = frozenset()
_VARIABLE = frozenset({"variable"})
# Per method: the keys that it needs, and those that it may have beside them.
_KEYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "default": (_NOTHING, _NOTHING),
    "client_secret": (frozenset({"tenant", "client_id", "variable"}), _NOTHING),
    "certificate": (frozenset({"tenant", "client_id", "certificate"}), _VARIABLE),
    "managed_identity": (_NOTHING, frozenset({"client_id"})),
    "azure_cli": (_NOTHING, frozenset({"tenant"})),
    "token": (_VARIABLE, _NOTHING),
    "none": (_NOTHING, _NOTHING),
    "account_key": (_VARIABLE, _NOTHING),
    "sas": (_VARIABLE, _NOTHING),
    "connection_string": (_VARIABLE, _NOTHING),
}
_ALL = ("tenant", "client_id", "variable", "certificate")


class Target(Protocol):
    """Where somebody signs in: an organization, or a storage account."""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        ...

    @property
    def authority(self) -> str:
        """The host that issues tokens for it; empty where it is none of Microsoft's."""
        ...

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        ...

    @property
    def encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        ...


class _SignIn(Frozen):
    method: str
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")] | None = None
    """The Entra tenant, by id or domain."""
    client_id: Annotated[str, Field(pattern=r"^[0-9A-Fa-f-]{36}$")] | None = None
    """The application's id; of a managed identity that of a user-assigned one."""
    variable: VariableName | None = None
    """The environment variable that holds the secret that the method needs; of a certificate its password."""
    certificate: Annotated[str, Field(min_length=1)] | None = None
    """The file of a certificate with its private key, PEM or PKCS #12; relative to the file."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        needed, optional = _KEYS[self.method]
        given = {name for name in _ALL if getattr(self, name) is not None}
        if lacking := needed - given:
            message = f"method {self.method} needs {', '.join(sorted(lacking))}"
            raise ValueError(message)
        if surplus := given - needed - optional:
            message = f"method {self.method} has no {', '.join(sorted(surplus))}"
            raise ValueError(message)
        return self


class SignIn(_SignIn):
    """Who signs in to Dataverse, and how. A secret stands in an environment variable, read when it is needed."""

    method: Method = "default"
    """default: the first that answers of environment variables, workload identity, managed identity, az login, ..."""

    asks_nobody: ClassVar[frozenset[str]] = frozenset({"token", "none"})
    """The methods that ask nobody for a token."""

    def unfit(self, target: Target) -> str:
        """Return why nobody may sign in so at an organization, empty where it is fit."""
        if self.method == "none" and not target.loopback:
            return "method none is for loopback only"
        if self.method in self.asks_nobody:
            return ""
        if not target.encrypted:
            return f"method {self.method} needs https"
        if not target.authority:
            return f"method {self.method} is for hosts of Dataverse; the token of another is named by method token"
        return ""


class StorageSignIn(_SignIn):
    """Who works in a storage account, and how. A secret stands in an environment variable, read when it is needed."""

    method: StorageMethod = "default"
    """default: the first that answers of environment variables, workload identity, managed identity, az login, ..."""

    signs_requests: ClassVar[frozenset[str]] = frozenset({"account_key", "sas", "connection_string"})
    """The methods without a token."""

    def unfit(self, target: Target) -> str:
        """Return why nobody may sign in so at an account, empty where it is fit: a token never goes over plain http."""
        if target.encrypted or self.method in self.signs_requests:
            return ""
        return f"method {self.method} needs https"
