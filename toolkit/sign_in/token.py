"""What a token is, and who gives one."""

from __future__ import annotations

from typing import Any, Protocol


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
