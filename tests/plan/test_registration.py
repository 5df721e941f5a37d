"""What an environment registers of a bundle: its solution, that with the overlay's values, or nothing at all."""

from dataclasses import replace

import pytest

from tests.plan.build import CONFIG, CORE, FILE_SYSTEM, bundle, config, entity, inventory, link, linked, record, world
from toolkit.errors import Finding, Refused, Severity
from toolkit.model.environment import ConfigRow, HostedLink, Inventory, Registration
from toolkit.model.solution import MissingDependency, Package
from toolkit.plan import plan_entities, plan_import, plan_link, plan_uninstall, plan_unlink
from toolkit.plan.changes import RegisterSolution, RemoveSolution, describe
from toolkit.plan.world import World

ONE = bundle(config("account"))
OVERLAID = config("account", interval_minutes=15)


def kinds(plan_of: World, *, version: str = "1.0.0.0") -> list[str]:
    of = bundle(config("account"), version=version)
    return [change.kind for change in plan_import(of, of.configs, plan_of).changes]


def codes(found: World, of: object = ONE) -> list[str]:
    with pytest.raises(Refused) as caught:
        plan_import(ONE if of is ONE else of, ONE.configs, found)  # type: ignore[arg-type]  # a bundle in every test
    return [finding.code for finding in caught.value.findings]


def bare() -> World:
    """Return an environment without the Core solution in which only links are made."""
    return world(solutions={}, registration="link-only")


def linked_alone(applied_version: str = "1.0.0.0") -> World:
    of = bundle(config("account"), version=applied_version)
    made = link(of.configs[0])
    return replace(bare(), links=(made,), record=record(of, made))


# --- link-only ------------------------------------------------------------------------------------------------------


def test_where_only_links_are_made_no_solution_is_imported_and_core_is_not_asked_for() -> None:
    assert kinds(bare()) == ["link.create"]


def test_what_was_applied_there_is_known_from_the_record_and_planned_no_more() -> None:
    assert kinds(linked_alone()) == []


def test_a_higher_version_of_the_same_content_is_recorded() -> None:
    assert kinds(linked_alone(), version="1.1.0.0") == ["solution.record"]


def test_a_lower_version_and_other_content_of_the_same_are_refused_by_the_record() -> None:
    assert codes(linked_alone("2.0.0.0")) == ["0x80048541"]
    assert codes(linked_alone(), bundle(config("account", "contact"))) == ["PLN002"]
    assert codes(linked_alone(), bundle(config("account"), package=Package.UNMANAGED)) == ["0x80048041"]


def test_an_uninstall_ends_the_links_and_is_recorded() -> None:
    plan = plan_uninstall("contosolake", linked_alone())
    assert [change.kind for change in plan.changes] == ["solution.remove", "link.remove"]
    assert isinstance(plan.changes[0], RemoveSolution)
    assert (plan.changes[0].solution, plan.changes[0].managed) == ("ContosoLake", True)


def test_by_hand_no_row_is_written_there() -> None:
    assert [change.kind for change in plan_link(OVERLAID, bare()).changes] == ["link.create"]
    by_hand = replace(linked_alone(), links=(link(config("account"), solution=None),))
    assert [change.kind for change in plan_entities(CONFIG, by_hand, add=(linked("contact"),)).changes] == [
        "entity.add"
    ]
    assert [change.kind for change in plan_unlink(CONFIG, by_hand).changes] == ["link.remove"]


# --- with the overlay's values --------------------------------------------------------------------------------------


def effective(row: Inventory | None = None) -> World:
    found = world(ONE, registration="effective")
    return found if row is None else replace(found, inventory=row)


def test_the_package_is_rewritten_and_the_plan_says_so() -> None:
    plan = plan_import(ONE, (OVERLAID,), world(registration=Registration.EFFECTIVE))
    (register,) = (change for change in plan.changes if isinstance(change, RegisterSolution))
    assert register.effective
    assert describe(register).after == "1.0.0.0, rewritten with the overlay"
    assert plan.brought is not None
    assert plan.brought.bundle == ONE.digest


def test_a_package_without_configs_is_not_rewritten() -> None:
    plan = plan_import(ONE, (), world(registration=Registration.EFFECTIVE))
    assert [describe(each).after for each in plan.changes if isinstance(each, RegisterSolution)] == ["1.0.0.0"]


def test_a_row_with_the_values_of_the_overlay_is_as_it_should_be() -> None:
    rows = {CONFIG: ConfigRow(config=OVERLAID, managed=True)}
    found = replace(
        world(ONE, registration="effective", configs=rows), links=(link(OVERLAID),), record=record(ONE, link(OVERLAID))
    )
    assert plan_import(ONE, (OVERLAID,), found).empty
    as_is = replace(found, inventory=inventory(ONE, configs=rows))
    assert [change.kind for change in plan_import(ONE, (OVERLAID,), as_is).changes] == ["solution.register"]


def test_another_overlay_alone_brings_the_same_version_again() -> None:
    changes = plan_import(ONE, (OVERLAID,), effective()).changes
    assert [change.kind for change in changes] == ["solution.register", "setting.change"]


# --- hosted links ---------------------------------------------------------------------------------------------------


def hosted(**values: object) -> World:
    made = {"id": CONFIG, "name": "Contoso Lake", "state": "Active", "active": True, "account": "contosolake"}
    return world(hosted=(HostedLink.model_validate({**made, "file_system": "dataverse-prod", **values}),))


def findings(found: World) -> tuple[Finding, ...]:
    return plan_import(ONE, ONE.configs, found).findings


def test_an_active_hosted_link_on_our_storage_account_is_an_error() -> None:
    assert codes(hosted()) == ["ENV030"]
    with pytest.raises(Refused, match="'Contoso Lake' exports to contosolake/dataverse-prod, and is Active"):
        plan_link(config("account"), hosted())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"active": False, "state": "Deactivated"}, ("ENV032", Severity.NOTE)),
        ({"account": "contosoother"}, ("ENV032", Severity.NOTE)),
        ({"account": None, "file_system": None}, ("ENV031", Severity.WARNING)),
        ({"account": None, "active": False}, ("ENV032", Severity.NOTE)),
    ],
)
def test_another_hosted_link_is_told_and_left_alone(values: dict[str, object], expected: tuple[str, Severity]) -> None:
    assert [(finding.code, finding.severity) for finding in findings(hosted(**values))] == [expected]


# --- tables and components ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Elastic", "Virtual"])
def test_tables_that_do_not_tell_what_changed_are_refused_with_a_reason(kind: str) -> None:
    table = entity("account").model_copy(update={"table_type": kind})
    with pytest.raises(Refused) as caught:
        findings(world(entities={"account": table}))
    (finding,) = caught.value.findings
    assert (finding.code, finding.what) == ("ENV033", f"the entity 'account' is a table of the type {kind}")
    assert finding.why


def test_a_component_that_only_the_platform_can_look_up_is_left_to_it() -> None:
    needs = MissingDependency(required={"type": "61", "schemaName": "cts_icon.png", "solution": "Active"})
    of = bundle(config("account"), missing_dependencies=(needs,))
    assert codes(world(), of) == ["0x8004801d"]
    unknown = world(components_known=False)
    assert [change.kind for change in plan_import(of, of.configs, unknown).changes] == [
        "solution.register",
        "link.create",
    ]


def test_worlds_of_these_tests_are_what_they_seem() -> None:
    assert (world().installed(CORE.unique_name), bare().installed(CORE.unique_name)) == (CORE, None)
    assert link(config("account")).file_system == FILE_SYSTEM
