"""Which changes of a plan bring back what was changed by hand, and which are news."""

from dataclasses import replace

from tests.plan.build import bundle, config, link, world
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.plan import World, plan_import
from toolkit.plan.changes import Origin

ONE = bundle(config("account", "contact"))


def origins(live: ExportConfig, of: Bundle, applied: Bundle = ONE) -> dict[str, str]:
    """Return the origin of each change of a plan, by kind and what it is about."""
    there = replace(world(applied), links=(link(live),), applied={"contosolake": applied.configs})
    return {named(change): change.origin.value for change in plan_import(of, of.configs, there).changes}


def named(change: object) -> str:
    kind = getattr(change, "kind", "")
    entity = getattr(change, "entity", "") or ""
    return " ".join(filter(None, (kind, getattr(entity, "name", entity), getattr(change, "setting", ""))))


def test_an_entity_that_was_removed_by_hand_is_brought_back() -> None:
    assert origins(config("account"), ONE) == {"entity.add contact": "drift"}


def test_an_entity_that_was_added_by_hand_is_taken_off() -> None:
    assert origins(config("account", "contact", "lead"), ONE) == {"entity.remove lead": "drift"}


def test_a_setting_of_the_link_that_was_changed_by_hand_is_brought_back() -> None:
    assert origins(config("account", "contact", interval_minutes=15), ONE) == {
        "setting.change interval_minutes": "drift"
    }


def test_news_of_the_bundle_stand_beside_drift() -> None:
    of = bundle(config("account", "contact", "lead", interval_minutes=30), version="1.1.0.0")
    assert origins(config("account", interval_minutes=15, write_delete_log=False), of) == {
        "solution.register": "news",
        "setting.change interval_minutes": "drift-and-news",
        "setting.change write_delete_log": "drift",
        "entity.add contact": "drift",
        "entity.add lead": "news",
    }


def test_what_was_changed_by_hand_as_the_bundle_now_has_it_is_no_change() -> None:
    of = bundle(config("account", "contact", interval_minutes=15), version="1.1.0.0")
    assert origins(config("account", "contact", interval_minutes=15), of) == {"solution.register": "news"}


def test_a_link_that_was_ended_by_hand_is_made_again() -> None:
    there = replace(world(ONE), links=(), applied={"ContosoLake": ONE.configs})
    (change,) = plan_import(ONE, ONE.configs, there).changes
    assert (change.kind, change.origin) == ("link.create", Origin.DRIFT)


def test_rows_that_were_edited_are_put_back() -> None:
    edited = world(bundle(config("account"))).inventory.configs
    there = replace(world(ONE, configs=edited), applied={"ContosoLake": ONE.configs})
    (change,) = plan_import(ONE, ONE.configs, there).changes
    assert (change.kind, change.origin) == ("solution.register", Origin.DRIFT)


def test_what_was_applied_by_an_earlier_toolkit_is_not_known_and_nothing_is_drift() -> None:
    there: World = replace(world(ONE), links=(link(config("account")),))
    (change,) = plan_import(ONE, ONE.configs, there).changes
    assert change.origin is Origin.NEWS
