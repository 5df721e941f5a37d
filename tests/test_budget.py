import sys
from datetime import UTC, datetime, timedelta

import pytest

from toolkit.budget import Budget, CountedElsewhere


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_limits_there_is_always_a_request(clock: Clock) -> None:
    budget = Budget(None, clock)
    assert [budget.take() for _ in range(1000)] == [0.0] * 1000
    assert budget.free() == sys.maxsize


def test_it_limits_the_requests_of_any_minute(clock: Clock) -> None:
    budget = Budget(2, clock)
    assert (budget.take(), budget.take(), budget.free()) == (0, 0, 0)
    clock.forward(seconds=20)
    assert (budget.take(), budget.rest()) == (40, 40)
    clock.forward(seconds=40)
    assert (budget.free(), budget.take()) == (2, 0)


def test_it_limits_the_requests_of_any_day(clock: Clock) -> None:
    budget = Budget(None, clock, per_day=3)
    for _ in range(3):
        assert budget.take() == 0.0
        clock.forward(hours=1)
    assert budget.take() == 21 * 3600
    clock.forward(hours=21)
    assert (budget.free(), budget.take(), budget.take()) == (1, 0.0, 3600.0)


def test_requests_of_one_minute_count_for_the_day_as_the_last_of_them(clock: Clock) -> None:
    budget = Budget(None, clock, per_day=2)
    budget.take()
    clock.forward(seconds=50)
    budget.take()
    clock.forward(hours=24, seconds=-50)
    assert budget.rest() == 50.0
    clock.forward(seconds=50)
    assert budget.free() == 2


def test_the_narrower_limit_is_the_one_that_counts(clock: Clock) -> None:
    budget = Budget(5, clock, per_day=6)
    for _ in range(5):
        budget.take()
    assert budget.rest() == 60.0
    clock.forward(minutes=1)
    assert (budget.free(), budget.take(), budget.rest()) == (1, 0.0, 86340.0)


def test_another_limit_for_a_minute_counts_from_now_on(clock: Clock) -> None:
    budget = Budget(1, clock)
    budget.take()
    budget.allow(3)
    assert budget.free() == 3


def test_what_the_source_counts_itself_is_only_looked_at(clock: Clock) -> None:
    budget = Budget(1, clock)
    seen = CountedElsewhere(budget)
    assert (seen.take(), seen.take(), seen.free()) == (0.0, 0.0, 1)
    budget.take()
    assert (seen.take(), seen.free()) == (60.0, 0)


def test_a_used_up_day_is_left_to_the_source_to_tell(clock: Clock) -> None:
    budget = Budget(None, clock, per_day=1)
    budget.take()
    assert CountedElsewhere(budget).take() == 0.0


def test_polls_of_idle_things_take_half_of_the_requests_whoever_makes_them(clock: Clock) -> None:
    budget = Budget(10, clock, per_day=48_000)
    assert budget.pace("one", 500) == timedelta(minutes=100)
    assert CountedElsewhere(budget).pace("other", 500) == timedelta(minutes=200)
    assert budget.pace("other", 0) == timedelta(minutes=100)
    assert Budget(None, clock, per_day=48_000).pace("one", 1000) == timedelta(hours=1)


def test_without_limits_polls_have_no_pace(clock: Clock) -> None:
    assert Budget(None, clock).pace("one", 1000) == timedelta(0)
