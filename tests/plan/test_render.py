"""Plans and differences as people read them."""

import json
import re
from dataclasses import replace

import pytest

from tests.plan.build import account, bundle, config, link, linked, world
from toolkit.model.bundle import Bundle
from toolkit.plan import Consequence, Effect, Plan, differences, plan_import, plan_link, plan_uninstall
from toolkit.plan.document import document
from toolkit.plan.page import plan_html
from toolkit.plan.render import (
    consequence_text,
    differences_json,
    differences_markdown,
    differences_text,
    plan_markdown,
    plan_text,
    size_text,
)
from toolkit.plan.world import Rates

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


def test_a_plan_as_a_document_has_kind_target_before_after_and_consequence() -> None:
    data = document(plan()).model_dump(mode="json")
    assert data["environment"] == "prod"
    assert data["bundle"]["version"] == "1.1.0.0"
    assert (data["empty"], data["linked"], data["dangers"]) == (False, 2, [])
    assert data["changes"][3] == {
        "kind": "entity.add",
        "target": "contosolake/lead",
        "before": None,
        "after": "Year, in place",
        "origin": "news",
        "consequence": {
            "effect": "initial-sync",
            "rows": 20_000,
            "size": 1_000_000,
            "requests": None,
            "seconds": None,
            "text": "initial sync of 20,000 rows, about 1.0 MB",
        },
    }
    assert data["findings"][0]["code"] == "PLN028"


def test_what_is_lost_is_part_of_the_document() -> None:
    unlinked = plan_uninstall("ContosoLake", world(ONE), delete_data=True)
    assert document(unlinked).dangers == ("delete:account", "delete:contact")


def test_a_plan_without_a_bundle_names_its_environment_alone() -> None:
    uninstall = plan_uninstall("ContosoLake", world(ONE))
    assert plan_text(uninstall).splitlines()[0] == "prod: 2 changes"
    assert document(uninstall).bundle is None


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


def test_a_comment_says_what_has_to_be_named_at_the_import() -> None:
    text = plan_markdown(plan_uninstall("ContosoLake", world(ONE), prune=True, delete_data=True))
    assert "\n\nTo be named at the import: `--allow delete:account`" in text


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
        "re-initialisation without a gap for readers: 1 row, about 50 B",
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


RATES = Rates(page=5000, append=8_388_608, of_a_file=3, rows_per_second=150_000)


@pytest.mark.parametrize(
    ("rows", "cost"),
    [
        (0, "0 rows, about 0 B, 5 requests, under 1 s"),
        (20_000, "20,000 rows, about 1.0 MB, 9 requests, under 1 s"),
        (15_000_000, "15,000,000 rows, about 750 MB, 3,094 requests, 100 s"),
        (180_000_000, "180,000,000 rows, about 9.0 GB, 37,077 requests, 20 min"),
        (9_000_000_000, "9,000,000,000 rows, about 450 GB, 1,853,649 requests, 16.7 h"),
    ],
)
def test_a_sync_is_told_with_its_requests_and_its_time(rows: int, cost: str) -> None:
    there = replace(world(statistics={"account": rows}), rates=RATES)
    assert consequence_text(there.estimate("account")) == f"initial sync of {cost}"


def test_data_that_is_only_moved_costs_no_requests() -> None:
    kept = replace(world(statistics={"account": 5}), rates=RATES).estimate("account", Effect.DATA_KEPT)
    assert (kept.requests, kept.seconds) == (None, None)


def test_the_cost_of_several_entities_is_their_sum_where_each_is_known() -> None:
    there = replace(world(statistics={"account": 1, "contact": 5000}), rates=RATES)
    (change,) = plan_link(config("account", "contact"), replace(there, record=None)).changes[1:]
    assert change.consequence == Consequence(
        effect=Effect.INITIAL_SYNC, rows=5001, size=250_050, requests=12, seconds=0.0
    )


def test_drift_is_marked_in_every_form() -> None:
    live = link(config("account", interval_minutes=15))
    there = replace(world(ONE), links=(live,), applied={"ContosoLake": ONE.configs})
    of = bundle(config("account", "contact", "lead"), version="1.1.0.0")
    marked = plan_import(of, of.configs, there)
    text = plan_text(marked, colour=True)
    assert "prod: ContosoLake 1.1.0.0: 4 changes, 2 of them drift" in text
    assert "\x1b[35m      drift: changed in the environment; this brings back what was applied\x1b[0m" in text
    assert [change.origin.value for change in document(marked).changes] == ["news", "drift", "drift", "news"]
    assert "| consequence for the data | drift |" in plan_markdown(marked)
    assert '<span class="drift">drift: changed in the environment;' in plan_html(marked)


def test_a_plan_as_a_page_needs_nothing_else_and_escapes_every_text() -> None:
    hostile = config("account", name="<script>alert(1)</script>")
    page = plan_html(plan_link(hostile, world()))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert re.findall(r"<script|src=|href=|url\(|@import", page) == []
    assert ("prefers-color-scheme: dark" in page, page.startswith("<!doctype html>")) == (True, True)


def test_a_page_names_what_is_lost_and_tells_the_findings() -> None:
    page = plan_html(plan_uninstall("ContosoLake", world(ONE), delete_data=True))
    assert "<code>--allow delete:account</code> <code>--allow delete:contact</code>" in page
    assert "<code>PLN028</code>" in plan_html(plan())
    assert "<table>" not in plan_html(plan_import(ONE, ONE.configs, world(ONE)))
