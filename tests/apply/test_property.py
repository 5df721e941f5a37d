"""Generated pairs of configs: plan and apply lead from the one to the other, and then nothing is left to do.

Entities come and go, are cut into other partitions, begin and end their history; settings change, links move to other
lakes. After each apply the rows are those of the source, and who follows ``model.json`` finds every file that it names,
at whatever call of a lake.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.apply.readers import read
from tests.apply.rig import Rig, rig
from tests.plan.build import CONFIG, OTHER_CONFIG, bundle
from tests.scale import Record, scaled
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import ExportConfig, LinkedEntity, PartitionStrategy, RetryPolicy, Storage
from toolkit.plan.world import canonical
from toolkit.site import leading

NAMES = ("account", "contact", "lead", "task", "listmember")
"""The last one cannot be tracked: it is read whole."""
DATES = [datetime(2024, 1, 31, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)]
PLACES = {CONFIG: "contosolake", OTHER_CONFIG: "contosotest"}
ACCOUNTS = ("contosolake", "contosotest")
FILE_SYSTEMS = {CONFIG: ("lake-one", "lake-two"), OTHER_CONFIG: ("lake-three", "lake-four")}
"""Each config has some of its own: two links never share one."""


def entity_of(name: str) -> st.SearchStrategy[LinkedEntity]:
    strategies = st.sampled_from([None, PartitionStrategy.YEAR, PartitionStrategy.MONTH])
    return st.builds(LinkedEntity, name=st.just(name), append_only=st.booleans(), partition_strategy=strategies)


def config_of(key: str) -> st.SearchStrategy[ExportConfig]:
    entities = st.lists(st.sampled_from(NAMES), unique=True).flatmap(
        lambda names: st.tuples(*(entity_of(name) for name in names))
    )
    storage = st.builds(
        Storage,
        account=st.sampled_from(ACCOUNTS),
        file_system=st.sampled_from(FILE_SYSTEMS[key]),
        resource_group=st.sampled_from(["", "rg-lake"]),
    )
    return st.builds(
        ExportConfig,
        id=st.just(key),
        name=st.just(PLACES[key]),
        storage=storage,
        entities=entities,
        interval_minutes=st.sampled_from([5, 60, 120]),
        retry=st.builds(RetryPolicy, max_count=st.integers(1, 3)),
        write_delete_log=st.booleans(),
    )


Configs = tuple[ExportConfig, ...]
CONFIGS = st.tuples(config_of(CONFIG), config_of(OTHER_CONFIG))
INTERVALS = st.none() | st.sampled_from([15, 30])


def overlaid(configs: tuple[ExportConfig, ...], interval: int | None) -> tuple[ExportConfig, ...]:
    update = {} if interval is None else {"interval_minutes": interval}
    return tuple(config.model_copy(update=update) for config in configs)


def links(prod: Rig) -> list[object]:
    found = sorted(leading(prod.site.links()), key=lambda linked: linked.link.config.id)
    return [canonical(linked.link.config) for linked in found]


def ids(lake: MemoryLake, entity: LinkedEntity) -> list[str]:
    """The rows that readers find: of a history those that no delete row has ended."""
    last = {row["Id"]: row["IsDelete"] for row in read(lake, entity.name)}
    return sorted(key for key, deleted in last.items() if deleted != "True")


def require_rows(prod: Rig) -> None:
    """Readers find the rows of the source, each once where no history is kept."""
    for linked in leading(prod.site.links()):
        lake = prod.lake(linked.link.account, linked.link.file_system)
        for entity in linked.link.config.entities:
            there = prod.source.count(entity.name)
            assert len(ids(lake, entity)) == there
            if not entity.append_only:
                assert len(read(lake, entity.name)) == there


@contextmanager
def watched(prod: Rig) -> Iterator[None]:
    """See before every call of a lake that each file which the manifest names is there."""
    lakes = [prod.lake(account, each) for account in ACCOUNTS for own in FILE_SYSTEMS.values() for each in own]
    for lake in lakes:
        lake.watch(watch_of(lake))
    yield
    for lake in lakes:
        lake.watch(lambda _: None)


def watch_of(lake: MemoryLake) -> Callable[[object], None]:
    return lambda _: require_whole(lake.fork())


def require_whole(lake: MemoryLake) -> None:
    if lake.stat("model.json") is not None:
        head = lake.location("x").removesuffix("x")
        for entity in json.loads(lake.read("model.json"))["entities"]:
            for partition in entity["partitions"]:
                assert lake.stat(partition["location"].removeprefix(head)) is not None


def fill(prod: Rig) -> None:
    for name in NAMES:
        for date in DATES:
            prod.source.insert(name, name=name, createdon=date)


def churn(prod: Rig) -> None:
    for name in NAMES:
        first, second = sorted(prod.source._store(name).rows)[:2]
        prod.source.update(name, first, name="changed")
        prod.source.delete(name, second)


def test_after_an_apply_the_links_are_as_wanted_and_nothing_is_left_to_plan(record_property: Record) -> None:
    cases = []

    @given(CONFIGS, INTERVALS, CONFIGS, INTERVALS)
    @settings(max_examples=scaled(60, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def pair(before: Configs, overlay_before: int | None, after: Configs, overlay_after: int | None) -> None:
        cases.append(after)
        require_led(before, overlaid(before, overlay_before), after, overlaid(after, overlay_after))

    pair()
    record_property("generated pairs of configs", (len(cases), 0))


def require_led(before: Configs, first: Configs, after: Configs, wanted: Configs) -> None:
    """Apply one pair of bundles after the other, each with its configs after overlay, while rows change."""
    with TemporaryDirectory() as folder, rig(Path(folder)) as prod:
        fill(prod)
        prod.bring(bundle(*before, version="1.0.0.0"), first, sync=True)
        require_rows(prod)
        churn(prod)
        prod.clock.move(minutes=121)
        newer = bundle(*after, version="1.1.0.0")
        with watched(prod):
            prod.bring(newer, wanted, sync=True)
        assert prod.plan(newer, wanted).empty
        assert links(prod) == [canonical(config) for config in wanted]
        stands = prod.dump()
        prod.bring(newer, wanted, sync=True)
        assert prod.dump() == stands
        prod.clock.move(minutes=121)
        prod.sync()
        assert [one for one in prod.found(newer, wanted) if not one[0].startswith("PLN")] == []
        require_rows(prod)
