"""Where a page ends and the next one begins: what the last row sorts by, in a text that clients hand back."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from toolkit.organization.database import Scalar
from toolkit.server.call import ODataError, bad_request


@dataclass(frozen=True, slots=True)
class Cookie:
    """The number of the page that begins after a row with these values."""

    page: int
    values: tuple[Scalar, ...]

    def __str__(self) -> str:
        """Write it as Dataverse does, as an element whose attribute is encoded twice; nobody should look inside."""
        return f'<cookie pagenumber="{self.page}" pagingcookie="{quote(quote(self.inner))}" istracking="False" />'

    @property
    def inner(self) -> str:
        """The part that says where the page begins."""
        return base64.urlsafe_b64encode(json.dumps(self.values).encode()).decode()


def parse(text: str) -> Cookie:
    """Read what ``str`` of a cookie wrote. Raises ODataError (400)."""
    found = re.fullmatch(r'<cookie pagenumber="(\d{1,9})" pagingcookie="([^"]*)" istracking="False" />', text)
    if found is None:
        raise _wrong()
    return Cookie(int(found[1]), values(unquote(unquote(found[2]))))


def values(inner: str) -> tuple[Scalar, ...]:
    """Read the part of a cookie that says where a page begins. Raises ODataError (400)."""
    try:
        read = json.loads(base64.urlsafe_b64decode(inner.encode()))
    except ValueError as error:
        raise _wrong() from error
    if not isinstance(read, list) or not all(isinstance(each, str | int | float) for each in read):
        raise _wrong()
    return tuple(read)


def _wrong() -> ODataError:
    return bad_request("the paging cookie is none that this server gave")
