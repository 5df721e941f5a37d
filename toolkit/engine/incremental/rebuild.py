"""Keys that were lost, made anew from the folders: as long as none was removed, they hold all that was exported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from toolkit.engine.columns import Column, Kind
from toolkit.engine.incremental.folders import model_path
from toolkit.engine.incremental.keys import NO_KEYS, Keys, merged, rebuilt_path, run_file, sorted_keys
from toolkit.engine.incremental.record import Exported
from toolkit.engine.index import scan
from toolkit.errors import Finding, Place, Severity
from toolkit.lake.protocol import Lake


def rebuilt(lake: Lake, exported: Exported, folders: Iterable[str], seq: int) -> Exported:
    """Return an entity with keys that its folders give, which are written beside those that were lost.

    Raises Damaged where a folder is not as it was written either.
    """
    entity, keys = exported.checkpoint.entity, NO_KEYS
    for folder in folders:
        for several in _of_folder(lake, folder, entity):
            keys = merged(keys, several)
    blocks, run = run_file(keys.take(~keys.gone), rebuilt_path(entity, seq))
    lake.put(run.path, b"".join(blocks), "any")
    return exported.model_copy(update={"keys": (run,)})


def notice(entity: str) -> Finding:
    """Return what to tell people."""
    return Finding(
        "ENG098",
        Severity.WARNING,
        f"the keys of {entity} were lost or damaged, and are made anew from the folders",
        Place(entity),
        "another program changed or removed a file, or an older copy of it was restored",
    )


def _of_folder(lake: Lake, folder: str, entity: str) -> Iterator[Keys]:
    for described in _described(lake, folder):
        if described["name"] == entity:
            # Only names count for a scan.
            columns = [Column(name=each["name"], kind=Kind.STRING) for each in described["attributes"]]
            for partition in described["partitions"]:
                entries = scan(lake, f"{folder}/{entity}/{partition['name']}.csv", columns)
                yield sorted_keys(entries.ids, entries.versions, entries.deletes)


def _described(lake: Lake, folder: str) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = json.loads(lake.read(model_path(folder)))["entities"]
    return entities
