"""What an initial sync would read and write, from a count and a sample; nothing is written.

Requests are those of real services: the Web API gives at most 5,000 rows a page, and a lake takes a file as one
create, appends of up to 8 MiB, a flush and a rename. An embedded environment and a folder lake have none, and the
numbers say what the same link would ask for in the cloud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from toolkit.engine.arrays import contents
from toolkit.engine.columns import CREATED, columns_of
from toolkit.engine.partitions import partitions_of
from toolkit.engine.rows import format_rows
from toolkit.engine.settings import DEFAULTS
from toolkit.engine.shape import Shaping, shaping
from toolkit.engine.work import mode_of
from toolkit.model.config import LEAST_KEY, LinkedEntity, Output, PartitionStrategy
from toolkit.model.entity import Entity
from toolkit.model.shape import shape_of
from toolkit.site import MaskKey
from toolkit.source.protocol import Source

PAGE = 5000
"""Rows of a page at most. Source: the Web API's documentation."""
APPEND = 8 * 1024 * 1024
"""Bytes of an append. Source: the write path of this toolkit (docs/lake.md)."""
OF_A_FILE = 3
"""Requests of a file besides its appends: create, flush, rename."""
SAMPLE = 2000
"""Rows that are spelled to learn how long a record is."""
_ANY_KEY = MaskKey("", lambda _: "-" * LEAST_KEY)
"""Hashes are as long under one key as under another."""


@dataclass(frozen=True, slots=True)
class EntityEstimate:
    """What an initial sync of one entity takes, about: rows, bytes of live CSV, and requests.

    ``partitions`` is the most that there can be: from the oldest row of the sample, which the source gives first, to
    now. A snapshot of a folder lake is a hard link and takes no space; on a storage account it doubles the bytes.
    """

    entity: str
    rows: int
    bytes: int
    partitions: int
    source_requests: int
    lake_requests: int


def estimate(source: Source, linked: LinkedEntity, output: Output, entity: Entity, now: datetime) -> EntityEstimate:
    """Estimate the initial sync of an entity: of the rows that a filter lets through, as many as in the sample.

    Raises SourceError, and Refused for a strategy that is not known or a filter that does not fit.
    """
    count = source.size(entity.name)
    shaped = shaping(entity, shape_of(linked, output), _ANY_KEY)
    sample, share = _sample(source, shaped)
    rows = round(count * share)
    strategy = mode_of(linked, entity).strategy
    size = _row_size(sample, shaped.entity, now) * rows
    partitions = min(rows, _partitions(sample, strategy, now))
    files = partitions + int(size // DEFAULTS.part_limit)
    return EntityEstimate(
        entity.name,
        rows,
        round(size),
        partitions,
        # The count is a request, and so is the page of an entity without rows.
        source_requests=1 + math.ceil(max(count, 1) / PAGE),
        lake_requests=files * OF_A_FILE + math.ceil(size / APPEND),
    )


def _sample(source: Source, shaped: Shaping) -> tuple[pa.RecordBatch, float]:
    """Return the rows that the source gives first, as they are exported, and the share of them that is."""
    batch = next(source.changes(shaped.entity.name, shaped.read, None))
    given = replace(batch, rows=batch.rows.slice(0, SAMPLE))
    sample = shaped.shaped(given, full=True).rows
    return sample, sample.num_rows / max(given.rows.num_rows, 1)


def _row_size(sample: pa.RecordBatch, entity: Entity, now: datetime) -> float:
    if not sample.num_rows:
        return 0.0
    records = format_rows(sample, columns_of(entity), entity.primary_id, now)
    return len(contents(records.text)) / len(records)


def _partitions(sample: pa.RecordBatch, strategy: PartitionStrategy, now: datetime) -> int:
    if not sample.num_rows or CREATED not in sample.schema.names:
        return 1
    names, _ = partitions_of(sample.column(CREATED), strategy)
    oldest = min((name for name in names if name), default=f"{now:%Y-%m}")
    years = now.year - int(oldest[:4])
    months = 12 * years + now.month - int(oldest[5:7] or now.month)
    return 1 + max(0, months if strategy is PartitionStrategy.MONTH else years)
