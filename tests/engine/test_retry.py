"""The retry policy of a config in a sync."""

from __future__ import annotations

import pytest

from tests.engine.world import Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine import Patience, Retry
from toolkit.errors import Forbidden, Retriable
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import RetryPolicy


class Waits:
    """Notes waits, and what was told of them; says stop after the ``last`` one."""

    def __init__(self, last: int = 100) -> None:
        self.told: list[tuple[float, int, int, list[str]]] = []
        self.waits: list[float] = []
        self.last = last

    def tell(self, retry: Retry) -> None:
        self.told.append((retry.seconds, retry.number, retry.most, [each.entity for each in retry.failed]))

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) == self.last

    @property
    def patience(self) -> Patience:
        return Patience(self.wait, self.tell)


def busy(world: World, times: int, after: float = 1) -> None:
    for _ in range(times):
        world.source.fail("account", Retriable("SRC009", "busy", after=after))


def set_policy(world: World, **policy: int) -> None:
    world.configure(retry=RetryPolicy(**policy))


def test_what_fails_in_passing_is_tried_again_and_the_others_are_not(world: World) -> None:
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    insert_account(world.source, "a")
    busy(world, 2)
    waits = Waits()
    report = world.sync(patience=waits.patience)
    assert waits.told == [(5, 1, 12, ["account"]), (5, 2, 12, ["account"])]
    assert [(each.entity, each.written, each.error) for each in report.entities] == [
        ("account", 1, None),
        ("teammembership", 0, None),
    ]
    assert (report.failing, report.recovered, report.manifest) == ((), (), True)


def test_it_is_given_up_after_as_many_times_as_the_policy_says(world: World) -> None:
    set_policy(world, max_count=3, interval_seconds=7)
    busy(world, 10)
    waits = Waits()
    report = world.sync(patience=waits.patience)
    assert waits.waits == [7, 7, 7]
    assert report.failing == ("account",)
    assert [each.error.code for each in report.failed if each.error] == ["SRC009"]


def test_the_source_may_ask_for_longer_waits(world: World) -> None:
    busy(world, 1, after=40)
    waits = Waits()
    world.sync(patience=waits.patience)
    assert waits.waits == [40]


def test_all_waits_of_a_sync_together_are_two_minutes_at_most(world: World) -> None:
    busy(world, 10, after=50)
    waits = Waits()
    assert len(world.sync(patience=waits.patience).failed) == 1
    assert waits.waits == [50, 50]


def test_a_stop_ends_the_waiting(world: World) -> None:
    busy(world, 10)
    waits = Waits(last=1)
    assert len(world.sync(patience=waits.patience).failed) == 1
    assert waits.waits == [5]


@pytest.mark.parametrize("most", [0, 12])
def test_what_does_not_pass_is_not_tried_again(world: World, most: int) -> None:
    set_policy(world, max_count=most)
    failure = Forbidden("SRC010", "no") if most else Retriable("SRC009", "busy", after=1)
    world.source.fail("account", failure)
    waits = Waits()
    assert len(world.sync(patience=waits.patience).failed) == 1
    assert waits.waits == []


def test_a_failure_that_lasts_is_told_when_it_begins_and_when_it_ends(world: World) -> None:
    world.source.fail("account", Forbidden("SRC010", "no"))
    world.source.fail("account", Forbidden("SRC010", "no"))
    turns = [(report.failing, report.recovered) for report in (world.sync(), world.sync(), world.sync(), world.sync())]
    assert turns == [(("account",), ()), ((), ()), ((), ("account",)), ((), ())]


def test_an_entity_that_recovers_when_it_is_tried_again_had_failed_before(world: World) -> None:
    busy(world, 2)
    assert world.sync().failing == ("account",)
    report = world.sync(patience=Waits().patience)
    assert (report.failing, report.recovered) == ((), ("account",))


def test_a_lost_manifest_and_lost_snapshots_that_are_made_again_are_told(world: World) -> None:
    insert_account(world.source, "a")
    (snapshot,) = world.sync().by_entity["account"].snapshots
    world.lake.delete("model.json")
    report = world.sync()
    assert (report.manifest, report.restored, report.mended, report.eventful) == (True, True, (), True)
    world.lake.delete(snapshot)
    world.lake.delete("_toolkit/status.json")
    report = world.sync()
    assert (report.manifest, report.mended, report.eventful) == (False, (snapshot,), True)
    assert not world.sync().eventful


def test_the_first_manifest_is_not_told_as_one_that_was_lost() -> None:
    clock = Clock()
    world = World(source_of(clock), MemoryLake(clock=clock), clock, link(linked_entity("account")))
    report = world.sync()
    assert (report.manifest, report.restored) == (True, False)
    world.lake.delete("model.json")
    report = world.sync()
    assert (report.manifest, report.restored) == (True, True)
