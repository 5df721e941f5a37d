"""A live link moves to another lake: the new one is filled beside the old one, then the old one ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apply.readers import read
from tests.apply.rig import HOLDER, Rig, rig
from tests.plan.build import CONFIG, FILE_SYSTEM, bundle, config, linked
from tests.scale import scaled
from toolkit import engine
from toolkit.apply import moves, switch
from toolkit.errors import Partial, SourceError
from toolkit.lake.memory import Crashed
from toolkit.model.bundle import Bundle
from toolkit.model.config import Layout, Output, Storage
from toolkit.model.environment import Inventory
from toolkit.model.solution import Package
from toolkit.plan import plan_import, plan_uninstall, plan_unlink
from toolkit.plan.changes import Effect

ENTITIES = ("account", "contact")


def at(account: str, version: str, *entities: str, file_system: str | None = None) -> Bundle:
    storage = Storage(account=account, file_system=file_system)
    return bundle(config(*(entities or ENTITIES), storage=storage), version=version)


HERE = at("contosolake", "1.0.0.0")
THERE = at("contosotest", "1.1.0.0")
BACK = at("contosolake", "1.2.0.0")
THIRD = at("contosotest", "1.2.0.0", file_system="third")


def filled(prod: Rig) -> None:
    for name in ENTITIES:
        for number in range(3):
            prod.source.insert(name, name=f"{name} {number}")
    prod.bring(HERE, sync=True)


def under_way(prod: Rig) -> None:
    """Begin the move, and let the new lake have nothing yet."""
    filled(prod)
    prod.bring(THERE)


def lakes(prod: Rig) -> dict[str, bool]:
    """The lakes of the record, and whether their links are live."""
    return {linked.link.account: linked.link.active for linked in prod.site.links()}


def names(prod: Rig, account: str, file_system: str = FILE_SYSTEM) -> list[str]:
    return [row["name"] for row in read(prod.lake(account, file_system), "account")]


def test_the_plan_says_what_a_move_does(prod: Rig) -> None:
    filled(prod)
    _, move = prod.plan(THERE).changes
    assert (move.kind, move.consequence.effect, move.consequence.rows) == ("lake.move", Effect.NEW_LAKE, 6)


def test_both_lakes_go_on_until_the_new_one_is_complete(prod: Rig) -> None:
    under_way(prod)
    assert lakes(prod) == {"contosotest": True, "contosolake": True}
    assert [(new.link.account, old.link.account) for new, old in moves(prod.site.links())] == [
        ("contosotest", "contosolake")
    ]
    prod.source.insert("account", name="late")
    prod.clock.move(minutes=61)
    old = next(each for each in prod.site.links() if each.link.account == "contosolake")
    engine.sync(old, prod.source, clock=prod.clock, holder=HOLDER)
    assert names(prod, "contosolake") == ["account 0", "account 1", "account 2", "late"]
    assert switch(prod.site.links(), prod.clock) == ()
    assert prod.plan(THERE).empty


def test_then_the_old_link_ends_and_its_data_is_kept_once_readers_had_their_grace(prod: Rig) -> None:
    filled(prod)
    before = prod.lake("contosolake", FILE_SYSTEM).read("model.json")
    prod.bring(THERE, sync=True)
    assert lakes(prod) == {"contosotest": True, "contosolake": False}
    assert names(prod, "contosotest") == ["account 0", "account 1", "account 2"]
    # Who read the manifest a moment ago still finds its files.
    assert read(prod.lake("contosolake", FILE_SYSTEM), "account", before) != []
    assert read(prod.lake("contosolake", FILE_SYSTEM), "account") == []
    prod.clock.move(hours=1)
    prod.sync()
    assert lakes(prod) == {"contosotest": True}
    kept = [stat.path for stat in prod.lake("contosolake", FILE_SYSTEM).list("_kept")]
    assert [path.split("/")[1] for path in kept if path.endswith("/2026-03.csv")] == ["account", "contact"]
    assert prod.found(THERE) == []


def test_the_old_document_says_where_the_export_went(prod: Rig) -> None:
    filled(prod)
    prod.bring(THERE, sync=True)
    old = next(each.link for each in prod.site.links() if not each.link.active)
    assert old.moved_to is not None
    assert (old.moved_to.account, old.moved_to.file_system) == ("contosotest", FILE_SYSTEM)


def test_data_whose_deletion_was_named_is_deleted(prod: Rig) -> None:
    filled(prod)
    plan = plan_import(THERE, THERE.configs, prod.world(*THERE.configs), delete_data=True)
    assert plan.changes[1].consequence.effect is Effect.DATA_DELETED
    prod.do(plan, THERE, sync=True)
    prod.clock.move(hours=1)
    prod.sync()
    left = [stat.path for stat in prod.lake("contosolake", FILE_SYSTEM).list("")]
    assert [path for path in left if path.startswith(("account", "contact", "_kept"))] == []


def test_history_stays_behind_and_the_plan_names_its_entities(prod: Rig) -> None:
    history = bundle(config(linked("account", append_only=True), "contact"))
    prod.bring(history, sync=True)
    storage = Storage(account="contosotest")
    after = bundle(config(linked("account", append_only=True), "contact", storage=storage), version="1.1.0.0")
    (_, move) = prod.plan(after).changes
    assert move.kind == "lake.move"
    assert (move.history, move.consequence.effect) == (("account",), Effect.HISTORY_DELETED)


def test_a_move_that_is_taken_back_leaves_the_old_lake_as_it_was(prod: Rig) -> None:
    under_way(prod)
    before = prod.lake("contosolake", FILE_SYSTEM).read("model.json")
    assert [change.kind for change in prod.plan(BACK).changes] == ["solution.register", "link.remove"]
    prod.bring(BACK, sync=True)
    assert lakes(prod) == {"contosolake": True}
    assert prod.lake("contosolake", FILE_SYSTEM).read("model.json") == before
    assert prod.plan(BACK).empty


def test_a_move_to_a_third_lake_begins_at_the_one_that_readers_are_at(prod: Rig) -> None:
    under_way(prod)
    kinds = [change.kind for change in prod.plan(THIRD).changes]
    assert kinds == ["solution.register", "link.remove", "lake.move"]
    prod.bring(THIRD)
    live = [(each.link.file_system, each.link.account) for each in prod.site.links() if each.link.active]
    assert live == [("third", "contosotest"), (FILE_SYSTEM, "contosolake")]
    prod.bring(THIRD, sync=True)
    assert names(prod, "contosotest", "third") == ["account 0", "account 1", "account 2"]
    assert [each.link.file_system for each in prod.site.links() if each.link.active] == ["third"]


def test_a_link_moves_away_and_back_again(prod: Rig) -> None:
    filled(prod)
    prod.bring(THERE, sync=True)
    prod.bring(BACK, sync=True)
    assert prod.plan(BACK).empty
    assert names(prod, "contosolake") == ["account 0", "account 1", "account 2"]
    prod.clock.move(hours=1)
    prod.sync()
    assert lakes(prod) == {"contosolake": True}


def test_other_changes_come_with_the_move(prod: Rig) -> None:
    filled(prod)
    prod.source.insert("lead", name="lead 0")
    after = bundle(
        config(linked("account", "Year"), "lead", storage=Storage(account="contosotest"), interval_minutes=30),
        version="1.1.0.0",
    )
    effects = [(change.kind, change.consequence.effect) for change in prod.plan(after).changes[2:]]
    assert {effect for _, effect in effects} == {Effect.NOTHING}
    prod.bring(after, sync=True)
    assert prod.plan(after).empty
    live = [stat.path for stat in prod.lake("contosotest", FILE_SYSTEM).list("") if stat.path.count("/") == 1]
    assert [path for path in live if path.startswith(("account/", "lead/"))] == ["account/2026.csv", "lead/2026-03.csv"]


def test_entities_are_added_to_the_new_lake_while_it_is_filled(prod: Rig) -> None:
    under_way(prod)
    more = at("contosotest", "1.2.0.0", "account", "contact", "lead")
    prod.bring(more)
    assert [len(each.link.config.entities) for each in prod.site.links()] == [3, 2]


def test_an_uninstall_while_it_moves_ends_both(prod: Rig) -> None:
    under_way(prod)
    prod.do(plan_uninstall("ContosoLake", prod.world()), sync=True)
    assert lakes(prod) == {}


def test_what_is_linked_by_hand_is_unlinked_in_both_lakes(prod: Rig) -> None:
    there = config("account", storage=Storage(account="contosotest"))
    prod.bring(bundle(config("account"), package=Package.UNMANAGED), sync=True)
    prod.bring(bundle(there, version="1.1.0.0", package=Package.UNMANAGED))
    plan = plan_unlink(CONFIG, prod.world())
    assert [change.kind for change in plan.changes] == ["config.delete", "link.remove", "link.remove"]
    prod.do(plan, sync=True)
    assert lakes(prod) == {}


def test_incremental_folders_begin_anew_in_another_file_system(prod: Rig) -> None:
    folders = Output(layout=Layout.INCREMENTAL)
    there = config("account", storage=Storage(account="contosotest"), output=folders)
    prod.source.insert("account", name="account 0")
    prod.bring(bundle(config("account", output=folders)), sync=True)
    prod.bring(bundle(there, version="1.1.0.0"), sync=True)
    for account in ("contosolake", "contosotest"):
        paths = [stat.path for stat in prod.lake(account, FILE_SYSTEM).list("")]
        assert len([path for path in paths if path.endswith("account/2026.csv")]) == 1
    assert lakes(prod) == {"contosotest": True}


def test_history_that_ended_is_kept_again_when_it_begins_again(prod: Rig) -> None:
    history, plain = config(linked("account", append_only=True)), config("account")
    prod.source.insert("account", name="account 0")
    prod.bring(bundle(history), sync=True)
    prod.bring(bundle(plain, version="1.1.0.0"), sync=True)
    assert prod.link().history_ended == ("account",)
    prod.bring(bundle(history, version="1.2.0.0"), sync=True)
    assert prod.link().history_ended == ()
    assert prod.plan(bundle(history, version="1.2.0.0")).empty


def test_a_mode_that_createdon_forces_is_no_end_of_history(prod: Rig) -> None:
    prod.source.insert("account", name="account 0")
    prod.bring(bundle(config(linked("account", append_only=True))), sync=True)
    dateless = replace(prod.world(), inventory=without_createdon(prod.world().inventory))
    of = bundle(config("account"), version="1.1.0.0")
    plan = plan_import(of, of.configs, dateless)
    assert [(change.kind, change.consequence.effect) for change in plan.changes] == [
        ("solution.register", "nothing"),
        ("entity.mode", "nothing"),
    ]


def without_createdon(inventory: Inventory) -> Inventory:
    account = inventory.entities["account"]
    attributes = tuple(each for each in account.attributes if each.name != "createdon")
    entities = {**inventory.entities, "account": account.model_copy(update={"attributes": attributes})}
    return inventory.model_copy(update={"entities": entities})


def test_an_entity_that_fails_holds_the_switch(prod: Rig) -> None:
    under_way(prod)
    prod.source.fail("contact", SourceError("SRC000", "not now"))
    prod.sync()
    assert lakes(prod) == {"contosotest": True, "contosolake": True}
    prod.sync()
    assert lakes(prod) == {"contosotest": True, "contosolake": False}


def test_a_move_whose_time_was_over_goes_on(prod: Rig) -> None:
    filled(prod)
    with pytest.raises(Partial):
        prod.do(prod.plan(THERE), THERE, sync=True, wait=0)
    assert lakes(prod) == {"contosotest": True, "contosolake": True}
    prod.bring(THERE, sync=True)
    assert lakes(prod) == {"contosotest": True, "contosolake": False}


STRIDE = scaled(7, 1)
"""Of so many calls of a lake one is cut off: most of them are of the engine, whose own tests cut off each."""
Begin = Callable[[Rig], None]
CASES: list[tuple[Begin, Bundle]] = [(filled, THERE), (under_way, BACK), (under_way, THIRD)]


def settled(prod: Rig) -> tuple[object, ...]:
    """What must be the same however often it was cut off."""
    live = [each.link for each in prod.site.links() if each.link.active]
    rows = [read(prod.lake(link.account, link.file_system), name) for link in live for name in ENTITIES]
    return [(link.account, link.file_system, link.config) for link in live], [len(each) for each in rows]


def faults(folder: Path, begin: Begin, last: Bundle) -> Iterator[tuple[int, Rig]]:
    """Yield rigs in which a call, on one lake after another, failed while a bundle was brought; then one without."""
    case = 0
    for which in ("state", *_places(folder, begin, last)):
        crashed, call = True, 0
        while crashed:
            call, case = call + STRIDE, case + 1
            with rig(folder / f"{case}") as prod:
                begin(prod)
                lake = prod.state if isinstance(which, str) else prod.lake(*which)
                lake.fail(len(lake.calls) + call, "after")
                crashed = False
                try:
                    prod.bring(last, sync=True)
                except Crashed:
                    crashed = True
                prod.reopen()
                yield case, prod


def _places(folder: Path, begin: Begin, last: Bundle) -> list[tuple[str, str]]:
    with rig(folder / "places") as prod:
        begin(prod)
        prod.bring(last, sync=True)
        return sorted(prod.lakes)


@pytest.mark.parametrize(("begin", "last"), CASES, ids=["away", "back", "to a third"])
def test_wherever_a_move_is_cut_off_it_goes_on(tmp_path: Path, begin: Begin, last: Bundle) -> None:
    with rig(tmp_path / "clean") as prod:
        begin(prod)
        prod.bring(last, sync=True)
        expected = settled(prod)
    cases = 0
    for number, prod in faults(tmp_path, begin, last):
        cases = number
        prod.bring(last, sync=True)
        assert prod.plan(last).empty
        assert settled(prod) == expected
    assert cases >= 12
