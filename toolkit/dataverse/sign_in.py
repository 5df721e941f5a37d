"""How to sign in to an organization: what ``toolkit.yaml`` says -> a credential. No secret ever stands in the file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from toolkit.dataverse.address import Address, DataverseCloud
from toolkit.dataverse.tokens import Token, TokenCredential
from toolkit.errors import NotFound, Refused
from toolkit.model.base import Frozen
from toolkit.model.names import VariableName

Method = Literal["default", "client_secret", "certificate", "managed_identity", "azure_cli", "token", "none"]

# Per method: the keys that it needs, and those that it may have beside them.
_KEYS: Mapping[Method, tuple[frozenset[str], frozenset[str]]] = {
    "default": (frozenset(), frozenset()),
    "client_secret": (frozenset({"tenant", "client_id", "variable"}), frozenset()),
    "certificate": (frozenset({"tenant", "client_id", "certificate"}), frozenset({"variable"})),
    "managed_identity": (frozenset(), frozenset({"client_id"})),
    "azure_cli": (frozenset(), frozenset({"tenant"})),
    "token": (frozenset({"variable"}), frozenset()),
    "none": (frozenset(), frozenset()),
}
_ALL = ("tenant", "client_id", "variable", "certificate")
_PLAIN: frozenset[Method] = frozenset({"token", "none"})
"""The methods that ask nobody for a token."""


class SignIn(Frozen):
    """Who signs in, and how. A secret stands in an environment variable, which is read when it is needed."""

    method: Method = "default"
    """default: the first that answers of environment variables, workload identity, managed identity, az login, ..."""
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")] | None = None
    """The Entra tenant, by id or domain."""
    client_id: Annotated[str, Field(pattern=r"^[0-9A-Fa-f-]{36}$")] | None = None
    """The application's id; of a managed identity that of a user-assigned one."""
    variable: VariableName | None = None
    """The environment variable that holds the client secret, the certificate's password, or the token."""
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

    def unfit(self, address: Address) -> str:
        """Return why nobody may sign in so at an address, empty where it is fit."""
        if self.method == "none" and not address.loopback:
            return "method none is for loopback only"
        if self.method in _PLAIN:
            return ""
        if not address.encrypted:
            return f"method {self.method} needs https"
        if address.cloud is DataverseCloud.OTHER:
            return f"method {self.method} is for hosts of Dataverse; the token of another is named by method token"
        return ""


def credential(
    sign_in: SignIn,
    address: Address,
    *,
    folder: Path,
    variables: Callable[[str], str | None] = os.environ.get,
) -> TokenCredential | None:
    """Return the credential, None for ``none``; ``folder`` is what the certificate's path is relative to.

    Variables and files are read when the first token is asked for, which raises NotFound (DV020) for a variable that
    is not set, and Refused for a certificate that cannot be read (DV021), or a variable without a token (DV022).
    """
    maker = _Maker(sign_in, address, folder, variables)
    match sign_in.method:
        case "none":
            return None
        case "token":
            return _Given(maker.token)
        case _:
            return _Late(maker)


class _Late:
    """A credential that is made when it is first asked: what needs no sign-in needs no secret either."""

    def __init__(self, make: Callable[[], TokenCredential]) -> None:
        self._make = make
        self._made: TokenCredential | None = None

    def get_token(self, *scopes: str) -> Token:
        """Return a token."""
        if self._made is None:
            self._made = self._make()
        return self._made.get_token(*scopes)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the credential of azure-identity, which is imported only then."""

    sign_in: SignIn
    address: Address
    folder: Path
    variables: Callable[[str], str | None]

    def __call__(self) -> TokenCredential:
        from azure import identity

        sign_in, authority = self.sign_in, self.address.authority
        match sign_in.method:
            case "client_secret":
                secret = self.secret()
                return identity.ClientSecretCredential(*self.application, secret, authority=authority)
            case "certificate":
                return self.by_certificate()
            case "managed_identity":
                return identity.ManagedIdentityCredential(client_id=sign_in.client_id)
            case "azure_cli":
                return identity.AzureCliCredential(tenant_id=sign_in.tenant or "")
            case _:
                return identity.DefaultAzureCredential(authority=authority)

    @property
    def application(self) -> tuple[str, str]:
        """The tenant and the id of an application; the model has seen to it that they are there."""
        return self.sign_in.tenant or "", self.sign_in.client_id or ""

    def by_certificate(self) -> TokenCredential:
        from azure import identity

        path = self.folder / (self.sign_in.certificate or "")
        password = self.secret() if self.sign_in.variable else None
        try:
            return identity.CertificateCredential(
                *self.application, str(path), password=password, authority=self.address.authority
            )
        except (OSError, ValueError) as error:
            what, fix = "the certificate cannot be read", "give a PEM or PKCS #12 file with the private key"
            raise Refused("DV021", what, where=str(path), why=str(error), fix=fix) from error

    def secret(self) -> str:
        variable = self.sign_in.variable or ""
        if not (value := self.variables(variable)):
            raise NotFound(
                "DV020",
                f"the environment variable {variable} is not set",
                where=self.address.origin,
                why=f"sign_in by {self.sign_in.method} reads a secret from it",
                fix=f"set {variable}, or correct sign_in in toolkit.yaml",
            )
        return value

    def token(self) -> str:
        """Return the token of the variable, without the line end that a file of it had."""
        token = self.secret().strip()
        if re.fullmatch(r"[!-~]+", token) is None:
            what = f"the environment variable {self.sign_in.variable} holds no token"
            why = "a token has letters, digits and punctuation, and no blanks or line ends between them"
            raise Refused("DV022", what, where=self.address.origin, why=why, fix="set it to the token alone")
        return token


@dataclass(frozen=True, slots=True)
class _Given:
    """A token that somebody else got; read anew whenever it is asked for."""

    read: Callable[[], str] = field(repr=False)

    def get_token(self, *_: str) -> _GivenToken:
        """Return the token, whatever the scope."""
        return _GivenToken(self.read())


@dataclass(frozen=True, slots=True)
class _GivenToken:
    token: str = field(repr=False)
    expires_on: int = sys.maxsize
    """Nobody says; the server refuses it when it is over."""
