from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.engine.world import ACCOUNT, START, Clock, World, insert_account
from toolkit.engine.columns import columns_of
from toolkit.engine.scratch import Scratch
from toolkit.engine.spool import Layout, Spool
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import Staged, Writer
from toolkit.model.config import PartitionStrategy
from toolkit.source.scripted import ScriptedSource


class Counted:
    """A writer that counts as open until it is closed or sealed; closing it may fail."""

    def __init__(self, inner: Writer, ended: Callable[[], None], *, stuck: bool) -> None:
        self._inner, self._ended, self._stuck = inner, ended, stuck
        self.write, self.hand_over, self.flush = inner.write, inner.hand_over, inner.flush
        self.copy, self.copy_ranges = inner.copy, inner.copy_ranges

    def seal(self) -> Staged:
        self._ended()
        return self._inner.seal()

    def close(self) -> None:
        self._ended()
        if self._stuck:
            raise OSError("disk")


class CountingLake(MemoryLake):
    """A lake that knows how many staged files are open, and how many were at most."""

    def __init__(self, *, stuck: bool = False, clock: Clock | None = None) -> None:
        super().__init__(clock=clock or Clock())
        self.stuck = stuck
        self.open: set[str] = set()
        self.most = 0

    def stage(self, run: str, name: str, size: int = 0) -> Writer:
        self.open.add(name)
        self.most = max(self.most, len(self.open))
        return Counted(super().stage(run, name, size), lambda: self.open.discard(name), stuck=self.stuck)


def month(number: int) -> datetime:
    return datetime(1900 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def test_a_first_sync_of_many_months_opens_few_files_at_once(source: ScriptedSource, world: World) -> None:
    lake = CountingLake(clock=world.clock)
    world.lake = lake
    for number in range(150):
        insert_account(source, f"{number}", month(number))
        insert_account(source, f"{number} again", month(number))
    assert len(world.sync().by_entity["account"].partitions) == 150
    assert (lake.most, lake.open) == (121, set())
    assert [row[4] for row in world.rows("account/1900-01.csv")] == ["0", "0 again"]
    assert [row[4] for row in world.rows("account/1912-06.csv")] == ["149", "149 again"]
    assert len(world.live("account")) == 300


def test_every_file_is_closed_though_closing_one_fails(source: ScriptedSource) -> None:
    lake = CountingLake(stuck=True)
    layout = Layout("account", "accountid", columns_of(ACCOUNT), PartitionStrategy.MONTH, START)
    for number in range(3):
        insert_account(source, "a", month(number))
    with closing(Scratch()) as scratch:
        spool = Spool(lake, "run", layout, scratch, split=True, limit=1 << 20)
        batch = next(source.changes("account", None, None))
        spool.add(spool.formatted(batch, lambda batch: batch))
        with pytest.raises(OSError, match="disk"):
            spool.close()
    assert lake.open == set()
