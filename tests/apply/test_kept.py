"""What was applied is kept, named by its digest, and given up after a while."""

from hashlib import sha256

import pytest

from tests.apply.rig import Rig
from tests.plan.build import bundle, config
from toolkit.apply.kept import KEPT, configs_of, package_of
from toolkit.bundle import write_bundle
from toolkit.errors import Damaged, NotFound
from toolkit.plan.changes import Origin

ONE = bundle(config("account", "contact"))


def kept(prod: Rig) -> list[str]:
    return [stat.path for stat in prod.state.list("applied")]


def test_the_package_and_the_configs_after_overlay_are_kept(prod: Rig) -> None:
    overlaid = config("account", "contact", interval_minutes=15)
    prod.bring(ONE, [overlaid])
    (applied,) = prod.record().applied
    assert package_of(prod.state, applied) == write_bundle(ONE, None).to_bytes()
    assert configs_of(prod.state, applied) == (overlaid,)
    assert all(sha256(prod.state.read(path)).hexdigest() in path for path in kept(prod))


def test_a_plan_knows_what_was_applied_and_tells_drift(prod: Rig) -> None:
    prod.bring(ONE)
    link = prod.link()
    edited = link.model_copy(update={"config": config("account", interval_minutes=5)})
    prod.site.links()[0].lake.put("_toolkit/link.json", edited.model_dump_json().encode(), "any")
    assert {change.origin for change in prod.plan(ONE).changes} == {Origin.DRIFT}


def test_the_same_content_is_kept_once(prod: Rig) -> None:
    prod.bring(ONE)
    prod.state.delete("record.json")
    prod.do(prod.plan(ONE), ONE)
    assert len(kept(prod)) == 2


def test_content_of_long_ago_is_given_up(prod: Rig) -> None:
    for number in range(KEPT + 2):
        prod.bring(bundle(config("account", interval_minutes=5 + number), version=f"1.0.0.{number}"))
    first, second, third = prod.record().applied[:3]
    assert len(kept(prod)) == 2 * KEPT
    assert (configs_of(prod.state, first), configs_of(prod.state, second)) == (None, None)
    with pytest.raises(NotFound, match=r"the package of ContosoLake 1\.0\.0\.1 was not kept") as caught:
        package_of(prod.state, second)
    assert caught.value.code == "APL020"
    assert package_of(prod.state, third) != b""


def test_content_that_was_changed_is_refused(prod: Rig) -> None:
    prod.bring(ONE)
    (applied,) = prod.record().applied
    for path in kept(prod):
        prod.state.put(path, b"[]", "any")
    with pytest.raises(Damaged, match="is not what was applied") as caught:
        configs_of(prod.state, applied)
    assert caught.value.code == "APL021"
    with pytest.raises(Damaged):
        package_of(prod.state, applied)


def test_a_package_that_never_came_is_not_kept(prod: Rig) -> None:
    prod.bring(ONE)
    prod.state.delete("record.json")
    prod.do(prod.plan(ONE))
    with pytest.raises(NotFound, match="was not kept"):
        package_of(prod.state, prod.record().applied[0])
