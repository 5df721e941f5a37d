"""Which changes of a plan bring back what was changed by hand, and which are news."""

from dataclasses import replace

import pytest

from tests.plan.build import FILE_SYSTEM, bundle, config, link, linked, world
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, Storage
from toolkit.plan import World, plan_import
from toolkit.plan.changes import Origin
from toolkit.plan.drift import drift

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


def told(there: World) -> list[tuple[str, str]]:
    found = drift(there, {"ContosoLake": ONE.configs})
    return [(each.code, each.what) for each in found]


APPLIED = replace(world(ONE), applied={"ContosoLake": ONE.configs})


def test_an_environment_as_it_was_applied_has_no_drift() -> None:
    assert told(APPLIED) == []


def test_another_version_or_none_is_drift() -> None:
    newer = world(bundle(*ONE.configs, version="1.1.0.0"))
    assert told(replace(newer, record=APPLIED.record, links=APPLIED.links, applied=APPLIED.applied)) == [
        ("PLN090", "ContosoLake 1.0.0.0 was applied, and it is 1.1.0.0 now")
    ]
    gone = replace(APPLIED, inventory=APPLIED.inventory.model_copy(update={"solutions": {}}))
    assert told(gone) == [("PLN090", "ContosoLake 1.0.0.0 was applied, and it is no longer installed")]


def test_a_managed_row_that_says_something_else_has_an_unmanaged_layer() -> None:
    edited = world(bundle(config("account", "contact", interval_minutes=5))).inventory.configs
    there = replace(APPLIED, inventory=APPLIED.inventory.model_copy(update={"configs": edited}))
    (found,) = drift(there, {"ContosoLake": ONE.configs})
    assert (found.code, found.what) == ("PLN096", "export config row contosolake interval_minutes: 60 -> 5")
    assert found.why == "an unmanaged layer hides what the managed solution brought"


def test_tracking_that_was_switched_off_is_drift_of_an_exported_entity() -> None:
    account = APPLIED.inventory.entities["account"].model_copy(update={"change_tracking": False})
    entities = {**APPLIED.inventory.entities, "account": account}
    there = replace(APPLIED, inventory=APPLIED.inventory.model_copy(update={"entities": entities}))
    assert told(there) == [("PLN095", "change tracking of 'account' was switched off, and it is exported")]


@pytest.mark.parametrize(
    ("live", "take"),
    [
        (config(linked("account", "Month"), "contact"), "write partition_strategy: Month into the bundle"),
        (config(linked("account", append_only=True), "contact"), "write append_only: true into the bundle"),
        (
            config("account", "contact", storage=Storage(account="contosotest")),
            f"write contosotest/{FILE_SYSTEM} into the overlay",
        ),
    ],
)
def test_what_takes_another_value_into_the_bundle_is_told(live: ExportConfig, take: str) -> None:
    there = replace(APPLIED, links=(link(live, account=live.storage.account),))
    found = [each for each in drift(there, {}) if each.code == "PLN094"]
    assert take in found[0].fix
