"""Requests and answers of the storage service, as values: nothing here knows of sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from urllib.parse import unquote
from xml.sax.saxutils import escape

from tests.lake.dfs.facts import Held

Half = Literal["dfs", "blob"]
"""The endpoint of an account that a request went to. Both serve the same files."""

VERSION = "2026-02-06"


@dataclass(frozen=True)
class Request:
    """A request as it came in. Names of headers and of query parameters are in lower case."""

    method: str
    half: Half
    target: str
    """The path of the address as it was sent: percent-encoded, with the segment that names the endpoint."""
    file_system: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    secure: bool = False
    """Whether it came over TLS."""

    @cached_property
    def kind(self) -> str:
        """What the request is about, for the choice of who answers it."""
        query = self.query
        return query.get("restype") or query.get("resource") or query.get("comp") or query.get("action") or ""

    def number(self, name: str) -> int:
        """Return a query parameter that is a number."""
        value = self.query.get(name, "")
        if not value.isdigit():
            raise Refusal(400, "InvalidQueryParameterValue", f"{name} is no number")
        return int(value)

    def flag(self, name: str) -> bool:
        """Return a query parameter that is true or false."""
        return self.query.get(name, "false").lower() == "true"


@dataclass(frozen=True)
class Answer:
    """What the service says. Names of headers as they are sent."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Refusal(Exception):
    """The service does not do it."""

    def __init__(self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message or code
        self.headers = headers or {}

    def answer(self, request: Request, holds: Held) -> Answer:
        """Spell it as the endpoint does: JSON on dfs, XML on blob, and only headers for HEAD and 304."""
        headers = {"x-ms-error-code": self.code, **self.headers}
        if request.method == "HEAD" or self.status == 304:
            return Answer(self.status, headers)
        if (request.half == "dfs") == holds("errors-are-json-or-xml"):
            body = json.dumps({"error": {"code": self.code, "message": self.message}}).encode()
            return Answer(self.status, {**headers, "Content-Type": "application/json;charset=utf-8"}, body)
        text = f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        body = f'\ufeff<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
        return Answer(self.status, {**headers, "Content-Type": "application/xml"}, body)


def place(target: str) -> tuple[Half, str, str]:
    """Return the endpoint, the file system and the path that an address names.

    Addresses have the form that emulators use, with the name of the endpoint as the first segment of the path.
    """
    endpoint, _, rest = target.lstrip("/").partition("/")
    file_system, _, path = rest.partition("/")
    half: Half = "blob" if ".blob." in endpoint else "dfs"
    return half, unquote(file_system), unquote(path).rstrip("/")


def parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query, their names in lower case. A plus is a plus."""
    pairs = (each.partition("=") for each in query.split("&") if each)
    return {unquote(name).lower(): unquote(value) for name, _, value in pairs}
