from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from operator import attrgetter

import pyarrow as pa
import pytest

from toolkit.engine.ahead import done_ahead, read_ahead
from toolkit.errors import SourceError
from toolkit.source.protocol import Batch, Cursor

CURSOR = attrgetter("resume")
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
    return list(read_ahead(iter(given), CURSOR))


def test_batches_come_in_their_order() -> None:
    assert cursors(Given(5)) == ["1", "2", "3", "4", "5"]


def test_no_batch_is_none() -> None:
    assert cursors(Given(0)) == []


def test_a_pass_of_one_batch_needs_no_thread() -> None:
    given = Given(1)
    cursors(given)
    assert given.threads == {threading.get_ident()}


def test_at_most_one_batch_is_prepared_ahead_and_one_more_is_read() -> None:
    given, prepared = Given(9), list[str]()
    with closing(read_ahead(iter(given), lambda batch: prepared.append(batch.resume))) as batches:
        next(batches)
        next(batches)
    assert prepared == ["1", "2", "3"]
    assert given.asked == 4


def test_a_batch_is_read_while_the_one_before_is_prepared_and_the_one_before_that_is_at_work() -> None:
    given, third_is_read = Given(3), threading.Event()

    def read() -> Iterator[Batch]:
        for batch in given:
            if batch.final:
                third_is_read.set()
            yield batch

    def prepare(batch: Batch) -> bool:
        return batch.resume != "2" or third_is_read.wait(10)

    assert list(read_ahead(read(), prepare)) == [True, True, True]


def test_what_cannot_be_prepared_fails_behind_the_batches_before_it() -> None:
    with closing(read_ahead(iter(Given(5)), lambda batch: 2 // (3 - int(batch.resume)))) as batches:
        assert [next(batches), next(batches)] == [1, 2]
        with pytest.raises(ZeroDivisionError):
            next(batches)


def test_a_failure_comes_behind_the_batches_before_it() -> None:
    with closing(read_ahead(iter(Given(5, fails=3)), CURSOR)) as batches:
        assert [next(batches), next(batches)] == ["1", "2"]
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


def test_nothing_is_at_work_any_more_once_it_is_closed() -> None:
    ended: list[int] = []

    def work(number: int) -> None:
        threading.Event().wait(0.05)
        ended.append(number)

    with ThreadPoolExecutor(2) as pool:
        results = done_ahead(pool, 2, work, range(9))
        next(results)
        results.close()
        before = len(ended)
    assert len(ended) == before


def test_a_failure_comes_where_its_result_would() -> None:
    with ThreadPoolExecutor(2) as pool:
        results = done_ahead(pool, 2, [10, 20].__getitem__, [0, 1, 2])
        assert [next(results), next(results)] == [10, 20]
        with pytest.raises(IndexError):
            next(results)
