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
    """Notes what is exported; the export lasts until the stop, or fails as it is told to."""

    def __init__(self, stop: Event, failure: Exception | None = None) -> None:
        self.stop, self.failure = stop, failure
        self.names: list[str] = []
        self.ended = Event()

    def __call__(self, linked: Linked) -> None:
        self.names.append(linked.link.config.name)
        if self.failure is not None:
            self.ended.set()
            raise self.failure
        self.stop.wait()


def test_links_that_are_exported_are_not_taken_twice() -> None:
    stop = Event()
    exports = Exports(stop)
    with Crew(exports, stop) as crew:
        crew.begin([link(1)])
        assert crew.join(lambda: [link(1), link(2)]) == ["link2"]
        assert crew.join(lambda: [link(1), link(2)]) == []
    assert sorted(exports.names) == ["link1", "link2"]


@pytest.mark.parametrize(
    ("failure", "take"),
    [
        (Damaged("CLI030", "gone"), lambda crew: crew.join(lambda: [link(1)])),
        (Damaged("CLI030", "gone"), lambda crew: crew.begin([link(1)])),
        (Locked("LAK003", "held"), lambda crew: crew.begin([link(1)])),
    ],
)
def test_an_export_that_fails_stops_all_and_is_told(failure: Exception, take: Callable[[Crew], object]) -> None:
    def work() -> None:
        stop = Event()
        with Crew(Exports(stop, failure), stop) as crew:
            take(crew)
            stop.wait()

    with pytest.raises(type(failure)):
        work()


def test_a_new_link_that_somebody_holds_is_tried_again() -> None:
    stop = Event()
    exports = Exports(stop, Locked("LAK003", "held"))
    with Crew(exports, stop) as crew:
        taken = crew.join(lambda: [link(1)])
        while not (again := crew.join(lambda: [link(1)])):
            exports.ended.wait()
    assert (taken, again) == (["link1"], ["link1"])


def test_an_export_that_ends_while_the_links_are_read_is_not_begun_again() -> None:
    stop, ending, ended = Event(), Event(), Event()
    names: list[str] = []

    def export(linked: Linked) -> None:
        names.append(linked.link.config.name)
        ending.wait()

    def read() -> list[Linked]:
        there = [link(1)]
        ending.set()
        ended.wait()
        return there

    with Crew(export, stop) as crew:
        crew.begin([link(1)])
        for future in crew._at_work.values():
            future.add_done_callback(lambda _: ended.set())
        assert crew.join(read) == []
    assert names == ["link1"]
