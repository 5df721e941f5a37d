"""The difference of two bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.build import CONFIG, OTHER_CONFIG, bundle, config, linked, publisher
from tests.plan.test_changes import CONFIGS
from toolkit.model.bundle import Bundle
from toolkit.model.overlay import ConfigOverlay, Overlay
from toolkit.model.solution import Address, MissingDependency, RootComponent
from toolkit.plan import Difference, differences
from toolkit.plan.diff import Kind

ONE = bundle(config("account", "contact"))
ADDED, REMOVED, CHANGED = Kind


def test_equal_bundles_have_no_differences() -> None:
    assert differences(ONE, ONE.model_copy()) == ()


def test_version_names_and_publisher_are_told_by_key() -> None:
    after = bundle(
        config("account", "contact"),
        version="1.1.0.0",
        display_names={1033: "Contoso Lake"},
        publisher=publisher(email="lake@contoso.example", addresses=(Address(address_number=1, city="Utrecht"),)),
    )
    assert differences(ONE, after) == (
        Difference(CHANGED, "solution", "ContosoLake", "display_names.1033", None, "Contoso Lake"),
        Difference(CHANGED, "solution", "ContosoLake", "version", "1.0.0.0", "1.1.0.0"),
        Difference(CHANGED, "publisher", "contoso", "email", None, "lake@contoso.example"),
        Difference(CHANGED, "publisher", "contoso", "addresses.1.address_number", None, "1"),
        Difference(CHANGED, "publisher", "contoso", "addresses.1.city", None, "Utrecht"),
    )


def test_entities_come_go_and_change() -> None:
    after = bundle(config(linked("contact", "Year", append_only=True), "lead"))
    assert differences(ONE, after) == (
        Difference(REMOVED, "entity", "contosolake/account", before="Month, in place"),
        Difference(CHANGED, "entity", "contosolake/contact", "partition_strategy", None, "Year"),
        Difference(CHANGED, "entity", "contosolake/contact", "append_only", "no", "yes"),
        Difference(ADDED, "entity", "contosolake/lead", after="Month, in place"),
    )


def test_configs_come_with_their_entities_and_go() -> None:
    other = config("lead", id=OTHER_CONFIG, name="sales")
    assert differences(ONE, bundle(other)) == (
        Difference(REMOVED, "config", "contosolake", before=CONFIG),
        Difference(ADDED, "config", "sales", after=OTHER_CONFIG),
        Difference(ADDED, "entity", "sales/lead", after="Month, in place"),
    )


def test_values_of_a_config_are_told_by_key() -> None:
    after = bundle(config("account", "contact", account="contosotest", interval_minutes=30))
    assert differences(ONE, after) == (
        Difference(CHANGED, "config", "contosotest", "name", "contosolake", "contosotest"),
        Difference(CHANGED, "config", "contosotest", "storage.account", "contosolake", "contosotest"),
        Difference(CHANGED, "config", "contosotest", "interval_minutes", "60", "30"),
    )


def test_an_empty_text_is_not_a_missing_one() -> None:
    after = bundle(config("account", "contact"), publisher=publisher(website=""))
    assert differences(ONE, after) == (Difference(CHANGED, "publisher", "contoso", "website", None, '""'),)


def test_another_order_is_told_since_it_makes_another_file() -> None:
    assert differences(ONE, bundle(config("contact", "account"))) == (
        Difference(CHANGED, "config", "contosolake", "order of entities", "account, contact", "contact, account"),
    )


def test_overlays_are_told_by_environment() -> None:
    before = ONE.model_copy(update={"overlays": {"dev": overlay(5), "test": overlay(5)}})
    after = ONE.model_copy(update={"overlays": {"dev": overlay(10), "prod": overlay(60)}})
    assert differences(before, after) == (
        Difference(CHANGED, "overlay", "dev", "contosolake.interval_minutes", "5", "10"),
        Difference(ADDED, "overlay", "prod"),
        Difference(CHANGED, "overlay", "prod", "contosolake.interval_minutes", None, "60"),
        Difference(REMOVED, "overlay", "test"),
    )


def overlay(minutes: int) -> Overlay:
    return Overlay(configs={"contosolake": ConfigOverlay(interval_minutes=minutes)})


def test_components_and_dependencies_are_told_by_what_they_name() -> None:
    before = bundle(root_components=(RootComponent(type="1", schema_name="account", behavior="0"),))
    needs = MissingDependency(required={"type": "1", "schemaName": "x"}, dependent={"type": "2"})
    after = bundle(root_components=(RootComponent(type="61", id="{0a}"),), missing_dependencies=(needs,))
    assert differences(before, after) == (
        Difference(REMOVED, "component", "type 1 account behavior 0"),
        Difference(ADDED, "component", "type 61 {0a} behavior -"),
        Difference(ADDED, "dependency", "schemaName=x type=1 for type=2"),
    )


def test_a_dependency_is_told_by_the_solution_that_it_requires() -> None:
    needs = MissingDependency(required={"type": "1", "solution": "Core (1.0)"}, dependent={"type": "2"})
    assert differences(bundle(), bundle(missing_dependencies=(needs,))) == (
        Difference(ADDED, "dependency", "Core (1.0)"),
    )


def test_dependencies_on_one_solution_that_differ_otherwise_are_told_whole() -> None:
    before, after = (MissingDependency(required={"type": kind, "solution": "Core (1.0)"}) for kind in ("1", "2"))
    found = differences(bundle(missing_dependencies=(before,)), bundle(missing_dependencies=(after,)))
    assert found == (
        Difference(REMOVED, "dependency", "solution=Core (1.0) type=1"),
        Difference(ADDED, "dependency", "solution=Core (1.0) type=2"),
    )


def test_other_members_are_told_by_name() -> None:
    before = Bundle(solution=ONE.solution, package={"a.xml": "1" * 64, "b.xml": "2" * 64})
    after = Bundle(solution=ONE.solution, package={"b.xml": "3" * 64, "c.xml": "4" * 64})
    assert differences(before, after) == (
        Difference(REMOVED, "member", "a.xml"),
        Difference(CHANGED, "member", "b.xml", "content", "2" * 12, "3" * 12),
        Difference(ADDED, "member", "c.xml"),
    )


@pytest.mark.parametrize("text", ["1.0", "1.0.0"])
def test_a_version_that_is_written_differently_is_told(text: str) -> None:
    found = differences(ONE, bundle(config("account", "contact"), version=text))
    assert found == (Difference(CHANGED, "solution", "ContosoLake", "version", "1.0.0.0", text),)


@given(st.lists(CONFIGS, max_size=1), st.lists(CONFIGS, max_size=1))
def test_no_differences_means_equal_digests(before: list[object], after: list[object]) -> None:
    one, two = (Bundle.model_validate({**dict(bundle()), "configs": configs}) for configs in (before, after))
    assert (differences(one, two) == ()) == (one.digest == two.digest)
