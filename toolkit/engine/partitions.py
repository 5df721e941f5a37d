"""Which partition a row belongs to, and what its files are called (docs/formats.md).

A row belongs to the year or the month of its ``createdon``, in UTC. A row without one (an N:N entity has no such
column) belongs to the partition in which its id is already found, else to that of the time of the pass that first
writes it; so a replay, whose ids are found, goes where the row went before.
"""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toolkit.engine.arrays import Array, Places
from toolkit.errors import Refused
from toolkit.model.config import PartitionStrategy

UNPLACED = ""
"""The partition of rows that have no ``createdon``, until it is decided."""

SNAPSHOT_FOLDER = "Snapshot"
_LIVE = re.compile(r"[^/]+/(?P<partition>\d{4}(?:-\d{2})?)(?:_(?P<number>\d{3,}))?\.csv")
_SNAPSHOT = re.compile(
    rf"[^/]+/{SNAPSHOT_FOLDER}/(?P<partition>\d{{4}}(?:-\d{{2}})?)(?:-(?P<number>\d{{3,}}))?_(?P<second>\d+)\.csv"
)
_UNITS = {PartitionStrategy.YEAR: "datetime64[Y]", PartitionStrategy.MONTH: "datetime64[M]"}
_NO_TIME = np.iinfo(np.int64).min
"""Numpy's own not-a-time."""
_MONTH = len("2018-05")
_FORMATS = {PartitionStrategy.YEAR: "%Y", PartitionStrategy.MONTH: "%Y-%m"}


def require_known(strategy: PartitionStrategy, entity: str) -> None:
    """Refuse a strategy whose file names are not known."""
    if not strategy.known:
        raise Refused(
            "ENG001",
            f"{entity} has the partition strategy {strategy}, whose file names are not known",
            where=entity,
            fix="choose Month or Year",
        )


def partition_of(time: datetime, strategy: PartitionStrategy) -> str:
    """Return the partition of an instant in UTC: ``2018`` or ``2018-05``."""
    return time.strftime(_FORMATS[strategy])


def partitions_of(created: Array, strategy: PartitionStrategy) -> tuple[tuple[str, ...], Places]:
    """Return the partitions of some rows by ``createdon`` (a time or a day), and for each row which it is in.

    Rows whose ``createdon`` is null are UNPLACED.
    """
    times = created.cast(pa.timestamp("us"))
    micros = np.asarray(times.cast(pa.int64()).fill_null(_NO_TIME).to_numpy(zero_copy_only=False), np.int64)
    units, codes = np.unique(micros.view("datetime64[us]").astype(_UNITS[strategy]), return_inverse=True)
    return tuple(UNPLACED if np.isnat(unit) else str(unit) for unit in units), codes


def recut(data: bytes, starts: Places, stops: Places, strategy: PartitionStrategy, old: str) -> npt.NDArray[np.str_]:
    """Return the partitions of rows that were in the partition ``old`` of another strategy.

    Their ``createdon`` lies between ``starts`` and ``stops``, in quotes. Rows without one go to the first month of
    their year.
    """
    year = old[:4]
    if strategy is PartitionStrategy.YEAR:
        return np.full(len(starts), year)
    months = np.full(len(starts), f"{year}-01")
    given = np.flatnonzero(stops - starts > _MONTH)
    letters = np.frombuffer(data, np.uint8)[starts[given, None] + 1 + np.arange(_MONTH)]
    months[given] = np.ascontiguousarray(letters).view(f"S{_MONTH}").ravel().astype(np.str_)
    return months


def part_name(partition: str, number: int) -> str:
    """Return the name of a part in file names: the partition, or ``<partition>_<nnn>`` for a further part."""
    return partition if number == 0 else f"{partition}_{number:03d}"


def live_path(entity: str, partition: str, number: int) -> str:
    """Return where a part's live file is."""
    return f"{entity}/{part_name(partition, number)}.csv"


def snapshot_path(entity: str, partition: str, number: int, second: int) -> str:
    """Return where a part's snapshot is. Readers cut at the underscore, so a further part has a hyphen before it."""
    return f"{entity}/{SNAPSHOT_FOLDER}/{manifest_name(partition, number)}_{second}.csv"


def part_of(path: str) -> tuple[str, int] | None:
    """Return the partition and the number of the part whose live file is at a path; None where it is no such path."""
    match = _LIVE.fullmatch(path)
    return (match["partition"], int(match["number"] or 0)) if match else None


def snapshot_of(path: str) -> tuple[str, int, int] | None:
    """Return partition, number and second of the snapshot at a path; None where it is no such path."""
    match = _SNAPSHOT.fullmatch(path)
    return (match["partition"], int(match["number"] or 0), int(match["second"])) if match else None


def entity_of(path: str) -> str:
    """Return the entity whose live file or snapshot is at a path."""
    return path.partition("/")[0]


def manifest_name(partition: str, number: int) -> str:
    """Return what model.json calls a part."""
    return part_name(partition, number).replace("_", "-")


def year_of(partition: str) -> str:
    """Return the year of a partition, for its annotation in model.json."""
    match = re.match(r"\d{4}", partition)
    return match[0] if match else partition
