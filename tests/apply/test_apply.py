"""A plan, done: what the environment, the link documents and the record hold afterwards."""

from datetime import timedelta
from hashlib import sha256

import pytest

from tests.apply.rig import HOLDER, Rig
from tests.plan.build import CONFIG, FILE_SYSTEM, ORGANIZATION, OTHER_CONFIG, START, bundle, config, linked
from toolkit.apply import Marker, apply
from toolkit.bundle import write_bundle
from toolkit.environment.protocol import ImportMode, Progress
from toolkit.errors import Conflict, Locked, Refused
from toolkit.lake.protocol import ABSENT
from toolkit.model.config import ExportConfig, Layout, Output, Storage
from toolkit.model.link import Applied, Dropped, LakeAddress, Link
from toolkit.model.solution import Package
from toolkit.model.version import Version
from toolkit.plan import plan_entities, plan_link, plan_track, plan_uninstall, plan_unlink
from toolkit.plan.changes import CreateLink, RegisterSolution

ONE = bundle(config("account", "contact"))
UNMANAGED = bundle(config("account", "contact"), package=Package.UNMANAGED)
ADDRESS = LakeAddress(config=CONFIG, account="contosolake", file_system=FILE_SYSTEM)


def test_an_import_writes_the_link_document(prod: Rig) -> None:
    plan = prod.plan(ONE)
    assert plan.brought is not None
    prod.do(plan, ONE)
    assert prod.link() == Link(
        generation=1,
        environment="prod",
        organization=ORGANIZATION,
        config=ONE.configs[0],
        account="contosolake",
        file_system=FILE_SYSTEM,
        solution="ContosoLake",
        created=START,
        changed=START,
        history=(
            Applied(
                solution="ContosoLake",
                version=Version("1.0.0.0"),
                managed=True,
                bundle=ONE.digest,
                effective=plan.brought.effective,
                at=START,
                by="ada@lab",
                plan=plan.digest,
                package=f"sha256:{sha256(write_bundle(ONE, None).to_bytes()).hexdigest()}",
            ),
        ),
    )


def test_an_import_records_the_lake_and_what_was_applied(prod: Rig) -> None:
    prod.bring(ONE)
    record = prod.record()
    assert (record.environment, record.organization, record.lakes) == ("prod", ORGANIZATION, (ADDRESS,))
    assert record.applied == prod.link().history


def test_an_import_marks_the_file_system_and_makes_a_folder_per_entity(prod: Rig) -> None:
    prod.bring(ONE)
    lake = prod.lake("contosolake", FILE_SYSTEM)
    marker = Marker.model_validate_json(lake.read("_toolkit/lake.json"))
    assert marker == Marker(organization=ORGANIZATION, environment="prod", created=START)
    assert [call.path for call in lake.calls if call.operation == "create_folder"] == ["account", "contact"]


def test_an_import_registers_the_solution_in_the_environment(prod: Rig) -> None:
    prod.bring(ONE)
    inventory = prod.environment.inventory()
    assert inventory.solutions["ContosoLake"].configs == (CONFIG,)
    assert inventory.configs[CONFIG].managed


def test_the_row_holds_the_values_of_the_bundle_and_the_link_those_of_the_overlay(prod: Rig) -> None:
    overlaid = ONE.configs[0].model_copy(update={"interval_minutes": 15})
    prod.bring(ONE, [overlaid])
    assert prod.environment.inventory().configs[CONFIG].config.interval_minutes == 60
    assert prod.link().config.interval_minutes == 15


def test_the_same_import_again_plans_nothing_and_changes_nothing(prod: Rig) -> None:
    prod.bring(ONE)
    before = prod.dump()
    plan = prod.plan(ONE)
    assert plan.empty
    prod.do(plan, ONE)
    assert prod.dump() == before


def test_an_update_changes_the_link_one_generation_higher(prod: Rig) -> None:
    prod.bring(ONE)
    prod.clock.move(hours=1)
    after = bundle(config("account", "lead", interval_minutes=30), version="1.1.0.0")
    prod.bring(after)
    link = prod.link()
    assert link.generation == 2
    assert (link.created, link.changed) == (START, START + timedelta(hours=1))
    assert [entity.name for entity in link.config.entities] == ["account", "lead"]
    assert link.config.interval_minutes == 30
    assert link.dropped == (Dropped(entity="contact", generation=2),)
    assert [str(entry.version) for entry in link.history] == ["1.0.0.0", "1.1.0.0"]
    assert prod.plan(after).empty


def test_an_entity_that_comes_back_stays_dropped_by_the_generation_that_took_it_off(prod: Rig) -> None:
    prod.bring(ONE)
    prod.bring(bundle(config("account"), version="1.1.0.0"))
    prod.bring(bundle(config("account", "contact"), version="1.2.0.0"))
    assert prod.link().generation == 3
    assert prod.link().dropped == (Dropped(entity="contact", generation=2),)
    prod.bring(bundle(config("contact"), version="1.3.0.0"))
    prod.bring(bundle(config("account"), version="1.4.0.0"))
    assert prod.link().dropped == (Dropped(entity="account", generation=4), Dropped(entity="contact", generation=5))


def test_a_link_that_begins_again_knows_what_the_ended_one_dropped(prod: Rig) -> None:
    prod.bring(UNMANAGED)
    prod.do(plan_unlink(CONFIG, prod.world(), delete_data=True))
    prod.bring(UNMANAGED)
    assert prod.link().dropped == (
        Dropped(entity="account", keep=False, generation=2),
        Dropped(entity="contact", keep=False, generation=2),
    )


def test_an_uninstall_is_recorded_between_two_imports_of_the_same_version(prod: Rig) -> None:
    prod.bring(ONE)
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    assert prod.record().last_applied("ContosoLake") is None
    prod.bring(ONE)
    applied = prod.record().applied
    assert [(str(entry.version), entry.removed) for entry in applied] == [
        ("1.0.0.0", False),
        ("1.0.0.0", True),
        ("1.0.0.0", False),
    ]
    assert {entry.bundle for entry in applied} == {ONE.digest}
    assert prod.link().history == applied


def test_an_uninstall_of_what_was_never_applied_has_no_digests(prod: Rig) -> None:
    list(prod.environment.import_solution(write_bundle(ONE, None).to_bytes(), ImportMode.UPDATE))
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    ((entry),) = prod.record().applied
    assert (entry.removed, entry.managed, entry.bundle, entry.effective) == (True, True, "", "")


def test_only_the_overlay_changed_needs_no_archive_and_is_recorded(prod: Rig) -> None:
    prod.bring(ONE)
    plan = prod.plan(ONE, [ONE.configs[0].model_copy(update={"interval_minutes": 15})])
    prod.do(plan)
    assert prod.link().config.interval_minutes == 15
    assert [entry.effective for entry in prod.record().applied] == [entry.effective for entry in prod.link().history]
    assert len({entry.effective for entry in prod.record().applied}) == 2


def test_a_plan_that_imports_needs_its_package(prod: Rig) -> None:
    before = prod.dump()
    with pytest.raises(Conflict) as caught:
        prod.do(prod.plan(ONE))
    assert (caught.value.code, caught.value.what) == (
        "APL002",
        "the plan imports ContosoLake 1.0.0.0, and no package was given",
    )
    assert prod.dump() == before


def test_another_package_than_the_planned_one_is_refused(prod: Rig) -> None:
    before = prod.dump()
    with pytest.raises(Conflict) as caught:
        prod.do(prod.plan(ONE), bundle(config("account")))
    assert (caught.value.code, caught.value.what) == (
        "APL005",
        "the package is not the one that the plan was made for",
    )
    assert prod.dump() == before


def test_a_stale_plan_is_refused_and_changes_nothing(prod: Rig) -> None:
    stale = prod.plan(ONE)
    prod.bring(bundle(config("account"), version="0.9"))
    before = prod.dump()
    with pytest.raises(Conflict) as caught:
        prod.do(stale, ONE)
    assert (caught.value.code, caught.value.what) == (
        "APL001",
        "the plan is stale: prod has changed since it was made",
    )
    assert prod.dump() == before


def test_a_change_that_a_plan_is_not_about_leaves_it_fresh(prod: Rig) -> None:
    plan = prod.plan(ONE)
    prod.do(plan_track("invoice", prod.world()))
    prod.source.insert("account")
    prod.do(plan, ONE)
    assert prod.link().generation == 1


def test_an_environment_that_somebody_else_changes_is_locked(prod: Rig) -> None:
    plan = prod.plan(ONE)
    fence = prod.state.lock("environment", HOLDER)
    with pytest.raises(Locked, match="ada@lab"):
        prod.do(plan, ONE)
    fence.release()
    prod.do(plan, ONE)
    assert prod.link().generation == 1


def test_another_layout_is_refused_before_anything_is_done(prod: Rig) -> None:
    prod.bring(ONE)
    other = bundle(config("account", "contact", output=Output(layout=Layout.INCREMENTAL)), version="1.1.0.0")
    before = prod.dump()
    with pytest.raises(Refused) as caught:
        prod.bring(other)
    assert caught.value.code == "PLN051"
    assert prod.dump() == before


REFUSED = [
    config("acount"),
    config(linked("account", "FiveDay")),
    config("account", account="nowhere"),
    config("account", storage=Storage(account="contosolake", file_system="foreign")),
    config("account", storage=Storage(account="contosolake", file_system="trickle")),
]


@pytest.mark.parametrize("of", REFUSED)
def test_a_refused_import_leaves_the_environment_and_the_lakes_as_they_were(prod: Rig, of: ExportConfig) -> None:
    prod.lake("contosolake", "foreign").put("model.json", b"{}", ABSENT)
    prod.lake("contosolake", "trickle").put("Microsoft.Athena.TrickleFeedService/account-model.json", b"{}", ABSENT)
    before = prod.dump()
    with pytest.raises(Refused):
        prod.bring(bundle(of))
    assert prod.dump() == before


def test_what_the_environment_refuses_changes_nothing(prod: Rig) -> None:
    # A plan does not look up every component; the import does.
    thing = bundle(config("account"), root_components=[{"type": "1", "schema_name": "cts_thing", "behavior": "0"}])
    before = prod.dump()
    with pytest.raises(Refused) as caught:
        prod.bring(thing)
    assert caught.value.code == "0x8004801f"
    assert prod.dump() == before


def test_a_managed_uninstall_ends_the_links_and_keeps_the_data(prod: Rig) -> None:
    prod.bring(ONE)
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    link = prod.link()
    assert (link.active, link.generation) == (False, 2)
    assert link.dropped == (Dropped(entity="account", generation=2), Dropped(entity="contact", generation=2))
    assert "ContosoLake" not in prod.environment.inventory().solutions
    assert prod.environment.inventory().configs == {}


def test_an_uninstall_may_name_the_data_to_be_deleted(prod: Rig) -> None:
    prod.bring(ONE)
    prod.do(plan_uninstall("ContosoLake", prod.world(), delete_data=True))
    assert {entry.keep for entry in prod.link().dropped} == {False}


def test_an_unmanaged_uninstall_leaves_rows_and_links_as_orphans(prod: Rig) -> None:
    prod.bring(UNMANAGED)
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    assert (prod.link().active, prod.link().solution) == (True, None)
    assert list(prod.environment.inventory().configs) == [CONFIG]


def test_a_pruning_uninstall_takes_them_along(prod: Rig) -> None:
    prod.bring(UNMANAGED)
    prod.do(plan_uninstall("ContosoLake", prod.world(), prune=True))
    assert not prod.link().active
    assert prod.environment.inventory().configs == {}


def test_an_orphan_is_taken_over_by_the_next_import(prod: Rig) -> None:
    prod.bring(UNMANAGED)
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    prod.bring(UNMANAGED)
    assert prod.link().solution == "ContosoLake"
    assert prod.plan(UNMANAGED).empty


def test_an_ended_link_begins_again_in_its_lake(prod: Rig) -> None:
    prod.bring(ONE)
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    prod.bring(ONE)
    link = prod.link()
    assert (link.active, link.generation, len(link.history)) == (True, 3, 3)
    assert prod.record().lakes == (ADDRESS,)
    assert prod.plan(ONE).empty


def test_linking_by_hand_writes_row_and_link(prod: Rig) -> None:
    prod.do(plan_link(config("account"), prod.world(config("account"))))
    assert prod.environment.inventory().configs[CONFIG].config == config("account")
    assert (prod.link().solution, prod.link().history) == (None, ())
    assert prod.record().applied == ()


def test_entities_by_hand_change_row_and_link(prod: Rig) -> None:
    prod.do(plan_link(config("account", "contact"), prod.world(config("account"))))
    prod.do(plan_entities(CONFIG, prod.world(), add=(linked("lead"),), remove=("contact",), delete_data=True))
    row = prod.environment.inventory().configs[CONFIG].config
    assert row.entities == prod.link().config.entities == (linked("account"), linked("lead"))
    assert prod.link().dropped == (Dropped(entity="contact", keep=False, generation=2),)


def test_unlinking_by_hand_deletes_the_row_and_ends_the_link(prod: Rig) -> None:
    prod.do(plan_link(config("account"), prod.world(config("account"))))
    prod.do(plan_unlink("contosolake", prod.world()))
    assert prod.environment.inventory().configs == {}
    assert not prod.link().active


def test_tracking_by_hand_enables_change_tracking(prod: Rig) -> None:
    prod.do(plan_track("invoice", prod.world()))
    assert prod.environment.inventory().entities["invoice"].change_tracking


def test_a_bundle_without_configs_is_registered_and_recorded(prod: Rig) -> None:
    prod.bring(bundle())
    assert [entry.solution for entry in prod.record().applied] == ["ContosoLake"]
    assert prod.record().lakes == ()


def test_two_configs_have_two_lakes(prod: Rig) -> None:
    second = config("contact", id=OTHER_CONFIG, account="contosotest")
    both = bundle(config("account"), second)
    prod.bring(both)
    assert prod.link("contosolake").config == both.configs[0]
    assert prod.link("contosotest").config == second
    assert [address.account for address in prod.record().lakes] == ["contosolake", "contosotest"]
    assert prod.plan(both).empty


def test_a_lost_record_is_written_again_from_the_lakes(prod: Rig) -> None:
    prod.bring(ONE)
    before = prod.record()
    prod.state.delete("record.json")
    plan = prod.plan(ONE)
    assert [change.kind for change in plan.changes] == ["solution.record"]
    prod.do(plan)
    (again,), (first,) = prod.record().applied, before.applied
    assert again == first.model_copy(update={"plan": plan.digest, "package": None})
    assert prod.record().lakes == before.lakes


def test_the_git_commit_goes_into_the_history(prod: Rig) -> None:
    archive = write_bundle(ONE, None).to_bytes()
    apply(prod.plan(ONE), prod.site, archive, clock=prod.clock, holder=HOLDER, commit="abc123", sync=False)
    assert prod.record().applied[0].commit == "abc123"


def test_the_progress_of_the_import_is_told(prod: Rig) -> None:
    told: list[object] = []
    archive = write_bundle(ONE, None).to_bytes()
    apply(prod.plan(ONE), prod.site, archive, clock=prod.clock, holder=HOLDER, sync=False, progress=told.append)
    assert told[-1] == Progress("imported ContosoLake 1.0.0.0", 2, 2)


def test_a_link_document_that_vanishes_meanwhile_stops_the_apply(prod: Rig) -> None:
    prod.bring(ONE)
    lake = prod.lake("contosolake", FILE_SYSTEM)

    def vanish(_: object) -> None:
        lake.delete("_toolkit/link.json")

    newer = bundle(config("account", "contact", interval_minutes=15), version="1.1.0.0")
    archive = write_bundle(newer, None).to_bytes()
    with pytest.raises(Conflict) as caught:
        apply(prod.plan(newer), prod.site, archive, clock=prod.clock, holder=HOLDER, sync=False, progress=vanish)
    assert (caught.value.code, caught.value.what) == ("APL003", "the link document of contosolake is gone")


def test_a_plan_tells_what_it_will_do_before_it_does_it(prod: Rig) -> None:
    prod.source.insert("account", name="Contoso")
    plan = prod.plan(ONE)
    assert [type(change) for change in plan.changes] == [RegisterSolution, CreateLink]
    assert plan.changes[1].consequence.rows == 1
