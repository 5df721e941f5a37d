"""Working ahead: a batch is read while the one before is formatted and the one before that is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from itertools import chain
from typing import Protocol, TypeVar, cast

from toolkit.source.protocol import Batch

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Ahead(Protocol):
    """Does the same to several things, and yields the results in their order."""

    def __call__(self, work: Callable[[_Item], _Done], items: Iterable[_Item]) -> Generator[_Done]:
        """Yield the results. Once it is closed nothing is at work any more."""
        ...


def in_turn(work: Callable[[_Item], _Done], items: Iterable[_Item]) -> Generator[_Done]:
    """Do the same to several things, one after the other."""
    yield from map(work, items)


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
        # What is at work may use files that whoever takes no more results closes next.
        wait([each for each in coming if not each.cancel()])


def read_ahead(batches: Iterator[Batch], prepare: Callable[[Batch], _Done]) -> Generator[_Done]:
    """Yield what is made of batches while a thread reads the next one, and another makes something of the last one.

    At most one batch and one of what is made wait. A pass of one batch needs no thread.
    """
    first = next(batches, None)
    if first is None:
        return
    if first.final:
        yield prepare(first)
        return
    with (
        closing(_one_ahead("reader", chain([first], batches))) as read,
        closing(_one_ahead("preparer", map(prepare, read))) as prepared,
    ):
        yield from prepared


def _one_ahead(name: str, items: Iterator[_Item]) -> Generator[_Item]:
    """Yield items while a thread gets the next one."""
    with ThreadPoolExecutor(1, name) as thread:
        end = object()
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield cast("_Item", item)
