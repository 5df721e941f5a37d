"""Saved plans: read as they were written, and refused when they are stale, changed or of something else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.plan.build import account, bundle, config, link, record, world
from toolkit.errors import Conflict, Damaged, Refused
from toolkit.model.bundle import Bundle, digest
from toolkit.model.solution import Package
from toolkit.plan import Plan, World, plan_import
from toolkit.plan.saved import read_saved, require_current, require_same_bundle, saved, was_applied

ONE = bundle(config("account", "contact"))
TWO = bundle(config("account", "contact", "lead"), version="1.1.0.0")


def planned(there: World | None = None, of: Bundle = TWO) -> Plan:
    return plan_import(of, of.configs, there or world(ONE))


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(saved(planned())), **values}).encode()


def test_a_saved_plan_is_read_again_as_it_was() -> None:
    plan = planned()
    again = read_saved(saved(plan), "plan.json")
    assert again == plan
    require_current(again, world(ONE))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format": 1}'])
def test_what_is_no_saved_plan_is_refused(data: bytes) -> None:
    with pytest.raises(Damaged, match=r"plan\.json is no saved plan") as caught:
        read_saved(data, "plan.json")
    assert caught.value.code == "PLN080"


def test_a_plan_that_somebody_edited_is_refused() -> None:
    with pytest.raises(Damaged, match="was changed since it was saved") as caught:
        read_saved(changed(environment="test"), "plan.json")
    assert caught.value.code == "PLN082"


@pytest.mark.parametrize(("format_", "fix"), [(2, "use the toolkit that wrote it"), ("x", "plan again")])
def test_a_plan_of_another_format_is_refused(format_: object, fix: str) -> None:
    with pytest.raises(Damaged) as caught:
        read_saved(changed(format=format_), "plan.json")
    assert (caught.value.code, caught.value.fix) == ("PLN081", fix)


def test_a_plan_with_the_right_digest_and_a_strange_content_is_none() -> None:
    document = {**json.loads(saved(planned())), "changes": [{"kind": "unknown"}]}
    del document["digest_of_plan"]
    with pytest.raises(Damaged) as caught:
        read_saved(json.dumps({**document, "digest_of_plan": digest(document)}).encode(), "plan.json")
    assert caught.value.code == "PLN080"


def test_a_plan_is_for_one_environment() -> None:
    with pytest.raises(Refused, match="made for the environment 'prod', and this is 'test'") as caught:
        require_same_bundle(planned(), TWO, TWO.configs, "test", "plan.json")
    assert caught.value.code == "PLN083"


def test_a_plan_is_for_one_bundle() -> None:
    other = bundle(config("account", "contact", "lead"), version="1.2.0.0")
    with pytest.raises(Refused, match="not the one that the plan was made for") as caught:
        require_same_bundle(planned(), other, other.configs, "prod", "plan.json")
    assert caught.value.code == "PLN084"
    assert caught.value.why == (
        f"the plan brings ContosoLake 1.1.0.0 ({TWO.digest[:19]}), managed, "
        f"and this is ContosoLake 1.2.0.0 ({other.digest[:19]}), managed"
    )


def test_a_plan_is_for_a_managed_package_or_an_unmanaged_one() -> None:
    other = bundle(config("account", "contact", "lead"), version="1.1.0.0", package=Package.UNMANAGED)
    with pytest.raises(Refused, match="not the one that the plan was made for"):
        require_same_bundle(planned(), other, other.configs, "prod", "plan.json")


def test_a_plan_is_for_the_values_of_one_overlay() -> None:
    values = [config("account", "contact", "lead", interval_minutes=15)]
    with pytest.raises(Refused, match="the overlay is not the one") as caught:
        require_same_bundle(planned(), TWO, values, "prod", "plan.json")
    assert (caught.value.code, caught.value.why) == ("PLN085", "~ config contosolake interval_minutes: 60 -> 15")
    require_same_bundle(planned(), TWO, TWO.configs, "prod", "plan.json")


def stale(after: World) -> str:
    with pytest.raises(Conflict, match="the plan is stale: prod has changed since it was made") as caught:
        require_current(planned(), after)
    assert caught.value.code == "APL001"
    return caught.value.why


def test_a_stale_plan_says_which_solution_moved() -> None:
    newer = bundle(*ONE.configs, version="1.0.1.0")
    after = replace(world(newer), record=world(ONE).record, links=world(ONE).links)
    assert stale(after) == "solution ContosoLake version: 1.0.0.0 -> 1.0.1.0"


def test_a_stale_plan_says_which_setting_of_which_link_moved() -> None:
    moved = link(config("account", "contact", interval_minutes=15), generation=2)
    assert stale(replace(world(ONE), links=(moved,))) == (
        "link contosolake interval_minutes: 60 -> 15; link contosolake generation: 1 -> 2"
    )


def test_a_stale_plan_says_which_entity_came_went_or_is_tracked_now() -> None:
    there = world(ONE)
    lead = there.inventory.entities["lead"].model_copy(update={"change_tracking": False})
    entities = {**there.inventory.entities, "lead": lead}
    del entities["contact"]
    after = replace(there, inventory=there.inventory.model_copy(update={"entities": entities}))
    assert stale(after) == "entity contact is gone; entity lead change_tracking: yes -> no"


def test_a_stale_plan_says_which_account_moved_and_that_a_link_is_new() -> None:
    there = world(ONE, accounts={"contosolake": account(replication="LRS")})
    assert stale(replace(there, links=())) == (
        "storage account contosolake replication: RAGRS -> LRS; link contosolake is gone"
    )


def test_a_stale_plan_tells_of_much_no_more_than_the_first() -> None:
    names = [f"new_{number}" for number in range(12)]
    moved = link(config("account", "contact", *names))
    why = stale(replace(world(ONE), links=(moved,)))
    assert why.count("; link") == 7
    assert "; and 4 more" in why


def test_a_plan_that_has_been_done_is_known() -> None:
    assert was_applied(planned(of=ONE), world(ONE))
    assert not was_applied(planned(), world(ONE))
    assert not was_applied(planned(of=ONE), replace(world(ONE), record=None))
    assert not was_applied(planned(of=ONE), replace(world(ONE), record=record(TWO)))
