"""What people do by hand, and uninstalling, as plans."""

from dataclasses import replace

import pytest

from tests.plan.build import CONFIG, FILE_SYSTEM, OTHER_CONFIG, account, bundle, config, link, linked, world
from toolkit.errors import Finding, NotFound, Refused
from toolkit.model.config import Layout, LinkedEntity, Output
from toolkit.model.link import LakeAddress
from toolkit.model.solution import CORE_SOLUTION, Package
from toolkit.model.version import Version
from toolkit.plan import (
    Consequence,
    Effect,
    Plan,
    World,
    plan_entities,
    plan_link,
    plan_track,
    plan_uninstall,
    plan_unlink,
)
from toolkit.plan.changes import (
    AddEntity,
    ChangeOwner,
    DeleteConfig,
    RemoveEntity,
    RemoveLink,
    RemoveSolution,
    TrackEntity,
    WriteConfig,
)

MANAGED = bundle(config("account", "contact"))
UNMANAGED = bundle(config("account", "contact"), package=Package.UNMANAGED)
COUNTS = {"account": 1000, "contact": 500}
ADDRESS = LakeAddress(config=CONFIG, account="contosolake", file_system=FILE_SYSTEM)


def kinds(plan: Plan) -> list[str]:
    return [change.kind for change in plan.changes]


def refused(caught: pytest.ExceptionInfo[Refused]) -> Finding:
    (finding,) = caught.value.findings
    return finding


def test_linking_writes_the_row_and_creates_the_link() -> None:
    plan = plan_link(config("account"), world())
    assert kinds(plan) == ["config.write", "link.create"]


def test_linking_an_orphan_leaves_its_row() -> None:
    assert kinds(plan_link(UNMANAGED.configs[0], replace(world(UNMANAGED), links=()))) == ["link.create"]


def test_a_config_is_linked_once() -> None:
    with pytest.raises(Refused) as caught:
        plan_link(config("account"), world(UNMANAGED))
    found = refused(caught)
    assert (found.code, found.what) == ("PLN054", "the export config 'contosolake' is linked already")


def test_a_lake_of_the_record_whose_link_is_gone_is_not_given_to_another_config() -> None:
    there = replace(world(UNMANAGED), links=())
    with pytest.raises(Refused) as caught:
        plan_link(config("account", id=OTHER_CONFIG, name="new"), there)
    found = refused(caught)
    assert found.code == "PLN030"
    assert found.what == f"the file system contosolake/{FILE_SYSTEM} is used by the export config 'contosolake'"


def test_a_link_that_the_record_lost_is_linked_again_unless_that_would_delete_history() -> None:
    lost = replace(world(bundle(config(linked("account", append_only=True)), package=Package.UNMANAGED)), record=None)
    assert kinds(plan_link(config(linked("account", append_only=True), "contact"), lost)) == [
        "config.write",
        "link.create",
    ]
    with pytest.raises(Refused) as caught:
        plan_link(config("account"), lost)
    assert refused(caught).code == "PLN054"


def test_linking_names_each_entity_once() -> None:
    with pytest.raises(Refused) as caught:
        plan_link(config("account", "account"), world())
    found = refused(caught)
    assert (found.code, found.what) == ("PLN016", "the entity 'account' is named 2 times")


def test_adding_and_removing_name_each_entity_once() -> None:
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, world(UNMANAGED), add=(linked("lead"), linked("lead")), remove=("contact", "contact"))
    assert [(finding.code, str(finding.where)) for finding in caught.value.findings] == [
        ("PLN016", "prod contosolake.entities.lead"),
        ("PLN016", "prod contosolake.entities.contact"),
    ]


def test_linking_needs_the_core_solution() -> None:
    with pytest.raises(Refused) as caught:
        plan_link(config("account"), world(solutions={}))
    found = refused(caught)
    assert (found.code, found.what) == ("0x80048034", "the solution ExportToDataLakeCore is not installed")


def test_linking_checks_the_prerequisites_and_the_file_system() -> None:
    there = replace(world(accounts={"contosolake": account(kind="BlobStorage")}), links=(link(config("task")),))
    with pytest.raises(Refused) as caught:
        plan_link(config("invoice", id=OTHER_CONFIG, name="sales"), there)
    assert [finding.code for finding in caught.value.findings] == ["PLN011", "PLN021", "PLN030"]


def test_adding_an_entity_changes_the_row_and_the_link() -> None:
    plan = plan_entities("contosolake", world(UNMANAGED, statistics={"lead": 20}), add=(linked("lead", "Year"),))
    assert plan.changes == (
        WriteConfig(config=config("account", "contact", linked("lead", "Year")), replaces=True),
        AddEntity(
            config=CONFIG,
            name="contosolake",
            entity=linked("lead", "Year"),
            consequence=Consequence(effect=Effect.INITIAL_SYNC, rows=20, size=1000),
        ),
    )


def test_removing_an_entity_keeps_its_data_unless_deletion_is_named() -> None:
    there = world(UNMANAGED, statistics=COUNTS)
    for delete, effect in ((False, Effect.DATA_KEPT), (True, Effect.DATA_DELETED)):
        change = plan_entities(CONFIG, there, remove=("contact",), delete_data=delete).changes[1]
        assert change == RemoveEntity(
            config=CONFIG,
            name="contosolake",
            entity="contact",
            keep=not delete,
            consequence=Consequence(effect=effect, rows=500, size=25_000),
        )


def test_what_an_overlay_changed_on_the_link_stays_out_of_the_row() -> None:
    overlaid = config("account", "contact", interval_minutes=15)
    plan = plan_entities(CONFIG, replace(world(UNMANAGED), links=(link(overlaid),)), add=(linked("lead"),))
    assert isinstance(plan.changes[0], WriteConfig)
    assert plan.changes[0].config.interval_minutes == 60


def test_the_row_of_a_link_is_made_again_where_it_is_gone() -> None:
    plan = plan_entities(CONFIG, world(UNMANAGED, configs={}), add=(linked("lead"),))
    assert plan.changes[0] == WriteConfig(config=config("account", "contact", "lead"), replaces=False)


def test_everything_wrong_with_entities_comes_at_once() -> None:
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, world(UNMANAGED), add=(linked("account"), linked("invoice")), remove=("contct",))
    assert [(finding.code, finding.what) for finding in caught.value.findings] == [
        ("PLN056", "the entity 'account' is linked already"),
        ("PLN011", "the entity 'invoice' has no change tracking"),
        ("PLN057", "the entity 'contct' is not linked"),
    ]
    assert caught.value.findings[2].fix == "did you mean 'contact'?"


@pytest.mark.parametrize(
    ("entity", "kind"),
    [(linked("account", "Year"), "entity.strategy"), (linked("account", append_only=True), "entity.mode")],
)
def test_a_linked_entity_that_is_added_in_another_way_is_changed_in_place(entity: LinkedEntity, kind: str) -> None:
    plan = plan_entities(CONFIG, world(UNMANAGED), add=(entity,))
    assert kinds(plan) == ["config.write", kind]
    assert plan.configs[0].entity("account") == entity


@pytest.mark.parametrize("entity", [linked("account", "Month"), linked("account")])
def test_the_same_way_to_export_a_linked_entity_is_linked_already(entity: LinkedEntity) -> None:
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, world(UNMANAGED), add=(entity,))
    found = refused(caught)
    assert (found.code, found.why) == ("PLN056", "it is exported Month, in place")
    assert found.fix == "leave it out, or say how: account=Year, account=Month, account=append-only"


def test_an_entity_whose_name_alone_is_given_keeps_its_strategy() -> None:
    by_year = bundle(config(linked("account", "Year")), package=Package.UNMANAGED)
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, world(by_year), add=(linked("account"),))
    assert refused(caught).code == "PLN056"


def test_a_managed_config_is_not_changed_by_hand() -> None:
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, world(MANAGED), add=(linked("lead"),))
    found = refused(caught)
    assert (found.code, found.what) == ("0x8004f012", "the export config 'contosolake' is managed by ContosoLake")


def test_a_config_that_is_not_linked_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        plan_entities("contosolak", world(UNMANAGED), add=(linked("lead"),))
    assert (caught.value.code, caught.value.what) == ("PLN053", "no live link of an export config 'contosolak'")
    assert caught.value.fix == "did you mean 'contosolake'?"


def test_without_any_link_the_command_that_makes_one_is_told() -> None:
    with pytest.raises(NotFound) as caught:
        plan_unlink("contosolake", world())
    assert caught.value.fix == "toolkit lake link makes one"


def test_unlinking_deletes_the_row_and_keeps_the_data() -> None:
    plan = plan_unlink("contosolake", world(UNMANAGED, statistics=COUNTS))
    assert plan.changes == (
        DeleteConfig(config=CONFIG, name="contosolake"),
        RemoveLink(
            config=CONFIG,
            name="contosolake",
            address=ADDRESS,
            entities=("account", "contact"),
            keep=True,
            consequence=Consequence(effect=Effect.DATA_KEPT, rows=1500, size=75_000),
        ),
    )


def test_unlinking_without_a_row_ends_the_link_alone() -> None:
    assert kinds(plan_unlink(CONFIG, world(UNMANAGED, configs={}))) == ["link.remove"]


def test_a_managed_link_is_not_ended_by_hand() -> None:
    with pytest.raises(Refused) as caught:
        plan_unlink(CONFIG, world(MANAGED))
    assert refused(caught).code == "0x8004f013"


def test_uninstalling_a_managed_solution_ends_its_links() -> None:
    plan = plan_uninstall("ContosoLake", world(MANAGED, statistics=COUNTS))
    assert plan.changes == (
        RemoveSolution(solution="ContosoLake", managed=True, version=Version("1.0.0.0")),
        RemoveLink(
            config=CONFIG,
            name="contosolake",
            address=ADDRESS,
            entities=("account", "contact"),
            keep=True,
            consequence=Consequence(effect=Effect.DATA_KEPT, rows=1500, size=75_000),
        ),
    )


def test_uninstalling_an_unmanaged_solution_leaves_orphans() -> None:
    plan = plan_uninstall("ContosoLake", world(UNMANAGED))
    assert plan.changes[1:] == (ChangeOwner(config=CONFIG, name="contosolake", before="ContosoLake", after=None),)


def test_pruning_takes_rows_and_links_along_and_may_delete_the_data() -> None:
    plan = plan_uninstall("ContosoLake", world(UNMANAGED), prune=True, delete_data=True)
    assert kinds(plan) == ["solution.remove", "config.delete", "link.remove"]
    assert plan.changes[2].consequence.effect is Effect.DATA_DELETED


def test_pruning_skips_a_row_that_is_gone() -> None:
    plan = plan_uninstall("ContosoLake", world(UNMANAGED, configs={}), prune=True)
    assert kinds(plan) == ["solution.remove", "link.remove"]


def test_an_uninstall_that_was_cut_off_goes_on_with_the_links() -> None:
    for of, kind in ((MANAGED, "link.remove"), (UNMANAGED, "link.owner")):
        there = world(of, solutions={})
        assert kinds(plan_uninstall("ContosoLake", there)) == [kind]
    assert kinds(plan_uninstall("ContosoLake", replace(world(MANAGED, solutions={}), record=None))) == ["link.remove"]


def test_an_unknown_solution_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        plan_uninstall("ContosoLak", world(MANAGED))
    assert (caught.value.code, caught.value.fix) == ("PLN050", "did you mean 'ContosoLake'?")


def test_a_solution_that_others_need_stays() -> None:
    with pytest.raises(Refused) as caught:
        plan_uninstall(CORE_SOLUTION, world(MANAGED))
    assert [(finding.code, finding.what) for finding in caught.value.findings] == [
        ("0x8004f01d", "ContosoLake depends on ExportToDataLakeCore"),
        ("PLN052", "ExportToDataLakeCore holds the table of the export configs contosolake"),
    ]


def test_tracking_an_entity_is_one_change() -> None:
    assert plan_track("invoice", world()).changes == (TrackEntity(entity="invoice"),)


def test_tracking_a_tracked_entity_is_nothing_to_do() -> None:
    assert plan_track("account", world()).empty


def test_an_unknown_entity_cannot_be_tracked() -> None:
    with pytest.raises(NotFound) as caught:
        plan_track("invoise", world())
    assert (caught.value.code, caught.value.fix) == ("PLN010", "did you mean 'invoice'?")


@pytest.mark.parametrize(
    ("name", "why"),
    [("listmember", "it is the table of an N:N relationship"), ("report", "the platform does not allow it")],
)
def test_some_entities_can_never_be_tracked(name: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        plan_track(name, world())
    assert (caught.value.code, caught.value.why) == ("PLN012", why)


def test_a_world_without_its_record_is_still_a_world() -> None:
    nothing: World = replace(world(), record=None)
    assert nothing.link(CONFIG) is None
    assert nothing.owner(CONFIG) is None


FOLDERS = bundle(
    config("account", linked("contact", "Month"), output=Output(layout=Layout.INCREMENTAL)), package=Package.UNMANAGED
)


def test_what_leaves_incremental_folders_stays_in_them() -> None:
    plan = plan_entities(CONFIG, world(FOLDERS, statistics=COUNTS), remove=("account",))
    assert plan.changes[-1].consequence.effect is Effect.DATA_STAYS
    ended = plan_unlink(CONFIG, world(FOLDERS, statistics=COUNTS))
    assert ended.changes[-1].consequence.effect is Effect.DATA_STAYS


@pytest.mark.parametrize("package", [Package.UNMANAGED, Package.MANAGED])
def test_data_in_incremental_folders_is_never_deleted(package: Package) -> None:
    there = world(FOLDERS.model_copy(update={"solution": FOLDERS.solution.model_copy(update={"package": package})}))
    with pytest.raises(Refused) as caught:
        plan_uninstall("ContosoLake", there, prune=True, delete_data=True)
    assert refused(caught).code == "PLN061"


def test_data_in_incremental_folders_is_not_deleted_by_hand() -> None:
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, world(FOLDERS), remove=("account",), delete_data=True)
    assert refused(caught).code == "PLN061"
    with pytest.raises(Refused) as ended:
        plan_unlink(CONFIG, world(FOLDERS), delete_data=True)
    assert refused(ended).code == "PLN061"
