"""What an import does to an environment, as a plan."""

from dataclasses import replace

from tests.plan.build import (
    CONFIG,
    FILE_SYSTEM,
    OTHER_CONFIG,
    bundle,
    config,
    link,
    linked,
    record,
    world,
)
from toolkit.model.config import ExportConfig, RetryPolicy, Storage
from toolkit.model.link import LakeAddress
from toolkit.model.solution import Package
from toolkit.model.version import Version
from toolkit.plan import Consequence, Effect, Plan, World, plan_import
from toolkit.plan.changes import (
    AddEntity,
    ChangeOwner,
    ChangeSetting,
    CreateLink,
    RecordSolution,
    RegisterSolution,
    RemoveEntity,
)

ONE = bundle(config("account", "contact"))


def kinds(plan: Plan) -> list[str]:
    return [change.kind for change in plan.changes]


def update(after: ExportConfig, there: World) -> Plan:
    newer = bundle(after, version="1.1.0.0")
    return plan_import(newer, newer.configs, there)


def test_a_first_import_installs_the_solution_and_links_its_configs() -> None:
    plan = plan_import(ONE, ONE.configs, world(statistics={"account": 1000, "contact": 500}))
    assert plan.changes == (
        RegisterSolution(solution="ContosoLake", managed=True, installed=None, version=Version("1.0.0.0")),
        CreateLink(
            config=ONE.configs[0],
            address=LakeAddress(config=CONFIG, account="contosolake", file_system=FILE_SYSTEM),
            solution="ContosoLake",
            consequence=Consequence(effect=Effect.INITIAL_SYNC, rows=1500, size=75_000),
        ),
    )


def test_an_initial_sync_of_an_entity_without_a_count_has_no_size() -> None:
    plan = plan_import(ONE, ONE.configs, world(statistics={"account": 1000}))
    assert plan.changes[1].consequence == Consequence(effect=Effect.INITIAL_SYNC)


def test_a_plan_knows_its_environment_and_both_digests() -> None:
    plan = plan_import(ONE, ONE.configs, world())
    assert plan.environment == "prod"
    assert plan.brought is not None
    assert plan.brought.bundle == ONE.digest
    assert plan.brought.effective.startswith("sha256:")


def test_the_same_version_and_content_again_is_an_empty_plan() -> None:
    plan = plan_import(ONE, ONE.configs, world(ONE))
    assert plan.empty


def test_the_order_of_entities_is_no_change_of_a_link() -> None:
    assert kinds(update(config("contact", "account"), world(ONE))) == ["solution.register"]


def test_entities_leave_before_others_come() -> None:
    plan = update(config("account", "lead"), world(ONE, statistics={"contact": 500, "lead": 20}))
    assert plan.changes[1:] == (
        RemoveEntity(
            config=CONFIG,
            name="contosolake",
            entity="contact",
            keep=True,
            consequence=Consequence(effect=Effect.DATA_KEPT, rows=500, size=25_000),
        ),
        AddEntity(
            config=CONFIG,
            name="contosolake",
            entity=linked("lead"),
            consequence=Consequence(effect=Effect.INITIAL_SYNC, rows=20, size=1000),
        ),
    )


def test_interval_retry_and_delete_log_change_in_place() -> None:
    after = config("account", "contact", interval_minutes=30, retry=RetryPolicy(max_count=3), write_delete_log=False)
    changes = update(after, world(ONE)).changes[1:]
    assert [change.setting for change in changes if isinstance(change, ChangeSetting)] == [
        "interval_minutes",
        "retry",
        "write_delete_log",
    ]
    assert {change.consequence.effect for change in changes} == {Effect.NOTHING}


def test_the_file_system_written_out_is_no_move() -> None:
    after = config("account", "contact", storage=Storage(account="contosolake", file_system=FILE_SYSTEM))
    (change,) = update(after, world(ONE)).changes[1:]
    assert isinstance(change, ChangeSetting)
    assert (change.setting, change.before, change.after) == ("storage.file_system", None, FILE_SYSTEM)


def test_the_default_strategy_written_out_is_a_setting_without_consequence() -> None:
    (change,) = update(config(linked("account", "Month"), "contact"), world(ONE)).changes[1:]
    assert isinstance(change, ChangeSetting)
    assert (change.entity, change.setting, change.after) == ("account", "partition_strategy", "Month")


def test_only_the_overlay_changed_is_a_change_of_the_link() -> None:
    overlaid = ONE.configs[0].model_copy(update={"interval_minutes": 15})
    plan = plan_import(ONE, (overlaid,), world(ONE))
    assert kinds(plan) == ["setting.change"]


def test_a_link_that_was_changed_by_hand_is_brought_back_with_its_row() -> None:
    there = world(ONE)
    drifted = config("account")
    row = there.inventory.configs[CONFIG].model_copy(update={"config": drifted})
    inventory = there.inventory.model_copy(update={"configs": {CONFIG: row}})
    plan = plan_import(ONE, ONE.configs, replace(there, inventory=inventory, links=(link(drifted),)))
    assert kinds(plan) == ["solution.register", "entity.add"]
    assert plan.changes[0] == RegisterSolution(
        solution="ContosoLake", managed=True, installed=Version("1.0.0.0"), version=Version("1.0.0.0")
    )


def test_a_solution_that_came_another_way_is_linked_without_importing_it_again() -> None:
    plan = plan_import(ONE, ONE.configs, replace(world(ONE), record=None, links=()))
    assert kinds(plan) == ["link.create"]


def test_what_was_applied_and_not_recorded_is_recorded() -> None:
    plan = plan_import(ONE, ONE.configs, replace(world(ONE), record=None))
    assert plan.changes == (RecordSolution(solution="ContosoLake", version=Version("1.0.0.0")),)


def test_a_crash_after_the_import_of_a_newer_version_leaves_only_the_links_to_do() -> None:
    two = bundle(config("account", "contact", "lead"), version="1.1.0.0")
    there = replace(world(two), record=record(ONE, link(ONE.configs[0])), links=(link(ONE.configs[0]),))
    assert kinds(plan_import(two, two.configs, there)) == ["entity.add"]


def test_a_link_made_by_hand_becomes_the_solutions() -> None:
    there = replace(world(), links=(link(ONE.configs[0], solution=None),))
    plan = plan_import(ONE, ONE.configs, there)
    assert plan.changes[1:] == (ChangeOwner(config=CONFIG, name="contosolake", before=None, after="ContosoLake"),)


def test_an_ended_link_is_created_anew() -> None:
    ended = link(ONE.configs[0], active=False)
    assert kinds(plan_import(ONE, ONE.configs, replace(world(), links=(ended,)))) == [
        "solution.register",
        "link.create",
    ]


def test_a_folder_that_was_unpacked_as_both_imports_as_unmanaged() -> None:
    both = bundle(config("account"), package=Package.BOTH)
    (register, _) = plan_import(both, both.configs, world()).changes
    assert isinstance(register, RegisterSolution)
    assert not register.managed


def test_every_config_of_a_bundle_is_linked_in_the_order_of_the_bundle() -> None:
    second = config("contact", id=OTHER_CONFIG, name="sales", storage=Storage(account="contosolake", file_system="two"))
    two = bundle(config("account"), second)
    plan = plan_import(two, two.configs, world())
    assert [change.config.name for change in plan.changes if isinstance(change, CreateLink)] == ["contosolake", "sales"]


def test_a_saved_plan_is_read_again_as_it_was() -> None:
    plan = update(config("account", "lead", interval_minutes=30), world(ONE))
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_fingerprint_moves_with_the_environment_and_not_with_rows() -> None:
    there = world(ONE, statistics={"account": 1})
    plan = plan_import(ONE, ONE.configs, there)
    more_rows = plan_import(ONE, ONE.configs, replace(there, statistics={"account": 2}))
    account = there.inventory.entities["account"].model_copy(update={"display_name": "Account"})
    entities = {**there.inventory.entities, "account": account}
    renamed = replace(there, inventory=there.inventory.model_copy(update={"entities": entities}))
    other = plan_import(ONE, ONE.configs, renamed)
    assert plan.fingerprint == more_rows.fingerprint
    assert plan.fingerprint != other.fingerprint


def test_an_entity_that_no_config_names_does_not_move_the_fingerprint() -> None:
    there = world(ONE)
    entities = {name: entity for name, entity in there.inventory.entities.items() if name != "task"}
    without = replace(there, inventory=there.inventory.model_copy(update={"entities": entities}))
    assert plan_import(ONE, ONE.configs, there).fingerprint == plan_import(ONE, ONE.configs, without).fingerprint
