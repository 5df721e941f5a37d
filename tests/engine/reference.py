"""The slow, obvious form of ``toolkit.engine.rows``: one value at a time, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from toolkit.engine.columns import Column, Kind


def record(row: Mapping[str, Any], columns: Sequence[Column], primary_id: str, sink: str) -> str:
    def field(column: Column) -> str:
        if column.kind is Kind.SINK:
            return f'"{sink}"'
        value = row.get(primary_id if column.name == "Id" else column.name)
        return "" if value is None or column.kind is Kind.DELETED else spelled(value, column)

    return ",".join(field(column) for column in columns) + "\n"


def spelled(value: Any, column: Column) -> str:
    match column.kind:
        case Kind.STRING:
            return '"' + str(value).replace("\r\n", "\n").replace('"', '""') + '"'
        case Kind.DECIMAL:
            scale = 10 if column.scale is None else column.scale
            return f"{Decimal(value):.{scale}f}"
        case Kind.INSTANT | Kind.WALL:
            return f'"{seconds(value)}.{value.microsecond:06d}0Z"'
        case Kind.CREATED:
            return f'"{seconds(value)}.{value.microsecond:06d}0+00:00"'
        case Kind.DAY:
            return f'"{value.year:04d}-{value.month:02d}-{value.day:02d}T00:00:00.0000000"'
        case _:
            return str(value)


def seconds(value: datetime) -> str:
    at = value.astimezone(UTC) if value.tzinfo else value
    day = date(at.year, at.month, at.day)
    return f"{day.year:04d}-{day.month:02d}-{day.day:02d}T{at.hour:02d}:{at.minute:02d}:{at.second:02d}"
