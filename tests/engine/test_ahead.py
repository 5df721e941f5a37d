from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyarrow as pa
import pytest

from toolkit.engine.ahead import done_ahead, read_ahead
from toolkit.errors import SourceError
from toolkit.source.protocol import Batch, Cursor

ROWS = pa.RecordBatch.from_pydict({"number": [1]})


class Given:
    """Batches, of which it is known how many were asked for, and by which threads."""

    def __init__(self, count: int, fails: int | None = None) -> None:
        self.asked = 0
        self.threads: set[int] = set()
        self._count, self._fails = count, fails

    def __iter__(self) -> Iterator[Batch]:
        for number in range(1, self._count + 1):
            self.asked = number
            self.threads.add(threading.get_ident())
            if number == self._fails:
                raise SourceError("SRC002", "no more")
            yield Batch(ROWS, (), Cursor(str(number)), final=number == self._count)


def cursors(given: Given) -> list[str]:
    return [batch.resume for batch in read_ahead(iter(given))]


def test_batches_come_in_their_order() -> None:
    assert cursors(Given(5)) == ["1", "2", "3", "4", "5"]


def test_no_batch_is_none() -> None:
    assert cursors(Given(0)) == []


def test_a_pass_of_one_batch_needs_no_thread() -> None:
    given = Given(1)
    cursors(given)
    assert given.threads == {threading.get_ident()}


def test_at_most_one_batch_is_read_ahead() -> None:
    given = Given(9)
    with closing(read_ahead(iter(given))) as batches:
        next(batches)
        next(batches)
    assert given.asked == 3


def test_a_failure_comes_behind_the_batches_before_it() -> None:
    with closing(read_ahead(iter(Given(5, fails=3)))) as batches:
        assert [next(batches).resume, next(batches).resume] == ["1", "2"]
        with pytest.raises(SourceError, match="no more"):
            next(batches)


def test_several_things_are_done_at_once_and_their_results_come_in_order() -> None:
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(10)
        return number * 10

    with ThreadPoolExecutor(2) as pool:
        assert list(done_ahead(pool, 2, work, range(4))) == [0, 10, 20, 30]


def test_nothing_more_is_begun_once_nobody_takes_the_results() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        results = done_ahead(pool, 1, begun.append, range(100))
        next(results)
        results.close()
    assert len(begun) <= 3


def test_a_failure_comes_where_its_result_would() -> None:
    with ThreadPoolExecutor(2) as pool:
        results = done_ahead(pool, 2, [10, 20].__getitem__, [0, 1, 2])
        assert [next(results), next(results)] == [10, 20]
        with pytest.raises(IndexError):
            next(results)
