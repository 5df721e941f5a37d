"""The tokens of change tracking, in the form that Dataverse's own have.

A delta token is a row version and the instant at which it was current, ``919042!08/22/2017 08:10:44``. A skip token is
a paging cookie, encoded once more within itself, that says how far a pass is. For clients both are opaque.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

_TIME = "%m/%d/%Y %H:%M:%S"
_PASS = re.compile(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_COOKIE = re.compile(r'<cookie pagenumber="(\d{1,9})" pagingcookie="([^"]*)" istracking="True" />')
_PLACE = re.compile(r'<position full="(0|1)" row="(\d{1,18})" tombstone="(\d{1,18})" pass="([^"]*)" />')


@dataclass(frozen=True, slots=True)
class DeltaToken:
    """A pass: it ends with ``version``, the highest row version when it began."""

    version: int
    began: datetime
    """In UTC, to the second."""

    def __str__(self) -> str:
        return f"{self.version}!{self.began.astimezone(UTC):{_TIME}}"

    @classmethod
    def parse(cls, text: str) -> DeltaToken | None:
        """Return a token from its text, decoded; None for what is none."""
        found = _PASS.fullmatch(text)
        try:
            return cls(int(found[1]), datetime.strptime(found[2], _TIME).replace(tzinfo=UTC)) if found else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class SkipToken:
    """The next page of a pass: ``row`` and ``tombstone`` are those of ``toolkit.source.feed.Position``."""

    page: int
    full: bool
    row: int
    tombstone: int
    token: DeltaToken

    def __str__(self) -> str:
        place = f'<position full="{self.full:d}" row="{self.row}" tombstone="{self.tombstone}" pass="{self.token}" />'
        return f'<cookie pagenumber="{self.page}" pagingcookie="{encoded(encoded(place))}" istracking="True" />'

    @classmethod
    def parse(cls, text: str) -> SkipToken | None:
        """Return a token from its text, decoded once; None for what is none."""
        cookie = _COOKIE.fullmatch(text)
        place = cookie and _PLACE.fullmatch(unquote(unquote(cookie[2])))
        token = DeltaToken.parse(place[4]) if place else None
        if cookie is None or place is None or token is None:
            return None
        return cls(int(cookie[1]), place[1] == "1", int(place[2]), int(place[3]), token)


def encoded(text: str) -> str:
    """Return a text for an address as Dataverse writes it: every special character, in lower-case digits."""
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))
