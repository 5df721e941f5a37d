"""One thread for each link of a run."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event

import pytest

from toolkit.cli.crew import Crew
from toolkit.errors import Damaged, Locked
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import ABSENT
from toolkit.model.config import ExportConfig, Storage
from toolkit.model.link import Link
from toolkit.site import Linked

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORGANIZATION = "0a0a0a0a-0000-4000-8000-000000000001"


def link(number: int) -> Linked:
    config = ExportConfig(
        id=f"00000000-0000-4000-8000-{number:012d}", name=f"link{number}", storage=Storage(account=f"lake{number}")
    )
    document = Link(
        generation=1,
        environment="dev",
        organization=ORGANIZATION,
        config=config,
        account=config.storage.account,
        file_system="files",
        created=NOW,
        changed=NOW,
    )
    return Linked(document, ABSENT, MemoryLake())


class Exports:
    """Notes what is exported; an export lasts until the stop, or fails as its link is told to."""

    def __init__(self, stop: Event, failures: dict[str, Exception] | None = None) -> None:
        self.stop, self.failures = stop, failures or {}
        self.names: list[str] = []

    def __call__(self, linked: Linked) -> tuple[str, ...]:
        name = linked.link.config.name
        self.names.append(name)
        if name in self.failures:
            raise self.failures[name]
        self.stop.wait()
        return ("account",) if name == "link1" else ()


GONE = Damaged("CLI030", "gone")
HELD = Locked("LAK003", "held")


def test_links_that_are_exported_are_not_taken_twice() -> None:
    stop = Event()
    exports = Exports(stop)
    with Crew(exports, stop) as crew:
        crew.begin([link(1)])
        for _ in range(2):
            crew.join(lambda: [link(1), link(2)])
    assert sorted(exports.names) == ["link1", "link2"]
    assert (crew.incomplete, crew.failing) == (["account"], False)


@pytest.mark.parametrize("take", [lambda crew: crew.begin([link(1)]), lambda crew: crew.join(lambda: [link(1)])])
def test_the_last_export_that_fails_stops_the_run_and_is_told(take: Callable[[Crew], object]) -> None:
    stop = Event()
    told: list[tuple[str, str]] = []
    crew = Crew(
        Exports(stop, {"link1": GONE}), stop, failed=lambda linked, error: told.append((str(linked.etag), error.code))
    )
    with crew:
        take(crew)
        stop.wait()
    assert (told, crew.failing) == ([("", "CLI030")], True)


def test_an_export_that_fails_leaves_the_others_and_is_begun_again_ever_more_rarely() -> None:
    stop = Event()
    exports = Exports(stop, {"link1": GONE})
    with Crew(exports, stop) as crew:
        crew.begin([link(1), link(2)])
        for _ in range(8):
            if (future := crew._at_work.get(link(1).link.address)) is not None:
                assert future.exception() is None
            crew.join(lambda: [link(1), link(2)])
        assert not stop.is_set()
    assert exports.names.count("link1") == 4
    assert exports.names.count("link2") == 1


@pytest.mark.parametrize("failure", [HELD, ValueError("a defect")])
def test_a_lock_at_the_beginning_and_a_defect_end_the_run(failure: Exception) -> None:
    def work() -> None:
        stop = Event()
        with Crew(Exports(stop, {"link1": failure}), stop) as crew:
            crew.begin([link(1), link(2)])
            stop.wait()

    with pytest.raises(type(failure)):
        work()


def test_a_new_link_that_somebody_holds_is_tried_again() -> None:
    stop = Event()
    exports = Exports(stop, {"link1": HELD})
    with Crew(exports, stop) as crew:
        crew.join(lambda: [link(1)])
        while exports.names != ["link1", "link1"]:
            crew.join(lambda: [link(1)])
        assert not stop.is_set()


def test_a_patient_crew_waits_for_links_that_somebody_holds_and_tells_it() -> None:
    stop = Event()
    exports = Exports(stop, {"link1": HELD})
    told: list[str] = []
    with Crew(exports, stop, patient=True, held=lambda _, error: told.append(error.what)) as crew:
        crew.begin([link(1)])
        while len(told) < 2:
            crew.join(lambda: [link(1)])
        exports.failures = {}
        while not crew._at_work.get(link(1).link.address) or len(exports.names) == len(told):
            crew.join(lambda: [link(1)])
    assert set(told) == {"held"}
    assert crew.incomplete == ["account"]


def test_an_export_that_ends_while_the_links_are_read_is_not_begun_again() -> None:
    stop, ending, done = Event(), Event(), Event()
    names: list[str] = []

    def export(linked: Linked) -> tuple[str, ...]:
        names.append(linked.link.config.name)
        ending.wait()
        return ()

    def read() -> list[Linked]:
        there = [link(1)]
        ending.set()
        done.wait()
        return there

    with Crew(export, stop) as crew:
        crew.begin([link(1)])
        for future in crew._at_work.values():
            future.add_done_callback(lambda _: done.set())
        crew.join(read)
    assert names == ["link1"]
