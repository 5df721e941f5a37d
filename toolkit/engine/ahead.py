"""Working ahead: the next batch is read while the last one is formatted and written, and things are done in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from toolkit.source.protocol import Batch

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Ahead(Protocol):
    """Does the same to several things, and yields the results in their order."""

    def __call__(self, work: Callable[[_Item], _Done], items: Iterable[_Item]) -> Iterator[_Done]:
        """Yield the results."""
        ...


def in_turn(work: Callable[[_Item], _Done], items: Iterable[_Item]) -> Iterator[_Done]:
    """Do the same to several things, one after the other."""
    return map(work, items)


def done_ahead(
    pool: ThreadPoolExecutor, most: int, work: Callable[[_Item], _Done], items: Iterable[_Item]
) -> Generator[_Done]:
    """Do the same to several things, ``most`` at once, and yield the results in their order.

    No more results than that wait to be taken.
    """
    coming: deque[Future[_Done]] = deque()
    try:
        for item in items:
            coming.append(pool.submit(work, item))
            if len(coming) > most:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        for each in coming:
            each.cancel()


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
