"""Gives out tokens as the platform does: to a managed identity, and to a client with a secret."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs

from tests.lake.dfs.signing import RESOURCE, TENANT, Door, Token
from tests.lake.dfs.wire import Answer, Request

SECRET = "the secret of a client of the tests"  # noqa: S105 - of no client anywhere
LIFE = timedelta(hours=1)


@dataclass
class Identity:
    """What an identity provider knows. Each token that it gives out is known at the door of the account."""

    door: Door
    roles: frozenset[str] = frozenset({"Storage Blob Data Contributor"})
    life: timedelta = LIFE
    given: list[str] = field(default_factory=list)
    """The resources and scopes that tokens were asked for."""

    def answer(self, request: Request) -> Answer:
        """Answer what comes to neither endpoint of the account."""
        if request.target == "/msi/token":
            return self._managed(request)
        if request.target.endswith("/.well-known/openid-configuration"):
            return self._configuration(request)
        if request.target == f"/{TENANT}/oauth2/v2.0/token":
            return self._client(request)
        return _json(404, {"error": "not_found"})

    def _managed(self, request: Request) -> Answer:
        if request.headers.get("x-identity-header") != SECRET:
            return _json(401, {"statusCode": 401, "message": "the header is wrong"})
        token = self._token(request.query["resource"])
        until = str(int(self.door.tokens[token].until.timestamp()))
        return _json(200, {"access_token": token, "expires_on": until, "resource": RESOURCE, "token_type": "Bearer"})

    def _client(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("client_secret") != SECRET:
            return _json(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})
        seconds = int(self.life.total_seconds())
        return _json(200, {"access_token": self._token(form["scope"]), "expires_in": seconds, "token_type": "Bearer"})

    def _token(self, audience: str) -> str:
        self.given.append(audience)
        token = f"token-{uuid.uuid4()}"
        mine = audience.removesuffix("/.default").rstrip("/") == RESOURCE
        self.door.tokens[token] = Token(self.door.now() + self.life, self.roles if mine else None)
        return token

    @staticmethod
    def _configuration(request: Request) -> Answer:
        base = f"https://{request.headers['host']}/{TENANT}"
        addresses = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }
        return _json(200, addresses)


def _json(status: int, body: Mapping[str, object]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())
