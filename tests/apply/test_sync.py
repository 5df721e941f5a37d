"""What the engine does after an apply, and what an apply leaves to it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

import pytest

from tests.apply.rig import HOLDER, Rig
from tests.plan.build import CONFIG, FILE_SYSTEM, OTHER_CONFIG, START, bundle, config, linked
from toolkit.apply import apply
from toolkit.bundle import write_bundle
from toolkit.engine import EntityProgress, Patience
from toolkit.engine.opening import WRITER_LOCK
from toolkit.errors import EntityGone, Locked, Partial, Retriable
from toolkit.lake.protocol import Holder
from toolkit.model.link import EntityState
from toolkit.model.solution import Package
from toolkit.plan import Plan, plan_entities, plan_link, plan_uninstall
from toolkit.source.protocol import Source

ONE = bundle(config("account", "contact"))
ENGINE = Holder("engine@lab", "lab", 2, START)


def fill(prod: Rig, **rows: int) -> None:
    for entity, count in rows.items():
        for number in range(count):
            prod.source.insert(entity, name=f"{entity} {number}")


def states(prod: Rig) -> dict[str, EntityState]:
    return {one.entity: one.state for one in prod.status().entities}


def test_an_import_ends_with_the_initial_sync_and_the_first_snapshot(prod: Rig) -> None:
    fill(prod, account=3, contact=2)
    report = prod.bring(ONE, sync=True)
    assert [(one.entity, one.written) for one in report.synced["contosolake"].entities] == [
        ("account", 3),
        ("contact", 2),
    ]
    assert states(prod) == {"account": EntityState.COMPLETED, "contact": EntityState.COMPLETED}
    assert all(one.last_snapshot == START for one in prod.status().entities)


def test_a_link_document_made_anew_is_above_the_generation_of_every_entity(prod: Rig) -> None:
    """So an entity that is taken off and added again is known to have been, though nothing synced between."""
    prod.bring(bundle(config("account"), version="1.0.0.0"))
    for version in ("1.1.0.0", "1.2.0.0"):
        prod.bring(
            bundle(config("account", "contact", interval_minutes=int(version[2]) + 60), version=version), sync=True
        )
    prod.lake("contosolake", FILE_SYSTEM).delete("_toolkit/link.json")
    prod.bring(bundle(config("account", "contact"), version="1.3.0.0"))
    assert prod.link().generation == 3
    prod.bring(bundle(config("account"), version="1.4.0.0"))
    report = prod.bring(bundle(config("account", "contact"), version="1.5.0.0"), sync=True)
    assert report.synced["contosolake"].retired == ("contact",)


def test_without_a_sync_the_link_is_left_as_intended(prod: Rig) -> None:
    report = prod.bring(ONE)
    assert report.synced == {}
    assert states(prod) == {"account": EntityState.NOT_STARTED, "contact": EntityState.NOT_STARTED}


def test_the_same_import_again_does_what_was_left_pending_and_then_nothing(prod: Rig) -> None:
    prod.bring(ONE)
    assert list(prod.bring(ONE, sync=True).synced) == ["contosolake"]
    before = prod.dump()
    assert prod.bring(ONE, sync=True).synced == {}
    assert prod.dump() == before


def test_a_change_without_data_needs_no_sync(prod: Rig) -> None:
    prod.bring(ONE, sync=True)
    newer = bundle(config("account", "contact", interval_minutes=30), version="1.1.0.0")
    assert prod.bring(newer, sync=True).synced == {}


def test_an_added_entity_is_synced_and_a_removed_one_retired(prod: Rig) -> None:
    fill(prod, account=1, contact=1, lead=1)
    prod.bring(ONE, sync=True)
    report = prod.bring(bundle(config("account", "lead"), version="1.1.0.0"), sync=True)
    assert report.synced["contosolake"].retired == ("contact",)
    assert report.synced["contosolake"].by_entity["lead"].written == 1
    lake = prod.lake("contosolake", FILE_SYSTEM)
    assert [stat.path for stat in lake.list("contact")] == ["contact/Snapshot/2026-03_1772366400.csv"]
    assert next(stat.path for stat in lake.list("_kept")).startswith("_kept/contact/20260301T120000Z/")


def test_data_is_deleted_where_that_was_named(prod: Rig) -> None:
    fill(prod, account=1, contact=1)
    prod.do(plan_link(config("account", "contact"), prod.world(config("account"))), sync=True)
    prod.do(plan_entities(CONFIG, prod.world(), remove=("contact",), delete_data=True), sync=True)
    lake = prod.lake("contosolake", FILE_SYSTEM)
    left = [stat.path for prefix in ("contact", "_kept") for stat in lake.list(prefix)]
    assert left == ["contact/Snapshot/2026-03_1772366400.csv"]


def test_an_ended_link_is_retired_and_forgotten(prod: Rig) -> None:
    fill(prod, account=1)
    prod.bring(ONE, sync=True)
    prod.do(plan_uninstall("ContosoLake", prod.world()), sync=True)
    assert prod.record().lakes == ()
    assert b'"entities":[]' in prod.lake("contosolake", FILE_SYSTEM).read("model.json")


def test_a_link_that_ended_without_a_sync_is_retired_by_the_next_apply(prod: Rig) -> None:
    prod.bring(ONE, sync=True)
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    assert len(prod.record().lakes) == 1
    prod.bring(bundle(config("lead", account="contosotest"), unique_name="Other"), sync=True)
    assert [address.account for address in prod.record().lakes] == ["contosotest"]


def test_a_lake_can_be_linked_again_after_it_was_forgotten(prod: Rig) -> None:
    fill(prod, account=1)
    prod.bring(ONE, sync=True)
    prod.do(plan_uninstall("ContosoLake", prod.world()), sync=True)
    report = prod.bring(ONE, sync=True)
    assert report.synced["contosolake"].by_entity["account"].written == 1
    assert prod.link().generation == 3


def ticking(prod: Rig) -> datetime:
    """Be a clock that goes on by a second with each look."""
    prod.clock.move(seconds=1)
    return prod.clock.now


def wait(prod: Rig, plan: Plan, seconds: float) -> None:
    archive = write_bundle(ONE, None).to_bytes()
    apply(plan, prod.site, archive, clock=lambda: ticking(prod), holder=HOLDER, wait=seconds)


def test_when_the_time_is_over_the_same_command_goes_on(prod: Rig) -> None:
    fill(prod, account=5, contact=5)
    prod.source.batch_size = 1
    with pytest.raises(Partial) as caught:
        wait(prod, prod.plan(ONE), 2)
    assert (caught.value.code, caught.value.exit_status) == ("APL004", 7)
    assert caught.value.what == "the time was over before contosolake was synced"
    assert caught.value.why == "what was committed stays; an initial sync that was stopped goes on"
    assert EntityState.COMPLETED not in states(prod).values()
    wait(prod, prod.plan(ONE), 10_000)
    assert set(states(prod).values()) == {EntityState.COMPLETED}


def test_a_running_engine_takes_the_link_over(prod: Rig) -> None:
    prod.bring(ONE, sync=True)
    lake = prod.lake("contosolake", FILE_SYSTEM)
    fence = lake.lock(WRITER_LOCK, ENGINE)
    report = prod.bring(bundle(config("account"), version="1.1.0.0"), sync=True)
    assert (report.synced, list(report.running)) == ({}, ["contosolake"])
    assert "engine@lab" in report.running["contosolake"]
    assert prod.link().generation == 2
    fence.release()


def test_what_else_is_locked_is_no_engine_that_goes_on(prod: Rig) -> None:
    source = LockedSource(prod.source)
    with pytest.raises(Locked, match="somebody seeds"):
        apply(
            prod.plan(ONE),
            replace(prod.site, source=source),
            write_bundle(ONE, None).to_bytes(),
            clock=prod.clock,
            holder=HOLDER,
        )


class LockedSource:
    """A source whose organization somebody else has locked."""

    def __init__(self, behind: Source) -> None:
        self.count, self.has, self.changes, self.mark = behind.count, behind.has, behind.changes, behind.mark
        self.organization, self.size = behind.organization, behind.size

    def entities(self) -> NoReturn:
        raise Locked("ORG005", "somebody seeds the organization")


def test_an_entity_that_fails_is_reported_and_stops_no_other(prod: Rig) -> None:
    fill(prod, account=1, contact=1)
    prod.source.fail("contact", EntityGone("SRC001", "contact is gone"))
    report = prod.bring(ONE, sync=True)
    assert [one.entity for one in report.synced["contosolake"].failed] == ["contact"]
    assert states(prod) == {"account": EntityState.COMPLETED, "contact": EntityState.FAILED}


@pytest.mark.parametrize(("seconds", "waits"), [(None, [30.0, 30.0]), (40, [30.0])])
def test_what_fails_in_passing_is_tried_again_before_the_time_is_over(
    prod: Rig, seconds: float | None, waits: list[float]
) -> None:
    slept: list[float] = []
    for _ in range(2):
        prod.source.fail("contact", Retriable("SRC009", "busy", after=30))

    def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return False

    patience = Patience(sleep, lambda _: None)
    archive = write_bundle(ONE, None).to_bytes()
    report = apply(prod.plan(ONE), prod.site, archive, clock=prod.clock, holder=HOLDER, wait=seconds, patience=patience)
    assert slept == waits
    assert len(report.synced["contosolake"].failed) == (seconds is not None)


def test_the_next_apply_tries_a_failed_entity_again(prod: Rig) -> None:
    prod.source.fail("contact", EntityGone("SRC001", "contact is gone"))
    prod.bring(ONE, sync=True)
    prod.bring(ONE, sync=True)
    assert states(prod)["contact"] is EntityState.COMPLETED


def test_rows_that_cannot_be_counted_leave_the_plan_without_a_number(prod: Rig) -> None:
    prod.source.drop("contact")
    assert prod.world(*ONE.configs).statistics == {"account": 0}


def test_the_progress_of_each_entity_is_told(prod: Rig) -> None:
    fill(prod, account=1)
    told: list[object] = []
    archive = write_bundle(ONE, None).to_bytes()
    apply(prod.plan(ONE), prod.site, archive, clock=prod.clock, holder=HOLDER, progress=told.append)
    assert {step.entity for step in told if isinstance(step, EntityProgress)} == {"account", "contact"}


def test_two_links_are_synced_one_after_the_other(prod: Rig) -> None:
    both = bundle(config("account"), config(linked("contact"), id=OTHER_CONFIG, account="contosotest"))
    assert list(prod.bring(both, sync=True).synced) == ["contosolake", "contosotest"]


def test_a_copied_lake_of_another_organization_is_not_taken(prod: Rig) -> None:
    prod.bring(bundle(config("account"), package=Package.UNMANAGED), sync=True)
    prod.clock.move(hours=1)
    link = prod.link()
    assert prod.clock() - link.created == timedelta(hours=1)
    other = link.model_copy(update={"organization": OTHER_CONFIG})
    lake = prod.lake("contosolake", FILE_SYSTEM)
    lake.put("_toolkit/link.json", other.model_dump_json().encode(), "any")
    prod.state.delete("record.json")
    (what,) = prod.world(config("account")).foreign.values()
    assert what == f"a link of the organization {OTHER_CONFIG}"
