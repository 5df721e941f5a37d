"""An answer of the Web API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers by name in lower case, and the body as it was sent, unzipped."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Return the body as JSON, numbers with a point as Decimal. Raises ValueError where it is none."""
        return self._parsed

    @property
    def next_link(self) -> str | None:
        """The opaque address of the next page; None on the last one."""
        return self._link("@odata.nextLink")

    @property
    def delta_link(self) -> str | None:
        """The opaque address of the changes since; None but on the last page of a tracked read."""
        return self._link("@odata.deltaLink")

    @property
    def entity_id(self) -> str | None:
        """The address of the row that was created or changed; None where the answer names none."""
        return self.headers.get("odata-entityid")

    @cached_property
    def _parsed(self) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(self.content, parse_float=Decimal)

    def _link(self, name: str) -> str | None:
        found = self._parsed.get(name) if isinstance(self._parsed, dict) else None
        return found if isinstance(found, str) else None
