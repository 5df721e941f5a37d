from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from toolkit.dataverse.address import Address
from toolkit.dataverse.tokens import Tokens
from toolkit.errors import Forbidden, Retriable, ToolkitError
from toolkit.sign_in.token import Token, TokenCredential

PUBLIC = Address.parse("https://contoso.crm4.dynamics.com")


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_token(self, *_: str, **__: Any) -> Token:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ClientAuthenticationError("AADSTS7000215:\n Invalid client secret"), Forbidden, "DV001"),
        (CredentialUnavailableError("run az login"), Forbidden, "DV001"),
        (ServiceRequestError("no route"), Retriable, "DV002"),
    ],
)
def test_a_credential_that_fails_says_why(error: Exception, kind: type[ToolkitError], code: str) -> None:
    tokens = Tokens(Failing(error), PUBLIC.scope, lambda: datetime(2026, 3, 1, tzinfo=UTC))
    with pytest.raises(kind) as caught:
        tokens.current()
    assert (caught.value.code, caught.value.why) == (code, " ".join(str(error).split()))


def test_a_token_that_somebody_else_replaced_already_is_not_replaced_again() -> None:
    asked: list[TokenCredential] = []

    class Counting:
        def get_token(self, *_: str, **__: Any) -> Token:
            asked.append(self)
            return NamedToken(f"token-{len(asked)}")

    tokens = Tokens(Counting(), PUBLIC.scope, lambda: datetime(2026, 3, 1, tzinfo=UTC))
    old = tokens.current()
    tokens.refuse(old)
    tokens.refuse("another")
    assert tokens.current() == "token-2"
    tokens.refuse(old)
    assert tokens.current() == "token-2"


class NamedToken:
    expires_on = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())

    def __init__(self, token: str) -> None:
        self.token = token
