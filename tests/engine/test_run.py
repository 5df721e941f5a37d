"""A run: what is polled when, what wakes it, how it rests after failures, and how it stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import cycle
from threading import Event

import pytest

from tests.engine.world import (
    ACCOUNT,
    HOLDER,
    START,
    TEAM,
    Clock,
    World,
    insert_account,
    link,
    linked_entity,
    source_of,
)
from toolkit.budget import Budget
from toolkit.engine import SyncReport, run, status
from toolkit.engine.attended import Attended
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.schedule import Schedule
from toolkit.errors import Forbidden, Partial, Retriable, SourceError
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import RetryPolicy
from toolkit.model.entity import Entity
from toolkit.source.protocol import Batch, Cursor
from toolkit.source.scripted import ScriptedSource


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


class Runs:
    """A run of a world under its clock, for so many seconds; ``when`` does something once the clock is there."""

    def __init__(self, world: World, seconds: float, when: Mapping[float, Callable[[], object]] | None = None) -> None:
        self.world, self.until = world, world.clock.now + at(seconds)
        self.begin = world.clock.now
        self.when = dict(when or {})
        self.reports: list[tuple[float, SyncReport]] = []

    def wait(self, seconds: float) -> bool:
        self.world.clock.now += at(seconds)
        for moment in [moment for moment in self.when if self.begin + at(moment) <= self.world.clock.now]:
            self.when.pop(moment)()
        return self.world.clock.now >= self.until

    def passed(self, report: SyncReport) -> None:
        self.reports.append(((self.world.clock.now - self.begin).total_seconds(), report))

    def go(self, budget: Budget | None = None, jitter: Callable[[], float] = lambda: 0.0) -> tuple[str, ...]:
        return run(
            lambda: self.world.linked,
            self.world.source,
            clock=self.world.clock,
            wait=self.wait,
            holder=HOLDER,
            trickle_seconds=10,
            budget=budget,
            jitter=jitter,
            passed=self.passed,
            settings=self.world.settings,
        )

    def times(self, entity: str = "account") -> list[float]:
        """When an entity was polled, in seconds since the begin."""
        return [round(time, 1) for time, report in self.reports if entity in report.by_entity]

    def wrote(self) -> list[float]:
        """When a pass changed something."""
        return [round(time, 1) for time, report in self.reports for each in report.entities if each.changed]


@pytest.fixture
def silent(clock: Clock) -> World:
    """The account in a source that does not tell of changes."""
    return World(source_of(clock, tells=False), MemoryLake(clock=clock), clock, link(linked_entity("account")))


# polling


def test_an_idle_entity_is_polled_ever_more_rarely_and_every_five_minutes_at_least(silent: World) -> None:
    runs = Runs(silent, 1500)
    runs.go()
    assert runs.times() == [0, 10, 30, 70, 150, 310, 610, 910, 1210]


def test_an_entity_that_changes_is_polled_at_the_trickle_interval_again(silent: World) -> None:
    runs = Runs(silent, 200, {100: lambda: insert_account(silent.source, "a")})
    runs.go()
    assert runs.times() == [0, 10, 30, 70, 150, 160, 180]
    assert runs.wrote() == [150]


def test_every_rest_is_lengthened_at_random(silent: World) -> None:
    runs = Runs(silent, 100)
    runs.go(jitter=lambda: 0.5)
    assert runs.times() == [0, 10.5, 31.5, 73.5]


def test_the_status_file_has_the_times_of_all_entities_that_are_polled_one_by_one(clock: Clock) -> None:
    linked = link(linked_entity("account"), linked_entity("teammembership"))
    tracked = TEAM.model_copy(update={"intersect": False})
    world = World(source_of(clock, ACCOUNT, tracked, tells=False), MemoryLake(clock=clock), clock, linked)
    world.source.fail("teammembership", Retriable("SRC009", "busy", after=340))
    runs = Runs(world, 1500)
    runs.go()
    found = status(world.linked).entities
    synced = {each.entity: (each.last_synced - START).total_seconds() for each in found if each.last_synced}
    # The file of 1210 s is not a minute old at 1250 s, when teammembership was polled again.
    assert (runs.times()[-2:], runs.times("teammembership")[-2:]) == ([910, 1210], [950, 1250])
    assert synced == {"account": 1210, "teammembership": 950}


def test_what_is_nearly_due_is_polled_with_what_is_due(clock: Clock) -> None:
    entities = [TEAM.model_copy(update={"name": name, "set_name": f"{name}s"}) for name in ("one", "other")]
    linked = link(*(linked_entity(each.name) for each in entities))
    world = World(ScriptedSource(entities, clock=clock, tells=False), MemoryLake(clock=clock), clock, linked)
    runs, uneven = Runs(world, 700), cycle((0.0, 1.0))
    runs.go(jitter=lambda: next(uneven))
    assert runs.times("one") == runs.times("other") == [0, 10, 30, 70, 150, 310, 610]


def test_a_change_that_the_source_tells_of_is_exported_at_once(world: World) -> None:
    runs = Runs(world, 200, {100: lambda: insert_account(world.source, "a")})
    runs.go()
    assert runs.times() == [0, 10, 30, 70, 100, 110, 130, 170]
    assert runs.wrote() == [100]


def test_a_source_that_changes_all_the_time_is_read_at_the_trickle_interval(world: World) -> None:
    changes = {float(second): lambda: insert_account(world.source, "a") for second in range(5, 36, 2)}
    runs = Runs(world, 60, changes)
    runs.go()
    assert runs.wrote() == [5, 15, 25, 35]
    assert len(world.live("account")) == 16


def test_what_changes_while_another_entity_is_read_is_not_overlooked(world: World) -> None:
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    tracked = TEAM.model_copy(update={"intersect": False})
    world.source.define(tracked)
    changes = {20.0: lambda: insert_account(world.source, "a"), 25.0: lambda: world.source.insert("teammembership")}
    runs = Runs(world, 60, changes)
    runs.go()
    assert runs.wrote() == [20, 30]
    assert len(world.live("teammembership")) == 1


def test_a_mark_that_cannot_be_read_leaves_it_to_polling(world: World) -> None:
    class Mute(ScriptedSource):
        def mark(self) -> str | None:
            raise Retriable("SRC009", "busy", after=30)

    world.source = Mute(world.source.entities().values(), clock=world.clock)
    runs = Runs(world, 100)
    runs.go()
    assert runs.times() == [0, 10, 30, 70]


def test_a_run_makes_a_snapshot_when_the_interval_is_over(silent: World) -> None:
    insert_account(silent.source, "a")
    runs = Runs(silent, 4000, {100: lambda: insert_account(silent.source, "b")})
    runs.go()
    made = [round(time) for time, report in runs.reports if report.by_entity["account"].snapshots]
    assert made == [0, 3600]


def test_a_new_generation_of_the_link_is_picked_up_at_the_next_look(world: World) -> None:
    runs = Runs(world, 100, {33: lambda: world.relink(linked_entity("teammembership"))})
    runs.go()
    assert [(round(time), report.retired) for time, report in runs.reports if report.retired] == [(40, ("account",))]
    assert runs.times("teammembership") == [40, 50, 70]


def test_a_link_that_has_ended_is_looked_at_again_until_it_is_forgotten(world: World) -> None:
    runs = Runs(world, 35, {5: lambda: world.relink(linked_entity("account"), active=False)})
    runs.go()
    assert [(round(time), report.retired) for time, report in runs.reports] == [
        (0, ()),
        (10, ("account",)),
        (20, ()),
        (30, ()),
    ]


# the request budget


class Counting(ScriptedSource):
    """A source that notes when it is asked for something."""

    asked: list[float]

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        self.asked.append((self._clock() - START).total_seconds())
        return super().changes(entity, columns, after)


def test_a_run_stays_within_its_budget_and_polls_what_changes_first(clock: Clock) -> None:
    entities = [TEAM.model_copy(update={"name": f"e{number}", "set_name": f"e{number}s"}) for number in range(6)]
    source = Counting(entities, clock=clock, tells=False)
    source.asked = []
    world = World(source, MemoryLake(clock=clock), clock, link(*(linked_entity(each.name) for each in entities)))
    runs = Runs(world, 600, {moment: lambda: source.insert("e5") for moment in (130.0, 250.0)})
    runs.go(budget=Budget(6, clock))
    minutes = [len([time for time in source.asked if minute * 60 <= time < minute * 60 + 60]) for minute in range(10)]
    assert max(minutes) <= 6
    assert len(world.live("e5")) == 2
    assert {each for _, report in runs.reports for each in report.by_entity} == {f"e{number}" for number in range(6)}


def test_definitions_are_asked_for_once_a_minute_where_only_asking_tells(clock: Clock) -> None:
    asked: list[float] = []

    class Asked(ScriptedSource):
        def entities(self) -> Mapping[str, Entity]:
            asked.append((clock.now - START).total_seconds())
            return super().entities()

    source = Asked([TEAM], clock=clock, tells=False)
    Runs(World(source, MemoryLake(clock=clock), clock, link(linked_entity(TEAM.name))), 400).go()
    assert asked == [0, 70, 150, 310]


def test_an_idle_entity_is_polled_as_rarely_as_the_budget_of_the_day_asks(silent: World) -> None:
    runs = Runs(silent, 2000)
    runs.go(budget=Budget(None, silent.clock, per_day=288))
    assert runs.times() == [0, 10, 30, 70, 150, 310, 630, 1230, 1830]


# failures


def test_a_failing_entity_is_tried_again_after_the_retry_interval_and_ever_later(silent: World) -> None:
    for _ in range(4):
        silent.source.fail("account", Forbidden("SRC010", "no"))
    runs = Runs(silent, 100)
    runs.go()
    assert runs.times() == [0, 5, 15, 35, 75, 85]


def test_the_interval_is_that_of_the_config(silent: World) -> None:
    config = silent.link.config.model_copy(update={"retry": RetryPolicy(max_count=0, interval_seconds=30)})
    silent.link = silent.link.model_copy(update={"config": config})
    for _ in range(2):
        silent.source.fail("account", Forbidden("SRC010", "no"))
    runs = Runs(silent, 95)
    runs.go()
    assert runs.times() == [0, 30, 90]


def test_one_failing_entity_never_stops_the_others(silent: World) -> None:
    silent.relink(linked_entity("account"), linked_entity("teammembership"))
    silent.source.drop("teammembership")
    insert_account(silent.source, "a")
    runs = Runs(silent, 50, {5: lambda: insert_account(silent.source, "b")})
    assert runs.go() == ("teammembership",)
    assert runs.wrote() == [0, 10]


def schedule_after(failures: list[SourceError], world: World) -> Schedule:
    schedule = Schedule(at(10), timedelta(minutes=5), lambda: 0.0)
    for failure in failures:
        world.source.fail("account", failure)
        schedule.learn(world.link.config, ["account"], world.sync(), START)
    return schedule


def test_the_source_may_ask_for_a_longer_rest(world: World) -> None:
    schedule = schedule_after([Retriable("SRC009", "busy", after=300)], world)
    assert schedule.resting(START + at(299)) == {"account"}
    assert schedule.resting(START + at(300)) == set()
    assert schedule.failures("account") == 1
    schedule.learn(world.link.config, ["account"], world.sync(), START)
    assert (schedule.failures("account"), schedule.resting(START)) == (0, set())


@pytest.mark.parametrize("asked", [0.0, 1e300])
def test_a_rest_never_grows_beyond_what_a_time_can_hold(world: World, asked: float) -> None:
    schedule = schedule_after([Retriable("SRC009", "busy", after=asked) for _ in range(40)], world)
    assert schedule.resting(START + timedelta(minutes=59)) == {"account"}
    assert schedule.resting(START + timedelta(days=1)) == set()


# stopping


def stopping_run(world: World, wait: Callable[[float], bool]) -> list[SyncReport]:
    reports: list[SyncReport] = []
    incomplete = run(
        lambda: world.linked, world.source, clock=world.clock, wait=wait, holder=HOLDER, passed=reports.append
    )
    assert incomplete == ("account",)
    return reports


def test_a_run_stops_in_the_middle_of_a_pass_at_a_consistent_point(world: World) -> None:
    insert_account(world.source, "a")
    assert [report.stopped for report in stopping_run(world, lambda _: True)] == [True]
    checkpoint, _ = read_checkpoint(world.lake, "account")
    assert checkpoint is None or checkpoint.completed is None


class Hanging(ScriptedSource):
    """A source whose second page never comes."""

    hangs = Event()
    released = Event()

    def changes(self, entity: str, columns: Sequence[str] | None, after: Cursor | None) -> Iterator[Batch]:
        for number, batch in enumerate(super().changes(entity, columns, after)):
            if number == 1:
                self.hangs.set()
                self.released.wait()
            yield batch


def test_a_run_stops_while_a_call_of_the_source_hangs(clock: Clock) -> None:
    source = Hanging(source_of(clock).entities().values(), clock=clock, batch_size=1)
    for name in "ab":
        insert_account(source, name)
    world = World(source, MemoryLake(clock=clock), clock, link(linked_entity("account")))
    try:
        assert [report.stopped for report in stopping_run(world, lambda _: Hanging.hangs.is_set())] == [True]
    finally:
        Hanging.released.set()
    # The lock is free, and the next engine begins anew.
    world.source = source_of(clock)
    assert world.sync().failed == ()


class Mute(ScriptedSource):
    """A source that never gives its definitions."""

    asked = Event()
    released = Event()

    def entities(self) -> Mapping[str, Entity]:
        self.asked.set()
        self.released.wait()
        return super().entities()


def test_a_run_stops_while_the_definitions_do_not_come(clock: Clock) -> None:
    world = World(Mute([ACCOUNT], clock=clock), MemoryLake(clock=clock), clock, link(linked_entity("account")))
    try:
        (report,) = stopping_run(world, lambda _: Mute.asked.is_set())
    finally:
        Mute.released.set()
    assert (report.stopped, report.entities) == (True, ())


def test_a_call_that_waits_for_the_budget_ends_with_the_stop(world: World) -> None:
    attended = Attended(world.source, Budget(1, world.clock), lambda seconds: seconds == 60, world.clock)
    assert attended.count("account") == 0
    with pytest.raises(Partial, match="was stopped"):
        attended.entities()
    attended.close()
