from datetime import UTC, datetime, timedelta

import pytest

from toolkit.dataverse.gate import Gate
from toolkit.dataverse.limits import Limits


class Time:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = datetime(2026, 3, 1, tzinfo=UTC), list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def gate(time: Time) -> Gate:
    return Gate(Limits(first=8, most=9), lambda: time.now, time.sleep)


def test_it_never_grows_beyond_its_most(gate: Gate) -> None:
    for _ in range(100):
        gate.went_well()
    assert gate.width == 9


def test_those_that_are_told_together_halve_it_once_and_wait_the_longest_of_their_waits(gate: Gate, time: Time) -> None:
    gate.slow_down(5)
    gate.slow_down(9)
    gate.slow_down(2)
    with gate.through():
        assert (gate.width, time.slept) == (4, [9.0])


def test_who_has_waited_goes_in_although_the_clock_was_set_back(time: Time) -> None:
    slept = []

    def set_back(seconds: float) -> None:
        slept.append(seconds)
        time.now -= timedelta(hours=1)

    gate = Gate(Limits(), lambda: time.now, set_back)
    gate.slow_down(5)
    with gate.through():
        assert slept == [5.0]


def test_being_told_again_later_halves_it_again_down_to_one(gate: Gate, time: Time) -> None:
    widths = []
    for _ in range(5):
        gate.slow_down(1)
        time.sleep(1)
        widths.append(gate.width)
    assert widths == [4, 2, 1, 1, 1]


def test_a_failure_inside_leaves_its_place_to_others(time: Time) -> None:
    gate = Gate(Limits(first=1, most=1), lambda: time.now, time.sleep)
    with pytest.raises(OSError, match="cut"), gate.through():
        raise OSError("cut")
    with gate.through():
        assert gate.width == 1
