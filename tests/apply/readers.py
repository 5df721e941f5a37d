"""A reader who follows ``model.json``."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from toolkit.lake.protocol import Lake


def read(lake: Lake, entity: str, manifest: bytes | None = None) -> list[dict[str, str]]:
    """Return the rows of an entity, in the order of their ids; none where the manifest has no such entity."""
    found = json.loads(lake.read("model.json") if manifest is None else manifest)["entities"]
    rows = [row for each in found if each["name"] == entity for row in _rows(lake, each)]
    return sorted(rows, key=lambda row: (row["Id"], int(row["versionnumber"]), row["IsDelete"]))


def entries(lake: Lake) -> dict[str, str]:
    """Return what the manifest says of each entity."""
    found = json.loads(lake.read("model.json"))["entities"] if lake.stat("model.json") else []
    return {entity["name"]: json.dumps(entity) for entity in found}


def _rows(lake: Lake, entity: dict[str, Any]) -> list[dict[str, str]]:
    columns = [attribute["name"] for attribute in entity["attributes"]]
    head = lake.location("x").removesuffix("x")
    paths = [partition["location"].removeprefix(head) for partition in entity["partitions"]]
    texts = (lake.read(path).decode() for path in paths)
    return [dict(zip(columns, row, strict=True)) for text in texts for row in csv.reader(io.StringIO(text))]
