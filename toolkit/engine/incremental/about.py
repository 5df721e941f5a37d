"""What a folder says of the entities in it, besides its model.json: the metadata files that the service writes.

The choice metadata of all entities is in every folder, from the moment that it is opened, since readers look it up in
the folder in progress. What is said of one entity is in the folders that hold something of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from toolkit.engine.checkpoint import PublishedFile
from toolkit.engine.incremental.ledger import model
from toolkit.engine.incremental.record import Exported
from toolkit.engine.metadata import described, description, description_path, model_path, tables
from toolkit.lake.protocol import Lake
from toolkit.model.entity import Entity


def choices(linked: Mapping[str, Exported], definitions: Mapping[str, Entity]) -> tuple[dict[str, bytes], str]:
    """Return the choice metadata of the linked entities by path in a folder, and its digest."""
    ids = _primary_ids(definitions)
    known = [(each, definitions[name]) for name, each in linked.items() if name in definitions]
    files = dict(tables(described(each.checkpoint, entity, ids) for each, entity in known))
    return files, sha256(b"".join(files.values())).hexdigest()


def about(
    exported: Exported, definitions: Mapping[str, Entity], files: Sequence[PublishedFile], lake: Lake
) -> Iterator[tuple[str, bytes]]:
    """Yield what is said of one entity with files in a folder, each by its path in the folder."""
    name = exported.checkpoint.entity
    yield model_path(name), model({name: exported}, {name: files}, lake)
    rows = described(exported.checkpoint, definitions[name], _primary_ids(definitions))
    yield description_path(name), description(rows)


def _primary_ids(definitions: Mapping[str, Entity]) -> dict[str, str]:
    return {name: entity.primary_id for name, entity in definitions.items()}
