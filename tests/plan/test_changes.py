"""Changes of a live link: found between two configs, and folded over the one they give the other."""

from functools import reduce
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.build import CONFIG, FILE_SYSTEM, config, link, linked, world
from toolkit.model.config import (
    Cloud,
    Condition,
    ExportConfig,
    Layout,
    LinkedEntity,
    Mask,
    Output,
    PartitionStrategy,
    Retention,
    RetryPolicy,
    Storage,
    Times,
)
from toolkit.model.link import LakeAddress
from toolkit.model.version import Version
from toolkit.plan import Consequence, Effect, describe
from toolkit.plan.changes import (
    AnyChange,
    ChangeMode,
    ChangeOwner,
    ChangeSetting,
    ChangeStrategy,
    DeleteConfig,
    MoveLake,
    RecordSolution,
    RegisterSolution,
    RemoveSolution,
    TrackEntity,
    WriteConfig,
    changed,
)
from toolkit.plan.links import link_changes
from toolkit.plan.plan import create_link, remove_link
from toolkit.plan.render import WORDS
from toolkit.plan.world import canonical

NAMES = ("account", "contact", "lead", "task")


def entities(*, known: bool) -> st.SearchStrategy[LinkedEntity]:
    strategies = [PartitionStrategy.YEAR, PartitionStrategy.MONTH] if known else list(PartitionStrategy)
    return st.builds(
        LinkedEntity,
        name=st.sampled_from(NAMES),
        partition_strategy=st.none() | st.sampled_from(strategies),
        records_per_block=st.sampled_from([125, 250]),
        append_only=st.booleans(),
        columns=st.sampled_from([None, (), ("name", "fax"), ("fax", "name")]),
        filter=st.sampled_from([(), (Condition(column="fax", is_null=True),), (Condition(column="fax", equals=""),)]),
        mask=st.sampled_from([{}, {"fax": Mask.HASH}, {"fax": Mask.NULL}]),
        scan_minutes=st.sampled_from([None, 5]),
        extra=st.sampled_from([{}, {"Settings": '{"a":1}'}]),
    )


CONFIGS = st.builds(
    ExportConfig,
    id=st.just(CONFIG),
    name=st.sampled_from(["contosolake", "sales"]),
    storage=st.builds(
        Storage,
        account=st.sampled_from(["contosolake", "contosotest"]),
        subscription=st.sampled_from(["", "55555555-5555-4555-8555-555555555555"]),
        cloud=st.sampled_from(Cloud),
        file_system=st.none() | st.just("elsewhere") | st.just(FILE_SYSTEM),
    ),
    entities=st.lists(entities(known=False), unique_by=lambda entity: entity.name).map(tuple),
    interval_minutes=st.sampled_from([5, 60]),
    retry=st.builds(RetryPolicy, max_count=st.integers(0, 5)),
    write_delete_log=st.booleans(),
    output=st.builds(
        Output,
        header=st.booleans(),
        times=st.sampled_from(Times),
        labels=st.sampled_from([None, 1031, 1033]),
        layout=st.sampled_from(Layout),
    ),
    snapshots=st.builds(Retention, keep=st.integers(1, 3), keep_days=st.none() | st.integers(1, 3)),
    is_default=st.none() | st.booleans(),
    extra=st.sampled_from([{}, {"Name": '"x"'}]),
)


@given(CONFIGS, CONFIGS)
def test_the_changes_between_two_configs_lead_from_the_one_to_the_other(
    before: ExportConfig, after: ExportConfig
) -> None:
    changes = list(link_changes(link(before), after, world()))
    assert canonical(reduce(changed, changes, before)) == canonical(after)


@given(CONFIGS)
def test_nothing_leads_from_a_config_to_itself(of: ExportConfig) -> None:
    assert list(link_changes(link(of), of, world())) == []


def test_another_strategy_rebuilds_the_partitions() -> None:
    there = world(statistics={"account": 1000})
    (change,) = link_changes(link(config("account")), config(linked("account", "Year")), there)
    assert change == ChangeStrategy(
        config=CONFIG,
        name="contosolake",
        entity="account",
        before=PartitionStrategy.MONTH,
        after=PartitionStrategy.YEAR,
        written=PartitionStrategy.YEAR,
        consequence=Consequence(effect=Effect.REPARTITION, rows=1000, size=50_000),
    )


@pytest.mark.parametrize(("on", "effect"), [(True, Effect.REINITIALISE), (False, Effect.HISTORY_DELETED)])
def test_append_only_on_reinitialises_and_off_deletes_history(on: bool, effect: Effect) -> None:
    before = link(config(linked("account", append_only=not on)))
    (change,) = link_changes(before, config(linked("account", append_only=on)), world())
    assert isinstance(change, ChangeMode)
    assert change.consequence.effect is effect


def of_account(**values: object) -> LinkedEntity:
    return LinkedEntity.model_validate({"name": "account", **values})


OPTIONS = [
    ("columns", ["name"], Effect.REINITIALISE, Effect.NOTHING, ()),
    ("filter", [{"column": "name", "equals": "x"}], Effect.REINITIALISE, Effect.COMPARISON, ()),
    ("mask", {"name": "hash"}, Effect.REINITIALISE, Effect.NOTHING, ("account",)),
    ("scan_minutes", 5, Effect.NOTHING, Effect.NOTHING, ()),
]


@pytest.mark.parametrize(("setting", "value", "in_place", "append_only", "history"), OPTIONS)
def test_what_of_an_entity_is_written_changes_with_its_consequence(
    setting: str, value: object, in_place: Effect, append_only: Effect, history: tuple[str, ...]
) -> None:
    there = world(statistics={"account": 1000})
    after = of_account(**{setting: value})
    (change,) = link_changes(link(config(of_account())), config(after), there)
    size = (None, None) if in_place is Effect.NOTHING else (1000, 50_000)
    assert change == ChangeSetting(
        config=CONFIG,
        name="contosolake",
        entity="account",
        setting=setting,
        before=None if setting in {"columns", "scan_minutes"} else type(value)(),
        after=value,
        remade=("account",) if in_place is Effect.REINITIALISE else (),
        consequence=Consequence(effect=in_place, rows=size[0], size=size[1]),
    )
    history_before, history_after = of_account(append_only=True), after.model_copy(update={"append_only": True})
    (change,) = link_changes(link(config(history_before)), config(history_after), there)
    assert isinstance(change, ChangeSetting)
    assert (change.consequence.effect, change.history) == (append_only, history)


def test_another_form_of_all_files_writes_the_entities_in_place_anew_and_not_those_that_come() -> None:
    there = world(statistics={"account": 1000, "contact": 10, "lead": 1})
    before = config("account", "contact", linked("lead", append_only=True))
    after = config("account", "task", linked("lead", append_only=True), output=Output(labels=1033))
    change, *_ = link_changes(link(before), after, there)
    assert change == ChangeSetting(
        config=CONFIG,
        name="contosolake",
        setting="output.labels",
        before=None,
        after=1033,
        history=("lead",),
        remade=("account",),
        consequence=Consequence(effect=Effect.REINITIALISE, rows=1000, size=50_000),
    )


def test_no_history_is_of_two_forms_where_folders_are_sent_anew() -> None:
    output = Output(layout=Layout.INCREMENTAL)
    before = config(of_account(append_only=True), output=output)
    after = config(of_account(append_only=True, mask={"name": "hash"}), output=output)
    (change,) = link_changes(link(before), after, world())
    assert isinstance(change, ChangeSetting)
    assert (change.consequence.effect, change.history) == (Effect.REINITIALISE, ())


def test_columns_in_another_order_are_the_same_columns() -> None:
    before, after = of_account(columns=("fax", "name")), of_account(columns=("name", "fax"))
    (change,) = link_changes(link(config(before)), config(after), world())
    assert change.consequence.effect is Effect.NOTHING


@pytest.mark.parametrize(("append_only", "effect"), [(False, Effect.NEW_LAKE), (True, Effect.HISTORY_DELETED)])
def test_a_new_lake_is_filled_anew_and_history_cannot_be(append_only: bool, effect: Effect) -> None:
    entity = linked("account", append_only=append_only)
    after = config(entity, storage=Storage(account="contosolake", file_system="elsewhere"))
    (change,) = link_changes(link(config(entity)), after, world())
    assert isinstance(change, MoveLake)
    assert change.consequence.effect is effect


ADDRESS = LakeAddress(config=CONFIG, account="contosolake", file_system="lake")
ONE = Version("1.0")
DESCRIBED: list[tuple[AnyChange, tuple[str, str | None, str | None]]] = [
    (
        RegisterSolution(solution="A", managed=True, installed=None, version=ONE),
        ("A", None, "1.0"),
    ),
    (
        RegisterSolution(solution="A", managed=True, installed=Version("0.9"), version=ONE),
        ("A", "0.9", "1.0"),
    ),
    (RecordSolution(solution="A", version=ONE), ("A", None, "1.0")),
    (RemoveSolution(solution="A", managed=True, version=ONE), ("A", "1.0", None)),
    (TrackEntity(entity="invoice"), ("invoice", "off", "on, and never off again")),
    (WriteConfig(config=config("account"), replaces=False), ("contosolake", None, "1 entity")),
    (WriteConfig(config=config(), replaces=True), ("contosolake", "a row", "0 entities")),
    (DeleteConfig(config=CONFIG, name="sales"), ("sales", "a row", None)),
    (create_link(config("account"), world(), None), ("contosolake", None, f"contosolake/{FILE_SYSTEM}")),
    (remove_link(link(config()), world(), keep=True), ("contosolake", f"contosolake/{FILE_SYSTEM}", None)),
    (ChangeOwner(config=CONFIG, name="sales", before=None, after="A"), ("sales", "by hand", "A")),
    (
        ChangeSetting(config=CONFIG, name="sales", setting="interval_minutes", before=60, after=30),
        ("sales interval_minutes", "60", "30"),
    ),
    (
        ChangeSetting(config=CONFIG, name="sales", entity="lead", setting="extra", before={}, after={"A": "1"}),
        ("sales/lead extra", "-", "A 1"),
    ),
    (
        ChangeSetting(config=CONFIG, name="sales", setting="write_delete_log", before=True, after=False),
        ("sales write_delete_log", "yes", "no"),
    ),
    (
        ChangeSetting(config=CONFIG, name="sales", setting="x", before=["a", "b"], after=[]),
        ("sales x", "a, b", "-"),
    ),
    (
        MoveLake(
            config=CONFIG,
            name="sales",
            before=ADDRESS,
            after=ADDRESS.model_copy(update={"account": "other"}),
            written=None,
            consequence=Consequence(),
        ),
        ("sales", "contosolake/lake", "other/lake"),
    ),
    (
        ChangeMode(
            config=CONFIG, name="sales", entity="lead", append_only=True, written=None, consequence=Consequence()
        ),
        ("sales/lead", "in place", "append-only"),
    ),
]


@pytest.mark.parametrize(("change", "words"), DESCRIBED)
def test_a_change_is_described_by_target_before_and_after(
    change: AnyChange, words: tuple[str, str | None, str | None]
) -> None:
    assert tuple(describe(change)) == words


def test_entities_are_described_by_how_they_are_exported() -> None:
    before, after = config("account", "lead"), config(linked("lead", "Year"), linked("task", append_only=True))
    assert [tuple(describe(change)) for change in link_changes(link(before), after, world())] == [
        ("contosolake/account", "linked", None),
        ("contosolake/lead", "Month", "Year"),
        ("contosolake/task", None, "Year, append-only"),
    ]


def test_every_kind_of_change_has_words_for_people() -> None:
    assert {kind.model_fields["kind"].default for kind in get_args(AnyChange)} == set(WORDS)


FOLDERS = Output(layout=Layout.INCREMENTAL)


def in_folders(**values: object) -> list[AnyChange]:
    """The changes of a link with incremental folders whose account gets other values."""
    before, after = (
        config("account", output=FOLDERS),
        config(LinkedEntity.model_validate({"name": "account", **values}), output=FOLDERS),
    )
    return list(link_changes(link(before), after, world(statistics={"account": 1000})))


@pytest.mark.parametrize(
    ("setting", "value", "effect"),
    [
        ("columns", ["name"], Effect.REINITIALISE),
        ("filter", [{"column": "name", "equals": "x"}], Effect.REINITIALISE),
        ("mask", {"name": "hash"}, Effect.REINITIALISE),
        ("append_only", True, Effect.NOTHING),
        ("partition_strategy", "Year", Effect.NOTHING),
    ],
)
def test_incremental_folders_take_every_way_of_exporting(setting: str, value: object, effect: Effect) -> None:
    (change,) = in_folders(**{setting: value})
    assert isinstance(change, ChangeSetting)
    assert (change.setting, change.consequence.effect, change.history) == (setting, effect, ())


def test_another_form_sends_all_rows_in_the_next_incremental_folder() -> None:
    after = config("account", output=Output(layout=Layout.INCREMENTAL, header=True))
    (change,) = link_changes(link(config("account", output=FOLDERS)), after, world(statistics={"account": 1000}))
    assert isinstance(change, ChangeSetting)
    assert (change.setting, change.consequence.effect, change.history) == ("output.header", Effect.REINITIALISE, ())
