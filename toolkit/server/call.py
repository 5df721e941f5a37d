"""A request and its answer, as plain values: what a handler takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from toolkit.errors import ToolkitError
from toolkit.server import exact_json

Headers = Mapping[str, str]

BAD_SEGMENT = "0x80060888"
"""Dataverse's code for a path, an entity set or an option that it does not know."""
BAD_PAYLOAD = "0x80048d19"
"""Dataverse's code for a body that it cannot read."""
NOT_SUPPORTED = "SRV001"
"""Ours: Dataverse does it, and this server does not."""


class ODataError(ToolkitError):
    """A refusal with its HTTP status. The code is Dataverse's where it has one."""

    def __init__(self, status: int, code: str, what: str, *, headers: Headers | None = None) -> None:
        super().__init__(code, what)
        self.status = status
        self.headers = headers or {}


def not_supported(what: str) -> ODataError:
    """Return the answer to what Dataverse does and this server does not: 501."""
    return ODataError(501, NOT_SUPPORTED, f"{what} is not supported by this server; see docs/web-api.md")


def bad_request(what: str, code: str = BAD_SEGMENT) -> ODataError:
    """Return a refusal of a request that nobody could do: 400."""
    return ODataError(400, code, what)


def no_resource(segment: str) -> ODataError:
    """Return the refusal of a path that leads nowhere, in Dataverse's words: 404."""
    return ODataError(404, BAD_SEGMENT, f"Resource not found for the segment '{segment}'.")


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``path`` is decoded and lies below ``/api/data/v9.2/``; names of ``headers`` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    """Options by name, decoded; a plus sign stands for a space."""
    headers: Headers
    body: bytes
    base: str
    """The address of the API as the client wrote it, with a slash at its end."""

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return the body; decimals are exact. Raises ODataError (400) when it is no JSON."""
        try:
            return exact_json.loads(self.body)
        except ValueError as error:
            raise bad_request(f"the body is no JSON: {error}", BAD_PAYLOAD) from error

    def object(self) -> dict[str, Any]:
        """Return the body, which has to be a JSON object. Raises ODataError (400)."""
        found = self.json()
        if not isinstance(found, dict):
            raise bad_request("the body is no JSON object", BAD_PAYLOAD)
        return found

    @property
    def prefer(self) -> Preferences:
        """What the client would like, from the headers ``Prefer``."""
        return Preferences.parse(self.headers.get("prefer", ""))


def query_of(text: str) -> dict[str, str]:
    """Return the options of a query string by name, decoded."""
    return dict(parse_qsl(text, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of a call, by name in lower case; the value of a bare one is empty."""

    values: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Preferences:
        """Read ``return=representation,odata.maxpagesize=5``; quotes may hold commas."""
        pairs = (part.partition("=") for part in _outside_quotes(text, ","))
        return cls({name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if name.strip()})

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str) -> str | None:
        """Return the value of a preference, or None when it was not given."""
        return self.values.get(name)

    def number(self, name: str) -> int | None:
        """Return the value of a preference as a number, or None when there is none."""
        value = self.values.get(name, "")
        return int(value) if value.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says."""

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def json(cls, value: object, status: int = 200, headers: Headers | None = None) -> Answer:
        """Return an answer with a JSON body; decimals keep their digits."""
        return cls.text(exact_json.dumps(value), status, headers)

    @classmethod
    def text(cls, body: bytes, status: int = 200, headers: Headers | None = None) -> Answer:
        """Return an answer whose body is JSON in UTF-8 already."""
        return cls(status, {"Content-Type": JSON, "OData-Version": "4.0", **(headers or {})}, body)

    @classmethod
    def none(cls, headers: Headers | None = None) -> Answer:
        """Return an answer without a body: 204."""
        return cls(204, {"OData-Version": "4.0", **(headers or {})})


JSON = "application/json; odata.metadata=minimal"


def _outside_quotes(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside of double quotes."""
    parts = [""]
    quoted = False
    for char in text:
        quoted ^= char == '"'
        if char == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return parts
