"""The manifest: ``model.json`` as a pure function of the checkpoints (docs/formats.md, section model.json).

Its keys stand in the order in which the service writes them, and it is valid against Microsoft's schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from toolkit.engine.checkpoint import Checkpoint, Published, PublishedFile
from toolkit.engine.columns import DATA_TYPES, MAX_DECIMAL_DIGITS, Column, Kind
from toolkit.engine.partitions import manifest_name, year_of
from toolkit.engine.rows import SOURCE_SCALE
from toolkit.engine.style import Style, sink_time
from toolkit.lake.protocol import ABSENT, Fence, Lake

MANIFEST_PATH = "model.json"

_CSV = {
    "delimiter": ",",
    "quoteStyle": "QuoteStyle.Csv",
    "csvStyle": "CsvStyle.QuoteAlways",
    "encoding": "UTF-8",
}
_RAGGED = [
    {"traitReference": "is.partition.format.CSV", "arguments": [{"name": "raggedRight", "value": "true"}]},
]


Document = dict[str, Any]
"""A manifest, parsed."""


class Place(NamedTuple):
    """Where a file is now, and what the manifest calls it; no name: as before."""

    location: str
    name: str = ""


def document_from(data: bytes) -> Document | None:
    """Return a manifest, parsed; None where the file is none."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("entities"), list) else None


def manifest_bytes(document: Document) -> bytes:
    """Return a parsed manifest as a file."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def locations(document: Document) -> set[str]:
    """Return the locations that a manifest names."""
    return {partition["location"] for entity in document["entities"] for partition in entity["partitions"]}


def relocated(document: Document, places: Mapping[str, Place | None]) -> Document:
    """Return a manifest with the places of files that lie equally deep, by path; with None a file is named no more.

    A file is known by the end of its location: the lake may have been moved since the manifest was written.
    """
    depth = max((path.count("/") + 1 for path in places), default=1)
    return {**document, "entities": [_relocated(entity, places, depth) for entity in document["entities"]]}


def _relocated(entity: Document, places: Mapping[str, Place | None], depth: int) -> Document:
    partitions = []
    for each in entity["partitions"]:
        path = "/".join(each["location"].split("/")[-depth:])
        place = places.get(path, Place(each["location"]))
        if place is not None:
            partitions.append({**each, "name": place.name or each["name"], "location": place.location})
    return {**entity, "partitions": partitions}


def manifest(entries: Mapping[str, str]) -> bytes:
    """Return model.json of some entities, each as ``entry`` gives it."""
    entities = ",".join(text for _, text in sorted(entries.items()))
    return f'{{"name":"cdm","description":"cdm","version":"1.0","entities":[{entities}]}}'.encode()


def entry(
    checkpoint: Checkpoint, location: Callable[[str], str], named: Callable[[str, int], str] = manifest_name
) -> str:
    """Return what model.json says of an entity; ``location`` gives the address of a file, ``named`` calls a part.

    One whose first sync is not complete is listed without partitions. A retired one must be left out.
    """
    return _json(_entity(checkpoint, location, named))


def shown(checkpoint: Checkpoint, before: Mapping[str, str], location: Callable[[str], str]) -> str:
    """Return what model.json says of an entity of a link: while rows are missing, what it said before."""
    if checkpoint.mending and checkpoint.entity in before:
        return before[checkpoint.entity]
    return entry(checkpoint, location)


def entries_in(data: bytes) -> dict[str, str]:
    """Return the entries of a manifest by entity; none when it cannot be read."""
    try:
        return {entity["name"]: _json(entity) for entity in json.loads(data)["entities"]}
    except (ValueError, KeyError, TypeError):
        return {}


def names_in(data: bytes) -> set[str]:
    """Return the names of the entities of a manifest; none when it cannot be read."""
    try:
        return {str(entity["name"]) for entity in json.loads(data)["entities"]}
    except (ValueError, KeyError, TypeError):
        return set()


class ManifestFile:
    """The manifest as a session knows it."""

    def __init__(self, lake: Lake, fence: Fence) -> None:
        self._lake, self._fence = lake, fence
        self._data, self._etag = b"", ABSENT

    def read(self) -> None:
        """Know the file that is there."""
        stat = self._lake.stat(MANIFEST_PATH)
        if stat is not None:
            self._data, self._etag = self._lake.read(MANIFEST_PATH), stat.etag

    def write(self, data: bytes) -> bool:
        """Write the file where it differs, and return whether it did."""
        if data == self._data:
            return False
        self._fence.check()
        self._etag = self._lake.put(MANIFEST_PATH, data, self._etag)
        self._data = data
        return True

    def entries(self) -> dict[str, str]:
        """Return what it says of each entity."""
        return entries_in(self._data)

    def names(self) -> set[str]:
        """Return the entities that it lists."""
        return names_in(self._data)


def _json(entity: dict[str, Any]) -> str:
    return json.dumps(entity, ensure_ascii=False, separators=(",", ":"))


def _entity(checkpoint: Checkpoint, location: Callable[[str], str], named: Callable[[str, int], str]) -> dict[str, Any]:
    # What is published stands until the next snapshot takes its place as a whole.
    published = checkpoint.published or Published(columns=checkpoint.columns, strategy=checkpoint.strategy)
    completed = checkpoint.completed if checkpoint.published else None
    return {
        "$type": "LocalEntity",
        "name": checkpoint.entity,
        "description": checkpoint.entity,
        "annotations": _annotations(published, completed),
        "attributes": [_attribute(column) for column in published.columns],
        "partitions": [_partition(file, published.style, location, named) for file in published.files],
    }


def _annotations(published: Published, completed: datetime | None) -> list[dict[str, str]]:
    state = [
        {"name": "Athena:PartitionGranularity", "value": published.strategy.value},
        {"name": "Athena:InitialSyncState", "value": "Completed" if completed else "InProgress"},
    ]
    if completed:
        state.append({"name": "Athena:InitialSyncDataCompletedTime", "value": sink_time(completed)})
    return state


def _attribute(column: Column) -> dict[str, Any]:
    length = column.length if column.length is not None else -1
    attribute: dict[str, Any] = {"name": column.name, "dataType": DATA_TYPES[column.kind], "maxLength": length}
    if traits := _traits(column):
        attribute["cdm:traits"] = traits
    return attribute


def _traits(column: Column) -> list[dict[str, Any]]:
    if column.kind is Kind.STRING and column.length is not None:
        return [_trait("is.constrained", maximumLength=column.length)]
    if column.kind is Kind.DECIMAL:
        scale = SOURCE_SCALE if column.scale is None else column.scale
        return [_trait("is.dataFormat.numeric.shaped", precision=MAX_DECIMAL_DIGITS, scale=scale)]
    return []


def _trait(name: str, **arguments: int) -> dict[str, Any]:
    return {"traitReference": name, "arguments": [{"name": key, "value": value} for key, value in arguments.items()]}


def _partition(
    file: PublishedFile, style: Style, location: Callable[[str], str], named: Callable[[str, int], str]
) -> dict[str, Any]:
    return {
        "name": named(file.partition, file.number),
        "location": location(file.path),
        "cdm:traits": _RAGGED,
        "fileFormatSettings": {"$type": "CsvFormatSettings", "columnHeaders": style.header, **_CSV},
        "annotations": [{"name": "Athena:PartitionYear", "value": year_of(file.partition)}],
    }
