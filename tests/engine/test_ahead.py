from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pytest

from toolkit.engine.ahead import read_ahead
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
