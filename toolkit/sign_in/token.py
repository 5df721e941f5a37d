"""What a token is, who gives one, and how it is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

EARLY_SECONDS = 300
"""How long before its end a token is replaced."""


class Token(Protocol):
    """A bearer token, and when it expires, in seconds since 1970."""

    @property
    def token(self) -> str:
        """The secret."""
        ...

    @property
    def expires_on(self) -> int:
        """When it expires."""
        ...


class TokenCredential(Protocol):
    """What gives tokens: any credential of azure-identity, or anything of that shape."""

    def get_token(self, *scopes: str, **options: Any) -> Token:  # noqa: ANN401 - the SDK's own options
        """Return a token for a scope; ``options`` are what the SDK of Azure asks for beside it, such as a tenant."""
        ...


class KeptToken:
    """The token of one credential for one scope, kept until shortly before its end: some start a process for each.

    One thread at a time asks for it. The repr does not hold it.
    """

    def __init__(self, credential: TokenCredential, scope: str, clock: Callable[[], datetime]) -> None:
        self._credential, self._scope, self._clock = credential, scope, clock
        self._lock = Lock()
        self._token: Token | None = None

    def current(self) -> str:
        """Return a token that is good for some minutes. Raises what the credential raises."""
        with self._lock:
            if self._token is None or self._token.expires_on - self._clock().timestamp() < EARLY_SECONDS:
                self._token = self._credential.get_token(self._scope)
            return self._token.token

    def refuse(self, token: str) -> None:
        """Forget a token that the service does not accept, unless another thread did so already."""
        with self._lock:
            if self._token is not None and self._token.token == token:
                self._token = None
