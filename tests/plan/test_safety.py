"""What a plan may not do until it is named."""

import pytest

from tests.plan.build import CONFIG, OTHER_CONFIG, bundle, config, linked, world
from toolkit.errors import Unsafe
from toolkit.model.config import Output, Storage
from toolkit.model.entity import Entity
from toolkit.model.limits import Limits
from toolkit.model.solution import Package
from toolkit.plan import Plan, plan_entities, plan_import, plan_track, plan_uninstall, plan_unlink
from toolkit.plan.changes import ChangeMode, Consequence, Effect
from toolkit.plan.links import link_changes
from toolkit.plan.safety import NOTHING, Allowed, Danger, Harm, dangers, flags, require_allowed, touched

ONE = bundle(config("account", "contact"), package=Package.UNMANAGED)
NAMES = tuple(f"new_{number}" for number in range(20))
MANY = bundle(config(*NAMES))


def importing(*entities: str, limits: Limits | None = None, allowed: Allowed = NOTHING) -> None:
    """Import a version of MANY with these entities of the same inventory, under limits."""
    require_allowed(plan(entities), allowed, "toolkit import x.zip", limits or Limits())


def plan(entities: tuple[str, ...]) -> Plan:
    of = bundle(config(*entities), version="1.1.0.0")
    return plan_import(of, of.configs, world(MANY, entities=known()))


def known() -> dict[str, Entity]:
    account = world(MANY).inventory.entities["account"]
    return {name: account.model_copy(update={"name": name}) for name in NAMES}


def test_deleted_data_is_named_by_entity() -> None:
    planned = plan_unlink("contosolake", world(ONE), delete_data=True)
    assert [str(each) for each in dangers(planned.changes)] == ["delete:account", "delete:contact"]
    removed = plan_entities("contosolake", world(ONE), remove=["account"], delete_data=True)
    assert dangers(removed.changes) == (Danger(Harm.DELETE, "account"),)


def test_data_that_is_kept_needs_no_name() -> None:
    require_allowed(plan_unlink("contosolake", world(ONE)), NOTHING, "toolkit lake unlink contosolake")


def test_tracking_is_named_since_it_cannot_be_undone() -> None:
    assert dangers(plan_track("invoice", world()).changes) == (Danger(Harm.TRACK, "invoice"),)


def test_the_history_of_an_entity_is_named_when_it_is_exported_in_place_again() -> None:
    link = world(bundle(config(linked("account", append_only=True)))).links[0]
    (change,) = link_changes(link, config("account"), world())
    assert (type(change), dangers([change])) == (ChangeMode, (Danger(Harm.HISTORY, "account"),))


def test_the_history_of_append_only_entities_stays_behind_when_the_lake_moves() -> None:
    link = world(bundle(config("contact", linked("account", append_only=True)))).links[0]
    moved = config("contact", linked("account", append_only=True), storage=Storage(account="contosotest"))
    change, *_ = link_changes(link, moved, world())
    assert dangers([change]) == (Danger(Harm.HISTORY, "account"),)
    assert touched([change]) == {(CONFIG, "contact"), (CONFIG, "account")}
    deleting = change.model_copy(update={"keep": False})
    assert flags(dangers([deleting])) == ("--allow delete:account --allow delete:contact --allow history:account")


def test_a_refusal_says_the_command_with_all_that_is_missing() -> None:
    planned = plan_uninstall("ContosoLake", world(ONE), prune=True, delete_data=True)
    with pytest.raises(Unsafe) as caught:
        require_allowed(planned, Allowed.by(Harm.DELETE, ["account"]), "toolkit uninstall ContosoLake --delete-data")
    (found,) = caught.value.findings
    assert (found.code, found.what) == ("PLN070", "the exported data would be deleted of contact")
    assert found.fix == "if that is meant: toolkit uninstall ContosoLake --delete-data --allow delete:contact"
    assert caught.value.exit_status == 4


def test_every_danger_is_told_at_once_and_names_them_all() -> None:
    planned = plan_uninstall("ContosoLake", world(ONE), prune=True, delete_data=True)
    with pytest.raises(Unsafe) as caught:
        require_allowed(planned, Allowed.by(Harm.HISTORY, ["account"]), "toolkit uninstall")
    assert [found.what for found in caught.value.findings] == ["the exported data would be deleted of account, contact"]
    assert flags(dangers(planned.changes)) == "--allow delete:account --allow delete:contact"
    require_allowed(planned, Allowed.by(Harm.DELETE, ["account", "contact"]), "toolkit uninstall")


def test_what_is_to_be_named_and_what_is_too_much_are_told_at_once_with_one_command() -> None:
    there = world(bundle(config(linked(NAMES[0], append_only=True), *NAMES[1:])), entities=known())
    of = bundle(config(*NAMES[:13]), version="1.1.0.0")
    planned = plan_import(of, of.configs, there)
    with pytest.raises(Unsafe) as caught:
        require_allowed(planned, NOTHING, "toolkit import x.zip", Limits())
    fix = "if that is meant: toolkit import x.zip --allow history:new_0 --allow entities:8"
    assert [(each.code, each.fix) for each in caught.value.findings] == [("PLN071", fix), ("PLN073", fix)]
    require_allowed(planned, Allowed.by(Harm.HISTORY, NAMES[:1]), "toolkit import x.zip")


def test_an_import_may_remove_30_percent_of_the_linked_entities() -> None:
    importing(*NAMES[:14])


def test_an_import_that_removes_more_is_refused_with_the_numbers_and_the_flag() -> None:
    with pytest.raises(Unsafe) as caught:
        importing(*NAMES[:13])
    assert caught.value.code == "PLN073"
    assert caught.value.what == "7 of 20 linked entities would be removed or re-initialised: 35 %"
    assert caught.value.why == "the limit of prod is 30 % from 10 entities up"
    assert caught.value.fix == "if that is meant: toolkit import x.zip --allow entities:7"


def test_the_number_that_is_allowed_covers_no_larger_plan() -> None:
    importing(*NAMES[:13], allowed=Allowed(entities=7))
    with pytest.raises(Unsafe):
        importing(*NAMES[:12], allowed=Allowed(entities=7))


def test_limits_are_those_of_the_environment() -> None:
    importing(*NAMES[:5], limits=Limits(from_entities=21))
    importing(*NAMES[:5], limits=Limits(changed_percent=75))
    with pytest.raises(Unsafe):
        importing(*NAMES[:19], limits=Limits(changed_percent=0))


def test_entities_that_are_written_anew_count_as_removed_ones_do() -> None:
    of = bundle(config(*NAMES, output=Output(labels=1033)), version="1.1.0.0")
    planned = plan_import(of, of.configs, world(MANY, entities=known()))
    assert len(touched(planned.changes)) == 20
    with pytest.raises(Unsafe, match="20 of 20 linked entities would be removed or re-initialised: 100 %"):
        require_allowed(planned, NOTHING, "toolkit import x.zip", Limits())


def test_an_import_that_unlinks_everything_is_refused_and_nothing_allows_it() -> None:
    with pytest.raises(Unsafe, match=r"would unlink everything: all 20 entities that its links export") as caught:
        importing(allowed=Allowed(entities=20))
    assert (caught.value.code, caught.value.exit_status) == ("PLN074", 4)


def test_an_import_that_replaces_the_only_entity_unlinks_not_everything() -> None:
    before, after = bundle(config("account")), bundle(config("contact"), version="1.1.0.0")
    require_allowed(plan_import(after, after.configs, world(before)), NOTHING, "toolkit import x.zip", Limits())


def test_a_first_import_has_nothing_to_lose() -> None:
    require_allowed(plan_import(ONE, ONE.configs, world()), NOTHING, "toolkit import x.zip", Limits())


def test_only_links_that_the_plan_is_about_count() -> None:
    other = config("lead", id=OTHER_CONFIG, account="contosotest")
    there = world(bundle(config("account", "contact"), other, package=Package.UNMANAGED))
    assert plan_entities("contosotest", there, add=[linked("task")]).linked == 1
    assert plan_unlink("contosolake", there).linked == 2
    assert plan_track("invoice", there).linked == 0


def test_a_setting_that_writes_nothing_anew_touches_no_entity() -> None:
    (change,) = link_changes(world(ONE).links[0], config("account", "contact", interval_minutes=5), world())
    assert touched([change]) == frozenset()
    assert change.consequence == Consequence(effect=Effect.NOTHING)
