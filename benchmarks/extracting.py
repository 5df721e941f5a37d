"""One measured extraction in a process of its own: python benchmarks/extracting.py TASK FOLDER [ARGUMENT ...]

As benchmarks/tasks.py does: prints JSON with wall and CPU seconds of the task alone, and the most memory it had.
"""

import csv
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from pydantic_core import from_json, to_json

from benchmarks import world
from benchmarks.tasks import Task, measured
from benchmarks.world import NOW, Place
from toolkit import engine
from toolkit.budget import Budget, CountedElsewhere
from toolkit.dataverse import pages
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client, Exchange
from toolkit.engine import spool
from toolkit.engine.rows import format_rows
from toolkit.engine.settings import Settings
from toolkit.lake.disk import System
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import MemoryLake
from toolkit.organization.seed import seed
from toolkit.server.app import app
from toolkit.server.serving import served
from toolkit.server.world import World
from toolkit.source.dataverse import DataverseSource

API = "/api/data/v9.2/"


class Recorder(httpx.HTTPTransport):
    """Keeps what is answered: rows of accounts page by page in files, everything else by what was asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.answers, self.pages = folder, dict[str, Any](), count()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        whole = httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)
        content = whole.read()
        path = unquote(request.url.path).removeprefix(API)
        if path == "accounts":
            rows = content[content.index(b"[") + 1 : content.rindex(b"]")]
            (self.folder / f"page-{next(self.pages):04d}.json").write_bytes(rows)
        else:
            self.answers[path] = from_json(content.removeprefix(b"\xef\xbb\xbf"))
        return httpx.Response(answer.status_code, content=content)


def recording(place: Place, rows: str) -> Task:
    """Serve an organization with so many accounts, and keep what it answers: the served environment's own speed."""
    place.folder.mkdir(parents=True)
    database = world.created(place.organization, [world.account()])
    seed(database, {"account": int(rows)}, seed=7, clock=lambda: NOW)

    def work() -> None:
        recorder = Recorder(place.folder)
        ids = count(1)
        served_world = World(database, lambda: NOW, lambda: f"00000000-0000-0000-0000-{next(ids):012x}")
        with (
            served(app(served_world, token=None, faults=None)) as address,
            Client(Address.parse(address), None, transport=recorder) as client,
        ):
            source = DataverseSource(client)
            source.entities(), source.entities(), source.size("account")
            for _ in source.changes("account", None, None):
                pass
            client.get("EntityDefinitions(LogicalName='account')?$select=EntitySetName")
        (place.folder / "answers.json").write_bytes(to_json(recorder.answers))

    return Task(work)


class Stages:
    """The seconds that threads spent in each stage; stages go on at once, so their sum is more than the wall time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] += seconds

    def staged(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever the work takes and gives
            with self.stage(name):
                return work(*arguments, **more)

        return do


def ours(place: Place, url: str, staged: str = "") -> Task:
    """Sync accounts over HTTP into a new folder lake: live files, indexes, snapshot, manifest, all durable."""
    stages, system = Stages(), System()
    if staged:
        system = System(write=stages.staged("write", system.write), fsync=stages.staged("write", system.fsync))
        vars(spool)["format_rows"] = stages.staged("format", format_rows)
        pages.Reader.read = stages.staged("decode", pages.Reader.read)  # type: ignore[method-assign]  # it is timed

    def asked(exchange: Exchange) -> None:
        stages.add("wait", exchange.seconds)

    client = Client(Address.parse(url), None, on_request=asked)
    target = world.linked(FolderLake(place.lake, system), "account")

    def work() -> None:
        report = engine.sync(target, DataverseSource(client), clock=lambda: NOW, holder=world.HOLDER)
        assert not report.failed

    return Task(work, lambda: {"stages": stages.seconds})


def plain(place: Place, url: str) -> Task:
    """What a script does: requests, one page after the other, each row of it into a CSV file."""
    import requests

    entity = world.account()
    columns = pages.reader(entity).select.split(",")
    place.folder.mkdir(parents=True)

    def work() -> None:
        session, link = requests.Session(), f"{url}{API}accounts?$select={','.join(columns)}"
        with (place.folder / "accounts.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            while link:
                headers = {"Prefer": "odata.track-changes,odata.maxpagesize=5000"}
                answer = session.get(link, headers=headers, timeout=60)
                answer.raise_for_status()
                found = answer.json()
                writer.writerows(found["value"])
                link = found.get("@odata.nextLink", "")

    return Task(work)


def idle(place: Place, entities: str, busy: str, per_day: str) -> Task:  # noqa: ARG001 - every task has a place
    """Run an engine for a day and two hours on many entities of which some change now and then, on a clock of its own.

    The service is a transport that answers at once; requests are counted where they leave the client.
    """
    names = [f"cts_small{number:03d}" for number in range(int(entities))]
    service = Service(names, busy=int(busy))
    target = world.linked(MemoryLake(clock=lambda: service.now), *names)
    budget = Budget(None, lambda: service.now, int(per_day))
    url = "http://127.0.0.1:9"

    def wait(seconds: float) -> bool:
        service.now += timedelta(seconds=seconds)
        return seconds > 0 and service.now >= NOW + (WARM_UP + 24) * HOUR

    def work() -> None:
        client = Client(
            Address.parse(url),
            None,
            transport=httpx.MockTransport(service),
            clock=lambda: service.now,
            sleep=lambda _: None,
            budget=budget,
        )
        engine.run(
            lambda: target,
            DataverseSource(client, clock=lambda: service.now),
            clock=lambda: service.now,
            wait=wait,
            holder=world.HOLDER,
            budget=CountedElsewhere(budget),
            settings=Settings(workers=1),
        )

    return Task(work, lambda: {"first": service.requests(0), "later": service.requests(WARM_UP)})


HOUR = timedelta(hours=1)
WARM_UP = 2
"""Hours until the initial loads are done and every idle entity is polled as rarely as it will be."""


class Service:
    """Small entities over a transport; every busy one changes once an hour."""

    def __init__(self, names: list[str], busy: int) -> None:
        self.now = NOW
        self.hours: Counter[int] = Counter()
        self._metadata = _described(names)
        self._busy = frozenset(f"{name}s" for name in names[:busy])
        self._read = dict[str, int]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.hours[self._hour] += 1
        path = unquote(request.url.path).removeprefix(API)
        return httpx.Response(200, content=to_json(self._answer(path, str(request.url))))

    def requests(self, since: int) -> int:
        """Return the requests of the 24 hours from hour ``since`` on."""
        return sum(self.hours[hour] for hour in range(since, since + 24))

    @property
    def _hour(self) -> int:
        return int((self.now - NOW) / HOUR)

    def _answer(self, path: str, url: str) -> Any:  # noqa: ANN401 - any JSON value
        if path == "WhoAmI":
            return {"OrganizationId": world.ORGANIZATION.id}
        if "ClientVersionStamp" in path:
            return {"ServerVersionStamp": "1", "EntityMetadata": []}
        if path.startswith("RetrieveMetadataChanges"):
            return {"ServerVersionStamp": "1", "EntityMetadata": self._metadata}
        if path.endswith("/$count"):
            return 1
        hour = self._hour
        since = self._read.get(path)
        self._read[path] = hour
        changed = since is None or (path in self._busy and hour > since)
        key = f"{path[:-1]}id"
        row = {
            key: "00000000-0000-0000-0000-000000000001",
            "createdon": "2026-01-01T00:00:00Z",
            "versionnumber": hour + 1,
        }
        link = f"{url.partition(API)[0]}{API}{path}?$deltatoken={hour}"
        return {"value": [row] if changed else [], "@odata.deltaLink": link}


def _described(names: list[str]) -> list[Mapping[str, Any]]:
    kinds = {"createdon": "DateTimeType", "versionnumber": "BigIntType"}
    return [
        {
            "LogicalName": name,
            "EntitySetName": f"{name}s",
            "PrimaryIdAttribute": f"{name}id",
            "ChangeTrackingEnabled": True,
            "Attributes": [
                {"LogicalName": each, "AttributeTypeName": {"Value": kind}}
                for each, kind in {f"{name}id": "UniqueidentifierType", **kinds}.items()
            ],
        }
        for name in names
    ]


TASKS: dict[str, Callable[..., Task]] = {task.__name__: task for task in (recording, ours, plain, idle)}


def main() -> None:
    name, folder, *arguments = sys.argv[1:]
    print(measured(TASKS[name](Place(Path(folder)), *arguments)))


if __name__ == "__main__":
    main()
