"""Bearer tokens: asked of a credential by one thread at a time, and kept until shortly before they expire."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from toolkit.errors import Forbidden, Retriable, ToolkitError
from toolkit.sign_in.token import Token, TokenCredential

EARLY_SECONDS = 300
"""How long before its end a token is replaced."""
REST_SECONDS = 30.0
"""How long to wait when the service that issues tokens cannot be reached."""


class Tokens:
    """The tokens of one credential for one scope. Neither its repr nor its errors hold one."""

    def __init__(self, credential: TokenCredential, scope: str, clock: Callable[[], datetime]) -> None:
        self._credential, self._scope, self._clock = credential, scope, clock
        self._lock = Lock()
        self._token: Token | None = None

    def current(self) -> str:
        """Return a token that is good for some minutes. Raises Forbidden (DV001) or Retriable (DV002)."""
        with self._lock:
            if self._token is None or self._token.expires_on - self._clock().timestamp() < EARLY_SECONDS:
                self._token = self._ask()
            return self._token.token

    def refuse(self, token: str) -> None:
        """Forget a token that the service does not accept, unless another thread did so already."""
        with self._lock:
            if self._token is not None and self._token.token == token:
                self._token = None

    def claims(self) -> Mapping[str, Any]:
        """Return what the token says about whom it is for: unverified, for people. Empty where it is opaque."""
        try:
            payload = self.current().split(".")[1]
            found = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _ask(self) -> Token:
        # Imported only where there is a credential: a served organization is asked without one.
        from azure.core.exceptions import AzureError

        try:
            return self._credential.get_token(self._scope)
        except AzureError as error:
            raise _failed(error, self._scope) from error


def _failed(error: Exception, scope: str) -> ToolkitError:
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    where = scope.removesuffix("/.default")
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        what = "the service that issues tokens cannot be reached"
        return Retriable("DV002", what, after=REST_SECONDS, where=where, why=_words(error))
    return Forbidden(
        "DV001",
        "signing in failed",
        where=where,
        why=_words(error),
        fix="check sign_in of the environment in toolkit.yaml (toolkit doctor names the credential), or: az login",
    )


def _words(error: Exception) -> str:
    """Return what a credential says, in one line. It names tenants and ids of requests, never a secret."""
    return " ".join(str(error).split())[:800]
