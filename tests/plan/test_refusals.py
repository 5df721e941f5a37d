"""Every refusal of an import, with its code and its words."""

from dataclasses import replace
from typing import Any

import pytest

from tests.plan.build import (
    CONFIG,
    CORE,
    ENTITIES,
    FILE_SYSTEM,
    ORGANIZATION,
    OTHER_CONFIG,
    account,
    bundle,
    config,
    inventory,
    link,
    linked,
    publisher,
    record,
    world,
)
from toolkit.errors import Finding, Place, Refused, Severity
from toolkit.model.bundle import Bundle
from toolkit.model.config import Condition, Layout, LinkedEntity, Mask, Output, Storage, Times
from toolkit.model.entity import TableType
from toolkit.model.solution import CORE_SOLUTION, MissingDependency, Package, RootComponent
from toolkit.model.version import Version
from toolkit.plan import LakeName, Profile, World, plan_entities, plan_import, plan_link, plan_uninstall
from toolkit.plan.changes import Origin
from toolkit.plan.rules import refuse
from toolkit.plan.safety import dangers


def refused(of: Bundle, there: World, profile: Profile = Profile.ENGINE) -> tuple[Finding, ...]:
    with pytest.raises(Refused) as caught:
        plan_import(of, of.configs, there, profile=profile, where="lake.zip")
    return tuple(finding for finding in caught.value.findings if finding.severity is Severity.ERROR)


def only(of: Bundle, there: World, profile: Profile = Profile.ENGINE) -> Finding:
    (finding,) = refused(of, there, profile)
    return finding


NEW = bundle(config("account"))


def test_a_config_needs_the_core_solution() -> None:
    found = only(NEW, world(solutions={}))
    assert (found.code, found.what) == ("0x80048034", "the solution ExportToDataLakeCore is not installed")
    real = "a real environment gets Microsoft's own from AppSource, or mode: link-only in toolkit.yaml"
    assert found.fix == f"toolkit import core --env prod ({real})"


def test_an_entity_that_a_config_links_twice_is_refused() -> None:
    found = only(bundle(config("account", linked("account", "Year"))), world())
    assert (found.code, found.what) == ("PLN016", "the entity 'account' is named 2 times")


def test_a_missing_core_is_told_once() -> None:
    needs = needing(type="1", schemaName="x", solution=f"{CORE_SOLUTION} (1.0)")
    assert [finding.code for finding in refused(needs, world(solutions={}))] == ["0x80048034"]


def test_a_bundle_without_configs_needs_no_core_solution() -> None:
    assert [change.kind for change in plan_import(bundle(), (), world(solutions={})).changes] == ["solution.register"]


def test_another_prefix_of_the_same_publisher_is_refused() -> None:
    there = world(publishers={"contoso": publisher(prefix="con")})
    found = only(NEW, there)
    assert found.code == "0x8004801c"
    assert found.what == "the publisher 'contoso' of the environment has another prefix"
    assert found.why == "con/72700 is installed, and the bundle has cts/72700"


def test_another_option_value_prefix_of_the_same_publisher_is_refused() -> None:
    there = world(publishers={"contoso": publisher(option_value_prefix=10001)})
    found = only(NEW, there)
    assert found.code == "0x8004801c"
    assert found.what == "the publisher 'contoso' of the environment has another option-value prefix"


def test_an_installed_solution_keeps_its_publisher() -> None:
    newer = bundle(config("account"), version="1.1.0.0", publisher=publisher(unique_name="fabrikam"))
    found = only(newer, world(NEW))
    assert found.code == "0x8004801c"
    assert found.what == ("ContosoLake is installed from the publisher 'contoso', and the bundle's is 'fabrikam'")


def test_a_lower_version_is_refused_in_the_words_of_dataverse() -> None:
    found = only(bundle(config("account"), version="1.7"), world(bundle(config("account"), version="1.61")))
    assert found.code == "0x80048541"
    assert found.what == ("The import solution must have a higher version than the existing solution it is upgrading.")
    assert found.fix == "raise the version of the bundle above 1.61"


def test_the_same_version_with_other_content_is_refused() -> None:
    found = only(bundle(config("account", "contact")), world(NEW))
    assert (found.code, found.what) == ("PLN002", "ContosoLake 1.0.0.0 is installed with other content")
    assert found.fix == "raise the version of the bundle"


def test_without_a_record_the_configs_tell_whether_the_content_is_another() -> None:
    found = only(bundle(config("account", "contact")), replace(world(NEW), record=None))
    assert found.code == "PLN002"


def test_managed_over_unmanaged_is_refused() -> None:
    found = only(NEW, world(bundle(config("account"), package=Package.UNMANAGED)))
    assert (found.code, found.what) == (
        "0x80048040",
        "ContosoLake is installed as unmanaged, and the package is managed",
    )


def test_unmanaged_over_managed_is_refused() -> None:
    found = only(bundle(config("account"), package=Package.UNMANAGED), world(NEW))
    assert (found.code, found.what) == (
        "0x80048041",
        "ContosoLake is installed as managed, and the package is unmanaged",
    )


def needing(**required: str) -> Bundle:
    return bundle(config("account"), missing_dependencies=(MissingDependency(required=required),))


def test_a_required_solution_must_be_installed() -> None:
    found = only(needing(type="1", schemaName="x", solution="ContosoBase (1.0)"), world())
    assert (found.code, found.what) == ("0x80048034", "the solution ContosoBase is not installed")


def test_a_required_solution_must_be_new_enough() -> None:
    found = only(needing(type="1", schemaName="x", solution=f"{CORE_SOLUTION} (2.0)"), world())
    assert (found.code, found.what) == (
        "0x8004801d",
        "the bundle needs ExportToDataLakeCore 2.0, and 1.0.0.0 is installed",
    )


def test_a_required_solution_of_the_right_version_is_enough() -> None:
    needs = needing(type="1", schemaName="x", solution=f"{CORE_SOLUTION} (1.0)")
    assert not plan_import(needs, needs.configs, world()).empty


def test_a_required_component_of_no_solution_must_be_there() -> None:
    found = only(needing(type="9", schemaName="cts_kind", displayName="Kind", solution="Active"), world())
    assert (found.code, found.what) == ("0x8004801d", "the environment lacks the component 'Kind' of type 9")


@pytest.mark.parametrize(
    "required",
    [
        {"type": "1", "schemaName": "Account", "solution": "Active"},
        {"type": "9", "schemaName": "cts_Kind"},
        {"type": "61", "id": "{0A0A}", "solution": "System (9.2)"},
    ],
)
def test_a_required_component_is_found_as_an_entity_or_in_an_installed_solution(required: dict[str, str]) -> None:
    parts = (RootComponent(type="9", schema_name="cts_kind"), RootComponent(type="61", id="0a0a"))
    there = world(solutions={CORE_SOLUTION: CORE.model_copy(update={"components": parts})})
    needs = needing(**required)
    assert not plan_import(needs, needs.configs, there).empty


def test_an_entity_must_exist_and_the_nearest_name_is_told() -> None:
    found = only(bundle(config("acount")), world())
    assert (found.code, found.what) == ("PLN010", "the entity 'acount' does not exist in the environment")
    assert found.fix == "did you mean 'account'?"
    assert str(found.where) == "lake.zip contosolake.entities.acount"


def test_an_entity_without_change_tracking_is_tracked_by_the_import_once_it_is_named() -> None:
    of = bundle(config("account", "invoice"))
    plan = plan_import(of, of.configs, world())
    assert [change.kind for change in plan.changes] == ["solution.register", "entity.track", "link.create"]
    assert [str(danger) for danger in dangers(plan.changes)] == ["track:invoice"]


def test_an_entity_whose_tracking_was_switched_off_is_drift() -> None:
    of = bundle(config("account"))
    untracked = tuple(entity.model_copy(update={"change_tracking": False}) for entity in ENTITIES)
    there = world(of, entities={entity.name: entity for entity in untracked})
    (change,) = plan_import(of, of.configs, replace(there, applied={"ContosoLake": of.configs})).changes
    assert (change.kind, change.origin) == ("entity.track", Origin.DRIFT)


def test_the_service_refuses_an_n_to_n_entity() -> None:
    found = only(bundle(config("listmember")), world(), Profile.HOSTED)
    assert (found.code, found.what) == ("PLN012", "change tracking cannot be enabled on the entity 'listmember'")
    assert found.why == "it is the table of an N:N relationship"


def test_the_service_refuses_an_entity_that_the_platform_does_not_track() -> None:
    assert only(bundle(config("report")), world(), Profile.HOSTED).why == "the platform does not allow it"


@pytest.mark.parametrize(("minutes", "said"), [(None, "1,440"), (30, "30")])
def test_the_engine_reads_whole_what_cannot_be_tracked_and_a_note_says_so(minutes: int | None, said: str) -> None:
    entity = linked("listmember").model_copy(update={"scan_minutes": minutes})
    brings = bundle(config("account", entity))
    (found,) = plan_import(brings, brings.configs, world()).findings
    assert (found.code, found.severity) == ("PLN066", Severity.NOTE)
    assert found.what.endswith(f"it is marked scan, and read whole every {said} minutes")


@pytest.mark.parametrize("kind", [TableType.ELASTIC, TableType.VIRTUAL])
def test_elastic_and_virtual_tables_are_never_exported(kind: TableType) -> None:
    account = ENTITIES[0].model_copy(update={"table_type": kind, "change_tracking": False, "can_track": False})
    found = only(bundle(config(account.name)), world(entities={account.name: account}))
    assert (found.code, found.severity) == ("ENV033", Severity.ERROR)
    assert found.what == f"the entity 'account' is a table of the type {kind}"


def test_columns_that_no_export_has_are_told_in_a_note() -> None:
    account = ENTITIES[0].model_copy(update={"left_out": {"entityimage": "an image", "cts_file": "a file"}})
    brings = bundle(config(account.name))
    (found,) = plan_import(brings, brings.configs, world(entities={account.name: account})).findings
    assert (found.code, found.severity) == ("PLN068", Severity.NOTE)
    assert found.what == f"'{account.name}' is exported without cts_file, entityimage"
    assert found.why == "cts_file: a file; entityimage: an image"


def test_an_attachment_is_never_exported() -> None:
    found = only(bundle(config("attachment")), world())
    assert (found.code, found.what) == ("PLN013", "the entity 'attachment' can never be exported")


def test_a_link_holds_a_thousand_entities() -> None:
    entities = tuple(linked(f"entity{number}") for number in range(1001))
    found, *_ = refused(bundle(config(*entities)), world(), Profile.ENGINE)
    assert (found.code, found.what) == (
        "PLN014",
        "contosolake links 1,001 entities, and a link holds at most 1,000",
    )


def test_a_strategy_of_unknown_file_names_is_refused() -> None:
    found = only(bundle(config(linked("account", "FiveDay"))), world())
    assert (found.code, found.what) == (
        "PLN015",
        "'account' has the partition strategy FiveDay, which no link can use",
    )


def test_the_account_must_be_one_that_the_environment_sees() -> None:
    found = only(bundle(config("account", account="contosolakes")), world())
    assert (found.code, found.what) == (
        "PLN020",
        "the environment cannot see a storage account 'contosolakes'",
    )
    assert found.fix == (
        "did you mean 'contosolake'? name it under accounts in toolkit.yaml; "
        "an embedded environment sees it after: toolkit env define prod --account contosolakes"
    )


def test_names_of_solution_and_publisher_count_in_any_case() -> None:
    older = bundle(
        config("account"), version="0.9", unique_name="contosolake", publisher=publisher(unique_name="Contoso")
    )
    found = only(older, world(bundle(config("account"))))
    assert (found.code, found.why) == (
        "0x80048541",
        "ContosoLake 1.0.0.0 is installed, and the bundle is 0.9",
    )
    assert plan_uninstall("CONTOSOLAKE", world(NEW)).changes == plan_uninstall("ContosoLake", world(NEW)).changes


@pytest.mark.parametrize(
    ("code", "values", "what"),
    [
        ("PLN021", {"kind": "BlobStorage"}, "the storage account 'contosolake' is not of kind StorageV2"),
        (
            "PLN022",
            {"hierarchical_namespace": False},
            "the storage account 'contosolake' has no hierarchical namespace",
        ),
        (
            "PLN026",
            {"roles": ("Owner",)},
            "the user lacks the role Storage Blob Data Contributor on the storage account 'contosolake'",
        ),
    ],
)
def test_the_engine_requires_of_an_account(code: str, values: dict[str, Any], what: str) -> None:
    found = only(NEW, world(accounts={"contosolake": account(**values)}))
    assert (found.code, found.what) == (code, what)


BY_PROFILE = [
    (
        "PLN023",
        {"tenant": ORGANIZATION},
        True,
        "the storage account 'contosolake' is in another tenant than the environment",
    ),
    (
        "PLN024",
        {"region": "eastus"},
        True,
        "the storage account 'contosolake' is in another region than the environment (westeurope)",
    ),
    (
        "PLN025",
        {"roles": ("Storage Blob Data Contributor",)},
        True,
        "the user is not Owner of the storage account 'contosolake'",
    ),
    ("PLN027", {}, False, "the user is not an administrator of the environment"),
]


@pytest.mark.parametrize(("code", "values", "administrator", "what"), BY_PROFILE)
def test_the_hosted_service_requires_what_the_engine_only_warns_of(
    code: str, values: dict[str, Any], administrator: bool, what: str
) -> None:
    there = world(accounts={"contosolake": account(**values)}, administrator=administrator)
    found = only(NEW, there, Profile.HOSTED)
    assert (found.code, found.what) == (code, what)
    (warning,) = plan_import(NEW, NEW.configs, there).findings
    assert (warning.code, warning.severity, warning.what) == (code, Severity.WARNING, what)


def test_plain_replication_is_a_warning_under_both_profiles() -> None:
    there = world(accounts={"contosolake": account(replication="LRS")})
    for profile in Profile:
        (warning,) = plan_import(NEW, NEW.configs, there, profile=profile).findings
        assert (warning.code, warning.severity) == ("PLN028", Severity.WARNING)
        assert warning.what == "the storage account 'contosolake' is not read-access geo-redundant"


def test_what_is_not_known_of_an_account_is_a_note() -> None:
    unknown = account(kind=None, hierarchical_namespace=None, region=None, tenant=None, replication=None)
    there = world(accounts={"contosolake": unknown}, administrator=None)
    found = plan_import(NEW, NEW.configs, there, profile=Profile.HOSTED).findings
    assert [(note.code, note.severity) for note in found] == [
        (code, Severity.NOTE) for code in ("PLN021", "PLN022", "PLN023", "PLN024", "PLN027", "PLN028")
    ]
    assert found[0].what == "not checked whether the storage account 'contosolake' is not of kind StorageV2"


def test_a_file_system_has_one_config() -> None:
    other = link(config("contact", id=OTHER_CONFIG, name="sales"), solution=None)
    found = only(NEW, replace(world(), links=(other,)))
    assert found.code == "PLN030"
    assert found.what == f"the file system contosolake/{FILE_SYSTEM} is used by the export config 'sales'"


def test_two_configs_of_a_bundle_need_two_file_systems() -> None:
    second = config("contact", id=OTHER_CONFIG, name="sales")
    both = refused(bundle(config("account"), second), world())
    assert [(found.code, found.fix) for found in both] == [
        ("PLN030", "name another file system for 'contosolake'"),
        ("PLN030", "name another file system for 'sales'"),
    ]


def test_the_file_system_of_another_exporter_is_refused() -> None:
    foreign = {LakeName("contosolake", FILE_SYSTEM): "model.json is there, and no mark of this toolkit"}
    found = only(NEW, replace(world(), foreign=foreign))
    assert found.code == "PLN031"
    assert found.what == (
        f"the file system contosolake/{FILE_SYSTEM} belongs to another exporter: "
        "model.json is there, and no mark of this toolkit"
    )


def test_a_config_that_another_solution_linked_is_refused() -> None:
    there = replace(world(), links=(link(config("account"), solution="Fabrikam"),))
    found = only(NEW, there)
    assert (found.code, found.what) == (
        "PLN033",
        "the export config 'contosolake' is linked by the solution Fabrikam",
    )


def test_a_copy_of_an_environment_is_refused() -> None:
    copied = record(NEW).model_copy(update={"organization": CONFIG})
    found = only(NEW, replace(world(), record=copied))
    assert found.code == "PLN034"
    assert found.what == (
        "prod was linked from the organization 33333333-3333-4333-8333-333333333333, "
        "and this one is 11111111-1111-4111-8111-111111111111"
    )


def test_incremental_folders_follow_no_partition_strategy() -> None:
    entities = ("account", linked("contact", "Month"), linked("lead", "Year"))
    brings = bundle(config(*entities, output=Output(layout=Layout.INCREMENTAL)))
    (found,) = plan_import(brings, brings.configs, world()).findings
    assert (found.code, found.severity) == ("PLN062", Severity.NOTE)
    assert found.what == "'contact' has the partition strategy Month, and is exported by Year"


def test_another_layout_is_another_way_of_exporting() -> None:
    there = world(bundle(config("account"), package=Package.UNMANAGED))
    after = config("account", output=Output(layout=Layout.INCREMENTAL))
    found = only(bundle(after, version="1.1.0.0", package=Package.UNMANAGED), there)
    assert (found.code, found.what) == ("PLN051", "the live link 'contosolake' has the layout live, not incremental")
    assert found.fix == ("give another storage.file_system with it: the new lake is filled while the old one goes on")


def test_another_layout_and_another_form_of_history_come_with_another_file_system() -> None:
    entity = linked("account", append_only=True)
    there = world(bundle(config(entity), package=Package.UNMANAGED))
    elsewhere = Storage(account="contosolake", file_system="elsewhere")
    after = config(entity, storage=elsewhere, output=Output(layout=Layout.INCREMENTAL, times=Times.ISO))
    new = bundle(after, version="1.1.0.0", package=Package.UNMANAGED)
    assert [change.kind for change in plan_import(new, new.configs, there).changes] == [
        "solution.register",
        "lake.move",
        "setting.change",
        "setting.change",
    ]


def test_a_history_keeps_its_form() -> None:
    entities = (linked("account", append_only=True), linked("contact"), linked("lead", append_only=True))
    there = world(bundle(config(*entities), package=Package.UNMANAGED))
    after = config(*entities, output=Output(times=Times.ISO))
    new = bundle(after, version="1.1.0.0", package=Package.UNMANAGED)
    assert [(found.code, found.what) for found in refused(new, there)] == [
        ("PLN055", f"output.times would change for '{name}' on the live link 'contosolake', which is append-only")
        for name in ("account", "lead")
    ]
    assert refused(new, there)[0].fix == (
        "toolkit entity remove account --config contosolake, then import; the old data is kept"
    )


def test_an_entity_has_the_columns_that_are_named() -> None:
    entity = LinkedEntity(
        name="account",
        columns=("nam", "modifiedon"),
        filter=(Condition(column="fax", is_null=True),),
        mask={"town": Mask.NULL},
    )
    found = refused(bundle(config(entity)), world())
    assert [(each.code, each.what, each.where.key) for each in found] == [
        ("PLN058", "the entity 'account' has no column 'nam'", "contosolake.entities.account.columns"),
        ("PLN058", "the entity 'account' has no column 'fax'", "contosolake.entities.account.filter"),
        ("PLN058", "the entity 'account' has no column 'town'", "contosolake.entities.account.mask"),
    ]
    assert found[0].fix == "did you mean 'name'?"


def test_what_places_a_row_is_not_masked() -> None:
    entity = LinkedEntity(name="account", mask=dict.fromkeys(("accountid", "createdon", "name"), Mask.HASH))
    assert [(each.code, each.what) for each in refused(bundle(config(entity)), world())] == [
        ("PLN059", "the column 'accountid' of 'account' cannot be masked"),
        ("PLN059", "the column 'createdon' of 'account' cannot be masked"),
    ]


def test_a_filter_compares_with_a_value_of_the_columns_type() -> None:
    entity = LinkedEntity(name="account", filter=(Condition(column="createdon", below="yesterday"),))
    found = only(bundle(config(entity)), world())
    assert (found.code, found.what) == ("PLN059", "the filter of 'account' cannot compare 'createdon'")
    assert found.why == "'yesterday' is no time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:00:00Z"
    assert found.where.key == "contosolake.entities.account.filter.createdon"


def test_a_managed_bundle_that_drops_a_linked_config_ends_its_link_and_keeps_the_data() -> None:
    plan = plan_import(bundle(version="1.1.0.0"), (), world(NEW))
    assert [(change.kind, change.consequence.effect) for change in plan.changes] == [
        ("solution.register", "nothing"),
        ("link.remove", "data-kept"),
    ]


def test_an_unmanaged_bundle_that_drops_a_linked_config_leaves_its_link() -> None:
    there = world(bundle(config("account"), package=Package.UNMANAGED))
    plan = plan_import(bundle(version="1.1.0.0", package=Package.UNMANAGED), (), there)
    assert [change.kind for change in plan.changes] == ["solution.register"]
    (warning,) = plan.findings
    assert (warning.code, warning.fix) == ("PLN045", "toolkit lake unlink contosolake")


def test_all_refusals_come_at_once() -> None:
    wrong = bundle(config("acount", "invoice", linked("account", "HalfMonth")), publisher=publisher(prefix="abc"))
    there = world(solutions={}, publishers={"contoso": publisher()}, accounts={})
    codes = [finding.code for finding in refused(wrong, there)]
    assert codes == ["0x8004801c", "0x80048034", "PLN010", "PLN015", "PLN020"]


def test_the_inventory_of_the_builders_is_clean() -> None:
    assert plan_import(NEW, NEW.configs, replace(world(), inventory=inventory())).findings == ()


def test_versions_compare_as_numbers_in_dependencies() -> None:
    core = CORE.model_copy(update={"version": Version("1.10")})
    needs = needing(type="1", schemaName="x", solution=f"{CORE_SOLUTION} (1.9)")
    assert not plan_import(needs, needs.configs, world(solutions={CORE_SOLUTION: core})).empty


HASHING = linked("account").model_copy(update={"mask": {"name": Mask.HASH}})


def keyless() -> World:
    return replace(world(), no_key="the environment variable KEY is not set")


def test_a_config_that_hashes_needs_a_key() -> None:
    found = only(bundle(config(HASHING, "contact")), keyless())
    assert (found.code, found.where.key) == ("PLN067", "contosolake.entities.account.mask")
    assert found.what == "columns of account are hashed, and prod has no key to do it with"
    assert found.why == "the environment variable KEY is not set"
    assert found.fix.endswith("and set it to a secret of 16 bytes or more")


def test_a_link_of_hand_that_hashes_needs_a_key() -> None:
    with pytest.raises(Refused) as caught:
        plan_link(config(HASHING), keyless())
    assert [found.code for found in caught.value.findings if found.severity is Severity.ERROR] == ["PLN067"]


def test_only_an_entity_that_is_added_and_hashed_needs_a_key() -> None:
    there = replace(world(bundle(config(HASHING), package=Package.UNMANAGED)), no_key="no")
    assert plan_entities(CONFIG, there, add=[linked("contact")]).changes
    hashing = linked("contact").model_copy(update={"mask": {"name": Mask.HASH}})
    with pytest.raises(Refused) as caught:
        plan_entities(CONFIG, there, add=[hashing])
    assert [found.code for found in caught.value.findings] == ["PLN067"]


def test_a_mask_that_writes_nothing_needs_no_key() -> None:
    brings = bundle(config(linked("account").model_copy(update={"mask": {"name": Mask.NULL}})))
    assert plan_import(brings, brings.configs, keyless()).changes


def test_a_refusal_has_no_notes_beside_what_stands_in_the_way() -> None:
    told = [Finding(f"PLN00{number}", severity, "x", Place("x")) for number, severity in enumerate(Severity)]
    with pytest.raises(Refused) as caught:
        refuse(told)
    assert {found.severity for found in caught.value.findings} == {Severity.ERROR, Severity.WARNING}
    harmless = [found for found in told if found.severity is not Severity.ERROR]
    assert refuse(harmless) == tuple(harmless)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "1.7",
            "the bundle is 1.7; versions compare part by part as numbers, 7 is below 61, and 1.70 was likely meant",
        ),
        ("1.60.9", "the bundle is 1.60.9"),
        ("1.5", "the bundle is 1.5"),
        ("0.99", "the bundle is 0.99"),
    ],
)
def test_a_lower_version_is_refused_and_a_likely_mistake_is_explained(given: str, said: str) -> None:
    found = only(bundle(config("account"), version=given), world(bundle(config("account"), version="1.61")))
    assert (found.code, found.why) == ("0x80048541", f"ContosoLake 1.61 is installed, and {said}")
