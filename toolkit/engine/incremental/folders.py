"""Names and places of incremental folders, and the two files that say which of them are whole.

A folder is named by the second at which it was opened. ``Changelog/changelog.info`` holds the bare name of the folder
in progress; readers take the folders strictly below it. ``Changelog/Synapse.log`` lists those that are closed, with
commas between them. A folder's ``model.json`` is the last of its files to come and the first to go.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.engine.partitions import part_name

CHANGELOG_PATH = "Changelog/changelog.info"
LOG_PATH = "Changelog/Synapse.log"

NO_YEAR = "1900"
"""The partition of rows without ``createdon``, delete rows among them, as public readers describe it."""

_NAME = "%Y-%m-%dT%H.%M.%SZ"


def folder_name(opened: datetime) -> str:
    """Return the name of a folder that is opened at a time, in UTC."""
    return opened.strftime(_NAME)


def opened_at(folder: str) -> datetime:
    """Return when a folder was opened."""
    return datetime.strptime(folder, _NAME).replace(tzinfo=UTC)


def is_folder(name: str) -> bool:
    """Return whether a folder of the lake's root has the name of an incremental one."""
    try:
        opened_at(name)
    except ValueError:
        return False
    return True


def next_folder(last: str | None, now: datetime) -> str:
    """Return the name of the folder that is opened now: above every earlier one, whatever the clock says."""
    if last is not None:
        now = max(now, opened_at(last) + timedelta(seconds=1))
    return folder_name(now)


def file_path(folder: str, entity: str, partition: str, number: int) -> str:
    """Return where a file of a folder is. What ``model.json`` calls it is the name of the file, as readers expect."""
    return f"{folder}/{entity}/{part_name(partition, number)}.csv"


def model_path(folder: str) -> str:
    """Return where the ``model.json`` of a folder is."""
    return f"{folder}/{MANIFEST_PATH}"


def log(folders: Iterable[str]) -> bytes:
    """Return ``Synapse.log``."""
    return ",".join(folders).encode()
