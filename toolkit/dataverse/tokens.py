"""The bearer tokens of an organization, and what is told where none can be had."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from toolkit.errors import Forbidden, Retriable, ToolkitError
from toolkit.sign_in.token import KeptToken, TokenCredential

REST_SECONDS = 30.0
"""How long to wait when the service that issues tokens cannot be reached."""


class Tokens:
    """The tokens of one credential for one scope. Neither its repr nor its errors hold one."""

    def __init__(self, credential: TokenCredential, scope: str, clock: Callable[[], datetime]) -> None:
        self._scope = scope
        self._kept = KeptToken(credential, scope, clock)

    def current(self) -> str:
        """Return a token that is good for some minutes. Raises Forbidden (DV001) or Retriable (DV002)."""
        # Imported only where there is a credential: a served organization is asked without one.
        from azure.core.exceptions import AzureError

        try:
            return self._kept.current()
        except AzureError as error:
            raise _failed(error, self._scope) from error

    def refuse(self, token: str) -> None:
        """Forget a token that the service does not accept, unless another thread did so already."""
        self._kept.refuse(token)

    def claims(self) -> Mapping[str, Any]:
        """Return what the token says about whom it is for: unverified, for people. Empty where it is opaque."""
        try:
            payload = self.current().split(".")[1]
            found = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


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
