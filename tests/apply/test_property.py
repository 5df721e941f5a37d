"""Generated pairs of configs: plan and apply lead from the one to the other, and then nothing is left to do."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.apply.rig import Rig, rig
from tests.plan.build import CONFIG, OTHER_CONFIG, bundle
from toolkit.model.config import ExportConfig, LinkedEntity, PartitionStrategy, RetryPolicy, Storage
from toolkit.plan.world import canonical

NAMES = ("account", "contact", "lead", "task")

# How an entity is exported belongs to its name here: a change of it on a live link is refused until promotion.
HOW = {
    "account": LinkedEntity(name="account"),
    "contact": LinkedEntity(name="contact", partition_strategy=PartitionStrategy.YEAR),
    "lead": LinkedEntity(name="lead", append_only=True),
    "task": LinkedEntity(name="task", partition_strategy=PartitionStrategy.MONTH),
}
PLACES = {CONFIG: "contosolake", OTHER_CONFIG: "contosotest"}


def config_of(key: str) -> st.SearchStrategy[ExportConfig]:
    entities = st.lists(st.sampled_from(NAMES), unique=True).map(lambda names: tuple(HOW[name] for name in names))
    return st.builds(
        ExportConfig,
        id=st.just(key),
        name=st.just(PLACES[key]),
        storage=st.builds(Storage, account=st.just(PLACES[key]), resource_group=st.sampled_from(["", "rg-lake"])),
        entities=entities,
        interval_minutes=st.sampled_from([5, 60, 120]),
        retry=st.builds(RetryPolicy, max_count=st.integers(1, 3)),
        write_delete_log=st.booleans(),
    )


CONFIGS = st.tuples(config_of(CONFIG), config_of(OTHER_CONFIG))
INTERVALS = st.none() | st.sampled_from([15, 30])


def overlaid(configs: tuple[ExportConfig, ...], interval: int | None) -> tuple[ExportConfig, ...]:
    update = {} if interval is None else {"interval_minutes": interval}
    return tuple(config.model_copy(update=update) for config in configs)


def links(prod: Rig) -> list[object]:
    return [canonical(linked.link.config) for linked in prod.site.links()]


@given(CONFIGS, INTERVALS, CONFIGS, INTERVALS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_after_an_apply_the_links_are_as_wanted_and_nothing_is_left_to_plan(
    before: tuple[ExportConfig, ...],
    overlay_before: int | None,
    after: tuple[ExportConfig, ...],
    overlay_after: int | None,
) -> None:
    with TemporaryDirectory() as folder, rig(Path(folder)) as prod:
        for name in NAMES:
            prod.source.insert(name, name=name)
        prod.bring(bundle(*before, version="1.0.0.0"), overlaid(before, overlay_before), sync=True)
        newer, wanted = bundle(*after, version="1.1.0.0"), overlaid(after, overlay_after)
        prod.bring(newer, wanted, sync=True)
        assert prod.plan(newer, wanted).empty
        assert links(prod) == [canonical(config) for config in wanted]
        assert [one for one in prod.found(newer, wanted) if not one[0].startswith("PLN")] == []
        stands = prod.dump()
        prod.bring(newer, wanted, sync=True)
        assert prod.dump() == stands
