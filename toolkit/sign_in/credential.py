"""A method of signing in -> what gives tokens, or signs requests."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import NotFound, Refused
from toolkit.sign_in.method import SignIn, StorageSignIn, Target
from toolkit.sign_in.token import Token, TokenCredential

if TYPE_CHECKING:
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

Variables = Callable[[str], str | None]


def credential(
    sign_in: SignIn, target: Target, *, folder: Path, variables: Variables = os.environ.get
) -> TokenCredential | None:
    """Return the credential, None for ``none``; ``folder`` is what the certificate's path is relative to.

    Variables and files are read when the first token is asked for, which raises NotFound (DV020) for a variable that
    is not set, and Refused for a certificate that cannot be read (DV021), or a variable without a token (DV022).
    """
    if sign_in.method == "none":
        return None
    return _tokens(_Maker(sign_in, target, folder, variables))


def storage_credential(
    sign_in: StorageSignIn,
    account: str,
    suffix: str,
    target: Target,
    *,
    folder: Path,
    variables: Variables = os.environ.get,
) -> TokenCredential | AzureNamedKeyCredential | AzureSasCredential:
    """Return the credential of a storage account, which the SDK of Azure takes as it is.

    ``suffix`` is the domain of the account's cloud, such as ``core.windows.net``. Variables are read at once where they
    sign requests: NotFound (DV020) for one that is not set, Refused (DV023) for one that holds no key, no SAS or no
    connection string, or that of another account. For tokens see ``credential``.
    """
    maker = _Maker(sign_in, target, folder, variables)
    match sign_in.method:
        case "account_key":
            return _key(account, maker.secret().strip(), maker)
        case "sas":
            return _sas(maker.secret().strip(), maker)
        case "connection_string":
            return _by_connection_string(account, suffix, maker)
        case _:
            return _tokens(maker)


def _tokens(maker: _Maker) -> TokenCredential:
    return _Given(maker.token) if maker.sign_in.method == "token" else _Late(maker)


class _Late:
    """A credential that is made when it is first asked: what needs no sign-in needs no secret either."""

    def __init__(self, make: Callable[[], TokenCredential]) -> None:
        self._make = make
        self._made: TokenCredential | None = None

    def get_token(self, *scopes: str, **options: Any) -> Token:  # noqa: ANN401 - the SDK's own options
        """Return a token."""
        if self._made is None:
            self._made = self._make()
        return self._made.get_token(*scopes, **options)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the credential of azure-identity, which is imported only then."""

    sign_in: SignIn | StorageSignIn
    target: Target
    folder: Path
    variables: Variables

    def __call__(self) -> TokenCredential:
        from azure import identity

        sign_in, authority = self.sign_in, self.target.authority
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
                *self.application, str(path), password=password, authority=self.target.authority
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
                where=self.target.origin,
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
            raise Refused("DV022", what, where=self.target.origin, why=why, fix="set it to the token alone")
        return token

    def wrong(self, what: str, why: str) -> Refused:
        """Return a refusal of what the variable holds; its value is never told."""
        said = f"the environment variable {self.sign_in.variable} holds no {what}"
        fix = f"set {self.sign_in.variable} to what the portal shows under the account's keys or signatures"
        return Refused("DV023", said, where=self.target.origin, why=why, fix=fix)


def _key(account: str, key: str, maker: _Maker) -> AzureNamedKeyCredential:
    from azure.core.credentials import AzureNamedKeyCredential

    if re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", key) is None or len(key) % 4:
        raise maker.wrong("account key", "an account key is base64")
    return AzureNamedKeyCredential(account, key)


def _sas(text: str, maker: _Maker) -> AzureSasCredential:
    from azure.core.credentials import AzureSasCredential

    # What the portal shows as a URL has the signature behind its question mark.
    signature = text.rpartition("?")[2]
    if re.search(r"(?:^|&)sig=[^&]", signature) is None or not signature.isascii() or " " in signature:
        raise maker.wrong("shared access signature", "it has the form sv=...&sig=...")
    return AzureSasCredential(signature)


def _by_connection_string(account: str, suffix: str, maker: _Maker) -> AzureNamedKeyCredential | AzureSasCredential:
    """Take key or signature out of a connection string; where the account is, toolkit.yaml alone says."""
    pairs = (part.split("=", 1) for part in maker.secret().strip().split(";") if "=" in part)
    held = {name.strip().casefold(): value.strip() for name, value in pairs}
    if held.get("accountname", account) != account:
        raise maker.wrong(f"connection string of {account}", "it is of another account")
    if held.get("endpointsuffix", suffix) != suffix:
        raise maker.wrong(f"connection string for {suffix}", "it is of another cloud: name cloud in toolkit.yaml")
    if key := held.get("accountkey"):
        return _key(account, key, maker)
    if signature := held.get("sharedaccesssignature"):
        return _sas(signature, maker)
    raise maker.wrong("connection string", "it has neither AccountKey nor SharedAccessSignature")


@dataclass(frozen=True, slots=True)
class _Given:
    """A token that somebody else got; read anew whenever it is asked for."""

    read: Callable[[], str] = field(repr=False)

    def get_token(self, *_: str, **__: Any) -> _GivenToken:  # noqa: ANN401 - the SDK's own options
        """Return the token, whatever the scope."""
        return _GivenToken(self.read())


@dataclass(frozen=True, slots=True)
class _GivenToken:
    token: str = field(repr=False)
    expires_on: int = sys.maxsize
    """Nobody says; the server refuses it when it is over."""
