"""Inspection of incremental folders: whether readers find what the record says, and nothing else. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from toolkit.engine.incremental.folders import CHANGELOG_PATH, LOG_PATH, is_folder, log, model_path
from toolkit.engine.incremental.keys import read_run
from toolkit.engine.incremental.record import Record, read_record
from toolkit.errors import Damaged
from toolkit.lake.protocol import Lake


class Flaw(StrEnum):
    """What is wrong with a file or a folder."""

    HEAD = "does not say what was committed"
    MODEL = "is gone, or cannot be read"
    FILE = "is named by the model.json of its folder, and is not there"
    STRANGER = "is a folder that was never committed"


@dataclass(frozen=True, slots=True)
class FolderFault:
    """A file or a folder that is not as it should be."""

    path: str
    flaw: Flaw


def folder_faults(lake: Lake) -> Iterator[FolderFault]:
    """Yield what is wrong with the folders of a lake, oldest first. Raises Damaged where the record cannot be read."""
    record, _ = read_record(lake)
    if record is None:
        return
    heads = {LOG_PATH: log(record.folders), CHANGELOG_PATH: record.open.encode()}
    for path, data in heads.items():
        if lake.stat(path) is None or lake.read(path) != data:
            yield FolderFault(path, Flaw.HEAD)
    there = {stat.path for stat in lake.list("") if is_folder(stat.path.partition("/")[0])}
    for folder in record.folders:
        yield from _of_folder(lake, folder, there)
    yield from (FolderFault(folder, Flaw.STRANGER) for folder in _strangers(record, there))


def key_faults(lake: Lake) -> Iterator[Damaged]:
    """Yield what is wrong with the keys of the entities: all of them are read."""
    record, _ = read_record(lake)
    for exported in record.entities.values() if record else ():
        for run in exported.keys:
            try:
                read_run(lake, run)
            except Damaged as error:
                yield error


def _of_folder(lake: Lake, folder: str, there: set[str]) -> Iterator[FolderFault]:
    path = model_path(folder)
    try:
        entities = json.loads(lake.read(path))["entities"] if path in there else None
    except (ValueError, KeyError, TypeError):
        entities = None
    if entities is None:
        yield FolderFault(path, Flaw.MODEL)
        return
    for entity in entities:
        for partition in entity["partitions"]:
            file = f"{folder}/{entity['name']}/{partition['name']}.csv"
            if file not in there:
                yield FolderFault(file, Flaw.FILE)


def _strangers(record: Record, there: set[str]) -> list[str]:
    known = {record.open, *record.folders, *record.leaving}
    return sorted({path.partition("/")[0] for path in there} - known)
