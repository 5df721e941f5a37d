"""Style: in which form files hold what they hold. ``output.header`` and ``output.times`` of a config choose it.

This is the one place that says what a header is, and how ISO times differ from those of the service:

    header    the first line of a file has the names of its columns, with commas between them
    iso       SinkCreatedOn and SinkModifiedOn are ``2026-03-01T16:21:09Z``, and createdon ends in ``Z`` as all other
              times do; a day keeps its form, since it is no instant
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from toolkit.engine.columns import Column, Kind, header_line
from toolkit.model.base import Frozen
from toolkit.model.config import Output, Times
from toolkit.model.shape import Shape


class Style(Frozen):
    """The form of an entity's files; the default is that of the service."""

    header: bool = False
    times: Times = Times.SERVICE

    @classmethod
    def of(cls, asked: Shape | Output) -> Style:
        """Return the style that a shape or a config asks for."""
        return cls(header=asked.header, times=asked.times)

    def head(self, columns: Sequence[Column]) -> bytes:
        """Return what a file begins with, before its first record."""
        return header_line(columns) if self.header else b""

    def sink(self, time: datetime) -> str:
        """Spell the time of a pass, in UTC, without quotes."""
        return f"{time:%Y-%m-%dT%H:%M:%S}Z" if self.times is Times.ISO else sink_time(time)

    def spelled(self, column: Column) -> Column:
        """Return a column with the kind by which its values are spelled."""
        if column.kind is Kind.CREATED and self.times is Times.ISO:
            return column.model_copy(update={"kind": Kind.INSTANT})
        return column


SERVICE = Style()
"""The style of the service."""


def sink_time(time: datetime) -> str:
    """Spell the time of a pass as the service does: ``M/d/yyyy h:mm:ss tt``, in UTC."""
    hour = time.hour % 12 or 12
    return f"{time.month}/{time.day}/{time.year} {hour}:{time:%M:%S} {'AM' if time.hour < 12 else 'PM'}"
