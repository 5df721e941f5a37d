"""Plans and differences as people read them."""

import json

import pytest

from tests.plan.build import account, bundle, config, linked, world
from toolkit.model.bundle import Bundle
from toolkit.plan import Consequence, Effect, Plan, differences, plan_import, plan_uninstall
from toolkit.plan.render import (
    consequence_text,
    differences_json,
    differences_markdown,
    differences_text,
    plan_json,
    plan_markdown,
    plan_text,
    size_text,
)

ONE = bundle(config("account", "contact"))
TWO = bundle(config("account", linked("lead", "Year"), interval_minutes=30), version="1.1.0.0")


def plan(of: Bundle = TWO) -> Plan:
    there = world(
        ONE,
        statistics={"contact": 500, "lead": 20_000},
        accounts={"contosolake": account(replication="LRS")},
    )
    return plan_import(of, of.configs, there)


def test_a_plan_is_read_with_its_consequences() -> None:
    assert plan_text(plan()) == (
        "prod: ContosoLake 1.1.0.0: 4 changes\n"
        "  1. import solution    ContosoLake: 1.0.0.0 -> 1.1.0.0\n"
        "  2. change setting     contosolake interval_minutes: 60 -> 30\n"
        "  3. remove entity      contosolake/contact: linked\n"
        "      data kept aside (the environment has 500 rows, about 25 kB)\n"
        "  4. add entity         contosolake/lead: Year, in place\n"
        "      initial sync of 20,000 rows, about 1.0 MB\n"
        "warning: the storage account 'contosolake' is not read-access geo-redundant\n"
        "    [PLN028]\n"
        "    fix: change the replication of 'contosolake' to RA-GRS or RA-GZRS"
    )


def test_an_empty_plan_says_so() -> None:
    assert plan_text(plan_import(ONE, ONE.configs, world(ONE))) == "prod: ContosoLake 1.0.0.0: nothing to do"


def test_a_plan_fits_into_80_columns() -> None:
    wide = plan_import(ONE, ONE.configs, world())
    lines = plan_text(wide).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2:] == [
        "  2. create link        contosolake",
        "      contosolake/commondataservice-prod-org-11111111111141118111111111111111",
        "      initial sync",
    ]


def test_colour_comes_only_when_asked() -> None:
    assert "\x1b" not in plan_text(plan())
    coloured = plan_text(plan(), colour=True).splitlines()
    assert coloured[1] == "\x1b[33m  1. import solution    ContosoLake: 1.0.0.0 -> 1.1.0.0\x1b[0m"
    assert coloured[3].startswith("\x1b[31m")
    assert coloured[5].startswith("\x1b[32m")


def test_a_plan_as_json_has_kind_target_before_after_and_consequence() -> None:
    data = json.loads(plan_json(plan()))
    assert data["environment"] == "prod"
    assert data["bundle"]["version"] == "1.1.0.0"
    assert data["empty"] is False
    assert data["changes"][3] == {
        "kind": "entity.add",
        "target": "contosolake/lead",
        "before": None,
        "after": "Year, in place",
        "consequence": {
            "effect": "initial-sync",
            "rows": 20_000,
            "size": 1_000_000,
            "text": "initial sync of 20,000 rows, about 1.0 MB",
        },
    }
    assert data["findings"][0]["code"] == "PLN028"


def test_a_plan_without_a_bundle_names_its_environment_alone() -> None:
    uninstall = plan_uninstall("ContosoLake", world(ONE))
    assert plan_text(uninstall).splitlines()[0] == "prod: 2 changes"
    assert json.loads(plan_json(uninstall))["bundle"] is None


def test_a_plan_as_markdown_is_a_table_with_the_findings_below() -> None:
    lines = plan_markdown(plan()).splitlines()
    assert lines[0] == "**prod: ContosoLake 1.1.0.0: 4 changes**"
    assert lines[2] == "| change | target | before | after | consequence for the data |"
    assert lines[3] == "| --- | --- | --- | --- | --- |"
    assert lines[4] == "| import solution | ContosoLake | 1.0.0.0 | 1.1.0.0 | nothing |"
    assert lines[-1] == ("- warning PLN028: the storage account 'contosolake' is not read-access geo-redundant")


def test_an_empty_plan_as_markdown_is_one_line() -> None:
    text = plan_markdown(plan_import(ONE, ONE.configs, world(ONE)))
    assert text == "**prod: ContosoLake 1.0.0.0: nothing to do**"


CONSEQUENCES = [
    (Effect.NOTHING, "nothing", "nothing"),
    (Effect.INITIAL_SYNC, "initial sync", "initial sync of 1 row, about 50 B"),
    (
        Effect.REPARTITION,
        "re-partitioning; readers keep the old snapshot meanwhile",
        "re-partitioning of 1 row, about 50 B; readers keep the old snapshot meanwhile",
    ),
    (
        Effect.REINITIALISE,
        "re-initialisation without a gap for readers",
        "re-initialisation of 1 row, about 50 B without a gap for readers",
    ),
    (Effect.DATA_KEPT, "data kept aside", "data kept aside (the environment has 1 row, about 50 B)"),
    (Effect.DATA_DELETED, "data deleted", "data deleted (the environment has 1 row, about 50 B)"),
    (Effect.HISTORY_DELETED, "history deleted", "history deleted; initial sync of 1 row, about 50 B"),
]


@pytest.mark.parametrize(("effect", "bare", "sized"), CONSEQUENCES)
def test_a_consequence_is_told_with_its_size_where_it_is_known(effect: Effect, bare: str, sized: str) -> None:
    assert consequence_text(Consequence(effect=effect)) == bare
    assert consequence_text(Consequence(effect=effect, rows=1, size=50)) == sized


def test_rows_are_told_where_bytes_are_not_known() -> None:
    assert consequence_text(Consequence(effect=Effect.INITIAL_SYNC, rows=2000)) == "initial sync of 2,000 rows"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (25_000, "25 kB"),
        (1_250_000_000, "1.2 GB"),
        (3 * 10**15, "3,000.0 TB"),
    ],
)
def test_sizes_have_decimal_units(size: int, text: str) -> None:
    assert size_text(size) == text


def test_equal_bundles_print_no_differences() -> None:
    found = differences(ONE, ONE)
    assert differences_text(found) == "no differences"
    assert differences_markdown(found) == "no differences"
    assert differences_json(found) == "[]"


def test_differences_are_lines_with_a_sign() -> None:
    assert differences_text(differences(ONE, TWO)) == (
        "~ solution ContosoLake version: 1.0.0.0 -> 1.1.0.0\n"
        "~ config contosolake interval_minutes: 60 -> 30\n"
        "- entity contosolake/contact (Month, in place)\n"
        "+ entity contosolake/lead (Year, in place)"
    )


def test_a_member_that_came_is_one_word_and_its_name() -> None:
    after = ONE.model_copy(update={"package": {"a.xml": "1" * 64}})
    assert differences_text(differences(ONE, after)) == "+ member a.xml"


def test_a_value_that_was_not_there_is_a_dash() -> None:
    after = bundle(config(linked("account", "Year"), "contact"))
    assert differences_text(differences(ONE, after)) == ("~ entity contosolake/account partition_strategy: - -> Year")


def test_differences_as_json_have_every_field() -> None:
    assert json.loads(differences_json(differences(ONE, TWO)))[0] == {
        "kind": "changed",
        "area": "solution",
        "target": "ContosoLake",
        "field": "version",
        "before": "1.0.0.0",
        "after": "1.1.0.0",
    }


def test_markdown_escapes_what_would_be_markup() -> None:
    after = bundle(config("account", "contact"), display_names={1033: "a|b\n<script>`*"})
    assert differences_markdown(differences(ONE, after)).splitlines()[2] == (
        "| changed | solution | ContosoLake | display_names.1033 |  | a\\|b \\<script\\>\\`\\* |"
    )
