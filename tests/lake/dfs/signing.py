"""Who may do what: signatures with the account key, shared access signatures, tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from tests.lake.dfs.facts import Held
from tests.lake.dfs.wire import Refusal, Request

TENANT = "00000000-0000-0000-0000-00000000aaaa"
RESOURCE = "https://storage.azure.com"
CHALLENGE = {
    "WWW-Authenticate": f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize"
    f" resource_id={RESOURCE}"
}
SKEW = timedelta(minutes=15)

SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)

ACCOUNT_SAS = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses")
SERVICE_SAS = ("si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")


@dataclass(frozen=True)
class Token:
    """A token that the identity provider gave out."""

    until: datetime
    roles: frozenset[str] | None
    """What whoever shows it may do; None when it is for another service."""


@dataclass
class Door:
    """Lets requests in or raises Refusal.

    ``clock`` is the time of the service, ``now`` the time of the day: the SDK signs with it, and so it is with tokens.
    """

    account: str
    key: str
    holds: Held
    clock: Callable[[], datetime]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tokens: dict[str, Token] = field(default_factory=dict)

    def __call__(self, request: Request) -> None:
        """Let the request in, or raise."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme == "SharedKey":
            self._shared_key(request, credentials)
        elif scheme == "Bearer":
            self._bearer(request, credentials)
        elif "sig" in request.query:
            self._shared_access(request)
        elif self.holds("anonymous-401"):
            raise Refusal(401, "NoAuthenticationInformation", "Server failed to authenticate the request.", CHALLENGE)

    def sign(self, text: str) -> str:
        """Return the signature of a text with the account's key."""
        return base64.b64encode(hmac.digest(base64.b64decode(self.key), text.encode(), hashlib.sha256)).decode()

    def _require_signature(self, text: str, given: str) -> None:
        if not hmac.compare_digest(self.sign(text), given) and self.holds("signatures-are-verified"):
            raise Refusal(403, "AuthenticationFailed", "Server failed to authenticate the request.")

    def _shared_key(self, request: Request, credentials: str) -> None:
        signature = credentials.partition(":")[2]
        dated = parsedate_to_datetime(request.headers["x-ms-date"])
        if abs(self.now() - dated) > SKEW and self.holds("clock-skew-403"):
            raise Refusal(403, "AuthenticationFailed", "Request date header too old.")
        self._require_signature(self.shared_key_text(request), signature)

    def shared_key_text(self, request: Request) -> str:
        """Return what a request with the account's key signs."""
        headers = {
            name: "" if (name, value) == ("content-length", "0") else value for name, value in request.headers.items()
        }
        standard = [headers.get(name, "") for name in SIGNED_HEADERS]
        ours = sorted(
            (name for name in headers if name.startswith("x-ms-")), key=lambda name: (name.replace("-", ""), name)
        )
        query = [f"{name}:{value}" for name, value in sorted(request.query.items())]
        resource = [f"/{self.account}{request.target}", *query]
        return "\n".join((request.method, *standard, *(f"{name}:{headers[name]}" for name in ours), *resource))

    def _bearer(self, request: Request, token: str) -> None:
        known = self.tokens.get(token)
        if not request.secure and self.holds("tokens-need-tls"):
            raise Refusal(403, "AuthenticationFailed", "A token was sent without TLS.")
        if (known is None or known.roles is None) and self.holds("tokens-are-verified"):
            raise Refusal(401, "InvalidAuthenticationInfo", "Issuer validation failed.", CHALLENGE)
        if known and known.until <= self.now() and self.holds("tokens-expire"):
            raise Refusal(401, "InvalidAuthenticationInfo", "Lifetime validation failed.", CHALLENGE)
        if known and not known.roles and self.holds("tokens-need-a-role"):
            code = "AuthorizationPermissionMismatch"
            raise Refusal(403, code, "This request is not authorized to perform this operation using this permission.")

    def _shared_access(self, request: Request) -> None:
        query = request.query
        text = self._account_text(query) if "ss" in query else self._service_text(request)
        self._require_signature(text, query["sig"])
        if datetime.fromisoformat(query["se"]) <= self.clock() and self.holds("sas-expires"):
            raise Refusal(403, "AuthenticationFailed", "Signature not valid in the specified time frame.")
        if not set(needed(request)) & set(query.get("sp", "")) and self.holds("sas-permissions"):
            code = "AuthorizationPermissionMismatch"
            raise Refusal(403, code, "This request is not authorized to perform this operation using this permission.")

    def _account_text(self, query: Mapping[str, str]) -> str:
        return "".join(f"{value}\n" for value in (self.account, *(query.get(name, "") for name in ACCOUNT_SAS)))

    def _service_text(self, request: Request) -> str:
        query = request.query
        scope = f"/blob/{self.account}/{request.file_system}"
        if query["sr"] != "c":
            scope += f"/{request.path}"
        first = (*(query.get(name, "") for name in ("sp", "st", "se")), unquote(scope))
        return "\n".join((*first, *(query.get(name, "") for name in SERVICE_SAS)))


def needed(request: Request) -> str:
    """Return the permissions of which a request needs one."""
    if "x-ms-rename-source" in request.headers:
        return "wm"
    if request.query.get("resource") == "filesystem" or request.query.get("restype"):
        return {"GET": "lr", "HEAD": "lr", "PUT": "cw", "DELETE": "d"}[request.method]
    return {"GET": "r", "HEAD": "r", "PUT": "cw", "PATCH": "aw", "POST": "w", "DELETE": "d"}[request.method]
