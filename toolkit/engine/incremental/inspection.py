"""Inspection of incremental folders: whether readers find what the record says, and nothing else. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from toolkit.engine.columns import Column, Kind
from toolkit.engine.incremental.folders import CHANGELOG_PATH, LOG_PATH, is_folder, log, model_path
from toolkit.engine.incremental.keys import read_run
from toolkit.engine.incremental.record import Record, read_record
from toolkit.engine.index import readable
from toolkit.errors import Damaged
from toolkit.lake.protocol import Lake


class Flaw(StrEnum):
    """What is wrong with a file or a folder."""

    HEAD = "does not say what was committed"
    MODEL = "is gone, or cannot be read"
    FILE = "is named by the model.json of its folder, and is not there"
    CONTENT = "does not hold whole records of its columns"
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


def content_faults(lake: Lake) -> Iterator[FolderFault]:
    """Yield which files of closed folders cannot be read as records: all of them are read.

    No digest of them is kept, so a value that was written over within its record is not found.
    """
    record, _ = read_record(lake)
    for folder in record.folders if record else ():
        for path, columns in _files(lake, folder):
            if lake.stat(path) is not None and not readable(lake, path, columns):
                yield FolderFault(path, Flaw.CONTENT)


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
    if _entities(lake, folder) is None:
        yield FolderFault(model_path(folder), Flaw.MODEL)
    for file, _ in _files(lake, folder):
        if file not in there:
            yield FolderFault(file, Flaw.FILE)


def _entities(lake: Lake, folder: str) -> list[dict[str, Any]] | None:
    """Return the entities that a folder's model.json lists; None where there is none that can be read."""
    path = model_path(folder)
    try:
        return list(json.loads(lake.read(path))["entities"]) if lake.stat(path) is not None else None
    except (ValueError, KeyError, TypeError):
        return None


def _files(lake: Lake, folder: str) -> Iterator[tuple[str, tuple[Column, ...]]]:
    """Yield the files that a folder's model.json names, with their columns."""
    for entity in _entities(lake, folder) or ():
        columns = tuple(Column(name=each["name"], kind=Kind.STRING) for each in entity["attributes"])
        for partition in entity["partitions"]:
            yield f"{folder}/{entity['name']}/{partition['name']}.csv", columns


def _strangers(record: Record, there: set[str]) -> list[str]:
    known = {record.open, *record.folders, *record.leaving}
    return sorted({path.partition("/")[0] for path in there} - known)
