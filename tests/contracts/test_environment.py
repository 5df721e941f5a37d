"""What every environment does, whatever is behind it: one suite for all backends.

A backend joins by a fixture parameter. ``Subject.dump`` is all that it stores but the history of imports, as text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.environment import packages
from tests.environment.packages import SALES, SERVICE, bundle, config, core, needs, package, publisher, solution
from tests.organization.dump import dump
from tests.organization.samples import NOTE, ORGANIZATION, UNTRACKED, Clock, numbered
from tests.server.served import served
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client
from toolkit.dataverse.metadata import metadata
from toolkit.environment import embedded
from toolkit.environment.dataverse import DataverseEnvironment
from toolkit.environment.embedded import EmbeddedEnvironment
from toolkit.environment.protocol import (
    AddConfig,
    CreatePublisher,
    CreateSolution,
    DeleteConfig,
    Environment,
    ImportMode,
    Progress,
    Publish,
    PutConfig,
    TrackEntity,
    Write,
)
from toolkit.errors import ToolkitError
from toolkit.model.config import LinkedEntity
from toolkit.model.environment import Inventory
from toolkit.model.solution import Package, Publisher
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions

LOG = UNTRACKED.model_copy(update={"name": "log", "can_track": True})
CROSS = LOG.model_copy(update={"name": "notelog", "set_name": "notelogs", "intersect": True})


@dataclass(frozen=True, slots=True)
class Subject:
    """An environment under test, and all that it stores as text.

    ``whole`` says whether it knows all of what it holds: over the Web API a publisher's names come in one language, and
    solutions without their components and what these need.
    """

    environment: Environment
    dump: Callable[[], str]
    whole: bool = True

    def imported(self, data: bytes, mode: ImportMode = ImportMode.UPDATE) -> list[Progress]:
        return list(self.environment.import_solution(data, mode))

    def write(self, *changes: Write) -> None:
        for change in changes:
            self.environment.write(change)

    def state(self) -> tuple[Inventory | None, str]:
        """Return all there is: what is stored, and what is seen of it, unless that takes a dozen requests."""
        return self.environment.inventory() if self.whole else None, self.dump()

    def made(self, **changes: object) -> Publisher:
        """Return a publisher as it is after it was made by hand: over the Web API it has one language."""
        full = publisher(**changes)
        return full if self.whole else in_one_language(full)

    def seen(self, of: Publisher) -> Publisher:
        """Return a publisher as the inventory shows it."""
        return of if self.whole else in_one_language(of)


def in_one_language(of: Publisher) -> Publisher:
    names = {"display_names": {1033: of.display_names[1033]}, "descriptions": {1033: of.descriptions[1033]}}
    return of.model_copy(update=names)


Make = Callable[[str], Subject]


def organization(folder: Path, name: str) -> Database:
    return embedded.create(
        folder / name / "organization.sqlite",
        ORGANIZATION.model_copy(update={"environment": name}),
        entities=Definitions(entities=(NOTE, LOG, CROSS)),
    )


def embedded_subject(stack: ExitStack, folder: Path, name: str) -> Subject:
    database = stack.enter_context(organization(folder, name))
    numbers = iter(range(1, 1000))
    environment = EmbeddedEnvironment(name, database, clock=Clock(), new_id=lambda: numbered(next(numbers)))
    return Subject(environment, partial(dump, database))


def served_subject(stack: ExitStack, folder: Path, name: str) -> Subject:
    database = stack.enter_context(organization(folder, name))
    address = stack.enter_context(served(database))
    client = stack.enter_context(Client(Address.parse(address), None))
    environment = DataverseEnvironment(
        name, client, lambda: metadata(client).entities, new_id=lambda: str(uuid4()), sleep=lambda _: time.sleep(0.01)
    )
    return Subject(environment, partial(dump, database), whole=False)


@pytest.fixture(params=[embedded_subject, served_subject], ids=["embedded", "served"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        yield partial(request.param, stack, tmp_path)


@pytest.fixture
def dev(make: Make) -> Subject:
    return make("dev")


@pytest.fixture
def prod(make: Make) -> Subject:
    """Return an environment with the Core solution."""
    subject = make("prod")
    subject.imported(core())
    return subject


def refusal(subject: Subject, action: Callable[[], object]) -> ToolkitError:
    """Return the error of an action, and see that it left everything as it was."""
    before = subject.state()
    with pytest.raises(ToolkitError) as caught:
        action()
    assert subject.state() == before
    return caught.value


def codes(error: ToolkitError) -> list[str]:
    return [finding.code for finding in error.findings]


# --- a new environment ----------------------------------------------------------------------------------------------


def test_a_new_environment_holds_its_default_publisher_and_its_entities(dev: Subject) -> None:
    inventory = dev.environment.inventory()
    assert inventory.organization.environment == dev.environment.name == "dev"
    assert {name: found.prefix for name, found in inventory.publishers.items()} == {"DefaultPublisherunq0aa": "new"}
    assert (inventory.solutions, inventory.configs) == ({}, {})
    assert list(inventory.entities) == ["log", "note", "notelog"]


# --- import ---------------------------------------------------------------------------------------------------------


def test_an_import_registers_the_solution_its_publisher_and_its_configs(prod: Subject) -> None:
    prod.imported(package(config(), config("contososervice", SERVICE)))
    inventory = prod.environment.inventory()
    installed = inventory.solutions["ContosoLake"]
    assert (installed.display_name, str(installed.version), installed.package) == ("Contoso Lake", "1.0.0.0", 0)
    assert (installed.publisher, installed.configs, installed.requires) == (
        "contoso",
        (SALES, SERVICE),
        ("ExportToDataLakeCore",),
    )
    assert inventory.publishers["contoso"] == prod.seen(publisher())
    assert inventory.configs[SALES].config == config()
    assert not inventory.configs[SALES].managed


def test_the_progress_of_an_import_ends_with_all_of_its_steps(prod: Subject) -> None:
    steps = prod.imported(package(config()))
    assert steps[0].done == 0
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total


def test_an_import_does_nothing_before_it_is_iterated(prod: Subject) -> None:
    before = prod.dump()
    prod.environment.import_solution(package(config()), ImportMode.UPDATE)
    assert prod.dump() == before


def test_the_same_import_again_changes_nothing(prod: Subject) -> None:
    prod.imported(package(config()))
    before = prod.environment.inventory(), prod.dump()
    prod.imported(package(config()))
    assert (prod.environment.inventory(), prod.dump()) == before


def test_a_solution_is_the_same_in_any_case(prod: Subject) -> None:
    prod.imported(package(config(), package=1))
    prod.imported(package(config("contososervice", SERVICE), name="CONTOSOLAKE", version="1.1", package=1))
    solutions = prod.environment.inventory().solutions
    assert list(solutions) == ["CONTOSOLAKE", "ExportToDataLakeCore"]
    assert solutions["CONTOSOLAKE"].configs == (SERVICE, SALES)


def test_a_managed_import_brings_managed_rows(prod: Subject) -> None:
    prod.imported(package(config(), package=Package.MANAGED))
    assert prod.environment.inventory().configs[SALES].managed
    assert prod.environment.inventory().solutions["ContosoLake"].package is Package.MANAGED


def test_a_solution_without_configs_needs_no_core(dev: Subject) -> None:
    dev.imported(
        packages.with_entities(package(root_components=[{"type": "1", "schema_name": "Cts_Thing"}]), ["Cts_Thing"])
    )
    installed = dev.environment.inventory().solutions["ContosoLake"]
    assert [component.schema_name for component in installed.components] == (["Cts_Thing"] if dev.whole else [])
    assert installed.requires == ()


def test_an_import_overwrites_what_was_changed_by_hand(prod: Subject) -> None:
    prod.write(PutConfig(config(interval_minutes=15)))
    prod.imported(package(config(), package=Package.MANAGED))
    row = prod.environment.inventory().configs[SALES]
    assert (row.config.interval_minutes, row.managed) == (60, True)


def test_what_a_package_says_of_its_publisher_beside_the_prefixes_is_taken_over(prod: Subject) -> None:
    prod.write(CreatePublisher(publisher(email=None, addresses=[])))
    prod.imported(package(config()))
    assert prod.environment.inventory().publishers["contoso"] == prod.seen(publisher())


UPDATES = [
    (Package.UNMANAGED, ImportMode.UPDATE, (SERVICE, SALES)),
    (Package.UNMANAGED, ImportMode.UPGRADE, (SERVICE, SALES)),
    (Package.MANAGED, ImportMode.UPDATE, (SERVICE, SALES)),
    (Package.MANAGED, ImportMode.UPGRADE, (SERVICE,)),
]


@pytest.mark.parametrize(("kind", "mode", "held"), UPDATES)
def test_only_an_upgrade_of_a_managed_solution_removes_what_is_gone(
    prod: Subject, kind: Package, mode: ImportMode, held: tuple[str, ...]
) -> None:
    prod.imported(package(config(), package=kind))
    prod.imported(package(config("contososervice", SERVICE), version="1.1.0.0", package=kind), mode)
    inventory = prod.environment.inventory()
    assert inventory.solutions["ContosoLake"].configs == held
    assert set(inventory.configs) == set(held)
    assert str(inventory.solutions["ContosoLake"].version) == "1.1.0.0"


@pytest.mark.parametrize("mode", [ImportMode.UPDATE, ImportMode.UPGRADE])
def test_the_version_that_is_installed_puts_its_content_back(prod: Subject, mode: ImportMode) -> None:
    prod.imported(package(config()))
    prod.write(PutConfig(config(interval_minutes=15)))
    prod.imported(package(config()), mode)
    assert prod.environment.inventory().configs[SALES].config.interval_minutes == 60


# --- what an import refuses -----------------------------------------------------------------------------------------

BROKEN = package(config())
THING = {"type": "1", "schema_name": "cts_thing", "behavior": "0"}

REFUSALS: list[tuple[str, bytes, list[str]]] = [
    ("no zip", b"no zip", ["0x80048060"]),
    ("a broken solution.xml", packages.with_members(BROKEN, solution__xml=b"<Import"), ["0x8004802c"]),
    ("a package of a newer platform", packages.with_package_version(BROKEN, "9.3"), ["0x80048068"]),
    ("a package of Microsoft Dynamics CRM 2011", packages.with_package_version(BROKEN, "5.0"), ["0x80048068"]),
    ("a package version that is none", packages.with_package_version(BROKEN, "nine"), ["0x8004801a"]),
    ("one id twice", package(config(), config("contososervice")), ["ORG053"]),
    ("a system solution", package(name="Default"), ["0x80048046"]),
    ("a reserved name", package(name="ContosoLake_Upgrade"), ["ORG051"]),
    (
        "another publisher",
        package(name="Installed", version="3.0", publisher=publisher(unique_name="other")),
        ["0x8004801c"],
    ),
    ("another prefix", package(publisher=publisher(prefix="oth")), ["0x8004801c"]),
    ("another option-value prefix", package(publisher=publisher(option_value_prefix=10_000)), ["0x8004801c"]),
    ("managed over unmanaged", package(name="Installed", version="3.0", package=1), ["0x80048040"]),
    ("unmanaged over managed", package(name="Managed", version="3.0", package=0), ["0x80048041"]),
    ("a lower version", package(name="Installed", version="1.9.0.0"), ["0x80048541"]),
    ("a solution that is not installed", package(missing_dependencies=[needs("Other")]), ["0x80048034"]),
    ("a solution that is too old", package(missing_dependencies=[needs("Installed", "2.1")]), ["0x8004801d"]),
    ("a component that is missing", package(missing_dependencies=[needs("Active")]), ["0x8004801d"]),
    ("an entity that is missing", package(root_components=[THING]), ["0x8004801f"]),
    (
        "several reasons at once",
        package(name="Installed", version="1.0", package=1, missing_dependencies=[needs("Other"), needs("Other")]),
        ["0x80048040", "0x80048034"],
    ),
]


@pytest.mark.parametrize(("data", "expected"), [pytest.param(*rest, id=name) for name, *rest in REFUSALS])
def test_an_import_refuses_as_dataverse_does_and_changes_nothing(
    prod: Subject, data: bytes, expected: list[str]
) -> None:
    prod.imported(package(name="Installed", version="2.0.0.0"))
    prod.imported(package(name="Managed", version="2.0.0.0", package=1))
    error = refusal(prod, lambda: prod.imported(data))
    assert codes(error) == expected
    assert all(finding.what and finding.where for finding in error.findings)


def test_configs_without_the_core_solution_are_refused(dev: Subject) -> None:
    error = refusal(dev, lambda: dev.imported(package(config())))
    assert codes(error) == ["0x80048034"]
    assert "Import the following solutions before Importing this one. ExportToDataLakeCore" in error.what


NAMED = [
    {"required": {"type": "1", "schemaName": "note", "solution": "System"}},
    {"required": {"type": "1", "schemaName": "Cts_Shared", "solution": "Active"}},
    {"required": {"type": "SettingDefinition", "id.uniquename": "AppChannel"}},
    {"required": {"type": "61", "schemaName": "cts_icon.png", "solution": "Shared (1.5)"}},
]


def test_dependencies_that_are_there_or_cannot_be_looked_up_stand_in_the_way_of_nothing(prod: Subject) -> None:
    shared = package(name="Shared", version="2.0", root_components=[{"type": "1", "schema_name": "cts_shared"}])
    prod.imported(packages.with_entities(shared, ["cts_shared"]))
    shell = {"type": "1", "schema_name": "cts_shared", "behavior": "2"}
    prod.imported(package(config(), missing_dependencies=NAMED, root_components=[shell]))
    needed = ("ExportToDataLakeCore", "Shared") if prod.whole else ("ExportToDataLakeCore",)
    assert prod.environment.inventory().solutions["ContosoLake"].requires == needed


# --- layers ---------------------------------------------------------------------------------------------------------


def test_the_last_managed_solution_is_on_top_and_the_one_below_shows_again(prod: Subject) -> None:
    prod.imported(package(config(interval_minutes=30), name="Below", package=1))
    prod.imported(package(config(interval_minutes=15), name="Above", package=1))
    assert prod.environment.inventory().configs[SALES].config.interval_minutes == 15
    prod.imported(package(config(interval_minutes=45), name="Below", version="2.0", package=1))
    assert prod.environment.inventory().configs[SALES].config.interval_minutes == 15
    prod.environment.uninstall("Above")
    assert prod.environment.inventory().configs[SALES].config.interval_minutes == 45


def test_an_unmanaged_import_lies_over_a_managed_row_and_stays_when_that_goes(prod: Subject) -> None:
    prod.imported(package(config(interval_minutes=30), name="Below", package=1))
    prod.imported(package(config(interval_minutes=15)))
    row = prod.environment.inventory().configs[SALES]
    assert (row.config.interval_minutes, row.managed) == (15, True)
    prod.environment.uninstall("Below")
    row = prod.environment.inventory().configs[SALES]
    assert (row.config.interval_minutes, row.managed) == (15, False)


# --- uninstall ------------------------------------------------------------------------------------------------------


def test_a_managed_solution_leaves_with_its_rows(prod: Subject) -> None:
    prod.imported(package(config(), package=1))
    prod.environment.uninstall("ContosoLake")
    inventory = prod.environment.inventory()
    assert ("ContosoLake" in inventory.solutions, inventory.configs) == (False, {})


def test_a_row_that_is_gone_belongs_to_no_solution(prod: Subject) -> None:
    prod.imported(package(config(), package=1))
    prod.write(CreateSolution(solution("Copy")), AddConfig("Copy", SALES))
    prod.environment.uninstall("ContosoLake")
    assert prod.environment.inventory().solutions["Copy"].configs == ()


def test_of_an_unmanaged_solution_only_the_container_leaves(prod: Subject) -> None:
    prod.imported(package(config()))
    prod.environment.uninstall("contosolake")
    inventory = prod.environment.inventory()
    assert ("ContosoLake" in inventory.solutions, set(inventory.configs)) == (False, {SALES})


def test_a_solution_that_others_need_stays_and_they_are_named(prod: Subject) -> None:
    prod.imported(package(name="Base", package=1))
    prod.imported(package(missing_dependencies=[needs("Base")]))
    error = refusal(prod, lambda: prod.environment.uninstall("Base"))
    assert (codes(error), "ContosoLake" in error.what) == (["0x8004f01d"], True)


def test_core_stays_as_long_as_a_solution_holds_configs(prod: Subject) -> None:
    prod.imported(package(config()))
    error = refusal(prod, lambda: prod.environment.uninstall("ExportToDataLakeCore"))
    assert codes(error) == ["0x8004f01d"]


def test_core_stays_as_long_as_its_table_has_rows(prod: Subject) -> None:
    prod.write(PutConfig(config()))
    error = refusal(prod, lambda: prod.environment.uninstall("ExportToDataLakeCore"))
    assert codes(error) == ["ORG052"]
    prod.write(DeleteConfig(SALES))
    prod.environment.uninstall("ExportToDataLakeCore")
    assert prod.environment.inventory().solutions == {}


def test_an_unknown_solution_is_not_uninstalled_and_the_nearest_is_named(prod: Subject) -> None:
    prod.imported(package())
    error = refusal(prod, lambda: prod.environment.uninstall("ContosoLaek"))
    assert (codes(error), error.fix) == (["ORG050"], "did you mean 'ContosoLake'?")


# --- export ---------------------------------------------------------------------------------------------------------


def test_export_then_import_elsewhere_then_export_gives_the_same_bytes(prod: Subject, make: Make) -> None:
    other = make("other")
    other.imported(core())
    prod.imported(package(config(), config("contososervice", SERVICE, extra={"New": "1"}), descriptions={1033: "A"}))
    first = prod.environment.export_solution("ContosoLake", managed=False)
    other.imported(first)
    second = other.environment.export_solution("ContosoLake", managed=False)
    assert packages.read(second) == packages.read(first)
    assert second == first


def test_an_export_gives_the_solution_back_with_its_publisher_and_the_dependency_on_core(prod: Subject) -> None:
    prod.imported(package(config()))
    found = packages.read(prod.environment.export_solution("ContosoLake", managed=False))
    (dependency,) = found.solution.missing_dependencies
    assert dependency.required == {
        "type": "1",
        "schemaName": "msdyn_exporttodatalakeconfig",
        "displayName": "Export to Data Lake Config",
        "solution": "ExportToDataLakeCore (1.0.0.0)",
    }
    assert found.solution.model_copy(update={"missing_dependencies": ()}) == solution()
    assert found.configs == (config(),)


def test_a_dependency_on_core_that_the_package_states_is_kept(prod: Subject) -> None:
    stated = needs("ExportToDataLakeCore", "0.9")
    prod.imported(package(config(), missing_dependencies=[stated]))
    found = packages.read(prod.environment.export_solution("ContosoLake", managed=False))
    assert [item.required["solution"] for item in found.solution.missing_dependencies] == ["ExportToDataLakeCore (0.9)"]


def test_an_export_holds_what_was_changed_by_hand(prod: Subject) -> None:
    prod.imported(package(config()))
    prod.write(
        PutConfig(config(interval_minutes=15)),
        PutConfig(config("contososervice", SERVICE)),
        AddConfig("ContosoLake", SERVICE),
        Publish(),
    )
    found = packages.read(prod.environment.export_solution("ContosoLake", managed=False))
    assert found.configs == (config(interval_minutes=15), config("contososervice", SERVICE))


SPELLED = '{"StorageAccountName": "contososales","Entities":[{"Type":"note","PartitionStrategy":1}],"New":{"a" : 1}}'


def test_the_text_of_a_config_is_kept_to_the_character_in_any_solution(prod: Subject) -> None:
    data = packages.with_schema(package(config()), SPELLED)
    prod.imported(data)
    prod.write(CreateSolution(solution("Copy")), AddConfig("Copy", SALES))
    found = packages.schema(prod.environment.export_solution("Copy", managed=False))
    assert found == SPELLED


def test_a_change_by_hand_changes_only_its_value_in_the_text_of_a_config(prod: Subject) -> None:
    prod.imported(packages.with_schema(package(config()), SPELLED))
    row = prod.environment.inventory().configs[SALES].config
    prod.write(PutConfig(row.model_copy(update={"entities": (*row.entities, LinkedEntity(name="log"))})))
    found = packages.schema(prod.environment.export_solution("ContosoLake", managed=False))
    assert '{"Type":"note","PartitionStrategy":1}' in found
    assert '"New":{"a" : 1}' in found


def test_other_members_and_components_survive_an_export(prod: Subject) -> None:
    component = {"type": "1", "schema_name": "cts_thing", "behavior": "0"}
    data = packages.with_entities(package(config(), root_components=[component]), ["cts_thing"])
    data = packages.with_members(data, Assets__bin=b"\x00\x01")
    prod.imported(data)
    prod.write(DeleteConfig(SALES))
    found = packages.members(prod.environment.export_solution("ContosoLake", managed=False))
    assert found["Assets.bin"] == b"\x00\x01"
    assert b"<Name>cts_thing</Name>" in found["customizations.xml"]
    assert b'schemaName="cts_thing"' in found["solution.xml"]


def test_the_managed_export_differs_in_the_managed_flag_alone(prod: Subject) -> None:
    prod.imported(package(config()))
    unmanaged = packages.members(prod.environment.export_solution("ContosoLake", managed=False))
    managed = packages.members(prod.environment.export_solution("ContosoLake", managed=True))
    assert managed["solution.xml"] == unmanaged["solution.xml"].replace(b"<Managed>0<", b"<Managed>1<")
    assert {**managed, "solution.xml": b""} == {**unmanaged, "solution.xml": b""}


def test_a_managed_solution_cannot_be_exported(prod: Subject) -> None:
    prod.imported(package(config(), package=1))
    error = refusal(prod, lambda: prod.environment.export_solution("ContosoLake", managed=True))
    assert codes(error) == ["0x80048036"]


def test_an_unknown_solution_cannot_be_exported(prod: Subject) -> None:
    prod.imported(package())
    error = refusal(prod, lambda: prod.environment.export_solution("ContosoLak", managed=False))
    assert (codes(error), error.fix) == (["0x80048037"], "did you mean 'ContosoLake'?")


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_bundle_is_made_by_hand_from_nothing(prod: Subject) -> None:
    prod.write(
        CreatePublisher(publisher()),
        CreateSolution(solution()),
        PutConfig(config()),
        AddConfig("ContosoLake", SALES),
        AddConfig("ContosoLake", SALES.upper()),
        Publish(),
    )
    found = packages.read(prod.environment.export_solution("ContosoLake", managed=False))
    assert (found.solution.publisher, found.configs) == (prod.made(), (config(),))


def test_a_deleted_row_leaves_its_solutions(prod: Subject) -> None:
    prod.imported(package(config(), config("contososervice", SERVICE)))
    prod.write(DeleteConfig(SALES))
    inventory = prod.environment.inventory()
    assert (set(inventory.configs), inventory.solutions["ContosoLake"].configs) == ({SERVICE}, (SERVICE,))


def test_a_new_solution_has_the_publisher_of_the_environment_and_no_components(prod: Subject) -> None:
    prod.write(CreatePublisher(publisher()))
    bare = publisher(email=None, addresses=[])
    prod.write(CreateSolution(solution(publisher=bare, root_components=[THING])))
    found = packages.read(prod.environment.export_solution("ContosoLake", managed=False))
    assert (found.solution.publisher, found.solution.root_components) == (prod.made(), ())


def test_change_tracking_is_enabled_for_good(dev: Subject) -> None:
    assert not dev.environment.inventory().entities["log"].change_tracking
    dev.write(TrackEntity("log"), TrackEntity("log"))
    assert dev.environment.inventory().entities["log"].change_tracking


MANAGED_ROW = "22222222-0000-4000-8000-000000000001"

BY_HAND: list[tuple[str, Write, str, str]] = [
    ("a publisher that is there", CreatePublisher(publisher()), "ENV002", ""),
    ("a publisher in other case", CreatePublisher(publisher(unique_name="CONTOSO")), "ENV002", ""),
    (
        "an unknown publisher",
        CreateSolution(solution("New", publisher=publisher(unique_name="contosi"))),
        "ENV003",
        "contoso",
    ),
    ("a managed solution", CreateSolution(solution("New", package=1)), "ENV004", ""),
    ("a reserved name", CreateSolution(solution("New_Upgrade")), "ORG051", ""),
    ("a system solution", CreateSolution(solution("Active")), "0x80048046", ""),
    ("a name that is taken", CreateSolution(solution("contosolake")), "0x8004f023", ""),
    ("an unknown solution", AddConfig("ContosoLaek", SALES), "ORG050", "ContosoLake"),
    ("a managed solution to add to", AddConfig("Managed", SALES), "0x8004f012", ""),
    ("an unknown config to add", AddConfig("ContosoLake", SERVICE), "ENV006", SALES),
    ("a managed row to change", PutConfig(config("contosomanaged", MANAGED_ROW)), "0x8004f012", ""),
    ("a managed row to delete", DeleteConfig(MANAGED_ROW), "0x8004f013", ""),
    ("an unknown row to delete", DeleteConfig(SERVICE), "ENV006", SALES),
    ("an unknown entity", TrackEntity("nots"), "ORG008", "note"),
    ("an N:N entity", TrackEntity("notelog"), "ORG009", ""),
]


@pytest.mark.parametrize(("change", "code", "fix"), [pytest.param(*rest, id=name) for name, *rest in BY_HAND])
def test_work_by_hand_refuses_with_a_code_and_changes_nothing(
    prod: Subject, change: Write, code: str, fix: str
) -> None:
    prod.imported(package(config()))
    prod.imported(package(config("contosomanaged", MANAGED_ROW), name="Managed", package=1))
    error = refusal(prod, lambda: prod.write(change))
    assert codes(error) == [code]
    assert fix in error.fix


@pytest.mark.parametrize("change", [PutConfig(config()), AddConfig("ContosoLake", SALES)])
def test_a_config_needs_the_core_solution(dev: Subject, change: Write) -> None:
    dev.write(CreatePublisher(publisher()), CreateSolution(solution()))
    error = refusal(dev, lambda: dev.write(change))
    assert codes(error) == ["ENV005"]
    assert error.fix == "import it: toolkit import core"


def test_bundles_of_the_tests_are_what_they_seem() -> None:
    assert packages.read(package(config())) == bundle(config())
