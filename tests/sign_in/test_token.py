from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from toolkit.sign_in.token import KeptToken, Token

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Hourly:
    token: str
    expires_on: int


class Counting:
    """Gives tokens that are good for an hour."""

    def __init__(self) -> None:
        self.now, self.given = NOON, 0

    def get_token(self, *_: str, **__: Any) -> Token:
        self.given += 1
        return Hourly(f"token-{self.given}", int((self.now + timedelta(hours=1)).timestamp()))


def test_a_token_is_kept_until_five_minutes_before_its_end() -> None:
    credential = Counting()
    kept = KeptToken(credential, "scope", lambda: credential.now)
    assert [kept.current(), kept.current()] == ["token-1", "token-1"]
    credential.now = NOON + timedelta(minutes=55)
    assert kept.current() == "token-1"
    credential.now += timedelta(seconds=1)
    assert kept.current() == "token-2"
    assert credential.given == 2


def test_a_token_that_is_refused_is_asked_for_anew() -> None:
    kept = KeptToken(Counting(), "scope", lambda: NOON)
    kept.refuse(kept.current())
    assert kept.current() == "token-2"
    kept.refuse("token-1")
    assert kept.current() == "token-2"
    assert "token" not in repr(kept).lower().replace("kepttoken", "").replace("toolkit.sign_in.token", "")
