from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment.packages import SALES, SERVICE, config, needs, publisher, solution
from tests.organization.samples import ORGANIZATION, organization
from toolkit.model.environment import StorageAccount
from toolkit.model.solution import Package, RootComponent
from toolkit.organization import catalog, configs, solutions
from toolkit.organization.catalog import Settings
from toolkit.organization.configs import ACTIVE, Content
from toolkit.organization.database import Connection
from toolkit.organization.solutions import Registered


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with organization(tmp_path) as database, database.write() as opened:
        yield opened


def test_settings_are_those_of_a_new_organization_until_some_are_put(connection: Connection) -> None:
    assert catalog.settings(connection) == Settings(administrator=True, change_tracking_expiry_days=7)
    catalog.put_settings(connection, Settings(administrator=False, change_tracking_expiry_days=90))
    assert catalog.settings(connection) == Settings(administrator=False, change_tracking_expiry_days=90)


def test_the_default_publisher_carries_the_name_of_the_organization() -> None:
    default = catalog.default_publisher(ORGANIZATION)
    assert (default.unique_name, default.prefix, default.option_value_prefix) == (
        "DefaultPublisherunq0aa",
        "new",
        10_000,
    )


def test_a_publisher_is_found_in_any_case_and_kept_once(connection: Connection) -> None:
    catalog.put_publisher(connection, publisher())
    catalog.put_publisher(connection, publisher(unique_name="Contoso", email=None))
    assert catalog.publishers(connection) == {"Contoso": publisher(unique_name="Contoso", email=None)}
    assert catalog.publisher(connection, "CONTOSO") == publisher(unique_name="Contoso", email=None)
    assert catalog.publisher(connection, "fabrikam") is None


def test_accounts_are_in_the_order_of_their_names(connection: Connection) -> None:
    for name in ("zoo", "aaa"):
        catalog.put_account(connection, StorageAccount(name=name))
    assert list(catalog.accounts(connection)) == ["aaa", "zoo"]


def test_a_solution_keeps_its_package_when_more_is_known_of_it(connection: Connection) -> None:
    solutions.put(connection, Registered(solution=solution()))
    assert solutions.package(connection, "ContosoLake") is None
    solutions.put_package(connection, "contosolake", b"\x00zip\xff")
    solutions.put(connection, Registered(solution=solution(), configs=(SALES,)))
    assert solutions.package(connection, "ContosoLake") == b"\x00zip\xff"
    assert solutions.solution(connection, "CONTOSOLAKE").configs == (SALES,)
    solutions.delete(connection, "contosolake")
    assert (solutions.solutions(connection), solutions.package(connection, "ContosoLake")) == ({}, None)


def test_a_solution_needs_what_it_was_built_on_but_no_layer_of_the_platform() -> None:
    dependencies = [needs("Other"), needs("Active"), needs("System", "9.2"), needs("ContosoLake"), needs("Other")]
    held = Registered(solution=solution(missing_dependencies=dependencies))
    assert held.requires == ("Other",)
    assert held.holding([SALES]).requires == ("ExportToDataLakeCore", "Other")


def test_configs_of_a_solution_are_held_once_in_the_order_of_their_coming() -> None:
    held = Registered(solution=solution()).holding([SERVICE, SALES]).holding([SALES])
    assert held.configs == (SERVICE, SALES)
    assert held.without([SERVICE]).configs == (SALES,)


def test_an_installed_solution_shows_its_first_display_name() -> None:
    component = RootComponent(type="1", schema_name="account")
    held = Registered(
        solution=solution(package=Package.BOTH, display_names={1031: "See", 1033: "Lake"}), components=(component,)
    )
    assert (held.installed.display_name, held.managed, held.installed.components) == ("See", False, (component,))
    assert Registered(solution=solution(display_names={})).installed.display_name == ""


def content(minutes: int) -> Content:
    return Content(config(interval_minutes=minutes), f'{{"SchedulerIntervalInMinutes":{minutes}}}')


def shown(connection: Connection) -> tuple[int, bool] | None:
    held = configs.find(connection, SALES)
    return None if held is None else (held.content.config.interval_minutes, held.managed)


def test_the_unmanaged_layer_is_on_top_of_all(connection: Connection) -> None:
    for layer, minutes in ((ACTIVE, 10), ("Below", 20), ("Above", 30)):
        configs.put(connection, layer, [content(minutes)])
    assert shown(connection) == (10, True)
    configs.drop(connection, ACTIVE, [SALES])
    assert shown(connection) == (30, True)
    configs.put(connection, "Below", [content(25)])
    assert shown(connection) == (30, True)
    configs.drop(connection, "Above", [SALES])
    assert shown(connection) == (25, True)
    configs.drop(connection, "Below", [SALES])
    assert shown(connection) is None


def test_a_row_keeps_the_text_that_it_was_given(connection: Connection) -> None:
    configs.put(connection, ACTIVE, [content(10)])
    assert configs.rows(connection)[SALES].content.schema == '{"SchedulerIntervalInMinutes":10}'
    assert (configs.ids(connection), configs.rows(connection)[SALES].managed) == ({SALES}, False)
