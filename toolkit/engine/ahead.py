"""Reading ahead: the next batch is read while the last one is formatted and written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from toolkit.source.protocol import Batch


def read_ahead(batches: Iterator[Batch]) -> Generator[Batch]:
    """Yield batches while a thread reads the next one; at most one waits. A pass of one batch needs no thread."""
    first = next(batches, None)
    if first is None:
        return
    if first.final:
        yield first
        return
    with ThreadPoolExecutor(1, "reader") as reader:
        coming = reader.submit(next, batches, None)
        yield first
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch
