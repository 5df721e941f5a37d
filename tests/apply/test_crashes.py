"""An apply that is cut off anywhere is mended by planning and applying again."""

from pathlib import Path

import pytest

from tests.apply.rig import Rig, rig
from tests.plan.build import FILE_SYSTEM, bundle, config, linked
from toolkit.lake.memory import Crashed, Kind
from toolkit.model.bundle import Bundle
from toolkit.model.link import Link
from toolkit.plan import plan_uninstall

ONE = bundle(config("account", "contact", "task"))
TWO = bundle(
    config(linked("account", "Year"), linked("task", append_only=True), "lead", interval_minutes=30),
    version="1.1.0.0",
)


def settled(prod: Rig) -> tuple[Link, set[str]]:
    """Return what must be the same however often an apply was cut off: generation and history may be longer."""
    link = prod.link().model_copy(update={"generation": 0, "history": ()})
    return link, {str(entry.version) for entry in prod.record().applied}


def undisturbed(folder: Path, bundles: tuple[Bundle, ...]) -> tuple[Link, set[str]]:
    with rig(folder) as prod:
        for each in bundles:
            prod.bring(each)
        return settled(prod)


def crashes(prod: Rig, of: Bundle, which: str, at: int, kind: Kind) -> bool:
    """Let call ``at`` on a lake fail while a bundle is brought; whether the apply came so far."""
    lake = prod.state if which == "state" else prod.lake("contosolake", FILE_SYSTEM)
    lake.fail(len(lake.calls) + at, kind)
    try:
        prod.bring(of)
    except Crashed:
        return True
    finally:
        prod.reopen()
    return False


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize("which", ["state", "lake"])
@pytest.mark.parametrize("bundles", [(ONE,), (ONE, TWO)], ids=["first", "update"])
def test_a_crash_at_any_call_of_a_lake_is_mended(
    tmp_path: Path, bundles: tuple[Bundle, ...], which: str, kind: Kind
) -> None:
    *before, last = bundles
    expected = undisturbed(tmp_path / "clean", bundles)
    at, crashed = 0, True
    while crashed:
        at += 1
        with rig(tmp_path / str(at)) as prod:
            for each in before:
                prod.bring(each)
            crashed = crashes(prod, last, which, at, kind)
            prod.bring(last)
            assert prod.plan(last).empty
            assert settled(prod) == expected
    assert at > 8


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_crash_around_the_import_is_mended(prod: Rig, dies: str) -> None:
    prod.bring(ONE)
    prod.environment.dies = dies
    with pytest.raises(Crashed):
        prod.bring(TWO)
    prod.reopen()
    prod.bring(TWO)
    assert prod.plan(TWO).empty
    assert [entity.name for entity in prod.link().config.entities] == ["account", "task", "lead"]


def test_an_uninstall_that_was_cut_off_goes_on(prod: Rig) -> None:
    prod.bring(ONE)
    prod.environment.dies = "after"
    with pytest.raises(Crashed):
        prod.do(plan_uninstall("ContosoLake", prod.world()))
    prod.reopen()
    prod.do(plan_uninstall("ContosoLake", prod.world()))
    assert not prod.link().active


def test_an_import_after_an_uninstall_that_was_cut_off_goes_on_with_the_link(prod: Rig) -> None:
    prod.bring(ONE)
    prod.environment.dies = "after"
    with pytest.raises(Crashed):
        prod.do(plan_uninstall("ContosoLake", prod.world()))
    prod.reopen()
    prod.bring(ONE)
    assert prod.plan(ONE).empty
    assert prod.link().active
